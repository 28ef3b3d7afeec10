"""Which measurements lie so far from their floor that chance does not explain it, all of them together."""

from __future__ import annotations

from collections.abc import Sequence

from scipy.stats import norm

from calokit.evaluation.scorecard import Alarm, Measurement, Verdict

FAMILY_WISE_RATE = 0.05
"""Chance that showers of the same law get anything flagged."""


def judge_measurements(
    measurements: Sequence[Measurement], rate: float = FAMILY_WISE_RATE, alarms: Sequence[Alarm] = ()
) -> Verdict:
    """Flag measurements by Holm's step-down test at a family-wise rate.

    The deviation of a measurement from its floor in standard errors gives the probability that a normal
    deviate is as far on the bad side. The smallest of m probabilities is compared with rate / m, the next
    with rate / (m - 1), and so on until one is larger (Holm, Scand. J. Statist. 6 (1979) 65): whatever the
    correlations, samples of one law are flagged with at most the given chance. Measurements without an error
    are not tested.

    Args:
        measurements: Those of a scorecard.
        rate: Between 0 and 1.
        alarms: What forbids to call the samples alike, whatever was measured.

    Example:
        >>> far = Measurement(name="a", title="a", value=5.0, error=1.0, floor=0.0, floor_error=0.5)
        >>> near = far.model_copy(update={"name": "b", "value": 1.0})
        >>> judge_measurements([near, far]).flagged
        ['a']
    """
    tested = [m for m in measurements if m.error > 0.0 or m.floor_error > 0.0]
    ordered = sorted(tested, key=lambda m: -m.deviation)
    flagged = []
    for place, measurement in enumerate(ordered):
        if norm.sf(measurement.deviation) > rate / (len(ordered) - place):
            break
        flagged.append(measurement.name)
    return Verdict(
        agrees=not flagged and not alarms, family_wise_rate=rate, tested=len(tested), flagged=flagged
    )
