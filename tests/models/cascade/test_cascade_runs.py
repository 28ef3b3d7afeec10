"""The cascade through the usual loop: trained, carried away as a bundle, generating the same showers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from calokit.detector import load_detector
from calokit.errors import RunError
from calokit.inference import ShowerGenerator, generate_file, incidents_like, read_bundle
from calokit.models.batches import TrainingBatch
from calokit.models.cascade.surrogate import CascadeSurrogate
from calokit.progress import no_progress
from calokit.recipes import list_recipes, load_recipe
from calokit.showers import Split, open_showers
from calokit.training.loop import TrainingLoop
from calokit.training.run import continue_training, start_training
from made_up_runs import TINY_TRAINING, MakeFile, seeded, silent
from models.cascade.test_cascade_surrogate import made_up
from toy_showers import write_showers

TINY = ["model.width=8", "model.totals_width=8", "model.layers=1", "training.steps=6", *TINY_TRAINING]
PLAIN = "model.near_threshold=false"
CORRECTED = ".knots"
"""What is corrected after training ends so."""


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


def test_a_start_from_a_bundle_keeps_weights_and_fits_the_totals_anew(
    tmp_path: Path, shower_file: MakeFile
) -> None:
    first = start_training(load_recipe("cascade", TINY), shower_file(150), tmp_path / "first", silent)
    few = shower_file(60, seed=5, name="few.h5")
    recipe = load_recipe("cascade", [*TINY, "training.steps=1", "training.learning_rate=1e-12"])
    second = start_training(recipe, few, tmp_path / "second", silent, start_from=first.bundle_path)
    before, after = (run.bundle.model.state_dict() for run in (first, second))
    for name, tensor in before.items():
        if name.startswith("totals.") and ("trend" in name or name.endswith("bounds")):
            continue
        if name.endswith(CORRECTED):
            continue
        np.testing.assert_allclose(after[name].numpy(), tensor.numpy(), rtol=1e-5, atol=1e-6, err_msg=name)
    assert not np.allclose(after["totals.energy_trend.range"], before["totals.energy_trend.range"])


def test_a_start_in_other_coordinates_is_refused(tmp_path: Path, shower_file: MakeFile) -> None:
    data, old = shower_file(150), PLAIN
    first = start_training(load_recipe("cascade", [*TINY, old]), data, tmp_path / "first", silent)
    with pytest.raises(RunError, match=f"--set {old}"):
        start_training(
            load_recipe("cascade", TINY), data, tmp_path / "second", silent, start_from=first.bundle_path
        )


def test_recipes_of_the_cascade_fit_their_detectors() -> None:
    recipes = [recipe for recipe in list_recipes() if recipe.model.kind == "cascade"]
    assert "cascade" in {recipe.name for recipe in recipes}
    for recipe in recipes:
        if recipe.detector is not None:
            assert isinstance(recipe.model.build(load_detector(recipe.detector)), CascadeSurrogate)


def test_networks_that_tiles_share_are_trained_and_carried(tmp_path: Path) -> None:
    detector = load_detector("zdc_ecal_hcal")
    write_showers(tmp_path / "tiles.h5", made_up(detector, 16))
    recipe = load_recipe("zdc_neutrons_cascade", [*TINY, "training.steps=3", "training.batch_size=4", PLAIN])
    run = start_training(recipe, tmp_path / "tiles.h5", tmp_path / "run", silent)
    trained, carried = run.bundle.model, read_bundle(run.bundle_path).model
    assert isinstance(trained, CascadeSurrogate)
    assert isinstance(carried, CascadeSurrogate)
    for model in (trained, carried):
        assert model.stages[4].networks is model.stages[1].networks
    batch = TrainingBatch.of(made_up(detector, 3, seed=2))
    assert torch.equal(trained.log_likelihood(batch), carried.log_likelihood(batch))
    incidents = batch.incidents
    drawn = [model.generate(incidents, seeded()) for model in (trained, carried)]
    assert torch.equal(*drawn)


def test_each_part_ends_with_the_weights_of_its_own_best_validation(
    tmp_path: Path, shower_file: MakeFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = [{"totals": 1.0, "cells": 9.0}, {"totals": 2.0, "cells": 7.0}, {"totals": 3.0, "cells": 8.0}]
    seen: list[dict[str, Tensor]] = []

    def validate(loop: TrainingLoop) -> None:
        seen.append({name: one.clone() for name, one in loop.average.state_dict().items()})
        loop.state.validation = said[len(seen) - 1]
        loop._keep_parts(loop.state.validation)

    monkeypatch.setattr(TrainingLoop, "_validate", validate)
    recipe = load_recipe("cascade", [*TINY, "training.steps=6", "training.validate_every=2"])
    run = start_training(recipe, shower_file(150), tmp_path / "run", silent)
    again = continue_training(tmp_path / "run", silent)
    for trained in (run, again):
        for name, tensor in trained.bundle.model.state_dict().items():
            if name.endswith(CORRECTED):
                continue
            best = seen[0] if name.startswith("totals.") else seen[1]
            assert torch.equal(tensor, best[name]), name
    assert not torch.equal(seen[0]["totals.hits_network.0.weight"], seen[2]["totals.hits_network.0.weight"])
