"""What is measured on the kept showers: distances of many features at once, and neighbours."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from calokit.arrays import Float64
from calokit.evaluation.metrics.distances import Distance
from calokit.evaluation.metrics.frechet import (
    FrechetSettings,
    OutlierWarning,
    clip_to_reference,
    frechet_physics_distance,
    gaussian_distance,
    kernel_physics_distance,
)
from calokit.evaluation.metrics.neighbour_manifolds import NeighbourSettings, manifold_scores
from calokit.evaluation.metrics.precision_recall import (
    PrecisionRecallSettings,
    image_and_physics_score,
    standardise,
)
from calokit.evaluation.samples.kept_showers import KeptShowers
from calokit.evaluation.samples.truth_memory import TruthMemory
from calokit.evaluation.scorecard import Measurement
from calokit.progress import TellPart

LEAST_SHOWERS = 200
"""With fewer showers a class these measurements are left out."""
JACKKNIFE_GROUPS = 10
MOST_NEIGHBOURS = 5000
"""Showers a class for the metrics of neighbours and clusters, whose time grows with the square."""
MOST_IMAGES = 2000
LEAST_IMAGES = 100
"""So many are taken of detectors with any number of cells: clusters have to be filled."""
MOST_IMAGE_VALUES = 4_000_000
"""Cells of all showers together in the clustering of images."""
CLUSTERINGS = 4
"""Runs of k-means that the precision-recall curve is averaged over; their scatter is part of its error."""


@dataclass(frozen=True)
class KeptSamples:
    """The kept showers of reference, generated sample and floor, the same number of each."""

    reference: KeptShowers
    generated: KeptShowers
    floor: KeptShowers

    def each(self) -> tuple[KeptShowers, KeptShowers, KeptShowers]:
        """Return reference, generated sample and floor."""
        return self.reference, self.generated, self.floor

    @property
    def showers(self) -> int:
        """Number of each."""
        return len(self.reference.high_level)

    def first(self, number: int) -> KeptSamples:
        """Return evenly spread showers of each, at most so many."""
        return KeptSamples(*(kept.first(number) for kept in (self.reference, self.generated, self.floor)))


def measure_kept_showers(
    samples: KeptSamples,
    seed: int,
    with_topology: bool,
    found_warnings: list[str],
    memory: TruthMemory,
    tell: TellPart,
) -> list[Measurement]:
    """Return Frechet and kernel distance, precision and recall of kept showers.

    Args:
        samples: The kept showers.
        seed: Of draws and clusterings.
        with_topology: Measure the Frechet distance of all observables, those of topology with them, too.
        found_warnings: What the reader should know is added here.
        memory: Where floors are kept.
        tell: Called with a text and the part done (0 to 1).
    """
    if samples.showers < LEAST_SHOWERS:
        found_warnings.append(
            f"distances of many features at once are left out: {samples.showers} showers a class, at least "
            f"{LEAST_SHOWERS} are needed."
        )
        return []
    tell("Frechet and kernel distance", 0.0)
    known = memory.within(samples.showers)
    measurements = _frechet(samples, seed, found_warnings, known)
    if with_topology:
        measurements.append(_frechet_of_topology(samples))
    tell("neighbours and clusters", 0.5)
    chosen = samples.first(MOST_NEIGHBOURS)
    measurements += [*_precision_recall(chosen, seed, known), *_manifolds(chosen, seed, known)]
    tell("neighbours and clusters", 1.0)
    return measurements


def _frechet(
    samples: KeptSamples, seed: int, found_warnings: list[str], known: TruthMemory
) -> list[Measurement]:
    """Return FPD, the same of clipped features, and KPD, all times 1000."""
    reference, generated, floor = (
        kept.high_level.astype(np.float64) for kept in (samples.reference, samples.generated, samples.floor)
    )
    showers = samples.showers
    settings = FrechetSettings(smallest=max(showers // 5, 2), largest=showers, draws=4, seed=seed)
    batch = min(showers, 5000)

    def fpd(other: Float64) -> Distance:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", OutlierWarning)
            value = frechet_physics_distance(reference, other, settings).value
        if other is generated:
            found_warnings.extend(str(warning.message) for warning in caught)
        return Distance(value, _jackknife_error(reference, other))

    def clipped(other: Float64) -> Distance:
        return _clipped_distance(reference, other)

    def kpd(other: Float64) -> Distance:
        return kernel_physics_distance(reference, other, batches=5, batch_size=batch, seed=seed)

    rows: Sequence[tuple[str, str, Callable[[Float64], Distance], str]] = (
        (
            "distance.fpd",
            "Fréchet physics distance x 1000",
            fpd,
            f"draws of {settings.smallest} to {settings.largest} showers, calokit's observables",
        ),
        (
            "distance.fpd_clipped",
            "Fréchet distance x 1000, outliers clipped",
            clipped,
            "of all showers, not extrapolated; no single shower can own it",
        ),
        ("distance.kpd", "kernel physics distance x 1000", kpd, f"median of 5 batches of {batch} showers"),
    )
    measurements = []
    for name, title, distance, note in rows:
        value, least = distance(generated), known.recall(name, partial(distance, floor))
        measurements.append(
            Measurement.of(
                "classifiers", name, title, _thousand_fold(value), _thousand_fold(least), showers, note=note
            )
        )
    return measurements


def _frechet_of_topology(samples: KeptSamples) -> Measurement:
    """Return the clipped distance of all observables, which has a covariance without outliers."""
    reference, generated, floor = (kept.known_table.values.astype(np.float64) for kept in samples.each())
    value, least = (_clipped_distance(reference, other) for other in (generated, floor))
    return Measurement.of(
        "classifiers",
        "distance.fpd_topology",
        "Fréchet distance x 1000, all observables with topology",
        _thousand_fold(value),
        _thousand_fold(least),
        samples.showers,
        note="outliers clipped; of all showers, not extrapolated",
    )


def _thousand_fold(distance: Distance) -> Distance:
    return Distance(1e3 * distance.value, 1e3 * distance.error)


def _clipped_distance(reference: Float64, other: Float64) -> Distance:
    pair = clip_to_reference(reference, other)
    largest = np.abs(pair[0]).max(axis=0)
    scale = np.where(largest == 0, 1.0, largest)
    return Distance(gaussian_distance(pair[0] / scale, pair[1] / scale), _jackknife_error(*pair))


def _jackknife_error(reference: Float64, other: Float64) -> float:
    """Return the error of the Frechet distance from leaving out a tenth of the showers in turn."""
    largest = np.abs(reference).max(axis=0)
    largest[largest == 0] = 1.0
    one, two = reference / largest, other / largest
    groups = np.arange(len(one)) % JACKKNIFE_GROUPS
    values = [gaussian_distance(one[groups != g], two[groups != g]) for g in range(JACKKNIFE_GROUPS)]
    return float(np.sqrt((JACKKNIFE_GROUPS - 1) * np.var(values)))


def _precision_recall(samples: KeptSamples, seed: int, known: TruthMemory) -> list[Measurement]:
    """Return the area under the precision-recall curve: the smaller of images and observables."""
    cells = samples.reference.cells.shape[1]
    images = samples.first(min(MOST_IMAGES, max(MOST_IMAGE_VALUES // cells, LEAST_IMAGES)))
    settings = PrecisionRecallSettings(runs=CLUSTERINGS, seed=seed)

    def score(other: KeptShowers, other_images: KeptShowers) -> tuple[Distance, str]:
        found = image_and_physics_score(
            images.reference.cells.toarray().astype(np.float64),
            other_images.cells.toarray().astype(np.float64),
            samples.reference.high_level.astype(np.float64),
            other.high_level.astype(np.float64),
            settings,
        )
        return found.value, f"images {found.images.value:.3f}, observables {found.physics.value:.3f}"

    value, note = score(samples.generated, images.generated)
    floor, _ = known.recall("precision_recall", lambda: score(samples.floor, images.floor))
    return [
        Measurement.of(
            "classifiers",
            "precision_recall.area",
            "PRD-AUC, smaller of images and observables",
            value,
            floor,
            samples.showers,
            direction="higher",
            note=f"{note}; {settings.clusters} clusters, {settings.runs} runs, {images.showers} images",
        )
    ]


def _manifolds(samples: KeptSamples, seed: int, known: TruthMemory) -> list[Measurement]:
    """Return precision, recall, density and coverage of standardised observables."""
    settings = NeighbourSettings(showers=MOST_NEIGHBOURS, seed=seed)
    reference, generated, floor = (
        kept.high_level.astype(np.float64) for kept in (samples.reference, samples.generated, samples.floor)
    )
    value = manifold_scores(*standardise(reference, generated), settings)
    least = known.recall("neighbours", lambda: manifold_scores(*standardise(reference, floor), settings))
    return [
        Measurement.of(
            "classifiers",
            f"neighbours.{name}",
            f"{name} of neighbours",
            getattr(value, name),
            getattr(least, name),
            samples.showers,
            direction="higher",
            note=f"{settings.neighbours} neighbours, observables",
        )
        for name in ("precision", "recall", "density", "coverage")
    ]
