"""Frechet and kernel physics distances (FPD, KPD) between two samples of features."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
from scipy.optimize import curve_fit, nnls

from calokit.arrays import Float64
from calokit.errors import CalokitError
from calokit.evaluation.metrics.distances import Distance

OWNED_PART = 0.2
"""A shower whose removal changes the Frechet distance by this part of it is warned of."""
KERNEL_DEGREE = 4
BLOCK_ROWS = 2000
"""Rows of the kernel matrix in memory at once."""


class OutlierWarning(UserWarning):
    """One shower makes much of a Frechet distance; the distance then says little about the others."""


@dataclass(frozen=True)
class FrechetSettings:
    """How the distance is extrapolated to samples without end; the defaults are those of CaloChallenge.

    Attributes:
        smallest: Fewest showers a draw (10,000 in CaloChallenge, 20,000 in JetNet).
        largest: Most showers a draw; more draw from the samples than they hold, with repetition.
        sizes: How many sizes between, equally far apart in 1 / size.
        draws: Distances averaged at each size.
        seed: Of the draws; with 42, JetNet's, the showers drawn are the same as there.
    """

    smallest: int = 10_000
    largest: int = 50_000
    sizes: int = 10
    draws: int = 20
    seed: int = 42


@dataclass(frozen=True)
class FrechetDistance:
    """An extrapolated Frechet distance.

    Attributes:
        value: Intercept of the line in 1 / size, not below 0.
        error: Of the intercept, from the scatter about the line; it does not hold the error of the samples,
            for which the floor (truth against truth) is the measure.
        slope: Of the line, not below 0.
        finite_size: What the two samples would show on average if they were of one law, because they are
            finite: slope / 2 (1 / reference showers + 1 / generated showers). Draws with repetition do not
            extrapolate that away, so `value` does not come below it.
        reference_showers: How many.
        generated_showers: How many.
        published: What JetNet and CaloChallenge report for the same draws. Their fit (scipy's curve_fit with
            bounds) starts at a slope of 1 and may stop before the best line, at slopes from which it can be
            wrong by several percent; `value` is the best line's.
    """

    value: float
    error: float
    slope: float
    finite_size: float
    reference_showers: int
    generated_showers: int
    published: Distance


def frechet_physics_distance(
    reference: Float64, generated: Float64, settings: FrechetSettings | None = None
) -> FrechetDistance:
    """Return the Frechet physics distance (arXiv:2211.10295), defined as in JetNet and CaloChallenge.

    Features are divided by the largest |value| of the reference; then the Frechet distance of Gaussians
    (`gaussian_distance`) is averaged over draws with repetition of several sizes, and the line in 1 / size
    extrapolated to 0. CaloChallenge reports 1000 times the value. The order of the samples matters.

    Samples smaller than the draws are allowed. The distance then stays above 0 for equal laws, by about
    `FrechetDistance.finite_size`, which grows as 1 / showers: read it beside the floor of the same sizes.

    Args:
        reference: (shower, feature) finite.
        generated: (shower, feature) finite.
        settings: Sizes and draws.

    Raises:
        CalokitError: The arrays have other shapes, fewer than 2 showers, or values that are not finite; or
            the settings leave no line to fit.

    Warns:
        OutlierWarning: One shower owns a fifth of the distance or more; `clip_to_reference` tames it.

    Example:
        >>> generator = np.random.default_rng(1)
        >>> first, second = generator.normal(0, 1, (2, 3000, 3))
        >>> small = FrechetSettings(smallest=500, largest=3000, draws=5)
        >>> distance = frechet_physics_distance(first, second + [0.5, 0, 0], small)
        >>> distance.value > 5 * frechet_physics_distance(first, second, small).value
        True
    """
    settings = settings or FrechetSettings()
    if not 2 <= settings.smallest < settings.largest or settings.sizes < 3 or settings.draws < 1:
        raise CalokitError(
            f"{settings} leaves no line to fit: give 2 <= smallest < largest, 3 sizes, 1 draw or more."
        )
    first, second = _normalised(reference, generated)
    _warn_of_owners(first, second)
    generator = np.random.default_rng(settings.seed)
    inverse = np.linspace(1.0 / settings.smallest, 1.0 / settings.largest, settings.sizes)
    sizes = (1.0 / inverse).astype(np.int64)
    means = np.empty(settings.sizes)
    for place, size in enumerate(sizes):
        distances = []
        for _ in range(settings.draws):
            rows = generator.choice(len(first), size=size), generator.choice(len(second), size=size)
            distances.append(gaussian_distance(first[rows[0]], second[rows[1]]))
        means[place] = np.mean(distances)
    value, error, slope = _fit_line(1.0 / sizes, means)
    finite = 0.5 * slope * (1.0 / len(first) + 1.0 / len(second))
    published = _fit_line_as_published(1.0 / sizes, means)
    return FrechetDistance(value, error, slope, finite, len(first), len(second), published)


def gaussian_distance(first: Float64, second: Float64) -> float:
    """Return the squared Frechet distance of the Gaussians with the means and covariances of two samples.

    d^2 = |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)). With L L^T = C the last trace is the sum of the
    singular values of L1^T L2, which are never negative and lose no digits where C1 C2 is singular.

    Args:
        first: (shower, feature), at least 2 showers.
        second: (shower, feature), at least 2 showers.
    """
    shift = first.mean(axis=0) - second.mean(axis=0)
    one, other = (np.atleast_2d(np.cov(sample, rowvar=False)) for sample in (first, second))
    shared = np.linalg.svd(_matrix_root(one).T @ _matrix_root(other), compute_uv=False).sum()
    return float(shift @ shift + np.trace(one) + np.trace(other) - 2.0 * shared)


def kernel_physics_distance(
    reference: Float64, generated: Float64, batches: int = 10, batch_size: int = 10_000, seed: int = 42
) -> Distance:
    """Return the kernel physics distance (arXiv:2211.10295), defined as in JetNet and CaloChallenge.

    The squared maximum mean discrepancy with the kernel (x.y / features + 1)^4, unbiased (without the
    diagonals), of features divided by the largest |value| of the reference; the median over batches drawn
    with repetition. It can be below 0. Where the batches are larger than the samples, showers drawn twice
    raise it.

    Args:
        reference: (shower, feature) finite.
        generated: (shower, feature) finite.
        batches: How many.
        batch_size: Showers a batch (10,000 in CaloChallenge, 5,000 in JetNet).
        seed: Of the draws, batch i from seed + 1000 i; with 42, JetNet's, the same showers are drawn.

    Returns:
        The median, and half the distance of the quantiles 16.275 % and 83.725 % of the batches. The error
        is the scatter of one batch, as there; the median's own is smaller.

    Raises:
        CalokitError: The arrays have other shapes, fewer than 2 showers, or values that are not finite.
    """
    if batches < 1 or batch_size < 2:
        raise CalokitError(f"{batches} batches of {batch_size} showers: give at least 1 batch of 2 showers.")
    first, second = _normalised(reference, generated)
    values = []
    for batch in range(batches):
        generator = np.random.default_rng(seed + 1000 * batch)
        rows = generator.choice(len(first), size=batch_size), generator.choice(len(second), size=batch_size)
        values.append(kernel_discrepancy(first[rows[0]], second[rows[1]]))
    low, high = np.percentile(values, [16.275, 83.725])
    return Distance(float(np.median(values)), float(high - low) / 2.0)


def kernel_discrepancy(first: Float64, second: Float64) -> float:
    """Return the unbiased squared maximum mean discrepancy with the kernel (x.y / features + 1)^4.

    Args:
        first: (shower, feature), at least 2 showers.
        second: (shower, feature), at least 2 showers.
    """
    m, n = len(first), len(second)
    own = sum(
        (_kernel_sum(sample, sample) - _kernel_diagonal(sample)) / (len(sample) * (len(sample) - 1))
        for sample in (first, second)
    )
    return own - 2.0 * _kernel_sum(first, second) / (m * n)


def clip_to_reference(
    reference: Float64, generated: Float64, tail: float = 1e-3, margin: float = 1.0
) -> tuple[Float64, Float64]:
    """Return both samples with every feature cut at bounds of the reference, so that no shower owns a FPD.

    With q and Q the quantiles `tail` and 1 - `tail` of the reference, values are moved to the nearest bound
    of [q - margin (Q - q), Q + margin (Q - q)]. No shower is dropped. Distances of clipped samples are to be
    compared with distances of clipped samples only, and not with published ones.

    Args:
        reference: (shower, feature).
        generated: (shower, feature).
        tail: Part of the reference beyond each quantile.
        margin: Room beyond the quantiles, in units of their distance.

    Raises:
        CalokitError: The arrays have other shapes, fewer than 2 showers, or values that are not finite.
    """
    first, second = check_features(reference, generated)
    low, high = np.quantile(first, [tail, 1.0 - tail], axis=0)
    room = margin * (high - low)
    return np.clip(first, low - room, high + room), np.clip(second, low - room, high + room)


def check_features(reference: Float64, generated: Float64) -> tuple[Float64, Float64]:
    """Return two samples of features as float64, or refuse them.

    Args:
        reference: (shower, feature), at least 2 showers.
        generated: (shower, feature), at least 2 showers, as many features.

    Raises:
        CalokitError: They have other shapes, or a value that is not finite; the shower is named.
    """
    samples = []
    for name, values in (("reference", reference), ("generated", generated)):
        array = np.asarray(values, dtype=np.float64)
        if array.ndim != 2 or array.shape[0] < 2 or array.shape[1] < 1:
            raise CalokitError(
                f"{name} features have shape {array.shape}; expected (shower, feature), 2 showers or more."
            )
        finite = np.isfinite(array)
        if not finite.all():
            shower, feature = (int(index) for index in np.argwhere(~finite)[0])
            raise CalokitError(
                f"feature {feature} of {name} shower {shower} is {array[shower, feature]}, in all "
                f"{int((~finite).any(axis=1).sum())} showers have such values; leave them out and say so."
            )
        samples.append(array)
    first, second = samples
    if first.shape[1] != second.shape[1]:
        raise CalokitError(
            f"{first.shape[1]} reference features cannot be compared with {second.shape[1]} generated ones; "
            "compute both alike."
        )
    return first, second


def _normalised(reference: Float64, generated: Float64) -> tuple[Float64, Float64]:
    """Divide both samples by the largest |value| of each feature of the reference."""
    first, second = check_features(reference, generated)
    largest = np.abs(first).max(axis=0)
    largest[largest == 0] = 1.0
    return first / largest, second / largest


def _matrix_root(covariance: Float64) -> Float64:
    """Return L with L L^T = covariance."""
    eigenvalues, vectors = np.linalg.eigh(covariance)
    root: Float64 = vectors * np.sqrt(np.maximum(eigenvalues, 0.0))
    return root


def _fit_line(inverse: Float64, means: Float64) -> tuple[float, float, float]:
    """Return intercept, its error, and slope of the least-squares line with neither below 0."""
    scale = float(inverse.max())
    design = np.column_stack([np.ones_like(inverse), inverse / scale])
    (intercept, slope), _ = nnls(design, means)
    left = means - design @ np.array([intercept, slope])
    covariance = np.linalg.inv(design.T @ design) * (left @ left) / (len(means) - 2)
    return float(intercept), math.sqrt(float(covariance[0, 0])), float(slope) / scale


def _fit_line_as_published(inverse: Float64, means: Float64) -> Distance:
    """Return intercept and error of JetNet's fit of the same line."""

    def line(x: Float64, intercept: float, slope: float) -> Float64:
        return intercept + slope * x

    best, covariance = curve_fit(line, inverse, means, bounds=([0.0, 0.0], [np.inf, np.inf]))
    return Distance(float(best[0]), math.sqrt(float(covariance[0, 0])))


