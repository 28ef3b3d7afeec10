"""The cascade through the usual loop: trained, carried away as a bundle, generating the same showers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calokit.detector import load_detector
from calokit.inference import ShowerGenerator, generate_file, incidents_like, read_bundle
from calokit.models.cascade.surrogate import CascadeSurrogate
from calokit.progress import no_progress
from calokit.recipes import list_recipes, load_recipe
from calokit.showers import Split, open_showers
from calokit.training.run import start_training
from made_up_runs import TINY_TRAINING, MakeFile, silent

TINY = ["model.width=8", "model.totals_width=8", "model.layers=1", "training.steps=6", *TINY_TRAINING]


def test_a_bundle_makes_the_showers_of_the_trained_model(tmp_path: Path, shower_file: MakeFile) -> None:
    path = shower_file(300)
    run = start_training(load_recipe("cascade", TINY), path, tmp_path / "run", silent)
    bundle = read_bundle(run.bundle_path)
    model = bundle.model
    assert isinstance(model, CascadeSurrogate)
    assert model.threshold_mev == pytest.approx(0.1)
    assert model.conditions == ("energy", "position", "direction")
    view = open_showers(path, Split.TRAIN).head(60)
    incidents = next(incidents_like(view))
    trained, carried = (ShowerGenerator(one, seed=1).draw(incidents) for one in (run.bundle, bundle))
    assert np.array_equal(trained.energies, carried.energies)
    files = [tmp_path / "one.h5", tmp_path / "two.h5"]
    for file in files:
        generate_file(bundle, incidents_like(view), file, 3, no_progress)
    first, second = (open_showers(file).read(0, 30).energies for file in files)
    assert np.array_equal(first, second)
    assert (first[first > 0] > model.threshold_mev).all()


def test_recipes_of_the_cascade_fit_their_detectors() -> None:
    recipes = [recipe for recipe in list_recipes() if recipe.model.kind == "cascade"]
    assert "cascade" in {recipe.name for recipe in recipes}
    for recipe in recipes:
        if recipe.detector is not None:
            assert isinstance(recipe.model.build(load_detector(recipe.detector)), CascadeSurrogate)
