from __future__ import annotations

import numpy as np
import pytest

from calokit.detector import load_detector
from calokit.errors import CalokitError
from calokit.evaluation.metrics.layer_occupancy import LayerOccupancy, occupancy_distance
from calokit.showers.hits import Hits

DETECTOR = load_detector("calochallenge_1_photons")  # layers of 8, 160, 190, 5 and 5 cells
CELLS = np.array([8, 160, 190, 5, 5])
THRESHOLDS = (1.0, 10.0)


def hits_of(generator, showers, part, common=0.0):
    """Every cell hit with a chance `part`, half of the hits above 10 MeV; `common` moves whole showers."""
    chance = np.clip(part * (1.0 + common * generator.normal(size=(showers, 1))), 0.0, 1.0)
    event, cell = np.nonzero(generator.random((showers, len(DETECTOR.cells.layer))) < chance)
    energy = np.where(generator.random(len(event)) < 0.5, 20.0, 2.0)
    return Hits(event, cell, energy, showers)


def occupancy_of(*batches):
    occupancy = LayerOccupancy(DETECTOR, THRESHOLDS)
    for hits in batches:
        occupancy.add(hits)
    return occupancy


def test_part_of_cells_and_errors_are_binomial():
    found = occupancy_of(hits_of(np.random.default_rng(1), 4000, 0.2))
    for number, part in ((0, 0.2), (1, 0.1)):
        layers = found.part_of_cells(number)
        expected = np.sqrt(part * (1 - part) / (4000 * CELLS))
        assert layers.errors == pytest.approx(expected, rel=0.1)
        assert np.abs(layers.values - part).max() < 4 * expected.max()


def test_counted_by_hand():
    cells = DETECTOR.cells.layer
    first, fourth = (int(np.flatnonzero(cells == layer)[0]) for layer in (0, 3))
    hits = Hits(np.array([0, 0, 1]), np.array([first, fourth, first]), np.array([5.0, 50.0, 10.0]), 4)
    found = occupancy_of(hits)
    assert found.part_of_cells(0).values == pytest.approx([2 / 8 / 4, 0, 0, 1 / 5 / 4, 0])
    assert found.part_of_cells(1).values == pytest.approx([0, 0, 0, 1 / 5 / 4, 0])  # 10 is not above 10
    assert found.part_of_cells(0).showers.tolist() == [4.0] * 5


def test_distance_of_a_known_rise_and_of_blocks():
    generator = np.random.default_rng(2)
    parts = [hits_of(generator, 1000, 0.2) for _ in range(3)]
    reference, other = occupancy_of(*parts), occupancy_of(hits_of(generator, 3000, 0.22))
    found = occupancy_distance(reference, other, 0)
    assert abs(found.value - 0.1) < 4 * found.error < 0.05
    assert occupancy_distance(reference, reference, 1).value == 0.0


@pytest.mark.parametrize("common", [0.0, 0.5])
@pytest.mark.parametrize(("part", "low", "high"), [(0.2, 0.9, 2.0), (0.3, 0.8, 1.25)])
def test_errors_over_repetitions(common, part, low, high):
    """Also where whole showers are busy or quiet, so that the layers rise and fall together."""
    generator = np.random.default_rng(3)

    def draw(chance):
        return occupancy_of(hits_of(generator, 60, chance, common))

    found = [occupancy_distance(draw(0.2), draw(part), 0) for _ in range(150)]
    ratio = np.mean([each.error for each in found]) / np.std([each.value for each in found])
    assert low < ratio < high


def test_mistakes_are_refused():
    hits = hits_of(np.random.default_rng(4), 10, 0.2)
    other = LayerOccupancy(DETECTOR, (1.0, 5.0))
    other.add(hits)
    with pytest.raises(CalokitError, match="same thresholds"):
        occupancy_distance(occupancy_of(hits), other, 0)
    empty = occupancy_of(Hits(np.zeros(0, int), np.zeros(0, int), np.zeros(0), 5))
    with pytest.raises(CalokitError, match="lower the threshold"):
        occupancy_distance(empty, occupancy_of(hits), 0)
