"""What chance does not explain: measurements against their floors, entries of few seeds against others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from calokit.evaluation.scorecard import Alarm, Measurement, Verdict

FAMILY_WISE_RATE = 0.05
"""Chance that showers of the same law get anything flagged."""


def judge_measurements(
    measurements: Sequence[Measurement], rate: float = FAMILY_WISE_RATE, alarms: Sequence[Alarm] = ()
) -> Verdict:
    """Flag measurements by Holm's step-down test at a family-wise rate.

    The deviation of a measurement from its floor in standard errors gives the probability that a normal
    deviate is as far on the bad side; these go through `holm`, so that samples of one law are flagged with at
    most the given chance. Measurements without an error are not tested.

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
    clear = holm([float(norm.sf(m.deviation)) for m in ordered], rate)
    flagged = [m.name for m, is_clear in zip(ordered, clear, strict=True) if is_clear]
    return Verdict(
        agrees=not flagged and not alarms, family_wise_rate=rate, tested=len(tested), flagged=flagged
    )


def holm(probabilities: Sequence[float], rate: float = FAMILY_WISE_RATE) -> list[bool]:
    """Tell which of many probabilities are too small for chance, all of them together.

    The smallest of m is compared with rate / m, the next with rate / (m - 1), and so on until one is larger
    (Holm, Scand. J. Statist. 6 (1979) 65): whatever the correlations, any is called so by chance with at most
    the given rate.

    Example:
        >>> holm([0.2, 0.001, 0.02], rate=0.05)
        [False, True, True]
    """
    clear = [False] * len(probabilities)
    for place, number in enumerate(sorted(range(len(probabilities)), key=lambda one: probabilities[one])):
        if probabilities[number] > rate / (len(probabilities) - place):
            break
        clear[number] = True
    return clear


@dataclass(frozen=True)
class Pooled:
    """A variance found from several small samples with means of their own.

    Attributes:
        variance: Sum of squared deviations from the own means over the degrees of freedom.
        freedom: Degrees of freedom: values less means.
    """

    variance: float
    freedom: int

    @classmethod
    def of(cls, samples: Sequence[Sequence[float]]) -> Pooled:
        """Pool samples; those of one value say nothing.

        Example:
            >>> Pooled.of([[1.0, 3.0], [10.0, 10.0], [7.0]])
            Pooled(variance=1.0, freedom=2)
        """
        freedom = sum(len(sample) - 1 for sample in samples)
        squares = sum(float(((np.array(sample) - np.mean(sample)) ** 2).sum()) for sample in samples)
        return cls(squares / freedom if freedom else math.nan, freedom)


def pooled_difference(
    first: Sequence[float], second: Sequence[float], first_pool: Pooled, second_pool: Pooled
) -> tuple[float, float] | None:
    """Compare the means of two samples whose variances were pooled with those of similar samples.

    Student's test where both share a pool; Welch's, with Satterthwaite's degrees of freedom, where not.

    Returns:
        The difference first - second in standard errors and the probability of one as large either way; None
        where no variance is known.

    Example:
        >>> pool = Pooled(variance=1.0, freedom=20)
        >>> deviations, probability = pooled_difference([4.0, 6.0], [2.0, 2.0], pool, pool)
        >>> round(deviations, 2), round(probability, 4)
        (3.0, 0.0071)
    """
    parts = [first_pool.variance / len(first), second_pool.variance / len(second)]
    error = math.sqrt(sum(parts))
    if not error > 0.0:
        return None
    if first_pool == second_pool:
        freedom = float(first_pool.freedom)
    else:
        freedoms = (first_pool.freedom, second_pool.freedom)
        freedom = error**4 / sum(part**2 / known for part, known in zip(parts, freedoms, strict=True))
    deviations = (float(np.mean(first)) - float(np.mean(second))) / error
    return deviations, float(2.0 * student.sf(abs(deviations), freedom))
