"""What never changes about the boxes of a tree, as tensors that rows of active boxes are looked up in."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from calokit.models.cascade.planes import Plane
from calokit.models.cascade.tree import SplitTree
from calokit.models.cascade.window import AROUND, BESIDE, open_window

SMALLEST_CAPACITY = 0.5
"""What counts as the size of a box without a cell, where the border leaves no tile."""


class BoxTables(nn.Module):
    """The boxes of a tree.

    Args:
        tree: The tree.
        plane: The cells it divides, or None for the layers.

    Attributes:
        halves: The two children (box, 2).
        capacity, splits, colour, neighbours, nephews, known: See `SplitTree` and `Window`; one row more
            than there are boxes, for no box.
        at: Middle between the children's centres in mm (box, 2).
        along: Unit vector from the first child's centre to the second's (box, 2), zero for rings about the
            axis.
        shape: Numbers that describe a box and its cut (box, width).
    """

    halves: Tensor
    capacity: Tensor
    splits: Tensor
    colour: Tensor
    neighbours: Tensor
    nephews: Tensor
    known: Tensor
    at: Tensor
    along: Tensor
    shape: Tensor

    def __init__(self, tree: SplitTree, plane: Plane | None) -> None:
        super().__init__()
        self.tree = tree
        self.pitch_mm = 1.0 if plane is None else plane.pitch_mm
        window = open_window(tree, BESIDE if plane is None else AROUND)
        none = tree.boxes
        tables: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = {
            "halves": np.concatenate([tree.children, [[none, none]]]),
            "capacity": np.append(tree.capacity, 0).astype(np.float32),
            "splits": np.append(tree.splits, False),
            "colour": np.append(window.colour, 0),
            "neighbours": np.concatenate([window.neighbours, np.full((1, window.neighbours.shape[1]), none)]),
            "nephews": np.concatenate(
                [window.nephews.reshape(none, -1), np.full((1, 2 * window.neighbours.shape[1]), none)]
            ),
            "known": np.repeat(window.known, 2, axis=1).astype(np.float32),
        }
        at, along, shape = _lone_boxes(tree) if plane is None else _plane_boxes(plane)
        tables |= {"at": at, "along": along, "shape": shape}
        for name, table in tables.items():
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(table)), persistent=False)


def _lone_boxes(tree: SplitTree) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Describe boxes of layers: one column a box that is cut."""
    cut = np.flatnonzero(tree.splits)
    shape = np.zeros((tree.boxes, len(cut)), np.float32)
    shape[cut, np.arange(len(cut))] = 1.0
    nowhere = np.zeros((tree.boxes, 2), np.float32)
    return nowhere, nowhere, shape


def _plane_boxes(plane: Plane) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    tree = plane.tree
    first = np.minimum(tree.children[:, 0], tree.boxes - 1)
    second = np.where(tree.splits, np.minimum(tree.children[:, 1], tree.boxes - 1), first)
    one, two = plane.centres[first], plane.centres[second]
    apart = np.hypot(*(two - one).T)[:, None]
    along = np.divide(two - one, apart, out=np.zeros_like(one), where=apart > 1e-6)
    height, width = tree.edges[:, 1] - tree.edges[:, 0], tree.edges[:, 3] - tree.edges[:, 2]
    columns = [
        np.log(tree.capacity[first].clip(SMALLEST_CAPACITY)),
        np.log(tree.capacity[second].clip(SMALLEST_CAPACITY)),
        np.log(plane.areas[first] / plane.pitch_mm**2) / 2,
        np.log(plane.areas[second] / plane.pitch_mm**2) / 2,
        np.arcsinh(plane.radii / plane.pitch_mm),
        np.arcsinh((plane.radii[second] - plane.radii[first]) / plane.pitch_mm),
        np.log(height / width),
        np.arcsinh(apart[:, 0] / plane.pitch_mm),
    ]
    if plane.tiles is not None:  # how far a row of tiles stands off
        middles = tree.sum_up(plane.grid.centres()[1] * plane.grid.areas()) / plane.areas
        columns.append((plane.centres[:, 1] - middles) / plane.pitch_mm)
    shape = np.stack(columns, 1).astype(np.float32)
    return ((one + two) / 2).astype(np.float32), along.astype(np.float32), shape
