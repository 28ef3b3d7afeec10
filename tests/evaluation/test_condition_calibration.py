from __future__ import annotations

import numpy as np
import pytest

from calokit.evaluation.metrics.condition_calibration import (
    QUANTITIES,
    ConditionSums,
    bin_conditions,
    find_worst_bin,
    quantities_of,
)
from calokit.evaluation.samples.observables import ObservableCalculator
from toy_showers import toy_showers

THRESHOLD = 0.1


def look_at(showers):
    observables = ObservableCalculator(showers.detector, THRESHOLD)(showers)
    conditions, names = showers.conditions()
    return conditions, names, quantities_of(observables)


def sums_of(showers, bins):
    conditions, _, quantities = look_at(showers)
    sums = ConditionSums(bins)
    for start in range(0, len(showers), 700):
        part = slice(start, start + 700)
        sums.add(conditions[part], {name: values[part] for name, values in quantities.items()})
    return sums


@pytest.fixture(scope="module")
def truth():
    showers = toy_showers(1, 4000)
    conditions, names, quantities = look_at(showers)
    bins = bin_conditions(conditions, names, quantities, len(showers))
    return showers, bins, sums_of(showers, bins)


def test_bins_hold_equal_numbers_and_follow_the_conditions(truth):
    _, bins, sums = truth
    assert bins.names == ("ln incident energy", "impact x", "impact y")
    assert all(len(edges) == 9 for edges in bins.edges)
    assert np.ptp(sums.values("hits", "impact x").showers) < 2
    assert sums.values("response", "impact y").values == pytest.approx(np.ones(8), abs=0.02)


def test_truth_of_another_seed_has_no_bad_bin(truth):
    _, bins, sums = truth
    other = sums_of(toy_showers(2, 4000), bins)
    for quantity in QUANTITIES:
        worst = find_worst_bin(sums, other, quantity)
        # of 24 normal deviates the largest is 2.0 to 3.4 nine times in ten
        assert 0.8 < worst.deviation < 4.0
        assert worst.spread == pytest.approx(0.505, abs=0.005)


def test_a_response_that_depends_on_the_impact_is_found_where_it_is(truth):
    _, bins, sums = truth
    showers = toy_showers(3, 4000)
    right = showers.positions[:, 0] > 75.0
    showers.energies[right] *= 1.05
    worst = find_worst_bin(sums, sums_of(showers, bins), "response")
    assert worst.deviation > 6.0
    assert worst.words.startswith("worst bin: impact x 7")
    ratio, error = (float(word) for word in worst.words.split("ratio ")[1].split(" ± "))
    assert abs(ratio - 1.05) < 3 * error


def test_a_wrong_resolution_is_found_by_the_resolution_alone(truth):
    _, bins, sums = truth
    other = sums_of(toy_showers(4, 4000, spread=0.13), bins)
    assert find_worst_bin(sums, other, "resolution").deviation > 5.0
    assert find_worst_bin(sums, other, "width").deviation < 4.0


def test_conditions_that_do_not_vary_have_no_bins():
    showers = toy_showers(1, 300)
    conditions, names, quantities = look_at(showers)
    conditions[:, 1] = 5.0
    bins = bin_conditions(conditions, names, quantities, 300)
    assert bins.names == ("ln incident energy", "impact y")
    assert [len(edges) for edges in bins.edges] == [3, 3]
