"""A cascade as plain arrays, which compiled loops can read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from calokit.arrays import Float32
from calokit.models.cascade.level_network import LevelNetwork
from calokit.models.cascade.sight import (
    BoxPart,
    FlightPart,
    IncidentPart,
    LayerPart,
    MemoryPart,
    MomentPart,
    OwnPart,
    WindowPart,
)
from calokit.models.cascade.stage import COLOURS, Stage
from calokit.models.cascade.tree import Int64

PARTS = (OwnPart, IncidentPart, BoxPart, FlightPart, WindowPart, LayerPart, MemoryPart, MomentPart)
"""The parts that compiled loops know, in the order of `Boxes.columns`."""


UInt32 = NDArray[np.uint32]


class Boxes(NamedTuple):
    """The boxes of a tree; see `BoxTables`.

    Attributes:
        columns: First column of each of `PARTS` in what a box sees, -1 for those left out.
        colour: When a box is drawn within its level (box,); `COLOURS` for one that is not cut.
        known: The neighbours' children, no box in place of those that are not known yet (box, child).
        none: Number of boxes, which stands for no box.
        levels: Levels that are cut.
        pitch: Side of the smallest cell in mm.
    """

    columns: Int64
    halves: UInt32
    neighbours: UInt32
    nephews: UInt32
    known: UInt32
    colour: Int64
    capacity: Float32
    at: Float32
    along: Float32
    shape: Float32
    pitch: np.float32
    none: int
    levels: int


class Weights(NamedTuple):
    """The networks of all levels of a tree, as matrices (level, input, output) and biases (level, output).

    Attributes:
        deeper: Of the trunk's layers but the first (level, layer, input, output).
        lines: Places and logarithms of widths of the spectrum's lines (level, 2 x line).
        terms: Terms of the hits' density; of the energy's, shared, own and lines.
    """

    first: Float32
    first_bias: Float32
    deeper: Float32
    deeper_bias: Float32
    hits: Float32
    hits_bias: Float32
    share: Float32
    share_bias: Float32
    energy: Float32
    energy_bias: Float32
    lines: Float32
    terms: Int64


def box_arrays(stage: Stage) -> Boxes:
    """Return the boxes of a stage.

    Raises:
        KeyError: A part is none of `PARTS`.
    """
    tables = stage.tables
    columns = np.full(len(PARTS), -1, np.int64)
    start = 0
    for part in stage.parts:
        columns[PARTS.index(type(part))] = start
        start += part.width
    colour = tables.colour.masked_fill(~tables.splits, COLOURS)
    nephews = tables.nephews[:-1].masked_fill(tables.known == 0, tables.tree.boxes)
    return Boxes(
        columns=columns,
        halves=as_array(tables.halves).astype(np.uint32),
        neighbours=as_array(tables.neighbours).astype(np.uint32),
        nephews=as_array(tables.nephews).astype(np.uint32),
        known=as_array(nephews).astype(np.uint32),
        colour=as_array(colour),
        capacity=as_array(tables.capacity),
        at=as_array(tables.at),
        along=as_array(tables.along),
        shape=as_array(tables.shape),
        pitch=np.float32(tables.pitch_mm),
        none=tables.tree.boxes,
        levels=tables.tree.levels,
    )


def weight_arrays(stage: Stage) -> Weights:
    """Return the networks of a stage, the scales of the inputs taken into the first layers."""
    networks = [network for network in stage.networks if isinstance(network, LevelNetwork)]
    first, first_bias = zip(*(network.first_layer() for network in networks), strict=True)
    trunks = [[one for one in network.trunk if isinstance(one, nn.Linear)][1:] for network in networks]
    deeper = [one for trunk in trunks for one in trunk]
    levels, width = len(networks), len(first_bias[0])
    hits = [network.hits_head for network in networks]
    share = [network.energy_layer for network in networks]
    energy = [network.energy_head for network in networks]
    terms = [stage.hits.terms, stage.energy.shared, stage.energy.own, stage.energy.lines]
    return Weights(
        first=_stack([one.T for one in first]),
        first_bias=_stack(first_bias),
        deeper=_stack([one.weight.T for one in deeper]).reshape(levels, len(trunks[0]), width, width),
        deeper_bias=_stack([one.bias for one in deeper]).reshape(levels, len(trunks[0]), width),
        hits=_stack([one.weight.T for one in hits]),
        hits_bias=_stack([one.bias for one in hits]),
        share=_stack([one.weight.T for one in share]),
        share_bias=_stack([one.bias for one in share]),
        energy=_stack([one.weight.T for one in energy]),
        energy_bias=_stack([one.bias for one in energy]),
        lines=_stack([network.lines for network in networks]),
        terms=np.array(terms, np.int64),
    )


def as_array(tensor: Tensor) -> np.ndarray:
    """Return a tensor's numbers as a contiguous array."""
    return np.ascontiguousarray(tensor.detach().numpy())


def _stack(tensors: Sequence[Tensor]) -> Float32:
    return as_array(torch.stack(list(tensors))) if tensors else np.zeros(0, np.float32)
