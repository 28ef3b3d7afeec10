"""The cells that a shower hits, without the many it does not: what reconstruction works on."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from calokit.arrays import Float32, Float64, Integer
from calokit.detector import Detector
from calokit.errors import ConfigurationError
from calokit.showers import Showers

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
        readout = detector.sections[0].readout
        if len(detector.sections) != 1 or readout.kind != "cartesian":
            raise ConfigurationError(
                f"reconstruction needs one Cartesian section, and detector {detector.name!r} has "
                f"{', '.join(section.readout.kind for section in detector.sections)}."
            )
        layers, rows, columns = detector.shape
        pitch = (readout.row_pitch_mm, readout.column_pitch_mm)
        return cls((layers, rows, columns), pitch, np.asarray(detector.sensitive_z, np.float64))

    def x_mm(self, rows: Integer) -> Float64:
        """Return the x of the middle of rows, mm."""
        return np.asarray((rows - 0.5 * (self.shape[1] - 1)) * self.pitch_mm[0], np.float64)

    def y_mm(self, columns: Integer) -> Float64:
        """Return the y of the middle of columns, mm."""
        return np.asarray((columns - 0.5 * (self.shape[2] - 1)) * self.pitch_mm[1], np.float64)


@dataclass(frozen=True)
class Hits:
    """The hits of some showers, event after event.

    Attributes:
        grid: Where the cells are.
        counts: (event,) int64, hits of each event.
        cells: (hit,) int32, flat index of the cell (layer slowest, column fastest).
        energies: (hit,) float32, MeV.

    Example:
        >>> from calokit.detector import load_detector
        >>> detector = load_detector("luxe_ecal")
        >>> image = np.zeros((2, 20, 110, 11), np.float32)
        >>> image[0, 3, 50, 5], image[1, 4, 55, 6] = 1.0, 2.0
        >>> hits = find_hits(Showers(image.reshape(2, -1), np.ones(2, np.float32), detector))
        >>> hits.counts.tolist(), hits.layer.tolist(), hits.row.tolist(), hits.event.tolist()
        ([1, 1], [3, 4], [50, 55], [0, 1])
    """

    grid: CellGrid
    counts: Integer
    cells: NDArray[np.int32]
    energies: Float32
    event: Integer = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "event", np.repeat(np.arange(len(self.counts)), self.counts))

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def layer(self) -> Integer:
        """(hit,) number of the layer."""
        return np.asarray(self.cells // (self.grid.shape[1] * self.grid.shape[2]), np.int64)

    @property
    def row(self) -> Integer:
        """(hit,) number of the row, which runs along x."""
        return np.asarray(self.cells // self.grid.shape[2] % self.grid.shape[1], np.int64)

    @property
    def column(self) -> Integer:
        """(hit,) number of the column, which runs along y."""
        return np.asarray(self.cells % self.grid.shape[2], np.int64)

    def head(self, events: int) -> Hits:
        """Return the hits of the first so many events."""
        last = int(self.counts[:events].sum())
        return Hits(self.grid, self.counts[:events], self.cells[:last], self.energies[:last])

    def sum_by_event(self, values: NDArray[np.floating]) -> Float64:
        """Return the sums (event,) of values (hit,)."""
        return np.asarray(np.bincount(self.event, weights=values, minlength=len(self)), np.float64)

    def sum_by_layer(self, values: NDArray[np.floating]) -> Float64:
        """Return the sums (event, layer) of values (hit,)."""
        layers = self.grid.shape[0]
        place = self.event * layers + self.layer
        summed = np.bincount(place, weights=values, minlength=len(self) * layers)
        return np.asarray(summed.reshape(len(self), layers), np.float64)

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
        result = np.empty((len(self.cells), NEIGHBOURS), np.float32)
        ends = np.concatenate([[0], np.cumsum(self.counts)])
        for first in range(0, len(self), WINDOW_EVENTS):
            last = min(first + WINDOW_EVENTS, len(self))
            window = slice(ends[first], ends[last])
            unfolded = np.zeros((last - first) * size, np.float32)
            centre = (self.event[window] - first) * size + place[window]
            unfolded[centre] = self.energies[window]
            result[window] = unfolded[centre[:, None] + offsets]
        return result


def find_hits(showers: Showers, threshold_mev: float = 0.0) -> Hits:
    """Return the cells above a threshold (MeV).

    Raises:
        ConfigurationError: The detector has not one Cartesian section.
    """
    energies = showers.energies
    event, cell = np.nonzero(energies > threshold_mev)
    counts = np.bincount(event, minlength=len(energies)).astype(np.int64)
    return Hits(CellGrid.of(showers.detector), counts, cell.astype(np.int32), energies[event, cell])
