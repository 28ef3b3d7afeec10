"""The hits of showers on a grid of layers, rows and columns: what reconstruction works on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calokit.arrays import Float32, Float64, Integer
from calokit.detector import Detector
from calokit.detector.images import cartesian_image
from calokit.showers import Showers
from calokit.showers.hits import Hits, find_hits

NEIGHBOURS = 27
"""Cells of the 3 x 3 x 3 neighbourhood of a hit; number 13 is the hit itself."""
WINDOW_EVENTS = 256
"""Events that are unfolded at a time when neighbours are looked up."""


@dataclass(frozen=True)
class CellGrid:
    """The cells of a detector of one Cartesian section as layers of rows (x) and columns (y).

    Attributes:
        shape: Layers, rows, columns.
        pitch_mm: Pitch along x and along y.
        z_mm: (layer,) depth of the middle of the sensitive material behind the front face, mm.

    Example:
        >>> from calokit.detector import load_detector
        >>> grid = CellGrid.of(load_detector("luxe_ecal"))
        >>> grid.shape, grid.x_mm(np.array([0, 54, 55])).tolist(), float(grid.z_mm[0].round(2))
        ((20, 110, 11), [-272.5, -2.5, 2.5], 4.0)
    """

    shape: tuple[int, int, int]
    pitch_mm: tuple[float, float]
    z_mm: Float64

    @classmethod
    def of(cls, detector: Detector) -> CellGrid:
        """Return the grid of a detector.

        Raises:
            ConfigurationError: The detector has several sections, or another readout.
        """
        image = cartesian_image(detector, "reconstruction")
        assert image.slow.pitch is not None
        assert image.fast.pitch is not None
        pitch = (image.slow.pitch, image.fast.pitch)
        return cls(image.shape, pitch, np.asarray(detector.sensitive_z, np.float64))

    def x_mm(self, rows: Integer) -> Float64:
        """Return the x of the middle of rows, mm."""
        return np.asarray((rows - 0.5 * (self.shape[1] - 1)) * self.pitch_mm[0], np.float64)

    def y_mm(self, columns: Integer) -> Float64:
        """Return the y of the middle of columns, mm."""
        return np.asarray((columns - 0.5 * (self.shape[2] - 1)) * self.pitch_mm[1], np.float64)


@dataclass(frozen=True)
class GridHits(Hits):
    """The hits of some showers, and the layers, rows and columns in which they are.

    Attributes:
        grid: Where the cells are.

    Example:
        >>> from calokit.detector import load_detector
        >>> detector = load_detector("luxe_ecal")
        >>> image = np.zeros((2, 20, 110, 11), np.float32)
        >>> image[0, 3, 50, 5], image[1, 4, 55, 6] = 1.0, 2.0
        >>> hits = GridHits.of(Showers(image.reshape(2, -1), np.ones(2, np.float32), detector))
        >>> hits.counts.tolist(), hits.layer.tolist(), hits.row.tolist(), hits.event.tolist()
        ([1, 1], [3, 4], [50, 55], [0, 1])
    """

    grid: CellGrid

    @classmethod
    def of(cls, showers: Showers, threshold: float = 0.0) -> GridHits:
        """Return the cells above a threshold (MeV).

        Raises:
            ConfigurationError: The detector has not one Cartesian section.
        """
        found = find_hits(showers, threshold)
        return cls(found.event, found.cell, found.energy, found.events, CellGrid.of(showers.detector))

    @property
    def layer(self) -> Integer:
        """(hit,) number of the layer."""
        return np.asarray(self.cell // (self.grid.shape[1] * self.grid.shape[2]), np.int64)

    @property
    def row(self) -> Integer:
        """(hit,) number of the row, which runs along x."""
        return np.asarray(self.cell // self.grid.shape[2] % self.grid.shape[1], np.int64)

    @property
    def column(self) -> Integer:
        """(hit,) number of the column, which runs along y."""
        return np.asarray(self.cell % self.grid.shape[2], np.int64)

    def sum_by_layer(self, values: NDArray[Any]) -> Float64:
        """Return the sums (event, layer) of values (hit,)."""
        layers = self.grid.shape[0]
        place = self.event * layers + self.layer
        summed = np.bincount(place, weights=values, minlength=self.events * layers)
        return np.asarray(summed.reshape(self.events, layers), np.float64)

    def neighbourhoods(self) -> Float32:
        """Return the energies (hit, 27) of the 3 x 3 x 3 cells about each hit, MeV.

        The order is layer before, same layer, layer behind; within a layer row by row. Cells beyond the
        detector's edge hold 0.
        """
        layers, rows, columns = self.grid.shape
        padded = (layers + 2, rows + 2, columns + 2)
        offsets = np.array(
            [
                (dz * padded[1] + dx) * padded[2] + dy
                for dz in (-1, 0, 1)
                for dx in (-1, 0, 1)
                for dy in (-1, 0, 1)
            ]
        )
        size = int(np.prod(padded))
        place = ((self.layer + 1) * padded[1] + self.row + 1) * padded[2] + self.column + 1
        result = np.empty((len(self.cell), NEIGHBOURS), np.float32)
        ends = np.concatenate([[0], np.cumsum(self.counts)])
        for first in range(0, self.events, WINDOW_EVENTS):
            last = min(first + WINDOW_EVENTS, self.events)
            window = slice(ends[first], ends[last])
            unfolded = np.zeros((last - first) * size, np.float32)
            centre = (self.event[window] - first) * size + place[window]
            unfolded[centre] = self.energy[window]
            result[window] = unfolded[centre[:, None] + offsets]
        return result