def _warn_of_owners(first: Float64, second: Float64) -> None:
    """Warn of the shower farthest from its sample's mean where the distance falls without it."""
    whole = gaussian_distance(first, second)
    for name, sample in (("reference", first), ("generated", second)):
        if len(sample) < 4:
            continue
        shower = int(((sample - sample.mean(axis=0)) ** 2).sum(axis=1).argmax())
        kept = np.delete(sample, shower, axis=0)
        pair = (kept, second) if name == "reference" else (first, kept)
        owned = whole - gaussian_distance(*pair)
        if owned > OWNED_PART * whole:
            warnings.warn(
                f"{name} shower {shower} of those compared alone makes {100 * owned / whole:.0f} % of the "
                "Frechet distance; look at it, and give the distance of "
                "clip_to_reference(reference, generated) beside.",
                OutlierWarning,
                stacklevel=3,
            )


def _kernel_sum(first: Float64, second: Float64) -> float:
    features = first.shape[1]
    total = 0.0
    for start in range(0, len(first), BLOCK_ROWS):
        kernel = first[start : start + BLOCK_ROWS] @ second.T
        kernel /= features
        kernel += 1.0
        np.square(kernel, out=kernel)
        total += float(np.square(kernel, out=kernel).sum())
    return total


def _kernel_diagonal(sample: Float64) -> float:
    return float((((sample**2).sum(axis=1) / sample.shape[1] + 1.0) ** KERNEL_DEGREE).sum())
