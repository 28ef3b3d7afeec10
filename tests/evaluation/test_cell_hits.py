from __future__ import annotations

import numpy as np
import pytest

from calokit.errors import CalokitError
from calokit.evaluation.metrics.cell_hits import CellHitsByEnergy, cell_hits_separation
from calokit.showers.hits import Hits

INCIDENT = np.array([1e3, 1e4, 1e5])
CELL = 130
EDGES = {CELL: np.array([0.1, 1.0, 10.0, 100.0])}


def table_of(generator, showers, chance=(0.2, 0.6), low_part=0.5, split=None):
    """Hits of one cell with another chance at low and at high energy, a part of them below 1 MeV."""
    high = generator.random(showers) < low_part
    incident = np.where(high, 5e4, 5e3)
    hit = generator.random(showers) < np.where(high, chance[1], chance[0])
    event = np.flatnonzero(hit)
    energy = np.where(generator.random(len(event)) < 0.3, 0.5, 20.0)
    table = CellHitsByEnergy(INCIDENT, EDGES)
    for rows in np.split(np.arange(showers), [] if split is None else [split]):
        inside = np.isin(event, rows)
        hits = Hits(event[inside] - rows[0], np.full(inside.sum(), CELL), energy[inside], len(rows))
        table.add(incident[rows], hits)
    return table


def test_counts_add_up_and_other_cells_do_not_count():
    table = CellHitsByEnergy(INCIDENT, EDGES)
    hits = Hits(np.array([0, 0, 1, 2]), np.array([CELL, 7, CELL, 8]), np.array([0.5, 9.0, 1e9, 3.0]), 4)
    table.add(np.array([2e3, 2e4, 2e4, 9e9]), hits)
    assert table.counts[CELL].tolist() == [[0, 1, 0, 0], [2, 0, 0, 1]]


def test_hit_probability_by_energy():
    found = table_of(np.random.default_rng(1), 20_000).hit_probability(CELL)
    assert np.abs((found.values - [0.2, 0.6]) / found.errors).max() < 4
    assert found.errors == pytest.approx([np.sqrt(0.16 / 1e4), np.sqrt(0.24 / 1e4)], rel=0.05)


def test_blocks_make_no_difference():
    whole, parts = (table_of(np.random.default_rng(2), 500, split=split) for split in (None, 123))
    assert np.array_equal(whole.counts[CELL], parts.counts[CELL])


def test_separation_of_known_tables():
    """Hit always against never, at high energies only: S = 1 there, 0 below, half of the showers each."""
    generator = np.random.default_rng(3)
    first, second = (table_of(generator, 4000, (0.0, chance)) for chance in (0.0, 1.0))
    part = first.counts[CELL][1].sum() / 4000
    assert cell_hits_separation(first, second, CELL).value == pytest.approx(part)
    assert cell_hits_separation(first, first, CELL).value == 0.0


def test_other_incident_energies_make_no_difference_and_errors_are_the_spread():
    generator = np.random.default_rng(4)
    found = [
        cell_hits_separation(
            table_of(generator, 3000), table_of(generator, 3000, (0.25, 0.5), low_part=0.2), CELL
        )
        for _ in range(200)
    ]
    values = [each.value for each in found]
    assert np.mean([each.error for each in found]) == pytest.approx(np.std(values), rel=0.2)
    floor = [
        cell_hits_separation(table_of(generator, 3000), table_of(generator, 3000, low_part=0.2), CELL).value
        for _ in range(50)
    ]
    assert np.mean(floor) < 0.3 * np.mean(values)


def test_mistakes_are_refused():
    table = table_of(np.random.default_rng(5), 100)
    other = CellHitsByEnergy(np.array([1e3, 1e5]), EDGES)
    with pytest.raises(CalokitError, match="different bins"):
        cell_hits_separation(table, other, CELL)
    with pytest.raises(CalokitError, match="both samples"):
        cell_hits_separation(table, CellHitsByEnergy(INCIDENT, EDGES), CELL)
