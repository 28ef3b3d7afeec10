"""Steps shared among the cells of a cylinder."""

from __future__ import annotations

import math

import numpy as np
import pytest

from calokit.detector.grids import PolarGrid
from calokit.simulation.geant4.polar_steps import PolarSteps

EIGHT = PolarSteps(PolarGrid(np.linspace(0.0, 2 * np.pi, 9), np.array([0.0, 1.0, 2.0, 4.0])))


def test_a_step_within_a_cell_is_that_cells() -> None:
    assert EIGHT.shares((0.5, 0.1), (0.6, 0.2)) == [((0, 0), 1.0)]


def test_a_radial_step_is_shared_by_its_length() -> None:
    (one, two, three) = EIGHT.shares((0.5, 0.1), (2.5, 0.5))
    assert [cell for cell, _ in (one, two, three)] == [(0, 0), (0, 1), (0, 2)]
    length = math.hypot(2.0, 0.4)
    inner = 1.0 - math.hypot(0.5, 0.1)
    assert [part for _, part in (one, two, three)] == pytest.approx(
        [inner / length, 1.0 / length, 1.0 - (inner + 1.0) / length]
    )


def test_a_step_through_the_core_passes_rings_twice() -> None:
    found = EIGHT.shares((-1.5, 0.3), (1.5, 0.3))
    assert [cell for cell, _ in found] == [(3, 1), (3, 0), (2, 0), (1, 0), (0, 0), (0, 1)]
    assert sum(part for _, part in found) == pytest.approx(1.0)


def test_a_step_over_the_first_edge_of_the_circle() -> None:
    assert [cell for cell, _ in EIGHT.shares((1.5, -0.1), (1.5, 0.1))] == [(7, 1), (0, 1)]


def test_rings_without_angles() -> None:
    rings = PolarSteps(PolarGrid(np.array([0.0, 2 * np.pi]), np.array([0.0, 1.0, 2.0])))
    assert [cell for cell, _ in rings.shares((-1.5, 0.0), (1.5, 0.0))] == [(0, 1), (0, 0), (0, 1)]


def test_parts_are_where_many_points_of_the_step_are() -> None:
    random = np.random.default_rng(3)
    for _ in range(50):
        start, end = random.uniform(-3.0, 3.0, (2, 2))
        shared: dict[tuple[int, int], float] = {}
        for cell, part in EIGHT.shares((start[0], start[1]), (end[0], end[1])):
            shared[cell] = shared.get(cell, 0.0) + part
        counted = dict.fromkeys(shared, 0.0)
        for place in (np.arange(4000) + 0.5) / 4000:
            counted[EIGHT.cell_at(*(start + place * (end - start)))] += 1 / 4000
        assert counted == pytest.approx(shared, abs=1e-3)
