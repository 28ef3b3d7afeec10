"""Hexagonal tiles as the cells of a cascade: files give each tile's energy shared over a square grid."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from calokit.detector import Detector
from calokit.detector.grids import CartesianGrid, Edges, Grid
from calokit.detector.schema import Section
from calokit.detector.tile_sharing import cover_matrix, share_matrix, tile_centres
from calokit.errors import DetectorError

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

LEAST_SHARE = 1e-6
"""Parts of a tile's energy that do not count."""


@dataclass(frozen=True, eq=False)
class TilePlaces:
    """The tiles of a layer as rows (x) and columns (y); every second row stands half a tile off.

    All layers of a section have as many rows and columns.

    Attributes:
        grid: Cells as large as a tile, in mm.
        tiles: Number of the tile at each place, -1 where the border leaves none (place,).
        centres: Where the tile is, in mm (place, 2); that of the grid's cell where there is none.
        readout: The grid that files give the energies on.
        spread: How the energy of each place falls on the cells of `readout` (cell, place).
        cover: The other way about, each cell shared over the tiles that cover it, by area (place, cell).
    """

    grid: CartesianGrid
    tiles: Int64
    centres: Float64
    readout: Grid
    spread: Float64
    cover: Float64


@dataclass(frozen=True, eq=False)
class Links:
    """A sparse matrix: what is at `source` counts `weight` times at `target` (entry,)."""

    source: Int64
    target: Int64
    weight: Float64

    @classmethod
    def of(cls, matrix: Float64) -> Links:
        """Return the entries of a matrix (source, target)."""
        source, target = matrix.nonzero()
        return cls(source, target, matrix[source, target])

    @classmethod
    def join(cls, pieces: list[tuple[Links, int, int]]) -> Links:
        """Join matrices, each with the numbers of its first source and target."""
        return cls(
            np.concatenate([one.source + first for one, first, _ in pieces]),
            np.concatenate([one.target + first for one, _, first in pieces]),
            np.concatenate([one.weight for one, _, _ in pieces]),
        )


