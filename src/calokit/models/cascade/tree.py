"""A grid of cells cut in two again and again: the binary tree that a cascade goes down."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]
Interval = tuple[int, int]


@dataclass(frozen=True, eq=False)
class SplitTree:
    """Boxes of a grid, level after level, from the whole grid to single cells.

    At each level all boxes are cut along the same axis, so that the boxes of a level form a grid themselves;
    a box of one cell along that axis is not cut and is its own first child. Boxes are numbered level after
    level, in a level rows first; the number `boxes` (one more than the last) stands for no box.

    Attributes:
        rows: Rows (or angles) of the grid.
        columns: Columns (or radii) of the grid.
        periodic: Whether the first row touches the last.
        axes: Axis of the cut of each level but the last: 0 cuts rows, 1 cuts columns.
        shapes: Rows and columns of boxes at each level.
        starts: Number of the first box of each level, and at the end the number of boxes.
        edges: First row, row behind the last, first column, column behind the last (box, 4).
        children: Numbers of the two children (box, 2).
        capacity: Cells in each box (box,).
    """

    rows: int
    columns: int
    periodic: bool
    axes: tuple[int, ...]
    shapes: tuple[tuple[int, int], ...]
    starts: tuple[int, ...]
    edges: Int64
    children: Int64
    capacity: Int64

    @property
    def boxes(self) -> int:
        """Number of boxes over all levels."""
        return self.starts[-1]

    @property
    def levels(self) -> int:
        """Number of levels that are cut."""
        return len(self.axes)

    @property
    def splits(self) -> NDArray[np.bool_]:
        """Whether each box is cut (box,)."""
        return np.asarray(self.children[:, 1] < self.boxes)

    @property
    def leaves(self) -> slice:
        """The boxes of the last level: the cells, in file order."""
        return slice(self.starts[-2], self.starts[-1])

    def sum_up(self, cells: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum over the cells of every box (box, ...) of values of the cells (cell, ...)."""
        total = np.zeros((self.boxes + 1, *cells.shape[1:]))
        total[self.leaves] = cells
        for start, stop in reversed(list(itertools.pairwise(self.starts[:-1]))):
            first, second = self.children[start:stop].T
            total[start:stop] = total[first] + total[second]
        return total[:-1]

    def describe(self) -> str:
        """Return one line a level: how many boxes, how large, and how they are cut.

        Example:
            >>> print(grow_tree(3, 2).describe())
            level 0: 1 x 1 boxes of at most 3 x 2 cells, rows cut
            level 1: 2 x 1 boxes of at most 2 x 2 cells, rows cut
            level 2: 3 x 1 boxes of at most 1 x 2 cells, columns cut
            level 3: 3 x 2 boxes of at most 1 x 1 cells, the cells
        """
        lines = []
        for level, (rows, columns) in enumerate(self.shapes):
            edges = self.edges[self.starts[level] : self.starts[level + 1]]
            height, width = (edges[:, 1] - edges[:, 0]).max(), (edges[:, 3] - edges[:, 2]).max()
            end = "the cells" if level == self.levels else ("rows cut", "columns cut")[self.axes[level]]
            lines.append(
                f"level {level}: {rows} x {columns} boxes of at most {height} x {width} cells, {end}"
            )
        return "\n".join(lines)


def grow_tree(
    rows: int,
    columns: int,
    capacity: Sequence[int] | None = None,
    periodic: bool = False,
    cuts: Sequence[int] = (),
) -> SplitTree:
    """Cut a grid in halves, the longest extent first, down to single cells.

    Args:
        rows: Rows of the grid.
        columns: Columns of the grid.
        capacity: Detector cells that each cell of the grid stands for (row x column,); one each where not
            given.
        periodic: Whether the first row touches the last.
        cuts: Rows in front of which the grid is cut first (borders of sections).
    """
    row_levels: list[list[Interval]] = [[(0, rows)]]
    column_levels: list[list[Interval]] = [[(0, columns)]]
    axes: list[int] = []
    while True:
        height, width = _longest(row_levels[-1]), _longest(column_levels[-1])
        if max(height, width) == 1:
            break
        border = any(low < cut < high for low, high in row_levels[-1] for cut in cuts)
        axis = 0 if border or height >= width else 1
        axes.append(axis)
        row_levels.append(_halve(row_levels[-1], cuts) if axis == 0 else row_levels[-1])
        column_levels.append(_halve(column_levels[-1], ()) if axis == 1 else column_levels[-1])
    shapes = [(len(r), len(c)) for r, c in zip(row_levels, column_levels, strict=True)]
    starts = np.cumsum([0, *(r * c for r, c in shapes)])
    edges = np.array(
        [
            (*row, *column)
            for r, c in zip(row_levels, column_levels, strict=True)
            for row in r
            for column in c
        ],
        dtype=np.int64,
    )
    tree = SplitTree(
        rows,
        columns,
        periodic,
        tuple(axes),
        tuple(shapes),
        tuple(int(start) for start in starts),
        edges,
        _find_children(row_levels, column_levels, axes, starts),
        np.ones(len(edges), dtype=np.int64),
    )
    cells = np.ones(rows * columns) if capacity is None else np.asarray(capacity, dtype=np.float64)
    tree.capacity[:] = np.rint(tree.sum_up(cells)).astype(np.int64)
    return tree


def _longest(intervals: Sequence[Interval]) -> int:
    return max(high - low for low, high in intervals)


def _halve(intervals: Sequence[Interval], cuts: Sequence[int]) -> list[Interval]:
    """Cut every interval of more than one in two, at a border inside it or else in the middle."""
    halves: list[Interval] = []
    for low, high in intervals:
        if high - low == 1:
            halves.append((low, high))
            continue
        middle = low + (high - low + 1) // 2
        borders = [cut for cut in cuts if low < cut < high]
        at = min(borders, key=lambda cut: abs(cut - middle)) if borders else middle
        halves += [(low, at), (at, high)]
    return halves


def _find_children(
    row_levels: Sequence[list[Interval]],
    column_levels: Sequence[list[Interval]],
    axes: Sequence[int],
    starts: Int64,
) -> Int64:
    """Return the numbers of the two children of every box (box, 2)."""
    none = int(starts[-1])
    children = np.full((none, 2), none, dtype=np.int64)
    for level, axis in enumerate(axes):
        intervals = (row_levels, column_levels)[axis][level]
        first = np.cumsum([0, *(1 if high - low == 1 else 2 for low, high in intervals)])[:-1]
        cut = np.array([high - low > 1 for low, high in intervals])
        rows, columns = len(row_levels[level]), len(column_levels[level])
        row, column = (
            index.ravel() for index in np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
        )
        along = (row, column)[axis]
        wide = len(column_levels[level + 1])
        one = starts[level + 1] + (first[row] * wide + column if axis == 0 else row * wide + first[column])
        box = np.arange(starts[level], starts[level + 1])
        children[box, 0] = one
        children[box, 1] = np.where(cut[along], one + (wide if axis == 0 else 1), none)
    return children
