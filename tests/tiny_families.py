"""Every family so small that a test can train it on every detector, and made-up showers for any detector."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

import numpy as np
import pytest
from _pytest.mark import ParameterSet

import calokit.models
from calokit.detector import Detector, list_detectors, load_detector
from calokit.models.settings import ModelSettings
from calokit.showers import Showers
from calokit.showers.particles import Particles

TINY_FAMILIES: dict[str, dict[str, Any]] = {
    "flow": {"channels": 4, "blocks": 1, "totals_width": 8, "totals_layers": 1, "totals_steps": 2},
    "regression": {"hidden_dim": 4, "energy_penalty": 1.0},
    "gan": {"hidden_dim": 4, "random_inputs": 3, "discriminator_channels": 2, "objective": "cross_entropy"},
    "image_gan": {
        "generator": {"random_inputs": 3, "channels": 16, "spectral_norm": True, "attention": True},
        "critic": {"form": "projection", "channels": (4, 4, 4), "attention": True, "sees_total": True},
        "regressor": {"channels": (2, 2), "learns_fakes": True},
        "gradient_penalty": 1.0,
        "instance_noise": 0.01,
        "objective": "cross_entropy",
    },
    "sections": {"trunk_width": 8, "channels": 4, "blocks": 1, "summary_width": 8, "summary_layers": 1},
    "hits": {"width": 8, "channels": 2, "head_width": 8, "targets": ("energy", "place"), "members": 2},
    "counting_hits": {
        "width": 8,
        "channels": 2,
        "head_width": 8,
        "targets": ("energy", "place"),
        "layer_channels": 2,
        "teacher_weight": 0.5,
    },
    "voxels": {"channels": (2, 2, 2), "dense": (8,), "window_rows": 16},
    "voxels_place": {"channels": (2, 2, 2), "dense": (8,), "shared": True, "window_rows": 16},
    "particles": {"channels": 4, "blocks": 1},
    "cascade": {"width": 8, "layers": 1, "totals_width": 8},
    "volume_gan": {"width": 0.05, "random_inputs": 3},
    "mixture": {"member": {"kind": "regression", "hidden_dim": 4}, "shares": (0.25, 0.75)},
}
"""What of each family's settings is smaller than its default, or switches on what else would lie idle."""
MANY_CELLS = 30_000
QUICK_DETECTORS = 2
FILLS_MEMORY = 80_000
MOST_HITS = 200

for module in walk_packages(calokit.models.__path__, "calokit.models."):
    import_module(module.name)
FAMILIES = sorted(ModelSettings.families)


def tiny_settings(kind: str) -> ModelSettings:
    """Return the small settings of a family (its defaults where `TINY_FAMILIES` has none)."""
    return ModelSettings.families[kind](**TINY_FAMILIES.get(kind, {}))


def families_and_detectors(accepted: bool) -> list[tuple[str, str]]:
    """Return every family with every detector that comes with calokit and that it accepts, or refuses."""
    return [
        (kind, name)
        for kind in FAMILIES
        for name in list_detectors()
        if (tiny_settings(kind).misfit(load_detector(name)) is None) == accepted
    ]


def is_large(name: str) -> bool:
    """Tell whether a detector that comes with calokit has so many cells that its tests are slow."""
    return load_detector(name).number_of_cells >= MANY_CELLS


def slow_where_large(pairs: list[tuple[str, str]]) -> list[ParameterSet]:
    """Return pairs as parameters; quick are a family's two smallest detectors, of which one may be large."""
    sizes: dict[str, list[int]] = {}
    for kind, name in pairs:
        sizes.setdefault(kind, []).append(load_detector(name).number_of_cells)
    parameters = []
    for kind, name in pairs:
        smaller = sum(size < load_detector(name).number_of_cells for size in sizes[kind])
        slow = smaller >= QUICK_DETECTORS or (smaller > 0 and is_large(name))
        parameters.append(pytest.param((kind, name), id=f"{kind}-{name}", marks=slow_if(slow)))
    return parameters


def slow_detectors(names: list[str]) -> list[ParameterSet]:
    """Return detectors as parameters, the large ones slow."""
    return [pytest.param(name, id=name, marks=slow_if(is_large(name))) for name in names]


def slow_if(slow: bool) -> list[pytest.MarkDecorator]:
    """Return the marks of a test that may be slow."""
    return [pytest.mark.slow] if slow else []


@cache
def showers_in(name: str) -> Showers:
    """Return made-up showers in a detector that comes with calokit, with everything a file can tell.

    180, of which more than a hundred train: what a line fit is tuned on; fewer where they would fill memory.
    """
    detector = load_detector(name)
    return make_showers_in(detector, 60 if detector.number_of_cells >= FILLS_MEMORY else 180)


def make_showers_in(detector: Detector, count: int, seed: int = 1) -> Showers:
    """Return showers of 1 to 100 GeV about the impact, wide in wide detectors, a tenth of the energy visible.

    Their middle is in the middle layer; an event has one particle, and an entry for every 0.1 MeV.
    """
    rng = np.random.default_rng(seed)
    cells, layers = detector.cells, detector.number_of_layers
    incident = np.exp(rng.uniform(np.log(1e3), np.log(1e5), count))
    positions = rng.uniform(-20.0, 20.0, (count, 2))
    theta, phi = 0.02 * np.sqrt(rng.random(count)), rng.uniform(0.0, 2.0 * np.pi, count)
    directions = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], axis=1)
    distance = np.hypot(cells.x - positions[:, :1], cells.y - positions[:, 1:])
    depth = np.abs(cells.layer - 0.5 * (layers - 1)) / layers
    reach = 0.1 * cells.radius.max() + 1.0
    shape = np.exp(-distance / reach - 6.0 * depth) * rng.gamma(4.0, size=distance.shape)
    hits = min(MOST_HITS, 1 + len(cells) // 2)
    shape[shape < np.partition(shape, -hits, axis=1)[:, -hits, None]] = 0.0
    energies = 0.1 * incident[:, None] * shape / shape.sum(axis=1, keepdims=True)
    as32 = [one.astype(np.float32) for one in (energies, incident, positions, directions)]
    pdg = np.full(count, -11, np.int32)
    particles = Particles(as32[1][:, None], pdg[:, None], as32[2][:, None], as32[3][:, None])
    entries = np.ceil(energies / 0.1).clip(max=60_000).astype(np.uint16)
    return Showers(as32[0], as32[1], detector, as32[2], as32[3], pdg, particles, entries)
