"""Which part of each layer's cells is hit, at several thresholds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from calokit.arrays import Float64
from calokit.detector import Detector
from calokit.errors import CalokitError
from calokit.evaluation.metrics.binned import BinnedValues
from calokit.evaluation.metrics.distances import Distance
from calokit.showers.hits import Hits

THRESHOLD_MULTIPLES = (1.0, 3.0, 10.0, 30.0, 100.0)
"""Usual thresholds, in multiples of the one that makes a hit."""


class LayerOccupancy:
    """Sums the hits of each layer above several thresholds, in bounded memory.

    Args:
        detector: Whose cells the showers have.
        thresholds: MeV, none below the threshold of the hits that are added.

    Example:
        >>> from calokit.detector import load_detector
        >>> occupancy = LayerOccupancy(load_detector("zdc_ecal"), (0.1, 1.0))
        >>> occupancy.add(Hits(np.array([0, 0]), np.array([5, 6]), np.array([0.5, 2.0]), 1))
        >>> [occupancy.part_of_cells(number).values.tolist() for number in (0, 1)]
        [[0.005], [0.0025]]
    """

    def __init__(self, detector: Detector, thresholds: Sequence[float]) -> None:
        self.thresholds = tuple(thresholds)
        layers = detector.number_of_layers
        self.showers = 0
        self._layer = detector.cells.layer
        self._cells: Float64 = np.bincount(self._layer, minlength=layers).astype(np.float64)
        self._sums: Float64 = np.zeros((len(self.thresholds), layers))
        self._products: Float64 = np.zeros((len(self.thresholds), layers, layers))

    def add(self, hits: Hits) -> None:
        """Add the hits of a batch."""
        layers = len(self._cells)
        place = hits.event * layers + self._layer[hits.cell]
        for number, threshold in enumerate(self.thresholds):
            counts = np.bincount(place[hits.energy > threshold], minlength=hits.events * layers)
            parts = counts.reshape(hits.events, layers) / self._cells
            self._sums[number] += parts.sum(axis=0)
            self._products[number] += parts.T @ parts
        self.showers += hits.events

    def merge(self, other: LayerOccupancy) -> None:
        """Add the sums of other showers of the same detector.

        Raises:
            CalokitError: The thresholds differ.
        """
        if self.thresholds != other.thresholds:
            raise CalokitError("occupancies above different thresholds cannot be added.")
        self._sums += other._sums
        self._products += other._products
        self.showers += other.showers

    def part_of_cells(self, number: int) -> BinnedValues:
        """Return the mean part of each layer's cells above the threshold of that number, (layer,)."""
        errors = np.sqrt(np.diag(self.covariance_of_mean(number)))
        showers = np.full(len(self._cells), float(self.showers))
        return BinnedValues(self._sums[number] / max(self.showers, 1), errors, showers)

    def covariance_of_mean(self, number: int) -> Float64:
        """Return the covariance of `part_of_cells` between layers, (layer, layer)."""
        mean = self._sums[number] / max(self.showers, 1)
        covariance: Float64 = self._products[number] / max(self.showers, 1) - np.outer(mean, mean)
        return np.where(np.eye(len(mean)) > 0, np.maximum(covariance, 0.0), covariance) / max(self.showers, 1)


def occupancy_distance(reference: LayerOccupancy, other: LayerOccupancy, number: int) -> Distance:
    """Return sum over layers |difference of the occupancies| / sum of the reference's, at one threshold.

    The error holds the correlations between layers. For equal laws, where only chance makes a difference, it
    is too large rather than too small (a factor of 1 to 1.7).

    Args:
        reference: The reference's sums.
        other: Those of the sample that is judged.
        number: Of the threshold, from 0.

    Raises:
        CalokitError: The thresholds or layers differ, or no cell of the reference is above the threshold.
    """
    if (
        reference.thresholds != other.thresholds
        or reference.covariance_of_mean(0).shape != other.covariance_of_mean(0).shape
    ):
        raise CalokitError(
            f"occupancies at {reference.thresholds} MeV and at {other.thresholds} MeV cannot be compared; "
            "take the same thresholds and one detector."
        )
    one, two = reference.part_of_cells(number), other.part_of_cells(number)
    whole = float(one.values.sum())
    if whole == 0.0:
        raise CalokitError(
            f"no cell of the reference lies above {reference.thresholds[number]} MeV; lower the threshold."
        )
    difference = two.values - one.values
    sign = np.sign(difference)
    covariance = reference.covariance_of_mean(number) + other.covariance_of_mean(number)
    error = math.sqrt(max(float(sign @ covariance @ sign), 0.0)) / whole
    return Distance(float(np.abs(difference).sum()) / whole, error)
