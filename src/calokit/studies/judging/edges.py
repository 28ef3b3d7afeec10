"""The edges of the average shower of generated files, beside those of truth."""

from __future__ import annotations

from calokit.detector import Detector
from calokit.detector.images import cartesian_image
from calokit.evaluation.metrics.edges import ShowerEdges, edge_distance
from calokit.showers import ShowerFile

PIECE = 1024
"""Showers looked at at a time."""


class EdgeJudge:
    """Measures the edges of any number of samples by one reference.

    Args:
        reference: The truth, in one Cartesian section.
        floor: Truth of other seeds; None knows no floor.
        threshold_mev: Cells at or below it count as empty.

    Raises:
        ConfigurationError: The detector has another readout, or too few cells along all axes.
    """

    def __init__(self, reference: ShowerFile, floor: ShowerFile | None, threshold_mev: float) -> None:
        self.threshold_mev = threshold_mev
        self.shape = _box(reference.detector)
        self.reference = self._sum(reference)
        self.floor = [float("nan")] * 2 if floor is None else self._measure(floor)

    def metrics(self, generated: ShowerFile) -> dict[str, list[float]]:
        """Return value, error, floor and its error of `edges.mean_deviation`."""
        return {"edges.mean_deviation": [*self._measure(generated), *self.floor]}

    def _measure(self, view: ShowerFile) -> list[float]:
        found = edge_distance(self.reference, self._sum(view))
        return [found.value, found.error]

    def _sum(self, view: ShowerFile) -> ShowerEdges:
        edges = ShowerEdges(self.shape)
        for piece in view.chunks(PIECE):
            edges.add(piece.with_threshold(self.threshold_mev).energies)
        return edges


def _box(detector: Detector) -> tuple[int, int, int]:
    image = cartesian_image(detector, "the edges of the average shower")
    layers, rows, columns = image.shape
    return layers, rows, columns
