"""From hexagonal tiles to the square grid: the energy of a tile is shared by overlap area."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from calokit.detector.readout import CartesianReadout
from calokit.detector.schema import Section
from calokit.detector.tiles import HexagonalTiles
from calokit.errors import DetectorError

Polygon = NDArray[np.float64]
"""Corners (corner, 2), x and y in mm, counter-clockwise."""

SMALLEST_TILE_MM2 = 1e-3
"""Slivers of a tile that the border leaves below this area do not count as tiles."""


def clipped_tiles(
    tiles: HexagonalTiles, layer: int, width_mm: float, height_mm: float
) -> tuple[Polygon, ...]:
    """Return the outlines of the tiles of a layer, cut at the border of the slab.

    Args:
        tiles: The pattern.
        layer: Readout layer counted from 0.
        width_mm: Extent of the slab in x.
        height_mm: Extent of the slab in y.

    Returns:
        One polygon a tile, in the order of `HexagonalTiles.centres`; together they cover the slab once.
    """
    return tuple(outline for _, outline in _clipped(tiles, layer % tiles.cycle, width_mm, height_mm))


def tile_centres(section: Section, layer: int) -> Polygon:
    """Return the centres (tile, 2) of the tiles of `share_matrix`, in mm; a cut tile keeps that of the whole.

    Raises:
        DetectorError: The section has no tiles.
    """
    if section.tiles is None:
        raise DetectorError(f"section {section.name!r} has no hexagonal tiles.")
    found = _clipped(section.tiles, layer % section.tiles.cycle, *section.size_mm)
    return np.array([centre for centre, _ in found])


@functools.lru_cache(maxsize=32)
def _clipped(
    tiles: HexagonalTiles, phase: int, width_mm: float, height_mm: float
) -> tuple[tuple[Polygon, Polygon], ...]:
    """Return centre and outline of each tile of one phase of the stagger."""
    angles = np.arange(6) * math.pi / 3
    corners = tiles.side_mm * np.column_stack([np.cos(angles), np.sin(angles)])
    x, y = width_mm / 2, height_mm / 2
    centres = tiles.centres(phase, width_mm, height_mm)
    outlines = [clip_to_box(centre + corners, -x, x, -y, y) for centre in centres]
    return tuple(
        (centre, outline)
        for centre, outline in zip(centres, outlines, strict=True)
        if polygon_area(outline) > SMALLEST_TILE_MM2
    )


def share_matrix(section: Section, layer: int) -> sparse.csr_array:
    """Return the share of each tile's energy that each cell of the readout gets (tile, cell).

    Every row sums to 1: energy is conserved.

    Args:
        section: A section with hexagonal tiles and a Cartesian readout that covers its slabs.
        layer: Readout layer counted from 0.

    Raises:
        DetectorError: The section has no tiles, or its readout does not cover them.

    Example:
        >>> from calokit.detector import load_detector
        >>> matrix = share_matrix(load_detector("zdc_ecal_hcal").sections[1], layer=0)
        >>> matrix.shape[1], bool(abs(matrix.sum(axis=1) - 1).max() < 1e-12)
        (1600, True)
    """
    readout, tiles = section.readout, section.tiles
    if tiles is None or not isinstance(readout, CartesianReadout):
        raise DetectorError(f"section {section.name!r} has no hexagonal tiles on a cartesian readout.")
    if any(abs(a - b) > 1e-6 for a, b in zip(readout.extent_mm, section.size_mm, strict=True)):
        raise DetectorError(
            f"section {section.name!r}: a readout of {readout.extent_mm} mm does not cover the tiles of "
            f"{section.size_mm} mm; make them equal."
        )
    return _share(section, layer % tiles.cycle)


@functools.lru_cache(maxsize=32)
def _share(section: Section, phase: int) -> sparse.csr_array:
    """Build the matrix of one phase of the stagger."""
    readout = section.readout
    assert isinstance(readout, CartesianReadout)
    assert section.tiles is not None
    rows, columns = readout.row_edges, readout.column_edges
    places: list[tuple[int, int, float]] = []
    for number, outline in enumerate(clipped_tiles(section.tiles, phase, *section.size_mm)):
        found: list[tuple[int, int, float]] = []
        first, last = _span(rows, outline[:, 0])
        low, high = _span(columns, outline[:, 1])
        for i in range(first, last):
            strip = clip_to_box(outline, rows[i], rows[i + 1], -math.inf, math.inf)
            for j in range(low, high):
                area = polygon_area(clip_to_box(strip, -math.inf, math.inf, columns[j], columns[j + 1]))
                if area > 0:
                    found.append((number, i * readout.columns + j, area))
        total = math.fsum(area for _, _, area in found)
        places += [(tile, cell, area / total) for tile, cell, area in found]
    tile, cell, share = (np.array(column) for column in zip(*places, strict=True))
    shape = (int(tile.max()) + 1, readout.rows * readout.columns)
    return sparse.csr_array((share, (tile, cell)), shape=shape)


def tile_smearing(section: Section, layer: int) -> sparse.csr_array:
    """Return what reading a layer by its tiles does to energies given on the grid (cell, cell).

    A cell's energy is shared over the tiles that cover it, by area, and each tile's over its cells again;
    every row sums to 1: energy is conserved.

    Args:
        section: A section with hexagonal tiles and a Cartesian readout that covers its slabs.
        layer: Readout layer counted from 0.

    Raises:
        DetectorError: The section has no tiles, or its readout does not cover them.
    """
    phase = layer % (section.tiles.cycle if section.tiles else 1)
    return _smearing(section, phase)


def cover_matrix(section: Section, layer: int) -> sparse.csr_array:
    """Return the share of each cell of the readout that each tile covers (cell, tile), by area.

    Every row sums to 1.

    Args:
        section: A section with hexagonal tiles and a Cartesian readout that covers its slabs.
        layer: Readout layer counted from 0.

    Raises:
        DetectorError: The section has no tiles, or its readout does not cover them.
    """
    share = share_matrix(section, layer)
    assert section.tiles is not None
    outlines = clipped_tiles(section.tiles, layer, *section.size_mm)[: share.shape[0]]
    areas = np.array([polygon_area(outline) for outline in outlines])
    covering = share.multiply(areas[:, None]).T.tocsr()
    return sparse.csr_array(sparse.diags_array(1.0 / covering.sum(axis=1)) @ covering)


@functools.lru_cache(maxsize=16)
def _smearing(section: Section, phase: int) -> sparse.csr_array:
    return sparse.csr_array(cover_matrix(section, phase) @ share_matrix(section, phase))


def clip_to_box(polygon: Polygon, left: float, right: float, bottom: float, top: float) -> Polygon:
    """Return the part of a convex polygon within a box (Sutherland-Hodgman); empty where there is none.

    Example:
        >>> square = np.array([[0, 0], [2, 0], [2, 2], [0, 2]], float)
        >>> polygon_area(clip_to_box(square, 1, 5, -5, 1))
        1.0
    """
    for axis, limit, sign in ((0, left, 1.0), (0, right, -1.0), (1, bottom, 1.0), (1, top, -1.0)):
        if math.isfinite(limit):
            polygon = _clip(polygon, axis, limit, sign)
    return polygon


def polygon_area(polygon: Polygon) -> float:
    """Return the area of a polygon in mm^2; 0 for fewer than three corners."""
    if len(polygon) < 3:
        return 0.0
    x, y = polygon[:, 0], polygon[:, 1]
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def _clip(polygon: Polygon, axis: int, limit: float, sign: float) -> Polygon:
    """Cut a polygon by a line across one axis; sign 1 keeps what lies above the limit, -1 below."""
    kept: list[Polygon] = []
    inside = sign * (polygon[:, axis] - limit)
    for k in range(len(polygon)):
        here, there = inside[k], inside[k - 1]
        if (here > 0) != (there > 0):
            kept.append(polygon[k - 1] + (polygon[k] - polygon[k - 1]) * there / (there - here))
        if here > 0:
            kept.append(polygon[k])
    return np.array(kept).reshape(-1, 2)


def _span(edges: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[int, int]:
    """Return the range of bins that values reach into."""
    first = int(np.searchsorted(edges, values.min(), side="right")) - 1
    last = int(np.searchsorted(edges, values.max(), side="left"))
    return max(first, 0), min(last, len(edges) - 1)
