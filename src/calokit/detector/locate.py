"""Which cell of a detector holds a point, or has given indices, for every kind of readout."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calokit.detector.grids import CartesianGrid, Edges, Grid
from calokit.detector.schema import Detector
from calokit.errors import DetectorError

Indices = NDArray[np.int64]

OUTSIDE = -1
"""The index of what lies in no layer or cell."""


def locate_layers(detector: Detector, depth_mm: ArrayLike) -> Indices:
    """Return the readout layer that holds each depth; a layer holds its front and not its back.

    Args:
        detector: The detector.
        depth_mm: Depths in mm from the front face (point,).

    Returns:
        Number of the readout layer over all sections (point,); -1 outside every layer.

    Raises:
        DetectorError: The detector does not say how deep its layers are.

    Example:
        >>> from calokit.detector import load_detector
        >>> locate_layers(load_detector("clic_ecal"), [-0.1, 0.0, 4.9, 5.0, 125.0]).tolist()
        [-1, 0, 0, 1, -1]
    """
    depth = np.asarray(depth_mm, dtype=np.float64)
    fronts, backs = detector.layer_edges.T
    if np.isnan(fronts).any() or np.isnan(backs).any():
        raise DetectorError(
            f"detector {detector.name!r} does not say how deep its layers are; give its sections slabs or "
            "layer_edges_mm, or take the layers from the data."
        )
    layer = np.searchsorted(fronts, depth, side="right") - 1
    inside = (layer >= 0) & (depth < backs[layer])
    return np.where(inside, layer, OUTSIDE).astype(np.int64)


def locate_cells(detector: Detector, layer: ArrayLike, x_mm: ArrayLike, y_mm: ArrayLike) -> Indices:
    """Return the cell that holds each point of a layer; a cell holds its lower edges and not its upper ones.

    Args:
        detector: The detector.
        layer: Number of the readout layer over all sections (point,); those that are none lie outside.
        x_mm: Distance in mm from the axis along x, the rows (point,).
        y_mm: Distance in mm from the axis along y, the columns (point,).

    Returns:
        Index of the cell in file order (point,); -1 outside the readout.

    Example:
        >>> from calokit.detector import load_detector
        >>> detector, y = load_detector("zdc_ecal"), [-290, -270, 0, 0]
        >>> locate_cells(detector, [0, 0, 0, 1], [-290, -290, 310, 0], y).tolist()
        [0, 1, -1, -1]
    """
    number = np.asarray(layer, dtype=np.int64)
    x, y = np.asarray(x_mm, dtype=np.float64), np.asarray(y_mm, dtype=np.float64)
    cell = np.full(number.shape, OUTSIDE, dtype=np.int64)
    layout = _layout_of(detector)
    starts = np.array([one.start for one in layout], dtype=np.int64)
    which_grid = np.array([one.grid_number for one in layout], dtype=np.int64)
    valid = (number >= 0) & (number < len(layout))
    for one in {one.grid_number: one for one in layout}.values():
        here = np.flatnonzero(valid)
        here = here[which_grid[number[here]] == one.grid_number]
        slow, fast = _indices_in(one.grid, x[here], y[here])
        found = (slow != OUTSIDE) & (fast != OUTSIDE)
        here = here[found]
        cell[here] = starts[number[here]] + slow[found] * one.grid.shape[1] + fast[found]
    return cell


def index_cells(detector: Detector, layer: ArrayLike, row: ArrayLike, column: ArrayLike) -> Indices:
    """Return the cell with each layer, row and column (or layer, angle and radius), all counted from 0.

    Returns:
        Index of the cell in file order (point,); -1 where the detector has no such cell.

    Example:
        >>> from calokit.detector import load_detector
        >>> index_cells(load_detector("zdc_ecal"), [0, 0, 0], [0, 1, 20], [3, 0, 0]).tolist()
        [3, 20, -1]
    """
    number, slow, fast = (np.asarray(one, dtype=np.int64) for one in (layer, row, column))
    layout = _layout_of(detector)
    starts = np.array([one.start for one in layout], dtype=np.int64)
    shapes = np.array([one.grid.shape for one in layout], dtype=np.int64)
    known = np.clip(number, 0, len(layout) - 1)
    rows, columns = shapes[known, 0], shapes[known, 1]
    inside = (number == known) & (slow >= 0) & (slow < rows) & (fast >= 0) & (fast < columns)
    return np.where(inside, starts[known] + slow * columns + fast, OUTSIDE).astype(np.int64)


@dataclass(frozen=True, eq=False)
class _PlacedLayer:
    """A readout layer's grid, the number that equal grids share, and the index of its first cell."""

    grid: Grid
    grid_number: int
    start: int


@functools.lru_cache(maxsize=64)
def _layout_of(detector: Detector) -> tuple[_PlacedLayer, ...]:
    """Return the layers of all sections with the index of their first cells."""
    placed: list[_PlacedLayer] = []
    numbers: dict[int, int] = {}
    start = 0
    grids = [
        grid for section in detector.sections for grid in section.readout.grids(section.number_of_layers)
    ]
    for grid in grids:
        placed.append(_PlacedLayer(grid, numbers.setdefault(id(grid), len(numbers)), start))
        start += math.prod(grid.shape)
    return tuple(placed)


def _indices_in(grid: Grid, x: Edges, y: Edges) -> tuple[Indices, Indices]:
    """Return the slow and the fast index of points in a grid; -1 outside."""
    if isinstance(grid, CartesianGrid):
        return _bin_of(grid.row_edges, x), _bin_of(grid.column_edges, y)
    start = grid.angle_edges[0]
    angle = np.mod(np.arctan2(y, x) - start, 2 * math.pi)
    bins = grid.shape[0]
    slow = np.clip(np.floor(angle / (2 * math.pi) * bins), 0, bins - 1).astype(np.int64)
    return slow, _bin_of(grid.radius_edges, np.hypot(x, y))


def _bin_of(edges: Edges, values: Edges) -> Indices:
    """Return the bin of each value; -1 outside."""
    found = np.searchsorted(edges, values, side="right") - 1
    return np.where((found >= 0) & (found < len(edges) - 1), found, OUTSIDE).astype(np.int64)
