"""A cascade as plain arrays, which compiled loops can read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from calokit.arrays import Float32, Float64
from calokit.models.cascade.boxes import add_up
from calokit.models.cascade.level_network import LevelNetwork
from calokit.models.cascade.scenes import Memory
from calokit.models.cascade.sight import (
    MOMENTS,
    BoxPart,
    FlightPart,
    HitMomentPart,
    IncidentPart,
    LayerPart,
    MemoryPart,
    MomentPart,
    OwnPart,
    TrackPart,
    WindowPart,
)
from calokit.models.cascade.stage import COLOURS, Stage
from calokit.models.cascade.tree import Int64, SplitTree

BOX_PARTS = (
    OwnPart,
    IncidentPart,
    BoxPart,
    FlightPart,
    WindowPart,
    MemoryPart,
    TrackPart,
    MomentPart,
    HitMomentPart,
)
"""The parts that compiled loops write into a row a box, in this order."""

PAIR_PARTS = (WindowPart, MemoryPart, TrackPart)
"""Those that are pairs of numbers: they begin at an even column."""

EVENT_PARTS = (IncidentPart, LayerPart)
"""The parts that are the same for all boxes of an event and layer; see `_parts`."""

PARTS = (*BOX_PARTS, LayerPart)
"""The parts that compiled loops know."""

UInt32 = NDArray[np.uint32]


class Boxes(NamedTuple):
    """The boxes of a tree; see `BoxTables`.

    Attributes:
        columns: First column of each of `BOX_PARTS` in the row of a box, -1 for those left out.
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
        first: Of the first layer, for what a box sees (level, input, output); an even number of inputs.
        event: Of the first layer, for one and what all boxes of an event and layer see; holds its bias.
        deeper: Of the trunk's layers but the first (level, layer, input, output).
        lines: Places and logarithms of widths of the spectrum's lines (level, 2 x line).
        knots: Of the coordinate that follows the spectrum of single hits (knot,); see `OwnCoordinate`.
        pairs: Of that of two single hits (row, knot); see `PairCoordinate`.
        rarest: See `HitDraw`.
        terms: Terms of the hits' density; of the energy's, shared, own and lines; 1 where these follow the
            spectrum and children of several hits share what is above their thresholds (`EnergyChoice`).
    """

    first: Float32
    event: Float32
    deeper: Float32
    deeper_bias: Float32
    hits: Float32
    hits_bias: Float32
    share: Float32
    share_bias: Float32
    energy: Float32
    energy_bias: Float32
    lines: Float32
    knots: Float32
    pairs: Float32
    rarest: np.float32
    terms: Int64


def box_arrays(stage: Stage) -> Boxes:
    """Return the boxes of a stage.

    Raises:
        KeyError: A part is none of `PARTS`.
    """
    tables = stage.tables
    row = row_columns(stage)
    firsts = [_columns(stage, kind)[:1] for kind in BOX_PARTS]
    columns = np.array([row.index(*first) if first and first[0] in row else -1 for first in firsts], np.int64)
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
    first, bias = (torch.stack(one) for one in zip(*(one.first_layer() for one in networks), strict=True))
    row = torch.tensor(row_columns(stage))
    box = first.mT[:, row].masked_fill(row[:, None] < 0, 0.0)
    event = first.mT[:, event_columns(stage)]
    trunks = [[one for one in network.trunk if isinstance(one, nn.Linear)][1:] for network in networks]
    deeper = [one for trunk in trunks for one in trunk]
    levels, width = bias.shape
    hits = [network.hits_head for network in networks]
    share = [network.energy_layer for network in networks]
    energy = [network.energy_head for network in networks]
    energies = stage.energy
    terms = [stage.hits.terms, energies.shared, energies.own, energies.lines, int(energies.near_threshold)]
    return Weights(
        first=as_array(box),
        event=as_array(torch.cat([bias[:, None], event], 1)),
        deeper=_stack([one.weight.T for one in deeper]).reshape(levels, len(trunks[0]), width, width),
        deeper_bias=_stack([one.bias for one in deeper]).reshape(levels, len(trunks[0]), width),
        hits=_stack([one.weight.T for one in hits]),
        hits_bias=_stack([one.bias for one in hits]),
        share=_stack([one.weight.T for one in share]),
        share_bias=_stack([one.bias for one in share]),
        energy=_stack([one.weight.T for one in energy]),
        energy_bias=_stack([one.bias for one in energy]),
        lines=_stack([network.lines for network in networks]),
        knots=_table(stage.energy.spectrum.knots, 1),
        pairs=_table(stage.energy.pairs.knots, 2),
        rarest=np.float32(stage.hits.rarest),
        terms=np.array(terms, np.int64),
    )


def row_columns(stage: Stage) -> list[int]:
    """Return which column of what torch lets a box see stands where in the row of a box; -1 for none."""
    row: list[int] = []
    for kind in _parts(stage)[0]:
        columns = _columns(stage, kind)
        if len(row) % 2 and kind in PAIR_PARTS and columns:
            row.append(-1)
        row += columns
    return [*row, -1] if len(row) % 2 else row


def event_columns(stage: Stage) -> list[int]:
    """Return which columns of what torch lets a box see `event_inputs` holds, after that of ones."""
    return [column for kind in _parts(stage)[1] for column in _columns(stage, kind)]


def event_inputs(stage: Stage, incident: Float32, layers: Float32) -> Float32:
    """Return what `Weights.event` takes (layer, event, input).

    Args:
        stage: A stage.
        incident: Features (event, feature).
        layers: Features of every layer (layer, event, feature).
    """
    parts = [np.ones((*layers.shape[:2], 1), np.float32)]
    for kind, features in (
        (IncidentPart, np.broadcast_to(incident, (len(layers), *incident.shape))),
        (LayerPart, layers),
    ):
        if kind in _parts(stage)[1] and _columns(stage, kind):
            parts.append(features)
    return np.ascontiguousarray(np.concatenate(parts, 2))


def hit_logarithms(cells: int) -> tuple[Float32, Float32]:
    """Return the logarithms of 0, 1, 2 ... hits in so many cells, and of one more than these."""
    counts = torch.arange(cells + 1, dtype=torch.float32)
    return as_array(torch.log(counts)), as_array(torch.log1p(counts))


def memory_arrays(tree: SplitTree, memory: Memory) -> tuple[Float32, Float32]:
    """Return what boxes see of the layers before a layer, and the sums of all of them.

    Args:
        tree: The layer's tree.
        memory: The cells of the layers before.

    Returns:
        Of the layer before, the one before that and all before (event, box + 1, 3, 2); energies and hits of
        all before (event, box + 1, 2).
    """
    cells = torch.stack([memory.last, memory.second, memory.all]).permute(2, 3, 0, 1)
    boxes = add_up(tree, cells.flatten(1)).view(-1, *cells.shape[1:]).transpose(0, 1)
    return as_array(torch.log1p(boxes)), as_array(boxes[:, :, 2])


def moment_sums(stages: Iterable[object], events: int) -> Float64:
    """Return the sums that moments are made of (2 or 4, event, MOMENTS + 1), before the first layer."""
    parts = [part for stage in stages if isinstance(stage, Stage) for part in stage.parts]
    kinds = 4 if any(isinstance(part, HitMomentPart) for part in parts) else 2
    return np.zeros((kinds, events, MOMENTS + 1))


def as_array(tensor: Tensor) -> np.ndarray:
    """Return a tensor's numbers as a contiguous array."""
    return np.ascontiguousarray(tensor.detach().numpy())


def _stack(tensors: Sequence[Tensor]) -> Float32:
    return as_array(torch.stack(list(tensors))) if tensors else np.zeros(0, np.float32)


def _table(knots: Tensor | None, axes: int) -> Float32:
    return np.zeros((0,) * axes, np.float32) if knots is None else as_array(knots)


def _parts(stage: Stage) -> tuple[tuple[type, ...], tuple[type, ...]]:
    """Return the kinds of parts whose products with weights are taken a box, and once an event and layer.

    In a tree that an event goes down only once there is nothing to gain; and there the totals among the
    incident features are the root's own, whose large products cancel: torch's order of adding keeps torch's
    rounding.
    """
    if not _columns(stage, LayerPart):
        return BOX_PARTS, ()
    return tuple(kind for kind in BOX_PARTS if kind not in EVENT_PARTS), EVENT_PARTS


def _columns(stage: Stage, kind: type) -> range:
    """Return the columns of a kind of part in what a box of a stage sees."""
    start = 0
    for part in stage.parts:
        if type(part) is kind:
            return range(start, start + part.width)
        start += part.width
    return range(0)
