"""The volume of every cell of a detector, as a box or a sector of a cylinder, and the detector's outline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calokit.detector import Detector
from calokit.detector.grids import CartesianGrid, Grid, PolarGrid

Floats = NDArray[np.float64]

CIRCLE_PIECES = 64
"""A full circle is drawn with so many straight pieces."""
LENGTHWISE_LINES = 8
"""So many lines along the axis show the hull of a cylinder."""


@dataclass(frozen=True, eq=False)
class CellVolumes:
    """Where every cell of a detector begins and ends, in the order of the shower files.

    Attributes:
        is_sector: Whether a cell is a sector of a cylinder (cell,), else it is a box.
        low: Lower bounds (cell, 3): x, y, z of a box in mm; phi in rad, r and z in mm of a sector.
        high: Upper bounds (cell, 3), as `low`.
        layer: Number of the readout layer over all sections (cell,).
        to_scale: False where the detector does not say how deep its layers are; they are then drawn one
            behind the other, all of one thickness.

    Example:
        >>> from calokit.detector import load_detector
        >>> volumes = cell_volumes(load_detector("zdc_ecal"))
        >>> volumes.low[0].round(1).tolist(), volumes.high[0].round(1).tolist()
        ([-303.0, -303.0, 0.0], [-272.7, -272.7, 70.0])
    """

    is_sector: NDArray[np.bool_]
    low: Floats
    high: Floats
    layer: NDArray[np.int64]
    to_scale: bool

    def __len__(self) -> int:
        return len(self.layer)

    def volumes(self) -> Floats:
        """Return the volume of every cell (cell,), in mm^3."""
        first, second, depth = (self.high - self.low).T
        middle = np.where(self.is_sector, (self.high[:, 1] + self.low[:, 1]) / 2, 1.0)
        return np.asarray(first * second * depth * middle)


def cell_volumes(detector: Detector) -> CellVolumes:
    """Return the volumes of all cells of a detector, each from the front to the back of its readout layer.

    Args:
        detector: Of any readout, with one section or several.
    """
    depths, to_scale = place_layers(detector)
    low, high, sector, layer = [], [], [], []
    for number, (grid, (front, back)) in enumerate(zip(_grids_of(detector), depths, strict=True)):
        slow, fast = _edges_of(grid)
        cells = (len(slow) - 1) * (len(fast) - 1)
        low.append(_bounds(slow[:-1], fast[:-1], front))
        high.append(_bounds(slow[1:], fast[1:], back))
        sector.append(np.full(cells, isinstance(grid, PolarGrid)))
        layer.append(np.full(cells, number, dtype=np.int64))
    return CellVolumes(
        np.concatenate(sector), np.concatenate(low), np.concatenate(high), np.concatenate(layer), to_scale
    )


def place_layers(detector: Detector) -> tuple[Floats, bool]:
    """Return front and back of each readout layer (layer, 2) in mm, and whether they are the real ones.

    Where the detector leaves a depth open, all layers stand one behind the other, as thick as makes the
    whole as deep as half its layers are wide.
    """
    edges = detector.layer_edges
    if np.isfinite(edges).all():
        return edges, True
    widths = [2.0 * float(np.abs(_edges_of(grid)[1]).max()) for grid in _grids_of(detector)]
    steps = np.arange(len(widths) + 1) * float(np.median(widths)) / len(widths)
    return np.column_stack([steps[:-1], steps[1:]]), False


def outline_detector(detector: Detector) -> Floats:
    """Return the outline of every section as straight pieces (piece, 2, 3): x, y, z of both ends in mm.

    Boxes for rows and columns; for angles and radii circles joined by lines, of each layer where the layers
    differ.
    """
    depths, _ = place_layers(detector)
    pieces, first = [], 0
    for section in detector.sections:
        grids: Sequence[Grid] = section.readout.grids(section.number_of_layers)
        spans = depths[first : first + len(grids)]
        first += len(grids)
        if section.shape is not None:
            grids, spans = grids[:1], np.array([[spans[0, 0], spans[-1, 1]]])
        pieces += [_outline(grid, front, back) for grid, (front, back) in zip(grids, spans, strict=True)]
    return np.concatenate(pieces)


def _grids_of(detector: Detector) -> list[Grid]:
    return [grid for section in detector.sections for grid in section.readout.grids(section.number_of_layers)]


def _edges_of(grid: Grid) -> tuple[Floats, Floats]:
    """Return the edges along the slow and the fast index."""
    if isinstance(grid, CartesianGrid):
        return grid.row_edges, grid.column_edges
    return grid.angle_edges, grid.radius_edges


def _bounds(slow: Floats, fast: Floats, depth: float) -> Floats:
    """Return (cell, 3) bounds of a layer's cells on one side."""
    first, second = np.meshgrid(slow, fast, indexing="ij")
    return np.column_stack([first.ravel(), second.ravel(), np.full(first.size, depth)])


def _outline(grid: Grid, front: float, back: float) -> Floats:
    """Return the edges of the body that a grid fills between two depths (piece, 2, 3)."""
    if isinstance(grid, CartesianGrid):
        x, y = grid.row_edges[[0, -1, -1, 0]], grid.column_edges[[0, 0, -1, -1]]
        return _prism(x, y, front, back, 1)
    angles = np.linspace(0.0, 2.0 * np.pi, CIRCLE_PIECES, endpoint=False)
    radii = [radius for radius in (grid.radius_edges[0], grid.radius_edges[-1]) if radius > 0.0]
    step = CIRCLE_PIECES // LENGTHWISE_LINES
    return np.concatenate(
        [_prism(radius * np.cos(angles), radius * np.sin(angles), front, back, step) for radius in radii]
    )


def _prism(x: Floats, y: Floats, front: float, back: float, step: int) -> Floats:
    """Return the two faces of a prism and every so many of its lines along z (piece, 2, 3)."""
    near = np.column_stack([x, y, np.full(len(x), front)])
    far = np.column_stack([x, y, np.full(len(x), back)])
    faces = [np.stack([face, np.roll(face, -1, axis=0)], axis=1) for face in (near, far)]
    return np.concatenate([*faces, np.stack([near, far], axis=1)[::step]])
