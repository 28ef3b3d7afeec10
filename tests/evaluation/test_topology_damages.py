from __future__ import annotations

import numpy as np
import pytest

from calokit.detector import load_detector
from calokit.errors import CalokitError
from calokit.evaluation.topology.calculator import TopologyCalculator
from calokit.evaluation.topology.damages import (
    isolate_hits,
    mix_layers,
    shuffle_neighbours,
    smear_line,
    swap_cells,
)
from calokit.evaluation.topology.lines import SpectralLine
from calokit.showers import Showers
from toy_showers import toy_showers

THRESHOLD = 20.0


def sparse_showers(events=300):
    """Toy showers with isolated hits: some cells far out are set above the threshold."""
    showers = toy_showers(1, events).with_threshold(THRESHOLD)
    generator = np.random.default_rng(5)
    for event in range(events):
        cells = generator.integers(0, 400, 3)
        showers.energies[event, cells] = generator.uniform(21.0, 60.0, 3)
    return showers


def column(showers, name):
    found = TopologyCalculator(showers.detector, THRESHOLD)(showers)
    return found.values[:, found.names.index(name)]


def test_more_isolated_hits_with_the_same_spectrum():
    showers = sparse_showers()
    damaged = isolate_hits(showers, THRESHOLD, 0.5, 3)
    gained = column(damaged, "isolated_hits").sum() / column(showers, "isolated_hits").sum()
    assert 1.2 < gained < 1.7
    assert np.array_equal(np.sort(damaged.energies, axis=1), np.sort(showers.energies, axis=1))


def test_neighbours_lose_their_correlation_and_masks_and_spectra_stay():
    showers = sparse_showers()
    damaged = shuffle_neighbours(showers, THRESHOLD, 3)
    assert np.array_equal(damaged.energies > 0, showers.energies > 0)
    assert np.array_equal(np.sort(damaged.energies, axis=1), np.sort(showers.energies, axis=1))
    assert (damaged.energies != showers.energies).any(axis=1).mean() > 0.9
    distance = np.hypot(
        showers.detector.cells.x - showers.positions[:, :1],
        showers.detector.cells.y - showers.positions[:, 1:],
    )
    rings = distance < 30.3
    inside = [(one.energies * rings).sum(axis=1) for one in (showers, damaged)]
    assert inside[1] == pytest.approx(inside[0], rel=0.03)


def test_a_smeared_line_is_spread_and_the_rest_stays():
    showers = toy_showers(1, 50)
    line = SpectralLine(0.511, 5e-4)
    showers.energies[:, :5] = 0.511
    damaged = smear_line(showers, line, 0.003, 3)
    assert damaged.energies[:, :5].std() == pytest.approx(0.003, rel=0.15)
    assert np.array_equal(damaged.energies[:, 5:], showers.energies[:, 5:])


def test_swapped_cells_change_two_hits_of_a_part_of_the_showers():
    showers = sparse_showers()
    damaged = swap_cells(showers, THRESHOLD, 0.1, 3)
    changed = (damaged.energies != showers.energies).sum(axis=1)
    assert set(changed) == {0, 2}
    assert 15 < (changed > 0).sum() < 50
    assert np.array_equal(np.sort(damaged.energies, axis=1), np.sort(showers.energies, axis=1))


def test_layers_come_from_a_shower_of_much_the_same_energy():
    detector = load_detector("par04_siw")
    generator = np.random.default_rng(1)
    incident = np.linspace(1e3, 2e3, 100).astype(np.float32)
    energies = np.repeat(incident[:, None], detector.number_of_cells, axis=1)
    energies *= generator.uniform(0.9, 1.1, energies.shape).astype(np.float32)
    showers = Showers(energies, incident, detector)
    damaged = mix_layers(showers, 0.5, 3)
    changed = (damaged.energies != showers.energies).any(axis=1)
    assert 35 < changed.sum() < 65
    depth = detector.cells.layer
    assert np.array_equal(damaged.energies[:, depth < 10], showers.energies[:, depth < 10])
    assert (damaged.energies[changed][:, depth == 44] != showers.energies[changed][:, depth == 44]).any()
    assert damaged.energies.mean(axis=1) == pytest.approx(showers.energies.mean(axis=1), rel=0.01)
    with pytest.raises(CalokitError, match="single layer"):
        mix_layers(toy_showers(1, 30), 0.5, 3)
