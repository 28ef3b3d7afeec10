"""What every classifier of two classes of showers needs: checks, the ROC area, its error, the divergence."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.stats import rankdata
from sklearn.isotonic import IsotonicRegression

from calokit.arrays import Float64, Integer
from calokit.errors import CalokitError

Features: TypeAlias = NDArray[np.float32] | csr_array

SMALLEST_CLASS = 50
"""Fewer showers than this a class cannot be split and judged."""
SMALLEST_PROBABILITY = 1e-6
"""Calibrated probabilities stay so far from 0 and 1, so that one surprise costs 20 bits and not infinity."""


def check_classes(reference: Features, generated: Features, seeds: int) -> None:
    """Refuse classes that no classifier can compare.

    Args:
        reference: (event, k) features of the reference showers, dense or in compressed sparse rows.
        generated: (event, k) features of the generated showers.
        seeds: How many trainings were asked for.

    Raises:
        CalokitError: The classes differ in size or features, are too small to split, hold numbers that are
            not finite, or no training was asked for.
    """
    if reference.shape != generated.shape:
        raise CalokitError(
            f"classifier: reference features have shape {reference.shape}, generated ones {generated.shape}; "
            "give the same number of showers and the same features."
        )
    events = int(reference.shape[0])
    if events < SMALLEST_CLASS or seeds < 1:
        raise CalokitError(
            f"classifier: {events} showers a class and {seeds} seeds given; at least {SMALLEST_CLASS} "
            "showers and one seed are needed."
        )
    for name, features in (("reference", reference), ("generated", generated)):
        values = features.data if isinstance(features, csr_array) else features
        bad = int(np.size(values) - np.count_nonzero(np.isfinite(values)))
        if bad:
            raise CalokitError(
                f"classifier: {bad} {name} features are infinite or not a number; every feature must be "
                "finite. Look for empty showers and logarithms of 0."
            )


def dense_rows(features: Features, index: Integer) -> NDArray[np.float32]:
    """Return the given rows of dense or sparse features as a dense array; (row, k)."""
    rows = features[index]
    dense: NDArray[np.float32] = rows.toarray() if isinstance(rows, csr_array) else rows
    return dense


def roc_area(labels: NDArray[np.bool_], scores: Float64) -> float:
    """Return the area under the ROC curve: how often a positive scores above a negative, ties counting half.

    Args:
        labels: (shower,) True for the class that should score high.
        scores: (shower,) any monotonic score.

    Example:
        >>> roc_area(np.array([False, False, True, True]), np.array([0.1, 0.4, 0.35, 0.8]))
        0.75
    """
    positives = int(labels.sum())
    negatives = len(labels) - positives
    ranks = rankdata(scores)
    return float((ranks[labels].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def roc_area_error(labels: NDArray[np.bool_], scores: Float64) -> float:
    """Return the standard error of the area under the ROC curve from the showers it was measured on.

    The variance is s_p^2 / p + s_n^2 / n, with s_p the standard deviation over the p positives of the part of
    negatives below each, and s_n that over the n negatives of the part of positives above each (DeLong,
    DeLong and Clarke-Pearson, Biometrics 44 (1988) 837). Where it says nothing, something else does: scores
    that are all equal get the error of random scores, sqrt((p + n + 1) / (12 p n)), and classes that do not
    overlap half of one shower's weight, 1 / (2 max(p, n)).

    Args:
        labels: (shower,) True for the class that should score high; at least two of each.
        scores: (shower,) any monotonic score.

    Example:
        >>> round(roc_area_error(np.arange(2000) % 2 == 0, np.arange(2000.0)), 3)  # sqrt(1 / (6 n)), n = 1000
        0.013
    """
    positive, negative = scores[labels], scores[~labels]
    ranks = rankdata(scores)
    below = (ranks[labels] - rankdata(positive)) / len(negative)
    above = 1.0 - (ranks[~labels] - rankdata(negative)) / len(positive)
    if np.ptp(scores) == 0.0:
        return math.sqrt((len(scores) + 1) / (12.0 * len(positive) * len(negative)))
    variance = np.var(below, ddof=1) / len(positive) + np.var(above, ddof=1) / len(negative)
    return max(math.sqrt(variance), 0.5 / max(len(positive), len(negative)))


def calibrate_scores(labels: NDArray[np.bool_], scores: Float64, others: Float64) -> Float64:
    """Return the probabilities that an isotonic regression on some showers gives to the scores of others.

    Args:
        labels: (shower,) True for positives, of the showers that calibrate.
        scores: (shower,) their scores.
        others: (other,) scores of showers that took no part; beyond the calibrating scores the end values
            hold.

    Returns:
        (other,) probability of being a positive, between 1e-6 and 1 - 1e-6.
    """
    regression = IsotonicRegression(
        y_min=SMALLEST_PROBABILITY, y_max=1.0 - SMALLEST_PROBABILITY, out_of_bounds="clip"
    )
    probabilities: Float64 = regression.fit(scores, labels.astype(np.float64)).predict(others)
    return probabilities


def jensen_shannon(labels: NDArray[np.bool_], probabilities: Float64) -> tuple[float, float]:
    """Return the Jensen-Shannon divergence in bits that a classifier of equal classes shows, and its error.

    JSD = 1 + <log2 q>, with q the probability the classifier gives to the true class (CaloChallenge,
    arXiv:2410.21611, and code/evaluate.py there). It is 0 for equal laws and 1 for laws that do not overlap.
    A classifier short of the optimum, or badly calibrated, shows less, and may show less than 0. The error is
    that of the mean over the showers.

    Args:
        labels: (shower,) True for positives; as many of each class.
        probabilities: (shower,) of being a positive, strictly between 0 and 1.

    Example:
        >>> labels = np.array([False, True, False, True])
        >>> jensen_shannon(labels, np.full(4, 0.5))
        (0.0, 0.0)
        >>> round(jensen_shannon(labels, np.where(labels, 0.999999, 1e-6))[0], 4)
        1.0
    """
    bits = np.log2(np.where(labels, probabilities, 1.0 - probabilities))
    return float(1.0 + bits.mean()), float(bits.std(ddof=1) / np.sqrt(len(bits)))
