"""What a box may look at when its energy and hits are shared out; each part can be left out or replaced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from calokit.models.cascade.boxes import BoxValues, Rows
from calokit.models.cascade.tables import BoxTables

MOMENTS = 6
"""Numbers of a layer's transverse shape: mean x and y, variances, covariance (mm), mean radius (mm)."""


@dataclass(frozen=True)
class Scene:
    """Everything that is known around the boxes of one tree.

    Attributes:
        values: The boxes themselves; of boxes not drawn yet, zero.
        before: Boxes of the layer before, of the one before that, and of all before (empty for the first).
        event: The event of each block (block,).
        incident: Features of the event (event, feature): incident particle and totals.
        layer: Features of the layer (block, feature); no columns where there are no layers.
        flight: Where the line of flight meets the layer, in mm (block, 2).
        slopes: dx/dz and dy/dz of the line of flight (block, 2).
        moments: Of the layer before and of all layers before, cells weighted by energy; then likewise by hits
            (block, 4, MOMENTS).
    """

    values: BoxValues
    before: tuple[BoxValues, ...]
    event: Tensor
    incident: Tensor
    layer: Tensor
    flight: Tensor
    slopes: Tensor
    moments: Tensor


class Part(Protocol):
    """One part of what a box sees."""

    width: int

    def __call__(self, tables: BoxTables, scene: Scene, rows: Rows) -> Tensor:
        """Return (row, width)."""
        ...


class OwnPart:
    """The box's own energy and hits."""

    width = 5

    def __call__(self, tables: BoxTables, scene: Scene, rows: Rows) -> Tensor:
        """Return (row, width)."""
        place = rows.place
        energy, hits = scene.values.energy.view(-1)[place], scene.values.hits.view(-1)[place]
        return torch.stack(
            [
                torch.log(energy),
                torch.log(hits),
                torch.log(energy / hits),
                hits / tables.capacity[rows.box],
                (hits == 1).to(hits.dtype),
            ],
            1,
        )


class IncidentPart:
    """The incident particle and the totals of the shower."""

    def __init__(self, width: int) -> None:
        self.width = width

    def __call__(self, tables: BoxTables, scene: Scene, rows: Rows) -> Tensor:  # noqa: ARG002
        """Return (row, width)."""
        return scene.incident[scene.event[rows.block]]


class LayerPart:
    """The layer: which it is, its energy and hits and those of the layers about it."""

    def __init__(self, width: int) -> None:
        self.width = width

    def __call__(self, tables: BoxTables, scene: Scene, rows: Rows) -> Tensor:  # noqa: ARG002
        """Return (row, width)."""
        return scene.layer[rows.block]


class BoxPart:
    """Size and shape of the box and of its cut."""

    def __init__(self, width: int) -> None:
        self.width = width

    def __call__(self, tables: BoxTables, scene: Scene, rows: Rows) -> Tensor:  # noqa: ARG002
        """Return (row, width)."""
        return tables.shape[rows.box]


class FlightPart:
    """The line of flight seen from the middle of the cut: along the cut's axis and across."""

    width = 9

    def __call__(self, tables: BoxTables, scene: Scene, rows: Rows) -> Tensor:
        """Return (row, width)."""
        towards = (scene.flight[rows.block] - tables.at[rows.box]) / tables.pitch_mm
        axis = tables.along[rows.box]
        along, across = _turn(towards, axis)
        steep, sideways = _turn(scene.slopes[rows.block], axis)
        return torch.stack(
            [
                torch.asinh(2 * along),
                torch.asinh(2 * across),
                torch.tanh(2 * along),
                torch.exp(-along.abs()),
                torch.exp(-across.abs()),
                torch.log1p(towards.square().sum(1)),
                steep,
                sideways,
                torch.exp(-5 * along.abs()),
            ],
            1,
        )


class WindowPart:
    """The boxes about the box at its own level, and the children of those that are drawn before it."""

    def __init__(self, neighbours: int) -> None:
        self.width = 6 * neighbours

    def __call__(self, tables: BoxTables, scene: Scene, rows: Rows) -> Tensor:
        """Return (row, width)."""
        about = scene.values.look(rows.places(tables.neighbours))
        nephews = scene.values.look(rows.places(tables.nephews))
        children = nephews.view(len(rows), nephews.shape[1] // 2, 2)  # -1 has no meaning where no row is
        return torch.cat([about, (children * tables.known[rows.box][:, :, None]).flatten(1)], 1)


class MemoryPart:
    """The layers before: the box's children and its neighbours' children as they were there."""

    def __init__(self, neighbours: int) -> None:
        self.width = 2 * (2 + 2 * neighbours) * 2 + 4

    def __call__(self, tables: BoxTables, scene: Scene, rows: Rows) -> Tensor:
        """Return (row, width)."""
        own, nephews = rows.places(tables.halves), rows.places(tables.nephews)
        last, second, all_ = scene.before
        wide = torch.cat([own, nephews], 1)
        return torch.cat([last.look(wide), second.look(own), all_.look(wide)], 1)


class TrackPart:
    """The layer before the last: the neighbours' children as they were there.

    With those of the last layer they tell where a track goes that leaves one hit a layer.
    """

    def __init__(self, neighbours: int) -> None:
        self.width = 4 * neighbours

    def __call__(self, tables: BoxTables, scene: Scene, rows: Rows) -> Tensor:
        """Return (row, width)."""
        return scene.before[1].look(rows.places(tables.nephews))


class MomentPart:
    """Centre, widths and radius of the layer before and of all before, seen from the middle of the cut."""

    width = 12
    first = 0

    def __call__(self, tables: BoxTables, scene: Scene, rows: Rows) -> Tensor:
        """Return (row, width)."""
        moments = scene.moments[rows.block, self.first : self.first + 2]
        axis, at = tables.along[rows.box], tables.at[rows.box]
        x, y = axis.unbind(1)
        columns = []
        for which in range(2):
            mean_x, mean_y, xx, yy, xy, radius = moments[:, which].unbind(1)
            along, across = _turn(torch.stack([mean_x, mean_y], 1) - at, axis)
            wide = (x * x * xx + y * y * yy + 2 * x * y * xy).clamp_min(0).sqrt()
            deep = (y * y * xx + x * x * yy - 2 * x * y * xy).clamp_min(0).sqrt()
            total = (xx + yy).clamp_min(0).sqrt()
            columns += [along, across, wide, deep, radius, total]
        return torch.asinh(2 * torch.stack(columns, 1) / tables.pitch_mm)


class HitMomentPart(MomentPart):
    """The same of hits: a hadron's far particles hardly count in moments of the energy."""

    first = 2


def _turn(vector: Tensor, axis: Tensor) -> tuple[Tensor, Tensor]:
    """Return components (row,) of vectors (row, 2) along and across unit vectors."""
    (x, y), (u, v) = vector.unbind(1), axis.unbind(1)
    return x * u + y * v, y * u - x * v
