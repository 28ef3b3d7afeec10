"""Response, resolution and squared error of showers in bins of the incident energy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calokit.arrays import Float64, Integer
from calokit.errors import CalokitError

LEAST_FOR_SPREAD = 5
"""Of fewer showers the fourth moment says nothing about the error of a spread (of two it says 0)."""


@dataclass(frozen=True)
class BinnedValues:
    """One value and its statistical error in each bin; NaN where a bin holds fewer than two showers.

    Attributes:
        values: (bin,) float64.
        errors: (bin,) float64.
        showers: (bin,) how many showers each bin holds.
    """

    values: Float64
    errors: Float64
    showers: Float64


def require_same_edges(one: Float64, other: Float64) -> None:
    """Refuse to add what was counted in different bins.

    Raises:
        CalokitError: The edges differ.
    """
    if not np.array_equal(one, other):
        raise CalokitError("sums in different bins cannot be added; take all bins from the same reference.")


def require_next(expected: int, first: int) -> None:
    """Refuse to add showers out of their order, where what is kept follows from their numbers.

    Raises:
        CalokitError: Another shower was expected.
    """
    if expected != first:
        raise CalokitError(f"showers from number {first} do not follow those before {expected}.")


def plain_values(values: Float64) -> list[float | None]:
    """Return values as plain numbers for JSON, None where one is not finite.

    Example:
        >>> plain_values(np.array([1.0, np.nan]))
        [1.0, None]
    """
    return [float(value) if np.isfinite(value) else None for value in values]


class BinnedMoments:
    """Sums the powers 0 to 4 of a per-shower value in bins of the incident energy, in bounded memory.

    Args:
        energy_edges: (bin + 1,) MeV; showers beyond the outer edges count in the outer bins.

    Example:
        >>> moments = BinnedMoments(np.array([1.0, 10.0, 100.0]))
        >>> moments.add(np.array([2.0, 3.0, 50.0]), np.array([0.1, 0.3, 0.5]))
        >>> moments.mean().values[0].round(3), moments.mean().showers.tolist()
        (np.float64(0.2), [2.0, 1.0])
    """

    def __init__(self, energy_edges: Float64) -> None:
        self.edges = energy_edges
        self.sums: Float64 = np.zeros((5, len(energy_edges) - 1))

    def add(self, incident_energies: Float64, values: Float64) -> None:
        """Add showers: incident energies (event,) in MeV and their values (event,)."""
        bins = energy_bin(incident_energies, self.edges)
        for power in range(5):
            self.sums[power] += np.bincount(bins, weights=values**power, minlength=self.sums.shape[1])

    def merge(self, other: BinnedMoments) -> None:
        """Add the sums of other showers.

        Raises:
            CalokitError: The bins differ.
        """
        require_same_edges(self.edges, other.edges)
        self.sums += other.sums

    def mean(self) -> BinnedValues:
        """Return the mean of the value and its standard error."""
        count, mean, variance, _, _ = self._central()
        return BinnedValues(mean, np.sqrt(variance / count), self.sums[0])

    def relative_spread(self) -> BinnedValues:
        """Return standard deviation / mean, the resolution if the value is the visible energy.

        The error is the first-order propagation of the errors of mean and variance with their covariance:
        Var(R) = (m4 - m2^2) / (4 n m2 m^2) + m2^2 / (n m^4) - m3 / (n m^3), with m the mean and m2, m3, m4
        the central moments.
        """
        count, mean, second, third, fourth = self._central()
        with np.errstate(invalid="ignore", divide="ignore"):
            variance = (fourth - second**2) / (4.0 * second * mean**2) + second**2 / mean**4 - third / mean**3
            spread = np.sqrt(second) / mean
            error = np.sqrt(np.maximum(variance, 0.0) / count)
        known = (mean != 0) & (second > 0) & (self.sums[0] >= LEAST_FOR_SPREAD)
        return BinnedValues(np.where(known, spread, np.nan), np.where(known, error, np.nan), self.sums[0])

    def _central(self) -> tuple[Float64, Float64, Float64, Float64, Float64]:
        """Return the count and central moments; NaN in bins of fewer than two showers."""
        count = np.where(self.sums[0] >= 2, self.sums[0], np.nan)
        mean, s2, s3, s4 = (self.sums[power] / count for power in (1, 2, 3, 4))
        second = np.maximum(s2 - mean**2, 0.0)
        third = s3 - 3.0 * mean * s2 + 2.0 * mean**3
        fourth = s4 - 4.0 * mean * s3 + 6.0 * mean**2 * s2 - 3.0 * mean**4
        return count, mean, second, third, np.maximum(fourth, 0.0)


def energy_edges(low: float, high: float, bins: int) -> Float64:
    """Return edges of equal width in ln E from the lowest to the highest incident energy (MeV).

    One bin of a percent about the energy where both are the same.
    """
    if high <= low * 1.001:
        return np.array([0.99 * low, 1.01 * high])
    return np.geomspace(low, high, bins + 1)


def energy_bin(incident_energies: Float64, edges: Float64) -> Integer:
    """Return the bin of each incident energy, those beyond the outer edges in the outer bins; (event,)."""
    found = np.searchsorted(edges, incident_energies, side="right") - 1
    place: Integer = np.clip(found, 0, len(edges) - 2).astype(np.int64)
    return place


def ratio_of(first: BinnedValues, second: BinnedValues) -> BinnedValues:
    """Return first / second by bin, with the errors of both as independent.

    Where the ratio is zero, and with it what is known of its error, the error is that of a ratio of one: all
    showers of a bin that are empty are no reason to leave the bin out.

    Example:
        >>> known = BinnedValues(np.array([0.5, 0.5]), np.array([0.03, 0.03]), np.array([9.0, 9.0]))
        >>> empty = BinnedValues(np.array([0.0, 0.5]), np.array([0.0, 0.04]), np.array([9.0, 9.0]))
        >>> ratio_of(empty, known).values.tolist(), ratio_of(empty, known).errors.round(2).tolist()
        ([0.0, 1.0], [0.06, 0.1])
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = first.values / second.values
        error = np.hypot(first.errors, ratio * second.errors) / np.abs(second.values)
        of_one = np.hypot(first.errors, second.errors) / np.abs(second.values)
    error = np.where(error > 0, error, of_one)
    known = np.isfinite(ratio) & np.isfinite(error)
    return BinnedValues(np.where(known, ratio, np.nan), np.where(known, error, np.nan), first.showers)


