"""Holm's test and pooled variances: known decisions, and their rates on what is drawn by chance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from calokit.evaluation.scorecard import Measurement
from calokit.evaluation.significance import Pooled, holm, judge_measurements, pooled_difference


def measurement(name: str, deviation: float, error: float = 1.0) -> Measurement:
    return Measurement(name=name, title=name, value=deviation, error=error, floor=0.0, floor_error=0.0)


def test_holm_steps_down() -> None:
    # of three, 2.20 (p = 0.0139) passes 0.05 / 3; 1.97 (0.0244) passes 0.05 / 2; 1.60 (0.0548) fails 0.05
    found = judge_measurements([measurement("c", 1.60), measurement("a", 2.20), measurement("b", 1.97)])
    assert found.flagged == ["a", "b"]
    assert not found.agrees
    # 2.12 (p = 0.0170) fails 0.05 / 3, so nothing is flagged, though 1.97 alone would be
    assert judge_measurements([measurement(n, d) for n, d in (("a", 2.12), ("b", 1.97), ("c", 0.0))]).agrees


def test_what_has_no_error_is_not_tested() -> None:
    found = judge_measurements([measurement("a", 9.0, error=0.0), measurement("b", 0.0)])
    assert (found.tested, found.flagged, found.agrees) == (1, [], True)


def test_better_than_the_floor_is_never_flagged() -> None:
    assert judge_measurements([measurement("a", -9.0)]).agrees


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_rate_of_false_alarms_holds(correlation: float) -> None:
    generator = np.random.default_rng(1)
    trials, family = 2000, 25
    shared = generator.normal(size=(trials, 1))
    own = generator.normal(size=(trials, family))
    deviations = np.sqrt(correlation) * shared + np.sqrt(1.0 - correlation) * own
    alarms = sum(
        not judge_measurements([measurement(str(i), float(d)) for i, d in enumerate(row)]).agrees
        for row in deviations
    )
    assert alarms / trials < 0.05 + 3 * np.sqrt(0.05 * 0.95 / trials)
    if correlation == 0.0:
        assert alarms / trials > 0.05 - 3 * np.sqrt(0.05 * 0.95 / trials)


def test_holm_keeps_the_order_and_stops_at_the_first_that_chance_explains() -> None:
    assert holm([0.04, 0.001, 0.03], 0.05) == [False, True, False]  # 0.03 > 0.05 / 2 stops before 0.04
    assert holm([0.04, 0.001, 0.02], 0.05) == [True, True, True]
    assert holm([]) == []


def test_one_pool_of_two_samples_is_students_test() -> None:
    first, second = [3.1, 2.7, 3.6], [2.2, 2.9, 2.4]
    pool = Pooled.of([first, second])
    found = pooled_difference(first, second, pool, pool)
    assert found == pytest.approx(tuple(stats.ttest_ind(first, second)))


def test_pools_of_one_sample_each_are_welchs_test() -> None:
    first, second = [3.1, 2.7, 3.6, 2.0], [2.2, 2.3, 2.4]
    found = pooled_difference(first, second, Pooled.of([first]), Pooled.of([second]))
    assert found == pytest.approx(tuple(stats.ttest_ind(first, second, equal_var=False)))


def test_without_a_variance_nothing_is_compared() -> None:
    assert pooled_difference([1.0], [2.0], Pooled.of([[1.0]]), Pooled.of([[2.0]])) is None


def test_three_seeds_are_called_different_by_chance_as_often_as_stated() -> None:
    """Twelve entries of three seeds each of one law, the first two of which are compared at 5 %."""
    rng = np.random.default_rng(3)
    called = 0
    for _ in range(2000):
        entries = rng.normal(0.0, 0.2, (12, 3)).tolist()
        pool = Pooled.of(entries)
        found = pooled_difference(entries[0], entries[1], pool, pool)
        assert found is not None
        called += holm([found[1]])[0]
    assert called / 2000 == pytest.approx(0.05, abs=0.015)
