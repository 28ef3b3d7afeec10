"""Histograms in common bins, and the distances between them: separation power and Wasserstein-1."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from calokit.arrays import Float64
from calokit.errors import CalokitError


@dataclass(frozen=True)
class Histogram:
    """A normalised histogram; values beyond the outer edges are counted in the outer bins.

    Attributes:
        edges: (bin + 1,) rising.
        fractions: (bin,) fraction of the entries in each bin; their sum is 1 (0 where there are no entries).
        errors: (bin,) statistical error of each fraction.
        entries: Number of entries.
    """

    edges: Float64
    fractions: Float64
    errors: Float64
    entries: float

    @property
    def densities(self) -> Float64:
        """(bin,) fraction per unit of the observable."""
        density: Float64 = self.fractions / np.diff(self.edges)
        return density

    @property
    def density_errors(self) -> Float64:
        """(bin,) statistical error of `densities`."""
        error: Float64 = self.errors / np.diff(self.edges)
        return error


@dataclass(frozen=True)
class Distance:
    """A distance between two distributions and its statistical error."""

    value: float
    error: float


def linear_edges(reference: Float64, bins: int = 50, tail: float = 1e-3) -> Float64:
    """Return equal bins between two quantiles of the reference; nothing else fixes them.

    Args:
        reference: (shower,) the reference's values.
        bins: How many.
        tail: Part of the values beyond each outer edge, which the outer bins then count.
    """
    low, high = (float(value) for value in np.quantile(reference, [tail, 1.0 - tail]))
    if not high > low:
        margin = max(abs(low), 1.0) * 1e-3
        low, high = low - margin, high + margin
    return np.linspace(low, high, bins + 1)


def integer_edges(reference: Float64, bins: int = 50, tail: float = 1e-3) -> Float64:
    """Return bins of whole-number width centred on whole numbers, for counts; as `linear_edges` else."""
    low, high = (math.floor(value) for value in np.quantile(reference, [tail, 1.0 - tail]))
    width = max(1, math.ceil((high - low + 1) / bins))
    number = max(2, math.ceil((high - low + 1) / width))
    edges: Float64 = low - 0.5 + width * np.arange(number + 1, dtype=np.float64)
    return edges


def logarithmic_edges(low: float, high: float, bins: int = 40) -> Float64:
    """Return bins of equal width in the logarithm, as CaloChallenge has them for cell energies.

    Args:
        low: Above 0.
        high: Above `low`; else a decade above it is taken.
        bins: How many.
    """
    return np.geomspace(low, high if high > low else 10.0 * low, bins + 1)


def count_in_bins(values: Float64, edges: Float64) -> Float64:
    """Count values in bins, those beyond the outer edges in the outer bins; (bin,) float64."""
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    return np.bincount(place, minlength=len(edges) - 1).astype(np.float64)


def histogram_of(values: Float64, edges: Float64) -> Histogram:
    """Return the normalised histogram of independent values, with multinomial errors."""
    return histogram_from_counts(count_in_bins(values, edges), edges)


def histogram_from_counts(counts: Float64, edges: Float64) -> Histogram:
    """Return the normalised histogram of counts of independent entries, with multinomial errors."""
    entries = float(counts.sum())
    fractions = counts / max(entries, 1.0)
    return Histogram(edges, fractions, np.sqrt(fractions * (1.0 - fractions) / max(entries, 1.0)), entries)


def histogram_from_clusters(counts: Float64, squares: Float64, showers: int, edges: Float64) -> Histogram:
    """Return the normalised histogram of entries that come several from one shower, as the cells do.

    Args:
        counts: (bin,) entries, summed over the showers.
        squares: (bin,) squared entries of each shower, summed over the showers.
        showers: How many.
        edges: (bin + 1,).

    Returns:
        A histogram whose errors are those of a mean over independent showers, so that entries which come
        together count as the few independent ones that they are.
    """
    entries = float(counts.sum())
    mean = counts / max(showers, 1)
    variance = np.maximum(squares / max(showers, 1) - mean**2, 0.0) * showers
    return Histogram(edges, counts / max(entries, 1.0), np.sqrt(variance) / max(entries, 1.0), entries)


def separation_power(first: Histogram, second: Histogram) -> Distance:
    """Return the separation power: 0 for equal histograms, 1 for histograms that share no bin.

    S = 1/2 sum_i (a_i - b_i)^2 / (a_i + b_i), with a and b the fractions by bin (CaloChallenge,
    arXiv:2410.21611; code/evaluate_plotting_helper.py). The error has two parts in quadrature: the
    first-order propagation of the errors by bin, and the spread that is left where a = b and the first order
    vanishes (a sum of chi-squares, one for each bin).

    Raises:
        CalokitError: The histograms have different bins.

    Example:
        >>> edges = np.array([0.0, 1.0, 2.0])
        >>> one, other = (histogram_from_counts(np.array(c), edges) for c in ([100.0, 0.0], [0.0, 100.0]))
        >>> separation_power(one, other).value
        1.0
    """
    _check_bins(first, second)
    a, b = first.fractions, second.fractions
    total, difference = a + b, a - b
    used = total > 0
    a, b, total, difference = a[used], b[used], total[used], difference[used]
    variance_a, variance_b = first.errors[used] ** 2, second.errors[used] ** 2
    value = 0.5 * float((difference**2 / total).sum())
    slope_a = difference * (a + 3.0 * b) / (2.0 * total**2)
    slope_b = -difference * (b + 3.0 * a) / (2.0 * total**2)
    # the fractions of each histogram sum to 1, so a slope common to all bins moves nothing
    slope_a = slope_a - (slope_a * a).sum() / max(a.sum(), 1e-300)
    slope_b = slope_b - (slope_b * b).sum() / max(b.sum(), 1e-300)
    free_a, free_b = (_free_variance(histogram)[used] for histogram in (first, second))
    linear = float((slope_a**2 * free_a + slope_b**2 * free_b).sum())
    noise = (variance_a + variance_b) / (2.0 * total)
    left = float((noise**2).sum())
    # chance differences alone make the first order 4 * left on average, which is not its own
    return Distance(value, math.sqrt(max(linear - 4.0 * left, 0.0) + 2.0 * left))


def wasserstein_distance(first: Histogram, second: Histogram) -> Distance:
    """Return the Wasserstein-1 distance in units of the observable, at the resolution of the bins.

    W = sum_i |A_i - B_i| w_i with A and B the cumulative fractions at the upper edge of bin i and w_i the
    distance between the centres of bins i and i + 1. The error is the first-order propagation of the errors
    by bin.

    Raises:
        CalokitError: The histograms have different bins.
    """
    _check_bins(first, second)
    centres = 0.5 * (first.edges[1:] + first.edges[:-1])
    width = np.diff(centres)
    difference = (np.cumsum(first.fractions) - np.cumsum(second.fractions))[:-1]
    sign = np.sign(difference) * width
    # each entry in bin i adds 1 to all cumulative sums from i on
    leverage = np.concatenate([np.cumsum(sign[::-1])[::-1], [0.0]])
    variance = sum(
        float(((leverage - (leverage * h.fractions).sum()) ** 2 * _free_variance(h)).sum())
        for h in (first, second)
    )
    return Distance(float((np.abs(difference) * width).sum()), math.sqrt(variance))


def _free_variance(histogram: Histogram) -> Float64:
    """Return the variances of the fractions if their sum were free, for slopes that are centred; (bin,)."""
    left: Float64 = 1.0 - histogram.fractions
    return np.divide(histogram.errors**2, left, out=np.zeros_like(left), where=left > 0)


def _check_bins(first: Histogram, second: Histogram) -> None:
    if first.edges.shape != second.edges.shape or not np.array_equal(first.edges, second.edges):
        raise CalokitError(
            f"histograms with different bins cannot be compared: {len(first.edges) - 1} bins from "
            f"{first.edges[0]:.4g} to {first.edges[-1]:.4g}, and {len(second.edges) - 1} from "
            f"{second.edges[0]:.4g} to {second.edges[-1]:.4g}; fix the bins from the reference."
        )
