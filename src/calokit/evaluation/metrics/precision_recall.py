"""Precision and recall of a generator: the curve of Sajjadi et al., its area, and the score made of it."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace

import numpy as np

from calokit.arrays import Float64
from calokit.errors import CalokitError
from calokit.evaluation.metrics.distances import Distance
from calokit.evaluation.metrics.frechet import check_features

SMALLEST_ANGLE = 1e-10
"""Distance in rad of the outer angles from 0 and a right angle."""
RESAMPLES = 200
"""Resampled cluster counts, all runs together, that the statistical error comes from."""


@dataclass(frozen=True)
class PrecisionRecallSettings:
    """How the samples are clustered; the defaults are those of Sajjadi et al.

    Attributes:
        clusters: Of k-means on both samples together (20; 100 in the LHCb challenge).
        runs: Clusterings averaged (10; 100 in the challenge).
        angles: Points of the curve.
        standardised: Scale features by the reference first, so that none owns the clusters for its unit.
        seed: Of the clusterings and of the choice among too many showers.
    """

    clusters: int = 20
    runs: int = 10
    angles: int = 1001
    standardised: bool = True
    seed: int = 0


CHALLENGE_SETTINGS = PrecisionRecallSettings(clusters=100, runs=100)
"""Clusters and runs of the LHCb challenge MLHEP 2019."""


@dataclass(frozen=True)
class PrecisionRecallCurve:
    """Precision against recall, averaged over runs, and the area below.

    Attributes:
        precision: (angle,) rising from 0.
        recall: (angle,) falling to 0.
        area: Area below the curve (PRD-AUC): 1 for equal distributions, 0 for disjoint ones, with the error
            of the showers' number and of the clusterings' chance in quadrature. Finite samples of one law
            stay below 1: read it beside the floor.
        by_run: (run,) area of each run.
        showers: Of each sample.
    """

    precision: Float64
    recall: Float64
    area: Distance
    by_run: Float64
    showers: int


@dataclass(frozen=True)
class ImageAndPhysicsScore:
    """The smaller of two areas.

    Attributes:
        value: min(images, physics), with the error of the smaller.
        images: Area of the images or their embeddings.
        physics: Area of the physics features.
    """

    value: Distance
    images: Distance
    physics: Distance


def discrete_precision_recall(
    reference: Float64, generated: Float64, angles: int = 1001
) -> tuple[Float64, Float64]:
    """Return precision and recall of one discrete distribution against another.

    precision(l) = sum_i min(l P_i, Q_i) and recall = precision / l for slopes l = tan(angle), the angles
    equally far apart between 0 and a right angle (Sajjadi et al., arXiv:1806.00035, eq. 6 and 7).

    Args:
        reference: (state,) probabilities P, of sum 1.
        generated: (state,) probabilities Q, of sum 1.
        angles: At least 3.

    Returns:
        Precision and recall, (angle,) each.

    Raises:
        CalokitError: The distributions are not two of equal length and sum 1, or there are too few angles.

    Example:
        >>> precision, recall = discrete_precision_recall(np.array([0.5, 0.5]), np.array([1.0, 0.0]))
        >>> float(precision.max()), float(recall.max())
        (1.0, 0.5)
    """
    for name, fractions in (("reference", reference), ("generated", generated)):
        if fractions.shape != reference.shape or not math.isclose(float(fractions.sum()), 1.0, rel_tol=1e-6):
            raise CalokitError(
                f"{name} fractions of shape {fractions.shape} and sum {fractions.sum():.6g}: "
                f"expected {reference.shape} and 1."
            )
    if angles < 3:
        raise CalokitError(f"{angles} angles make no curve; give 3 or more.")
    slopes = np.tan(np.linspace(SMALLEST_ANGLE, np.pi / 2 - SMALLEST_ANGLE, angles))
    precision = np.minimum(slopes[:, None] * reference, generated).sum(axis=1)
    return np.clip(precision, 0.0, 1.0), np.clip(precision / slopes, 0.0, 1.0)


def area_below(precision: Float64, recall: Float64) -> float:
    """Return the area between the curve and the axes, by the trapezoid rule over the precision."""
    return float(np.trapezoid(recall, precision))


def precision_recall_curve(
    reference: Float64, generated: Float64, settings: PrecisionRecallSettings | None = None
) -> PrecisionRecallCurve:
    """Return the precision-recall curve of two samples by clustering them together (arXiv:1806.00035).

    Each run joins the samples, finds clusters by mini-batch k-means, and takes the fractions by cluster as
    two discrete distributions. The larger sample is cut to the size of the other, since unequal ones pull the
    clusters to one side.

    Args:
        reference: (shower, feature) finite.
        generated: (shower, feature) finite.
        settings: Of the clustering.

    Returns:
        The mean of the runs' curves, whose recall is what of the reference is made and whose precision is
        what of the generated is real. (The LHCb challenge gives its arguments the other way round, which
        exchanges the two and leaves the area.)

    Raises:
        CalokitError: Features of other shapes or not finite, or fewer showers than clusters.
    """
    settings = settings or PrecisionRecallSettings()
    if settings.runs < 1 or settings.clusters < 1:
        raise CalokitError(f"{settings}: give 1 run and 1 cluster or more.")
    first, second = _same_number(*check_features(reference, generated), settings.seed)
    if len(first) < settings.clusters:
        raise CalokitError(
            f"{len(first)} showers of each sample cannot fill {settings.clusters} clusters; give more."
        )
    if settings.standardised:
        first, second = standardise(first, second)
    curves, areas, variances = [], [], []
    for run in range(settings.runs):
        counts = _cluster(first, second, settings.clusters, np.random.SeedSequence([settings.seed, run]))
        fractions = [count / len(first) for count in counts]
        curves.append(discrete_precision_recall(fractions[0], fractions[1], settings.angles))
        areas.append(area_below(*curves[-1]))
        generator = np.random.default_rng([settings.seed, run, 1])
        variances.append(_resampled_variance(fractions, len(first), settings, generator))
    precision, recall = np.mean(curves, axis=0)
    chance = np.var(areas, ddof=1) / len(areas) if len(areas) > 1 else 0.0
    error = math.sqrt(float(np.mean(variances) + chance))
    area = Distance(area_below(precision, recall), error)
    return PrecisionRecallCurve(precision, recall, area, np.array(areas), len(first))


def standardise(reference: Float64, generated: Float64) -> tuple[Float64, Float64]:
    """Return both samples less the reference's mean and over its standard deviation, feature by feature.

    Features that do not vary in the reference are divided by 1.
    """
    width = reference.std(axis=0)
    width[width == 0] = 1.0
    mean = reference.mean(axis=0)
    return (reference - mean) / width, (generated - mean) / width


def image_and_physics_score(
    reference_images: Float64,
    generated_images: Float64,
    reference_physics: Float64,
    generated_physics: Float64,
    settings: PrecisionRecallSettings = CHALLENGE_SETTINGS,
) -> ImageAndPhysicsScore:
    """Return the smaller of the PRD areas of images and of physics features, as the LHCb challenge meant it.

    The physics features are scaled by the reference where the settings say so; images and embeddings, whose
    columns share a unit, never are.

    Args:
        reference_images: (shower, cell) images, or what a network embeds them in.
        generated_images: (shower, cell) the same of the generated showers.
        reference_physics: (shower, feature), as of `calokit.evaluation.samples.momentum_shape`.
        generated_physics: (shower, feature).
        settings: Of the clustering.

    Raises:
        CalokitError: As `precision_recall_curve`.
    """
    unscaled = replace(settings, standardised=False)
    images = precision_recall_curve(reference_images, generated_images, unscaled).area
    physics = precision_recall_curve(reference_physics, generated_physics, settings).area
    return ImageAndPhysicsScore(min(images, physics, key=lambda area: area.value), images, physics)


def published_image_and_physics_score(
    reference_images: Float64,
    reference_physics: Float64,
    generated_physics: Float64,
    settings: PrecisionRecallSettings = CHALLENGE_SETTINGS,
) -> ImageAndPhysicsScore:
    """Return the score as the challenge's scorer computes it, to compare with published numbers only.

    SchattenGenie/mlhep2019_2_phase, analysis/score.py, embeds the reference where it means the generated
    images: the images' area is 1 whatever was generated, and the score that of the physics alone. Its
    physics features are not scaled, so that those in the largest units own the clusters.

    Args:
        reference_images: (shower, cell) images or embeddings; generated ones would never be used.
        reference_physics: (shower, feature).
        generated_physics: (shower, feature).
        settings: Of the clustering; nothing is scaled.

    Raises:
        CalokitError: As `precision_recall_curve`.
    """
    unscaled = replace(settings, standardised=False)
    images = precision_recall_curve(reference_images, reference_images, unscaled).area
    physics = precision_recall_curve(reference_physics, generated_physics, unscaled).area
    return ImageAndPhysicsScore(min(images, physics, key=lambda area: area.value), images, physics)


def _same_number(first: Float64, second: Float64, seed: int) -> tuple[Float64, Float64]:
    """Cut the larger sample to the size of the other by chance."""
    number = min(len(first), len(second))
    generator = np.random.default_rng([seed, 2])
    return choose_showers(first, number, generator), choose_showers(second, number, generator)


def choose_showers(sample: Float64, number: int, generator: np.random.Generator) -> Float64:
    """Return `number` of the showers by chance, in their order; all where there are not more."""
    if len(sample) <= number:
        return sample
    return sample[np.sort(generator.choice(len(sample), size=number, replace=False))]


def _cluster(
    first: Float64, second: Float64, clusters: int, seeds: np.random.SeedSequence
) -> tuple[Float64, Float64]:
    """Return how many of each sample fall in each cluster of both together."""
    from sklearn.cluster import MiniBatchKMeans  # takes as long to load as torch does
    from sklearn.exceptions import ConvergenceWarning

    state = int(seeds.generate_state(1)[0])
    model = MiniBatchKMeans(n_clusters=clusters, n_init=10, random_state=state)
    with warnings.catch_warnings():
        # fewer different showers than clusters: those left empty change nothing
        warnings.simplefilter("ignore", ConvergenceWarning)
        labels = model.fit(np.concatenate([first, second])).labels_
    parts = labels[: len(first)], labels[len(first) :]
    one, other = (np.bincount(part, minlength=clusters).astype(np.float64) for part in parts)
    return one, other


def _resampled_variance(
    fractions: list[Float64], showers: int, settings: PrecisionRecallSettings, generator: np.random.Generator
) -> float:
    """Return the variance of the area when the showers of both samples are drawn again."""
    areas = []
    for _ in range(max(2, RESAMPLES // settings.runs)):
        one, other = (generator.multinomial(showers, part / part.sum()) / showers for part in fractions)
        areas.append(area_below(*discrete_precision_recall(one, other, min(settings.angles, 201))))
    return float(np.var(areas, ddof=1))
