"""The calibration test of a density, and showers that are unlikely."""

from __future__ import annotations

import numpy as np
from scipy.special import erf

from calokit.arrays import Float64
from calokit.evaluation.calibration import CalibrationTest, energy_bins
from calokit.evaluation.metrics.uniformity import measure_uniformity
from calokit.evaluation.outliers import ShowerLikelihoods

EDGES = np.array([1.0, 10.0, 100.0])


def count(values: Float64) -> np.ndarray:
    return np.histogram(values, 100, (0.0, 1.0))[0]


def test_uniform_values_are_at_the_floor_and_others_are_not() -> None:
    rng = np.random.default_rng(1)
    uniform = [measure_uniformity(count(rng.random(3000))) for _ in range(300)]
    assert np.isclose(np.mean([one.deviation for one in uniform]), uniform[0].floor, rtol=0.06)
    assert 0.01 < np.mean([one.p_value < 0.05 for one in uniform]) < 0.1
    narrow = measure_uniformity(count(rng.beta(1.3, 1.3, 3000)))
    assert narrow.p_value < 1e-6
    assert narrow.deviation > 2 * narrow.floor
    few = measure_uniformity(count(rng.random(50)))
    assert np.isnan(few.p_value)
    assert measure_uniformity(np.zeros(100, np.int64)).values == 0


def fill(test: CalibrationTest, common: float, seed: int, showers: int = 2000, draws: int = 20) -> None:
    """Add draws whose normal scores share a part within each shower."""
    rng = np.random.default_rng(seed)
    events = np.repeat(np.arange(showers), draws)
    scores = np.sqrt(1 - common) * rng.normal(size=len(events))
    scores += np.sqrt(common) * rng.normal(size=showers)[events]
    values = 0.5 * (1 + erf(scores / np.sqrt(2)))
    levels = np.tile(np.arange(draws) % 2, showers)
    energies = np.where(np.arange(showers) % 2, 5.0, 50.0)
    test.add("cells", "hits", values, events, levels, np.full(len(events), -1), energies)


def test_draws_of_one_shower_that_go_together_are_seen_though_each_is_uniform() -> None:
    for common, low, high in ((0.0, 0.9, 1.1), (0.1, 2.4, 3.4)):  # of 20 draws: 1 + 19 x 0.1
        test = CalibrationTest(EDGES)
        fill(test, common, 1)
        whole = next(row for row in test.rows() if row.axis == "all")
        assert whole.uniformity.values == 40_000
        assert whole.uniformity.deviation < 4 * whole.uniformity.floor
        assert whole.together is not None
        assert low < whole.together[0] < high
        assert 0.0 < whole.together[1] < 0.2


def test_rows_tell_levels_and_energies_apart_and_blocks_add_up() -> None:
    both = CalibrationTest(EDGES)
    fill(both, 0.0, 1)
    fill(both, 0.0, 2)
    rows = both.rows()
    assert [row.label for row in rows if row.axis == "level"] == ["0", "1"]
    assert [row.label for row in rows if row.axis == "energy"] == ["1 to 10", "10 to 100"]
    assert not [row for row in rows if row.axis == "layer"]
    for axis in ("level", "energy"):
        parts = sum(row.counts for row in rows if row.axis == axis)
        assert np.array_equal(parts, rows[0].counts)
    single = CalibrationTest(EDGES)
    fill(single, 0.0, 1)
    assert rows[0].uniformity.values == 2 * single.rows()[0].uniformity.values


def test_energy_bins_hold_about_as_many() -> None:
    energies = np.random.default_rng(1).lognormal(3, 1, 6000)
    assert np.histogram(energies, energy_bins(energies))[0].tolist() == [1000] * 6


def test_the_unlikely_shower_is_found_with_the_part_and_layer_that_make_it_so() -> None:
    rng = np.random.default_rng(1)
    energies = np.exp(rng.uniform(0, 4, 1000))
    cells = -10 * energies[:, None] * np.array([0.2, 0.5, 0.3]) + rng.normal(size=(1000, 3))
    totals = rng.normal(size=1000)
    totals[7] -= 12
    cells[500, 2] -= 30
    showers = ShowerLikelihoods(energies, {"totals": totals, "cells": cells})
    assert np.allclose(showers.totals, totals + cells.sum(1))
    by_number = {one.shower: one for one in showers.outliers(4)}
    assert by_number[500].part == "cells of layer 2"
    assert by_number[500].score < -5
    assert by_number[7].part == "totals"
    assert by_number[7].part_score < -8
    assert len(showers.outliers(50)) == 50
    flat = ShowerLikelihoods(energies, {"totals": np.zeros(1000)})
    assert np.array_equal(flat.scores["all"], np.zeros(1000))
