"""Time of a training step and of a shower for every recipe, on each device of the machine.

Models are untrained and showers made up (blobs about the impact), which the times do not mind. A step is
forward and backward of one batch of the recipe's size in the fastest format, as `calokit train` measures it;
a shower is generated or reconstructed in blocks, moves to and from the device included, reading and writing
not.

    python -m benchmarks.speed.device_speed
"""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from benchmarks.overlay import overlay_showers
from benchmarks.record import Row, describe_circumstances, print_rows, write_record
from calokit.bundles.bundle import Bundle
from calokit.compute.device import Device, available_devices
from calokit.detector import Detector, load_detector
from calokit.errors import CalokitError, ConditionWarning
from calokit.inference import ShowerGenerator
from calokit.inference.reconstruct import estimate_block
from calokit.models.estimators.protocol import Reconstructor
from calokit.models.families import build_model
from calokit.models.protocols import Surrogate, Trainable
from calokit.recipes import list_recipes
from calokit.recipes.recipe import Recipe
from calokit.showers import Showers, concatenate
from calokit.training.precision import choose_precision

MADE = 512


def make_showers(detector: Detector, count: int) -> Showers:
    """Return blobs about the impact, log-uniform from 1 to 100 GeV."""
    rng = np.random.default_rng(1)
    cells = detector.cells
    incident = np.exp(rng.uniform(np.log(1e3), np.log(1e5), count))
    positions = rng.uniform(-5.0, 5.0, (count, 2))
    distance = np.hypot(cells.x - positions[:, :1], cells.y - positions[:, 1:])
    blob = np.exp(-distance / 9.0) * rng.gamma(1.0, size=distance.shape)
    energies = 0.1 * incident[:, None] * blob / blob.sum(axis=1, keepdims=True)
    energies[energies < 0.05] = 0.0
    as32 = [one.astype(np.float32) for one in (energies, incident, positions)]
    ahead = np.tile(np.array([0.0, 0.0, 1.0], np.float32), (count, 1))
    showers = Showers(as32[0], as32[1], detector, as32[2], ahead)
    return replace(showers, entries=np.ceil(energies / 0.1).astype(np.uint16))


def fitted(recipe: Recipe) -> tuple[Trainable[Any], Showers]:
    """Return a model with its transforms fitted, and showers that it takes."""
    showers = make_showers(load_detector(recipe.detector or "zdc_ecal"), MADE)
    model = build_model(recipe.model, showers.detector, 1)
    try:
        model.fit_transforms(showers)
    except CalokitError:  # events of several particles
        showers = overlay_showers(showers, MADE, (1, 3), 5, np.random.default_rng(1))
        model.fit_transforms(showers)
    return model, showers


def time_use(model: Trainable[Any], recipe: Recipe, showers: Showers, device: Device) -> float:
    """Return the milliseconds of a generated or reconstructed shower."""
    if not isinstance(model, Surrogate):
        assert isinstance(model, Reconstructor)
        estimate_block(device.put(model), showers)
        started = time.perf_counter()
        estimate_block(model, showers)
        return 1e3 * (time.perf_counter() - started) / len(showers)
    generator = ShowerGenerator(
        Bundle(model, recipe, showers.detector, [], {"particle": "e+"}), 1, device=device
    )
    generator.draw(showers.incidents)
    before = generator.seconds
    generator.draw(showers.incidents)
    return 1e3 * (generator.seconds - before) / len(showers)


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipes", nargs="+", default=None, help="names; all of them by default")
    parser.add_argument("--devices", nargs="+", default=available_devices())
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConditionWarning)
    circumstances = describe_circumstances(torch.get_num_threads())
    rows: list[Row] = []
    for recipe in list_recipes():
        if arguments.recipes is not None and recipe.name not in arguments.recipes:
            continue
        model, showers = fitted(recipe)
        size = recipe.training.batch_size
        whole = concatenate([showers] * -(-size // MADE))[:size]
        for name in arguments.devices:
            device = Device.of(name)
            batch = device.put(model.prepare(whole))
            chosen = choose_precision(device.put(model).train(), batch, recipe.training)
            used = time_use(model.eval(), recipe, showers, device)
            rows.append(
                {
                    "recipe": recipe.name,
                    "device": device.name,
                    "model": device.model_name(),
                    "batch": size,
                    "step ms": chosen.milliseconds,
                    "format": f"{chosen.number_format} {chosen.memory_format}",
                    "shower ms": used,
                }
            )
            print(rows[-1], flush=True)
    print_rows("Devices", rows, circumstances)
    if arguments.recipes is None:
        write_record("device_speed", rows, circumstances)


if __name__ == "__main__":
    main()
