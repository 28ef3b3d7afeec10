"""The trees of a detector: one over its layers, and one over the cells of each kind of layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calokit.detector import Detector
from calokit.detector.grids import CartesianGrid, Grid, PolarGrid
from calokit.models.cascade.tile_readout import TilePlaces, lay_tiles
from calokit.models.cascade.tree import Int64, SplitTree, grow_tree

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
        tiles: The tiles that are the cells, or None.
        like: Number of the first plane that differs by the places of its tiles only.
    """

    grid: Grid
    layers: tuple[int, ...]
    tree: SplitTree
    pitch_mm: float
    centres: Float64
    radii: Float64
    areas: Float64
    cell_centres: Float64
    tiles: TilePlaces | None
    like: int

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

    @property
    def tiled(self) -> bool:
        """Whether tiles are among the cells."""
        return any(plane.tiles is not None for plane in self.planes)

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
    layers: list[_Layer] = []
    borders: list[int] = []
    for number, section in enumerate(detector.sections):
        borders.append(len(layers))
        own: Sequence[Grid] = section.readout.grids(section.number_of_layers)
        for layer, grid in enumerate(own):
            tiles = None if section.tiles is None else lay_tiles(section, layer)
            layers.append(_Layer(number, grid if tiles is None else tiles.grid, tiles))
    kinds: dict[tuple[object, ...], list[int]] = {}
    for number, one in enumerate(layers):
        kinds.setdefault(one.fingerprint, []).append(number)
    planes: list[Plane] = []
    for number, here in enumerate(kinds.values()):
        first = layers[here[0]]
        alike = [plane.like for plane in planes if first.alike(layers[plane.layers[0]])]
        planes.append(_lay_plane(first, tuple(here), alike[0] if alike else number))
    plane_of = {layer: number for number, plane in enumerate(planes) for layer in plane.layers}
    there = [one.there for one in layers]
    return DetectorTree(
        grow_tree(len(layers), 1, [int(one.sum()) for one in there], cuts=borders[1:]),
        tuple(planes),
        tuple(plane_of[layer] for layer in range(len(layers))),
        tuple(int(first) for first in np.cumsum([0, *(len(one) for one in there)])),
        np.nan_to_num(detector.layer_z, nan=0.0),
    )


def carry_shares(source: Plane, target: Plane) -> Float64:
    """Return how the energy of each cell of a plane falls on the cells of another (target cell, source cell).

    Tiles share their energy over the grid that files give it on, whose cells are shared over tiles by area.
    """
    one, other = (plane.grid if plane.tiles is None else plane.tiles.readout for plane in (source, target))
    shares = overlap_shares(one, other)
    if source.tiles is not None:
        shares = shares @ source.tiles.spread
    return shares if target.tiles is None else target.tiles.cover @ shares


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


class _Layer(NamedTuple):
    """A layer: number of its section, and its cells."""

    section: int
    grid: Grid
    tiles: TilePlaces | None

    @property
    def there(self) -> Int64:
        """1 for every cell, 0 for a place without a tile (cell,)."""
        if self.tiles is None:
            return np.ones(math.prod(self.grid.shape), np.int64)
        return (self.tiles.tiles >= 0).astype(np.int64)

    @property
    def fingerprint(self) -> tuple[object, ...]:
        """What layers of one plane have in common."""
        grid = self.grid
        edges = (
            (grid.row_edges, grid.column_edges)
            if isinstance(grid, CartesianGrid)
            else (grid.angle_edges, grid.radius_edges)
        )
        places = b"" if self.tiles is None else np.round(self.tiles.centres, 6).tobytes()
        return type(grid).__name__, places, *(tuple(np.round(one, 9)) for one in edges)

    def alike(self, other: _Layer) -> bool:
        """Return whether the cells of both are tiles of one section."""
        return self.tiles is not None and other.tiles is not None and self.section == other.section


def _join_shares(slow: Float64, fast: Float64) -> Float64:
    return np.asarray(np.kron(slow, fast), dtype=np.float64)


def _interval_shares(source: Float64, target: Float64) -> Float64:
    """Return which part of each source interval lies in each target interval (target, source)."""
    end = np.minimum(target[1:, None], source[None, 1:])
    start = np.maximum(target[:-1, None], source[None, :-1])
    shares: Float64 = np.clip(end - start, 0.0, None) / np.diff(source)
    return shares


def _lay_plane(first: _Layer, layers: tuple[int, ...], like: int) -> Plane:
    grid = first.grid
    rows, columns = grid.shape
    periodic = isinstance(grid, PolarGrid) and rows > 1
    tree = grow_tree(rows, columns, first.there.tolist(), periodic=periodic)
    x, y, radius = grid.centres()
    if first.tiles is not None:
        x, y = first.tiles.centres.T
        radius = np.hypot(x, y)
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
        first.tiles,
        like,
    )


def _indent(text: str) -> list[str]:
    return ["  " + line for line in text.splitlines()]
