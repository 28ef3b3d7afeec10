"""The trees of a detector: one over its layers, and one over the cells of each kind of layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calokit.detector import Detector
from calokit.detector.grids import CartesianGrid, Grid, PolarGrid
from calokit.models.cascade.tile_readout import lay_tiles
from calokit.models.cascade.tree import SplitTree, grow_tree

Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Plane:
    """The layers that share one grid of cells, and the tree over that grid; hexagonal tiles count as cells.

    Attributes:
        grid: The grid.
        layers: Numbers of the layers over all sections.
        tree: The boxes of the grid.
        pitch_mm: Side of a square as large as the smallest cell.
        centres: Centre of each box in mm (box, 2), by area.
        radii: Mean distance of each box from the axis in mm (box,).
        areas: Area of each box in mm^2 (box,).
        cell_centres: x, y and distance from the axis of each cell in mm (cell, 3).
    """

    grid: Grid
    layers: tuple[int, ...]
    tree: SplitTree
    pitch_mm: float
    centres: Float64
    radii: Float64
    areas: Float64
    cell_centres: Float64

    @property
    def cells(self) -> int:
        """Cells of one layer."""
        return self.tree.rows * self.tree.columns


@dataclass(frozen=True, eq=False)
class DetectorTree:
    """All trees of a detector.

    Attributes:
        depth: Over the layers (one column): sections are cut first.
        planes: Over the cells of a layer, one for each kind of layer.
        plane_of: Which plane each layer has (layer,).
        first_cells: Number of the first cell of each layer, and at the end the number of cells (of tiles, the
            places of `TileReadout`).
        layer_z: Middle of each layer in mm from the front face (layer,), 0 where unknown.
    """

    depth: SplitTree
    planes: tuple[Plane, ...]
    plane_of: tuple[int, ...]
    first_cells: tuple[int, ...]
    layer_z: Float64

    @property
    def layers(self) -> int:
        """Number of layers over all sections."""
        return len(self.plane_of)

    def cells_of(self, layer: int) -> slice:
        """Return the cells of a layer in the shower's order."""
        return slice(self.first_cells[layer], self.first_cells[layer + 1])

    def describe(self) -> str:
        """Return the trees as text, a line a level.

        Example:
            >>> from calokit.detector import load_detector
            >>> print(grow_trees(load_detector("calochallenge_1_photons")).describe().splitlines()[0])
            depth, 5 layers
        """
        lines = [f"depth, {self.layers} layers", *_indent(self.depth.describe())]
        for plane in self.planes:
            named = ", ".join(str(layer) for layer in plane.layers)
            lines += [f"cells of layer {named}", *_indent(plane.tree.describe())]
        return "\n".join(lines)


def grow_trees(detector: Detector) -> DetectorTree:
    """Return the trees of a detector."""
    grids: list[Grid] = []
    there: list[NDArray[np.int64]] = []
    borders: list[int] = []
    for section in detector.sections:
        borders.append(len(grids))
        own: Sequence[Grid] = section.readout.grids(section.number_of_layers)
        for layer, grid in enumerate(own):
            places = None if section.tiles is None else lay_tiles(section, layer)
            grids.append(grid if places is None else places.grid)
            cells = np.ones(math.prod(grid.shape), np.int64)
            there.append(cells if places is None else (places.tiles >= 0).astype(np.int64))
    sizes = [len(one) for one in there]
    kinds: dict[tuple[object, ...], list[int]] = {}
    for layer, grid in enumerate(grids):
        kinds.setdefault((_fingerprint(grid), there[layer].tobytes()), []).append(layer)
    planes = tuple(_lay_plane(grids[one[0]], there[one[0]], tuple(one)) for one in kinds.values())
    plane_of = {layer: number for number, plane in enumerate(planes) for layer in plane.layers}
    return DetectorTree(
        grow_tree(len(grids), 1, [int(one.sum()) for one in there], cuts=borders[1:]),
        planes,
        tuple(plane_of[layer] for layer in range(len(grids))),
        tuple(int(first) for first in np.cumsum([0, *sizes])),
        np.nan_to_num(detector.layer_z, nan=0.0),
    )


def overlap_shares(source: Grid, target: Grid) -> Float64:
    """Return how the energy of each cell of a grid falls on the cells of another (target cell, source cell).

    By the area that both share; between rows and columns and rings, by the nearest centres.
    """
    if isinstance(source, CartesianGrid) and isinstance(target, CartesianGrid):
        return _join_shares(
            _interval_shares(source.row_edges, target.row_edges),
            _interval_shares(source.column_edges, target.column_edges),
        )
    if isinstance(source, PolarGrid) and isinstance(target, PolarGrid):
        return _join_shares(
            _interval_shares(source.angle_edges, target.angle_edges),
            _interval_shares(source.radius_edges**2, target.radius_edges**2),
        )
    here, there = (np.column_stack(grid.centres()[:2]) for grid in (source, target))
    nearest = np.square(here[:, None] - there[None]).sum(2).argmin(1)
    shares = np.zeros((len(there), len(here)))
    shares[nearest, np.arange(len(here))] = 1.0
    return shares


def _join_shares(slow: Float64, fast: Float64) -> Float64:
    return np.asarray(np.kron(slow, fast), dtype=np.float64)


def _interval_shares(source: Float64, target: Float64) -> Float64:
    """Return which part of each source interval lies in each target interval (target, source)."""
    end = np.minimum(target[1:, None], source[None, 1:])
    start = np.maximum(target[:-1, None], source[None, :-1])
    shares: Float64 = np.clip(end - start, 0.0, None) / np.diff(source)
    return shares


def _fingerprint(grid: Grid) -> tuple[object, ...]:
    edges = (
        (grid.row_edges, grid.column_edges)
        if isinstance(grid, CartesianGrid)
        else (grid.angle_edges, grid.radius_edges)
    )
    return type(grid).__name__, *(tuple(np.round(one, 9)) for one in edges)


def _lay_plane(grid: Grid, there: NDArray[np.int64], layers: tuple[int, ...]) -> Plane:
    rows, columns = grid.shape
    tree = grow_tree(rows, columns, there.tolist(), periodic=isinstance(grid, PolarGrid) and rows > 1)
    x, y, radius = grid.centres()
    areas = grid.areas()
    box_areas = tree.sum_up(areas)
    centres = tree.sum_up(np.column_stack([x, y]) * areas[:, None]) / box_areas[:, None]
    return Plane(
        grid,
        layers,
        tree,
        float(np.sqrt(areas.min())),
        centres,
        tree.sum_up(radius * areas) / box_areas,
        box_areas,
        np.column_stack([x, y, radius]),
    )


def _indent(text: str) -> list[str]:
    return ["  " + line for line in text.splitlines()]