class TileReadout(nn.Module):
    """Takes showers from the cells of a file to places of tiles, and back.

    A tile counts as much as the cell that gets most of it: for a whole tile, as a cell within it. So one
    threshold means the same for tiles and for the cells of other sections, which stay as they are.

    Args:
        detector: With hexagonal tiles in one section or several.
    """

    cell: Tensor
    place: Tensor
    weight: Tensor
    starts: Tensor
    shared: Tensor
    share: Tensor
    worth: Tensor
    """What each place stands for, in what is there (place,)."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        towards, back = [], []
        cells = places = 0
        for section in detector.sections:
            grids: Sequence[Grid] = section.readout.grids(section.number_of_layers)
            for layer, grid in enumerate(grids):
                if section.tiles is None:
                    size = math.prod(grid.shape)
                    there = again = Links(np.arange(size), np.arange(size), np.ones(size))
                else:
                    there, again = _link_tiles(section, layer % section.tiles.cycle)
                    size = len(lay_tiles(section, layer).tiles)
                towards.append((there, cells, places))
                back.append((again, places, cells))
                cells, places = cells + math.prod(grid.shape), places + size
        self.cells, self.places = cells, places
        gathered, shared = Links.join(towards), Links.join(back)
        starts = np.cumsum([0, *np.bincount(shared.source, minlength=places)])
        for name, values in {
            "cell": gathered.source,
            "place": gathered.target,
            "weight": gathered.weight.astype(np.float32),
            "starts": starts,
            "shared": shared.target,
            "share": shared.weight.astype(np.float32),
            "worth": np.bincount(shared.source, shared.weight, places).astype(np.float32),
        }.items():
            self.register_buffer(name, torch.from_numpy(values), persistent=False)

    def gather(self, energies: Tensor) -> Tensor:
        """Return what is at the places (event, place) of showers (event, cell), in the same unit."""
        found = energies.new_zeros(len(energies), self.places)
        found.index_add_(1, self.place, energies[:, self.cell] * self.weight)
        return found.clamp_(min=0.0)

    def spread(self, energies: Tensor, cells: Tensor | None = None) -> Tensor:
        """Return the showers (event, cell) of what is at the places (event, place): undoes `gather`.

        Args:
            energies: At the places.
            cells: Zeros (event, cell) that take the showers; new ones where not given.
        """
        event, place = energies.nonzero(as_tuple=True)
        first, counts = self.starts[place], self.starts[place + 1] - self.starts[place]
        hit = torch.arange(len(place), device=place.device).repeat_interleave(counts)
        ends = counts.cumsum(0)
        entry = torch.arange(len(hit), device=hit.device) + (first - ends + counts)[hit]
        if cells is None:
            cells = energies.new_zeros(len(energies), self.cells)
        values = energies[event, place][hit] * self.share[entry]
        cells.view(-1).index_add_(0, event[hit] * self.cells + self.shared[entry], values)
        return cells


def lay_tiles(section: Section, layer: int) -> TilePlaces:
    """Return the tiles of a layer as rows and columns.

    Example:
        >>> from calokit.detector import load_detector
        >>> places = lay_tiles(load_detector("zdc_ecal_hcal").sections[1], 0)
        >>> places.grid.shape, int((places.tiles >= 0).sum())
        ((14, 13), 173)
    """
    return _lay_tiles(section, layer % (section.tiles.cycle if section.tiles else 1))


@functools.lru_cache(maxsize=32)
def _lay_tiles(section: Section, phase: int) -> TilePlaces:
    assert section.tiles is not None
    height = math.sqrt(3) * section.tiles.side_mm
    indices = [_rows_and_columns(section, one) for one in range(section.tiles.cycle)]
    shape = tuple(1 + max(int(one[axis].max()) for one in indices) for axis in range(2))
    row, column = indices[phase]
    known = tile_centres(section, phase)
    rows = known[:, 0].min() + 1.5 * section.tiles.side_mm * np.arange(shape[0])
    middles = known[:, 1].min() + height * (
        np.arange(shape[1]) + 0.25
    )  # between those of the two kinds of rows
    grid = CartesianGrid(_edges(rows, 1.5 * section.tiles.side_mm), _edges(middles, height))
    place = row * shape[1] + column
    tiles = np.full(math.prod(shape), -1)
    tiles[place] = np.arange(len(known))
    centres = np.column_stack(grid.centres()[:2])
    centres[place] = known
    shares = share_matrix(section, phase)
    spread, cover = (np.zeros((shares.shape[1], len(tiles))) for _ in range(2))
    spread[:, place] = shares.toarray().T
    cover[:, place] = cover_matrix(section, phase).toarray()
    readout: Grid = section.readout.grids(1)[0]
    return TilePlaces(grid, tiles, centres, readout, spread, cover.T)


def _rows_and_columns(section: Section, phase: int) -> tuple[Int64, Int64]:
    """Return row and column (tile,) of the tiles of a phase."""
    assert section.tiles is not None
    centres = tile_centres(section, phase)
    row = np.unique(np.round(centres[:, 0], 6), return_inverse=True)[1]
    height = math.sqrt(3) * section.tiles.side_mm
    column = np.floor((centres[:, 1] - centres[:, 1].min()) / height + 0.25).astype(np.int64)
    return row, column


def _edges(middles: NDArray[np.floating], pitch_mm: float) -> Edges:
    """Return the edges of equal bins about middles; those at the border reach beyond the slab."""
    return np.array([*(middles - pitch_mm / 2), middles[-1] + pitch_mm / 2])


@functools.lru_cache(maxsize=32)
def _link_tiles(section: Section, phase: int) -> tuple[Links, Links]:
    """Return how cells make places, and how places make cells."""
    shares = share_matrix(section, phase).toarray()
    relative = shares / shares.max(1, keepdims=True)
    relative[relative < LEAST_SHARE] = 0.0
    tiles = lay_tiles(section, phase).tiles
    there = np.zeros((len(tiles), relative.shape[1]))
    back = np.zeros_like(there)
    known = tiles >= 0
    there[known] = _unmix(relative)[tiles[known]]
    back[known] = relative[tiles[known]]
    return Links.of(there.T), Links.of(back)


def _unmix(shares: Float64) -> Float64:
    """Return the matrix (tile, cell) that finds what tiles hold from what they share (tile, cell).

    Tiles that have a cell for themselves are read off it; what they gave to others is taken away, and so on.

    Raises:
        DetectorError: Two tiles share every one of their cells.
    """
    found, unknown = np.zeros_like(shares), shares > 0.0
    while unknown.any():
        own = np.where(unknown & (unknown.sum(0) == 1), shares, 0.0)
        solved = np.flatnonzero(own.any(1))
        if not len(solved):
            raise DetectorError("tiles as small as their cells cannot be told apart; use smaller cells.")
        for tile in solved:
            cell = int(own[tile].argmax())
            others = shares[:, cell].copy()
            others[tile] = 0.0
            found[tile] = -others @ found
            found[tile, cell] += 1.0
            found[tile] /= shares[tile, cell]
        unknown[solved] = False
    return found