def largest_deviation(ratio: BinnedValues) -> tuple[float, float]:
    """Return the largest |ratio - 1| over the bins and the error of the ratio in that bin."""
    deviation = np.abs(_known(ratio).values - 1.0)
    worst = int(np.argmax(deviation))
    return float(deviation[worst]), float(_known(ratio).errors[worst])


def overall_deviation(ratio: BinnedValues) -> tuple[float, float]:
    """Return |mean ratio - 1| and its error, the bins weighted by their errors: what finds a wrong scale."""
    known = _known(ratio)
    weights = 1.0 / np.maximum(known.errors, 1e-12) ** 2
    mean = float((weights * known.values).sum() / weights.sum())
    return abs(mean - 1.0), float(1.0 / np.sqrt(weights.sum()))


def mean_deviation(ratio: BinnedValues) -> tuple[float, float]:
    """Return the mean |ratio - 1| over the bins and its error."""
    known = _known(ratio)
    return float(np.abs(known.values - 1.0).mean()), float(
        np.sqrt((known.errors**2).sum()) / len(known.errors)
    )


def _known(ratio: BinnedValues) -> BinnedValues:
    known = np.isfinite(ratio.values) & np.isfinite(ratio.errors)
    if not known.any():
        raise CalokitError(
            "no energy bin holds enough showers of both samples; give more showers or fewer bins."
        )
    return BinnedValues(ratio.values[known], ratio.errors[known], ratio.showers[known])
