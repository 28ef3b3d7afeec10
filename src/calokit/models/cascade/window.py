"""Which boxes a box sees at its own level, and in which order the boxes of a level are drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calokit.models.cascade.tree import Int64, SplitTree

AROUND = tuple((along, across) for along in (-1, 0, 1) for across in (-1, 0, 1) if (along, across) != (0, 0))
"""The eight boxes about a box: steps along the axis of its cut, and across."""

BESIDE = ((-3, 0), (-2, 0), (-1, 0), (1, 0), (2, 0), (3, 0))
"""Three boxes on either side, for layers."""


@dataclass(frozen=True, eq=False)
class Window:
    """The neighbours of every box of a tree.

    Attributes:
        neighbours: Numbers of the neighbours (box, neighbour); the number of boxes where there is none.
        nephews: Numbers of the neighbours' children (box, neighbour, 2).
        colour: When a box is drawn within its level (box,): 0 first, then 1, 2 and 3.
        known: Whether the children of a neighbour are known when a box is drawn (box, neighbour): the
            neighbour is of an earlier colour, or is not cut at all.
    """

    neighbours: Int64
    nephews: Int64
    colour: Int64
    known: NDArray[np.bool_]


def open_window(tree: SplitTree, offsets: tuple[tuple[int, int], ...]) -> Window:
    """Find the neighbours of every box.

    Args:
        tree: The tree.
        offsets: Steps along the axis of the cut and across it, in boxes.
    """
    none = tree.boxes
    neighbours = np.full((none, len(offsets)), none, dtype=np.int64)
    colour = np.zeros(none, dtype=np.int64)
    for level, (rows, columns) in enumerate(tree.shapes):
        row, column = (
            index.ravel() for index in np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
        )
        here = slice(tree.starts[level], tree.starts[level + 1])
        axis = tree.axes[level] if level < tree.levels else 0
        colour[here] = _paint(row, column, columns == 1)
        for place, (along, across) in enumerate(offsets):
            down, right = (along, across) if axis == 0 else (across, along)
            there, beside = row + down, column + right
            inside = (beside >= 0) & (beside < columns)
            if tree.periodic:
                inside &= (there % rows != row) | (right != 0)
                there = there % rows
            inside &= (there >= 0) & (there < rows)
            number = tree.starts[level] + there * columns + beside
            neighbours[here, place] = np.where(inside, number, none)
    children = np.concatenate([tree.children, [[none, none]]])
    splits = np.append(tree.splits, False)
    known = (np.append(colour, -1)[neighbours] < colour[:, None]) | ~splits[neighbours]
    return Window(neighbours, children[neighbours], colour, known)


def _paint(row: Int64, column: Int64, single: bool) -> Int64:
    """Return the colour of boxes: by the parity of row and column, of the row alone in one column."""
    if single:
        return np.array([0, 2, 1, 3])[row % 4]
    return np.array([[0, 2], [3, 1]])[row % 2, column % 2]
