"""Correlation matrices of shower observables, such as the layer energies, and how far two are apart."""

from __future__ import annotations

import math

import numpy as np

from calokit.arrays import Float64
from calokit.errors import CalokitError
from calokit.evaluation.metrics.distances import Distance

GROUPS = 20
"""The showers are summed in so many groups, each of which is left out once for the errors."""


class CorrelationSums:
    """Sums products of columns, in groups of showers, in bounded memory.

    Args:
        columns: How many.

    Example:
        >>> sums = CorrelationSums(2)
        >>> sums.add(np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]]))
        >>> sums.matrix().round(6).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """

    def __init__(self, columns: int) -> None:
        self.showers = 0
        self._shift: Float64 | None = None
        self._counts: Float64 = np.zeros(GROUPS)
        self._sums: Float64 = np.zeros((GROUPS, columns))
        self._products: Float64 = np.zeros((GROUPS, columns, columns))

    def add(self, values: Float64) -> None:
        """Add showers, (event, column)."""
        if not len(values):
            return
        if self._shift is None:
            # near the mean the products lose no digits
            self._shift = values.mean(axis=0)
        centred = values - self._shift
        for group in range(GROUPS):
            rows = centred[(group - self.showers) % GROUPS :: GROUPS]
            self._counts[group] += len(rows)
            self._sums[group] += rows.sum(axis=0)
            self._products[group] += rows.T @ rows
        self.showers += len(values)

    def merge(self, other: CorrelationSums) -> None:
        """Add the sums of showers that follow these: their groups go on where these stop."""
        if other._shift is None:
            return
        if self._shift is None:
            self._shift = other._shift
        moved = other._shift - self._shift
        counts, sums, products = (
            np.roll(each, self.showers % GROUPS, axis=0)
            for each in (other._counts, other._sums, other._products)
        )
        across = sums[:, :, None] * moved
        self._products += products + across + across.transpose(0, 2, 1)
        self._products += counts[:, None, None] * np.outer(moved, moved)
        self._sums += sums + counts[:, None] * moved
        self._counts += counts
        self.showers += other.showers

    def matrix(self) -> Float64:
        """Return Pearson's correlations (column, column); NaN of a column the same in all showers."""
        return _correlation(self._counts.sum(), self._sums.sum(axis=0), self._products.sum(axis=0))

    def matrices_without(self) -> list[Float64]:
        """Return the matrices with each group of showers left out."""
        whole = self._counts.sum(), self._sums.sum(axis=0), self._products.sum(axis=0)
        return [
            _correlation(whole[0] - count, whole[1] - sums, whole[2] - products)
            for count, sums, products in zip(self._counts, self._sums, self._products, strict=True)
        ]


def correlation_distance(first: CorrelationSums, second: CorrelationSums) -> Distance:
    """Return the root mean square difference of the correlations of all pairs of columns.

    CaloChallenge (arXiv:2410.21611) shows the matrices of layer energies; this is one number of two of them.
    Pairs with a column that is the same in all showers of a sample are left out. With energies over a wide
    range all layers rise together and every correlation is near 1: give layer energies over the incident
    energy then. The error leaves out each twentieth of the showers of each sample (jackknife); for equal
    laws, where only chance makes a distance, it is up to 1.5 times too large.

    Args:
        first: Sums of one sample, 40 showers or more.
        second: Sums of the other.

    Raises:
        CalokitError: They have different columns, too few showers, or no pair of columns that vary.
    """
    if min(first.showers, second.showers) < 2 * GROUPS:
        raise CalokitError(
            f"correlations of {min(first.showers, second.showers)} showers have no error; give {2 * GROUPS} "
            "or more."
        )
    one, other = first.matrix(), second.matrix()
    if one.shape != other.shape:
        raise CalokitError(f"correlations of {len(one)} and of {len(other)} columns cannot be compared.")
    value = _difference(one, other)
    if math.isnan(value):
        raise CalokitError("no two columns vary in both samples; there is no correlation to compare.")
    jackknife = (
        [_difference(without, other) for without in first.matrices_without()],
        [_difference(one, without) for without in second.matrices_without()],
    )
    variance = sum((GROUPS - 1) * float(np.nanvar(left)) for left in jackknife)
    return Distance(value, math.sqrt(variance))


def worst_neighbour_deviation(first: CorrelationSums, second: CorrelationSums) -> Distance:
    """Return the largest deviation of the correlation of a column with the next one, in standard errors.

    Neighbouring layers rise and fall together; a layer that fluctuates on its own loses that, however many
    others are right. Deviations are of artanh r (Fisher, Metron 1 (1921) 3), their errors from leaving out
    each twentieth of the showers. The error of the largest of M is pi / sqrt(12 ln M) (Gumbel).

    Args:
        first: Sums of one sample, 40 showers or more; at least two columns.
        second: Sums of the other.

    Raises:
        CalokitError: As `correlation_distance`.
    """
    correlation_distance(first, second)

    def transformed(matrix: Float64) -> Float64:
        return np.arctanh(np.clip(np.diag(matrix, 1), -1.0 + 1e-9, 1.0 - 1e-9))

    values, variances = [], []
    for sums in (first, second):
        values.append(transformed(sums.matrix()))
        left = np.array([transformed(matrix) for matrix in sums.matrices_without()])
        variances.append((GROUPS - 1) * left.var(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        deviations = np.abs(values[0] - values[1]) / np.sqrt(variances[0] + variances[1])
    known = deviations[np.isfinite(deviations)]
    if not len(known):
        return Distance(0.0, 0.0)
    return Distance(float(known.max()), math.pi / math.sqrt(12.0 * math.log(len(known) + 1.0)))


def _correlation(count: float, sums: Float64, products: Float64) -> Float64:
    mean = sums / max(count, 1.0)
    covariance = products / max(count, 1.0) - np.outer(mean, mean)
    deviation = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    scale = np.sqrt(np.maximum(np.diag(products) / max(count, 1.0), 0.0))
    deviation[deviation <= 1e-7 * scale] = np.nan
    correlation: Float64 = np.clip(covariance / np.outer(deviation, deviation), -1.0, 1.0)
    return correlation


def _difference(one: Float64, other: Float64) -> float:
    difference = (one - other)[np.triu_indices(len(one), 1)]
    known = difference[np.isfinite(difference)]
    return math.sqrt(float((known**2).mean())) if len(known) else math.nan
