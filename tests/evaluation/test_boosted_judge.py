from __future__ import annotations

import numpy as np
import pytest

from calokit.errors import CalokitError
from calokit.evaluation.classifiers.boosted_judge import (
    FeatureTable,
    areas_by_group,
    judge_by_trees,
)

NAMES = ("energy", "quiet", "loud", "other")
GROUPS = ("conditions", "silent", "speaking", "speaking")


def table(seed, events=1000, shift=0.0):
    values = np.random.default_rng(seed).normal(0.0, 1.0, (events, 4)).astype(np.float32)
    values[:, 2] += shift
    return FeatureTable(values, NAMES, GROUPS)


def test_equal_laws_are_not_told_apart_and_unequal_ones_as_well_as_they_can_be():
    same = judge_by_trees(table(1), table(2))
    assert abs(same.value - 0.5) < 3.5 * same.error
    assert same.error == pytest.approx(0.0129, rel=0.1)
    # two Gaussians 1 deviation apart have 0.7602; nothing may find more
    far = judge_by_trees(table(1), table(3, shift=1.0))
    assert 0.7602 - 0.05 < far.value < 0.7602 + 3 * far.error


def test_the_group_that_differs_carries_the_area():
    areas = areas_by_group(table(1), table(3, shift=1.0))
    assert set(areas) == {"silent", "speaking"}
    assert areas["speaking"].value > 0.7
    assert abs(areas["silent"].value - 0.5) < 4 * areas["silent"].error


def test_the_most_telling_observable_is_the_one_that_differs():
    costs = judge_by_trees(table(1), table(3, shift=1.0), telling=3).telling
    assert costs[0][0] == "loud"
    assert costs[0][1] > 0.1
    assert "energy" not in [name for name, _ in costs]


def test_a_difference_that_only_the_conditions_reveal_is_found():
    # the loud column follows the energy in one class and not in the other; alone it has the same law
    one, two = table(1, 2000), table(2, 2000)
    one.values[:, 2] = one.values[:, 0]
    assert areas_by_group(one, two)["speaking"].value > 0.9


def test_the_same_seed_gives_the_same_area_and_large_samples_test_fewer_parts():
    one, two = table(1, 600), table(2, 600)
    assert judge_by_trees(one, two, 5) == judge_by_trees(one, two, 5)
    assert len(judge_by_trees(one, two).trees) == 5
    assert len(judge_by_trees(one, two, most_tested=240).trees) == 2


def test_unequal_columns_are_refused():
    one = table(1)
    with pytest.raises(CalokitError, match="different observables"):
        judge_by_trees(one, FeatureTable(one.values, NAMES[::-1], GROUPS))
