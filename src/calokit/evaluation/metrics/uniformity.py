"""Whether cumulative values are uniform, as they must be if they are taken of the right distributions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from calokit.arrays import Float64, Integer

BINS = 100
"""Values are counted in so many bins of equal width between 0 and 1."""
CHI_SQUARE_BINS = 20
"""They are joined to so many for chi-squared."""
FEWEST = 5 * CHI_SQUARE_BINS
"""No test is made of fewer values."""
BRIDGE = 0.81
"""Mean of the largest deviation of n uniform values, times sqrt(n), looked at between 100 bins: that of a
Brownian bridge, 0.869, less what falls between the looks."""


@dataclass(frozen=True)
class Uniformity:
    """How uniform values are.

    Attributes:
        values: How many.
        deviation: Largest difference between their cumulative distribution and the uniform one.
        floor: What so many uniform values give on average.
        p_value: Probability that uniform values have a chi-squared over 20 bins as large; nan for too few.
    """

    values: int
    deviation: float
    floor: float
    p_value: float


def measure_uniformity(counts: Integer) -> Uniformity:
    """Return how uniform values are that were counted in equal bins (bin,).

    Example:
        >>> found = measure_uniformity(np.full(100, 40))
        >>> found.values, found.deviation, found.p_value
        (4000, 0.0, 1.0)
    """
    total = int(counts.sum())
    if total == 0:
        return Uniformity(0, 0.0, 0.0, float("nan"))
    reached = np.cumsum(counts)[:-1] / total
    deviation = float(np.abs(reached - np.arange(1, len(counts)) / len(counts)).max())
    p_value = float("nan")
    if total >= FEWEST:
        joined = counts.reshape(CHI_SQUARE_BINS, -1).sum(1)
        expected = total / CHI_SQUARE_BINS
        p_value = float(chdtrc(CHI_SQUARE_BINS - 1, np.square(joined - expected).sum() / expected))
    return Uniformity(total, deviation, BRIDGE / np.sqrt(total), p_value)


class UniformCounts:
    """Counts of cumulative values by groups; counts of parts of a sample add up to those of the whole."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, ...], Integer] = {}

    def add(self, name: tuple[str, ...], values: Float64, groups: Mapping[str, Integer]) -> None:
        """Count values.

        Args:
            name: What they are, the first words of each group's name.
            values: In [0, 1] (value,).
            groups: By what they are told apart: a whole number of each value, none where it is negative.
        """
        bins = np.minimum((values * BINS).astype(np.int64), BINS - 1)
        self._add((*name, "all", ""), np.bincount(bins, minlength=BINS))
        for axis, numbers in groups.items():
            for number in np.unique(numbers[numbers >= 0]).tolist():
                here = np.bincount(bins[numbers == number], minlength=BINS)
                self._add((*name, axis, str(number)), here)

    def _add(self, group: tuple[str, ...], counts: Integer) -> None:
        self.counts[group] = self.counts[group] + counts if group in self.counts else counts
