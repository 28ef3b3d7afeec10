"""Which cells of a detector touch, by axis: found once for a detector, for any readout."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from calokit.arrays import Integer
from calokit.detector import Detector
from calokit.detector.readout import CartesianReadout

DIAGONAL = "diagonal"
DEPTH = "in_depth"
IN_LAYER = ("along_x", "along_y", "around", "outward")
"""Axes in a layer: x and y of rows and columns, angle and radius of cylinders and rings."""
CORNERED = 4
"""Cells with more sides than so many touch at no corner alone."""
SMALL = 1e-6
"""Radii closer than this part of a pair's distance are the same."""


@dataclass(frozen=True, eq=False)
class CellPairs:
    """Pairs of touching cells, each pair once, as lists by cell.

    Attributes:
        starts: (cell + 1,) where the list of each cell begins in `partners`.
        partners: (pair,) flat cells; each is larger than the cell whose list it stands in.
    """

    starts: Integer
    partners: Integer


@functools.lru_cache(maxsize=16)
def neighbour_pairs(detector: Detector) -> dict[str, CellPairs]:
    """Return the pairs of touching cells of a detector by axis.

    In a layer `along_x` and `along_y` (cells that share a side, by the larger component of their distance),
    `around` and `outward` on cylinders and rings, whose angles close to a circle, and `diagonal` for cells
    that touch at a corner alone; `in_depth` for cells of consecutive layers that lie behind each other.
    Axes without a pair are left out.

    Args:
        detector: Whose cells.

    Example:
        >>> from calokit.detector import load_detector
        >>> {axis: len(pairs.partners) for axis, pairs in neighbour_pairs(load_detector("zdc_ecal")).items()}
        {'along_x': 380, 'along_y': 380, 'diagonal': 722}
    """
    cells = detector.cells
    first, second = (index.astype(np.int64) for index in sparse.triu(cells.neighbours(), 1).coords)
    polar = np.array([not isinstance(section.readout, CartesianReadout) for section in detector.sections])
    x, y = cells.x[second] - cells.x[first], cells.y[second] - cells.y[first]
    radial = np.abs(cells.radius[second] - cells.radius[first])
    same_layer = cells.layer[first] == cells.layer[second]
    round_cells = polar[cells.section[first]]
    rising = radial > SMALL * np.maximum(np.hypot(x, y), radial)
    wide = np.abs(x) >= np.abs(y)
    chosen = {
        "along_x": same_layer & ~round_cells & wide,
        "along_y": same_layer & ~round_cells & ~wide,
        "around": same_layer & round_cells & ~rising,
        "outward": same_layer & round_cells & rising,
    }
    size = len(cells)
    joined = {axis: _join(first[kept], second[kept], size) for axis, kept in chosen.items()}
    found = {axis: sparse.triu(matrix, 1) for axis, matrix in joined.items()}
    found[DIAGONAL] = _corners(joined)
    found[DEPTH] = sparse.triu(_join(first[~same_layer], second[~same_layer], size), 1)
    return {axis: _as_lists(matrix) for axis, matrix in found.items() if matrix.nnz}


@functools.lru_cache(maxsize=16)
def surrounding_cells(detector: Detector) -> CellPairs:
    """Return for each cell all cells that touch it in its layer, at corners too; each pair in both orders.

    Args:
        detector: Whose cells.
    """
    size = len(detector.cells)
    first, second = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for axis, pairs in neighbour_pairs(detector).items():
        if axis != DEPTH:
            first.append(np.repeat(np.arange(size), np.diff(pairs.starts)))
            second.append(pairs.partners)
    return _as_lists(_join(np.concatenate(first), np.concatenate(second), size))


def _join(first: Integer, second: Integer, size: int) -> sparse.csr_array:
    """Return the symmetric (cell, cell) matrix of pairs."""
    ones = np.ones(2 * len(first), dtype=np.int64)
    places = (np.concatenate([first, second]), np.concatenate([second, first]))
    return sparse.csr_array((ones, places), shape=(size, size))


def _corners(axes: dict[str, sparse.csr_array]) -> sparse.csr_array:
    """Return pairs that are one step along each of two axes apart, where cells have four sides at most."""
    corners = axes["along_x"] @ axes["along_y"] + axes["around"] @ axes["outward"]
    sides = sum(axes[axis] for axis in IN_LAYER)
    four = np.diff(sparse.csr_array(sides).indptr) <= CORNERED
    upper = sparse.coo_array(sparse.triu(corners, 1))
    row, column = upper.coords
    square = four[row] & four[column]
    ones = np.ones(int(square.sum()), dtype=np.int64)
    kept = sparse.csr_array((ones, (row[square], column[square])), shape=corners.shape)
    # on circles of two or three angles a step around may lead to a cell that shares a side too
    return sparse.csr_array(kept - kept.multiply(sparse.csr_array(sides) > 0))


def _as_lists(matrix: sparse.coo_array | sparse.csr_array) -> CellPairs:
    rows = sparse.csr_array(matrix)
    rows.eliminate_zeros()
    rows.sort_indices()
    return CellPairs(rows.indptr.astype(np.int64), rows.indices.astype(np.int64))
