"""Holm's test over all measurements: known decisions, and its rate on deviations drawn by chance."""

from __future__ import annotations

import numpy as np
import pytest

from calokit.evaluation.scorecard import Measurement
from calokit.evaluation.significance import judge_measurements


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
