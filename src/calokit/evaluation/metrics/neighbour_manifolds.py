"""Precision, recall, density and coverage of a generator from the nearest neighbours of its showers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, vstack
from sklearn.metrics import euclidean_distances

from calokit.arrays import Float64
from calokit.errors import CalokitError
from calokit.evaluation.metrics.distances import Distance
from calokit.evaluation.metrics.frechet import check_features
from calokit.evaluation.metrics.precision_recall import choose_showers

BLOCK_ROWS = 1000
"""Rows of the matrix of distances in memory at once."""


@dataclass(frozen=True)
class NeighbourSettings:
    """How the manifolds are made.

    Attributes:
        neighbours: The radius about a shower reaches to its so-manieth neighbour (5 in CaloChallenge).
        showers: At most so many of each sample are used, chosen by chance; the values depend on the number.
        resamples: Of the errors.
        seed: Of the choice and of the resamples.
    """

    neighbours: int = 5
    showers: int = 5000
    resamples: int = 100
    seed: int = 0


@dataclass(frozen=True)
class ManifoldScores:
    """How two samples cover each other.

    Attributes:
        precision: Part of the generated showers inside the reference's manifold.
        recall: Part of the reference's showers inside the generated manifold.
        density: Mean number of reference radii that hold a generated shower, over k; 1 for equal laws.
        coverage: Part of the reference's radii that hold a generated shower.
        reference_showers: How many were used.
        generated_showers: How many were used.
    """

    precision: Distance
    recall: Distance
    density: Distance
    coverage: Distance
    reference_showers: int
    generated_showers: int


def manifold_scores(
    reference: Float64, generated: Float64, settings: NeighbourSettings | None = None
) -> ManifoldScores:
    """Return precision and recall (Kynkaanniemi et al., arXiv:1904.06991), density and coverage.

    About each shower lies a ball up to its k-th neighbour in its own sample; the balls of a sample are its
    manifold. Density and coverage: Naeem et al., arXiv:2002.09797, eq. 4 and 5. Values depend on the number
    of showers and of features (in data set 3 of CaloChallenge truth has a precision of 0.1 against truth):
    compare equal numbers, beside the floor. Scale the features first (`standardise`); CaloChallenge takes
    log10 of the cell energies in MeV, with 0.1 for 0.

    Errors draw the showers of both samples again, with the balls as they are. Balls about showers not drawn
    are missing then, which makes the errors too large rather than too small: one to two times the spread over
    independent samples, more where a value is close to 0 or 1.

    Args:
        reference: (shower, feature) finite.
        generated: (shower, feature) finite.
        settings: Of the neighbours.

    Raises:
        CalokitError: Features of other shapes or not finite, or no more showers than neighbours.

    Example:
        >>> near, far = np.random.default_rng(1).normal(0, 1, (2, 200, 2))
        >>> manifold_scores(near, far + 100.0).precision.value
        0.0
    """
    settings = settings or NeighbourSettings()
    generator = np.random.default_rng(settings.seed)
    checked = check_features(reference, generated)
    first, second = (choose_showers(sample, settings.showers, generator) for sample in checked)
    fewest = min(len(first), len(second))
    if not 1 <= settings.neighbours < fewest:
        raise CalokitError(
            f"{settings.neighbours} neighbours of {fewest} showers: give 1 or more, and more showers."
        )
    inside, around = _memberships(
        first, second, *(neighbour_radii(sample, settings.neighbours) for sample in (first, second))
    )
    values = _scores(inside, around, np.ones(len(first)), np.ones(len(second)), settings.neighbours)
    drawn = [
        _scores(
            inside, around, _draw(len(first), generator), _draw(len(second), generator), settings.neighbours
        )
        for _ in range(settings.resamples)
    ]
    errors = np.std(drawn, axis=0) if drawn else np.full(4, np.nan)
    precision, recall, density, coverage = (
        Distance(float(value), float(error)) for value, error in zip(values, errors, strict=True)
    )
    return ManifoldScores(precision, recall, density, coverage, len(first), len(second))


def neighbour_radii(sample: Float64, neighbours: int) -> Float64:
    """Return the distance of every shower to its so-manieth neighbour, itself not counted; (shower,)."""
    radii = np.empty(len(sample))
    for start in range(0, len(sample), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        distances = euclidean_distances(sample[rows], sample)
        # the shower itself lies at 0, up to rounding
        radii[rows] = np.partition(distances, neighbours, axis=1)[:, neighbours]
    return radii


def _memberships(
    first: Float64, second: Float64, first_radii: Float64, second_radii: Float64
) -> tuple[csr_array, csr_array]:
    """Return which showers of `second` lie in which balls of `first`, and which balls of `second` hold whom.

    Both are (first, second), 1 where a distance is below the radius.
    """
    inside, around = [], []
    for start in range(0, len(first), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        distances = euclidean_distances(first[rows], second)
        inside.append(csr_array((distances < first_radii[rows, None]).astype(np.float64)))
        around.append(csr_array((distances < second_radii[None, :]).astype(np.float64)))
    return csr_array(vstack(inside)), csr_array(vstack(around))


def _draw(showers: int, generator: np.random.Generator) -> Float64:
    """Return how often each shower is drawn when as many are drawn with repetition."""
    drawn = generator.integers(0, showers, showers)
    return np.bincount(drawn, minlength=showers).astype(np.float64)


def _scores(
    inside: csr_array, around: csr_array, first: Float64, second: Float64, neighbours: int
) -> tuple[float, float, float, float]:
    """Return the four scores of showers counted with weights."""
    drawn_first, drawn_second = (first > 0).astype(np.float64), (second > 0).astype(np.float64)
    precision = second @ (inside.T @ drawn_first > 0) / second.sum()
    recall = first @ (around @ drawn_second > 0) / first.sum()
    density = first @ (inside @ second) / (neighbours * second.sum())
    coverage = first @ (inside @ drawn_second > 0) / first.sum()
    return float(precision), float(recall), float(density), float(coverage)
