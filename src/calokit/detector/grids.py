"""The two kinds of grid a readout layer is divided by: rows and columns, or angles and radii."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Edges = NDArray[np.float64]

TOLERANCE_MM = 1e-6
"""Cells of two layers lie behind each other when their projections overlap by more than this."""


@dataclass(frozen=True, eq=False)
class CartesianGrid:
    """Cells between the edges of rows (x, slow index) and of columns (y, fast index), in mm."""

    row_edges: Edges
    column_edges: Edges

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""
        return len(self.row_edges) - 1, len(self.column_edges) - 1

    def centres(self) -> tuple[Edges, Edges, Edges]:
        """Return x, y and distance from the axis of every cell (cell,), in mm."""
        x, y = _product(_middles(self.row_edges), _middles(self.column_edges))
        return x, y, np.hypot(x, y)

    def areas(self) -> Edges:
        """Return the area of every cell (cell,), in mm^2."""
        width, height = _product(np.diff(self.row_edges), np.diff(self.column_edges))
        return width * height

    def adjacency(self) -> sparse.coo_array:
        """Return which cells share a side (cell, cell)."""
        rows, columns = self.shape
        return _join(_chain(rows), _chain(columns))

    def overlaps(self, other: CartesianGrid | PolarGrid) -> sparse.coo_array | None:
        """Return which cells lie before which of another layer, or None for another kind of grid."""
        if not isinstance(other, CartesianGrid):
            return None
        return _behind(self.row_edges, other.row_edges, self.column_edges, other.column_edges)


@dataclass(frozen=True, eq=False)
class PolarGrid:
    """Cells between the edges of angles (full circle in rad, slow index) and of radii (mm, fast index)."""

    angle_edges: Edges
    radius_edges: Edges

    @property
    def shape(self) -> tuple[int, int]:
        """Number of angular and of radial bins."""
        return len(self.angle_edges) - 1, len(self.radius_edges) - 1

    def centres(self) -> tuple[Edges, Edges, Edges]:
        """Return x, y and distance from the axis of every cell (cell,), in mm.

        A bin is centred at its middle angle and middle radius; a full ring (one angular bin) on the axis,
        x = y = 0, at its middle distance.
        """
        angle, radius = _product(_middles(self.angle_edges), _middles(self.radius_edges))
        arm = radius if self.shape[0] > 1 else np.zeros_like(radius)
        return arm * np.cos(angle), arm * np.sin(angle), radius

    def areas(self) -> Edges:
        """Return the area of every cell (cell,), in mm^2."""
        opening, width = _product(np.diff(self.angle_edges), np.diff(self.radius_edges**2) / 2)
        return opening * width

    def adjacency(self) -> sparse.coo_array:
        """Return which cells share a side (cell, cell); the last angle touches the first."""
        angles, radii = self.shape
        circle = _chain(angles).tolil()
        if angles > 1:
            circle[0, angles - 1] = circle[angles - 1, 0] = True
        return _join(circle.tocsr(), _chain(radii))

    def overlaps(self, other: CartesianGrid | PolarGrid) -> sparse.coo_array | None:
        """Return which cells lie before which of another layer, or None for another kind of grid."""
        if not isinstance(other, PolarGrid):
            return None
        return _behind(self.angle_edges, other.angle_edges, self.radius_edges, other.radius_edges)


Grid = CartesianGrid | PolarGrid


def centred_edges(bins: int, pitch_mm: float) -> Edges:
    """Return the edges of equal bins about 0.

    Example:
        >>> [float(edge) for edge in centred_edges(2, 30.0)]
        [-30.0, 0.0, 30.0]
    """
    return np.asarray((np.arange(bins + 1) - bins / 2) * pitch_mm, dtype=np.float64)


def circle_edges(bins: int, start_rad: float) -> Edges:
    """Return the edges of equal angles over the full circle, from `start_rad`, in rad."""
    return start_rad + np.linspace(0.0, 2 * math.pi, bins + 1)


def _middles(edges: Edges) -> Edges:
    """Return the middle of every bin."""
    return (edges[1:] + edges[:-1]) / 2


def _product(slow: Edges, fast: Edges) -> tuple[Edges, Edges]:
    """Return both quantities for every cell, the second index running fastest."""
    first, second = np.meshgrid(slow, fast, indexing="ij")
    return first.ravel(), second.ravel()


def _chain(bins: int) -> sparse.csr_array:
    """Return which bins in a row touch each other."""
    ones = np.ones(max(bins - 1, 0), dtype=bool)
    return sparse.csr_array(sparse.diags_array([ones, ones], offsets=[-1, 1], shape=(bins, bins), dtype=bool))


def _join(slow: sparse.csr_array, fast: sparse.csr_array) -> sparse.coo_array:
    """Return which cells touch along exactly one of two axes."""
    along_slow = sparse.kron(slow, sparse.eye_array(fast.shape[0], dtype=bool))
    along_fast = sparse.kron(sparse.eye_array(slow.shape[0], dtype=bool), fast)
    return sparse.coo_array(along_slow + along_fast)


def _behind(slow: Edges, other_slow: Edges, fast: Edges, other_fast: Edges) -> sparse.coo_array:
    """Return which cells overlap along both axes."""
    return sparse.coo_array(sparse.kron(_overlap(slow, other_slow), _overlap(fast, other_fast)))


def _overlap(edges: Edges, other: Edges) -> sparse.csr_array:
    """Return which intervals of two axes overlap (interval, other interval)."""
    end = np.minimum(edges[1:, None], other[None, 1:])
    start = np.maximum(edges[:-1, None], other[None, :-1])
    return sparse.csr_array(end - start > TOLERANCE_MM)
