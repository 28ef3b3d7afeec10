"""Every family that recipes can name, so small that a step takes milliseconds, with showers that it takes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from calokit.detector import Detector, load_detector
from calokit.models.settings import ModelSettings
from calokit.recipes import list_recipes, load_recipe
from calokit.recipes.recipe import Recipe
from calokit.showers import Showers
from calokit.showers.overlay import overlay_showers
from made_up_positrons import made_up_positrons

SHOWERS = 200
TINY = {
    "flow": ["channels=4", "blocks=1", "totals_width=8", "totals_layers=1"],
    "regression": ["hidden_dim=4", "energy_penalty=1.0"],
    "gan": ["hidden_dim=4", "gradient_penalty=10.0", "spectral_norm=false", "discriminator_channels=4"],
    "sections": ["channels=4", "trunk_width=16"],
    "hits": ["width=8"],
    "counting_hits": ["width=8", "layer_channels=2", "teacher_weight=0.5"],
    "voxels": ["channels=[2,2,2]", "dense=[8]"],
    "voxels_place": ["channels=[2,2,2]", "dense=[8]"],
    "particles": ["channels=4"],
}
"""Sizes of families that would take long; others are taken as their recipe has them."""
TRAINING = [
    "training.steps=4",
    "training.batch_size=16",
    "training.validate_every=2",
    "training.validation_showers=16",
    "training.memory_format=channels_last",
    "training.precision=float32",
]


def families() -> list[str]:
    """Return the kinds of all families that a recipe can name."""
    list_recipes()
    return sorted(ModelSettings.families)


def tiny_of(kind: str) -> Recipe:
    """Return a shipped recipe of a family, made small."""
    name = next(one.name for one in list_recipes() if one.model.kind == kind)
    model = [f"model.{change}" for change in TINY.get(kind, [])]
    return load_recipe(name, [*model, *TRAINING])


def showers_for(recipe: Recipe) -> Showers:
    """Return made-up showers that a recipe can train on."""
    detector = load_detector(recipe.detector or "zdc_ecal")
    if detector.name != "luxe_ecal":
        return blobs(detector, SHOWERS)
    showers = made_up_positrons(detector, SHOWERS, 1)
    if recipe.model.kind == "particles":
        return overlay_showers(showers, SHOWERS, (1, 3), 20, np.random.default_rng(1))
    return replace(showers, entries=np.ceil(showers.energies / 0.1).astype(np.uint16))


def blobs(detector: Detector, count: int) -> Showers:
    """Return blobs about the impact in the cells of any detector, log-uniform from 1 to 100 GeV."""
    rng = np.random.default_rng(1)
    cells = detector.cells
    incident = np.exp(rng.uniform(np.log(1e3), np.log(1e5), count))
    positions = rng.uniform(-30.0, 30.0, (count, 2))
    theta, phi = 0.005 * np.sqrt(rng.random(count)), rng.uniform(0.0, 2.0 * np.pi, count)
    directions = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], axis=1)
    distance = np.hypot(cells.x - positions[:, :1], cells.y - positions[:, 1:])
    blob = np.exp(-distance / 9.0) * rng.gamma(4.0, size=distance.shape)
    energies = 0.5 * incident[:, None] * blob / blob.sum(axis=1, keepdims=True)
    energies[energies < 0.02] = 0.0
    as32 = (one.astype(np.float32) for one in (energies, incident, positions, directions))
    energies32, incident32, positions32, directions32 = as32
    return Showers(energies32, incident32, detector, positions32, directions32)
