"""Every family on a real accelerator beside the processor (`make test-device`); skipped without one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from calokit.bundles.bundle import Bundle
from calokit.compute.device import CPU, Device, available_devices
from calokit.compute.draws import Draws, Purpose, draw_generator
from calokit.compute.precision import PLAIN
from calokit.inference import ShowerGenerator
from calokit.inference.reconstruct import estimate_block
from calokit.models.families import build_model
from calokit.models.protocols import Surrogate, Trainable
from calokit.progress import no_progress
from calokit.recipes.recipe import Recipe
from calokit.showers import Showers
from calokit.training.run import start_training
from compute.tiny_families import families, showers_for, tiny_of
from made_up_runs import MakeFile

ACCELERATORS = [name for name in available_devices() if name != "cpu"]
SAME_SHOWERS = 0.9
"""A rounding decides a hit now and then, and with it the rest of that shower."""

pytestmark = [
    pytest.mark.device,
    pytest.mark.skipif(not ACCELERATORS, reason="there is no accelerator here"),
    pytest.mark.filterwarnings("ignore::calokit.errors.ConditionWarning"),
]


@pytest.fixture
def device() -> Device:
    return Device(ACCELERATORS[0])


def built(recipe: Recipe, showers: Showers) -> Trainable:
    """Build a model with weights that say something in every part."""
    model = build_model(recipe.model, showers.detector, 1)
    model.fit_transforms(showers)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


@pytest.mark.parametrize("kind", families())
def test_losses_agree(kind: str, device: Device) -> None:
    recipe = tiny_of(kind)
    showers = showers_for(recipe)
    model = built(recipe, showers)
    found = []
    for place in (CPU, device):
        batch = place.put(model.prepare(showers[:32]))
        place.put(model)
        draws = Draws(draw_generator(1, Purpose.VALIDATION, 0), place)
        with torch.no_grad(), place.autocast("float32"):
            losses = model.validation_losses(batch, draws)
        found.append({name: float(loss) for name, loss in losses.items()})
        CPU.put(model)
    assert found[1] == pytest.approx(found[0], rel=1e-3)


@pytest.mark.parametrize("kind", families())
def test_what_is_made_agrees(kind: str, device: Device) -> None:
    recipe = tiny_of(kind)
    showers = showers_for(recipe)
    model = built(recipe, showers)
    found = []
    for place in (CPU, device):
        if isinstance(model, Surrogate):
            bundle = Bundle(model, recipe, showers.detector, [], {"particle": "e+"})
            generator = ShowerGenerator(bundle, 7, PLAIN, place)
            found.append({"energies": generator.draw(showers.incidents).energies})
        else:
            found.append(estimate_block(place.put(model), showers))
        CPU.put(model)
    for name, values in found[0].items():
        close = np.isclose(found[1][name], values, rtol=2e-3, atol=1e-3).reshape(len(values), -1)
        assert close.all(axis=1).mean() >= SAME_SHOWERS, name


@pytest.mark.parametrize("kind", families())
def test_training_runs(kind: str, device: Device, shower_file: MakeFile, tmp_path: Path) -> None:
    recipe = tiny_of(kind)
    recipe = recipe.model_copy(
        update={"training": recipe.training.model_copy(update={"precision": "bfloat16"})}
    )
    data = shower_file(showers=showers_for(recipe))
    run = start_training(recipe, data, tmp_path / "run", no_progress, device=device)
    assert run.bundle.provenance["device"] == device.name
    assert run.bundle.provenance["accelerator"] == device.model_name()
    assert run.bundle.model.device == CPU
    assert all(np.isfinite(value) for value in run.bundle.provenance["validation"].values())
