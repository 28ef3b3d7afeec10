"""The cells of a detector as flat arrays in the order of the shower files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from calokit.detector.grids import Grid


@dataclass(frozen=True, eq=False)
class ReadoutLayer:
    """One readout layer: its section, its grid and where it begins and ends in depth (mm, NaN if unknown)."""

    section: int
    grid: Grid
    front_mm: float
    back_mm: float


@dataclass(frozen=True, eq=False)
class Cells:
    """Every cell of a detector in file order: section after section, layer slowest, column or r fastest.

    Attributes:
        section: Number of the cell's section (cell,).
        layer: Number of the cell's readout layer over all sections (cell,).
        x: Centre in mm from the detector's axis (cell,); the row index runs along x.
        y: Centre in mm from the detector's axis (cell,); the column index runs along y.
        z: Middle of the cell's readout layer in mm from the front face of the detector (cell,); NaN where the
            detector does not say how deep its layers are. `Detector.sensitive_z` has the depth of the
            sensitive material instead.
        radius: Distance of the cell's middle from the axis in mm (cell,), for a full ring too.
        volume: Volume in mm^3 of everything in the cell (cell,), absorber and gaps too; NaN where unknown.

    Example:
        >>> from calokit.detector import load_detector
        >>> cells = load_detector("zdc_ecal").cells
        >>> len(cells), float(cells.x[0].round(2)), float(cells.y[1].round(2))
        (400, -287.85, -257.55)
    """

    section: NDArray[np.int64]
    layer: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    z: NDArray[np.float64]
    radius: NDArray[np.float64]
    volume: NDArray[np.float64]
    _pairs: NDArray[np.int64] = field(repr=False)

    def __len__(self) -> int:
        return len(self.layer)

    def neighbours(self) -> sparse.csr_array:
        """Return which cells touch: (cell, cell), boolean, symmetric, False on the diagonal.

        In a layer, cells that share a side (angles close to a circle); between a layer and the next, those
        that lie behind each other, which on equal grids is the same cell of the next layer.
        Layers of Cartesian and of cylindrical readout are not joined.
        """
        ones = np.ones(len(self._pairs), dtype=bool)
        rows, columns = self._pairs.T
        return sparse.coo_array((ones, (rows, columns)), shape=(len(self), len(self))).tocsr()


def lay_out_cells(layers: Sequence[ReadoutLayer]) -> Cells:
    """Return the cells of readout layers that stand one behind the other.

    Args:
        layers: The readout layers along the beam; layers of equal grid should share one grid object.
    """
    sizes = [int(np.prod(layer.grid.shape)) for layer in layers]
    centres = [layer.grid.centres() for layer in layers]
    thickness = np.repeat([layer.back_mm - layer.front_mm for layer in layers], sizes)
    columns: dict[str, NDArray[np.float64]] = {
        "x": np.concatenate([x for x, _, _ in centres]),
        "y": np.concatenate([y for _, y, _ in centres]),
        "z": np.repeat([(layer.front_mm + layer.back_mm) / 2 for layer in layers], sizes),
        "radius": np.concatenate([radius for _, _, radius in centres]),
        "volume": np.concatenate([layer.grid.areas() for layer in layers]) * thickness,
    }
    section = np.repeat(np.array([layer.section for layer in layers], dtype=np.int64), sizes)
    number = np.repeat(np.arange(len(layers), dtype=np.int64), sizes)
    pairs = _pair_neighbours([layer.grid for layer in layers], np.cumsum([0, *sizes]))
    for array in (section, number, pairs, *columns.values()):
        array.flags.writeable = False
    return Cells(section=section, layer=number, _pairs=pairs, **columns)


def _pair_neighbours(grids: Sequence[Grid], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return (pair, 2) indices of touching cells, each pair in both orders."""
    inside: dict[int, sparse.coo_array] = {}
    between: dict[tuple[int, int], sparse.coo_array | None] = {}
    found = [np.empty((0, 2), dtype=np.int64)]
    for k, grid in enumerate(grids):
        if id(grid) not in inside:
            inside[id(grid)] = grid.adjacency()
        found.append(_indices(inside[id(grid)]) + starts[k])
        if k == 0:
            continue
        before = grids[k - 1]
        key = (id(before), id(grid))
        if key not in between:
            between[key] = before.overlaps(grid)
        overlap = between[key]
        if overlap is not None:
            pairs = _indices(overlap) + starts[k - 1 : k + 1]
            found += [pairs, pairs[:, ::-1]]
    return np.concatenate(found)


def _indices(matrix: sparse.coo_array) -> NDArray[np.int64]:
    """Return the (entry, 2) row and column of what is stored in a sparse matrix."""
    row, column = matrix.coords
    kept = matrix.data.astype(bool)
    return np.column_stack([row[kept], column[kept]]).astype(np.int64)
