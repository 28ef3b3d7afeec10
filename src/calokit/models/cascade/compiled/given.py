"""How the boxes of given showers were cut, by compiled loops: the same as `Stage.cuts` finds, to rounding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from calokit.arrays import Float32
from calokit.models.cascade.boxes import Rows
from calokit.models.cascade.compiled.arrays import (
    Boxes,
    as_array,
    box_arrays,
    event_columns,
    event_inputs,
    hit_logarithms,
    memory_arrays,
    moment_sums,
    row_columns,
)
from calokit.models.cascade.compiled.ascent import (
    Ascent,
    Found,
    Hits,
    Known,
    Slabs,
    Tile,
    count_boxes,
    see_boxes,
    sort_hits,
)
from calokit.models.cascade.compiled.sight import View, make_sight
from calokit.models.cascade.compiled.threads import cut_rows, run_all
from calokit.models.cascade.scenes import EventFacts, Memory
from calokit.models.cascade.sight import MOMENTS
from calokit.models.cascade.stage import Cuts, Stage

if TYPE_CHECKING:
    from calokit.models.cascade.surrogate import CascadeSurrogate, CellValues

TILE_ROWS = 256
"""So many boxes look together at most."""


@dataclass(frozen=True, eq=False)
class _Plane:
    """The layers of one kind.

    Attributes:
        boxes: Their tree.
        slabs: Where they are.
        columns, shared: See `Found`.
        inputs: Width of what a box sees.
    """

    boxes: Boxes
    slabs: Slabs
    columns: np.ndarray
    shared: np.ndarray
    inputs: int


class GivenShowers:
    """Finds how the boxes of given showers were cut; knows nothing of the networks' weights.

    Events are looked at by as many threads as torch computes with.

    Args:
        model: A cascade on the processor, whose layers of one kind follow each other.
    """

    def __init__(self, model: CascadeSurrogate) -> None:
        self.deep = model.depth is not None
        self.planes = [
            _lay_out(model, kind, stage)
            for kind, stage in enumerate(model.stages)
            if isinstance(stage, Stage)
        ]
        self.log_hits, self.log1p_hits = hit_logarithms(model.tree.first_cells[-1])

    def cuts(
        self, model: CascadeSurrogate, facts: EventFacts, cells: CellValues, features: Tensor
    ) -> Iterator[tuple[Stage, Cuts]]:
        """Yield the stage of every plane and how its boxes were cut.

        Args:
            model: The cascade.
            facts: What is known of the events.
            cells: Their cells.
            features: Of every layer (layer, event, feature); see `Surroundings.layer_features`.
        """
        hits = _sort(as_array(cells.energy), as_array(cells.count))
        several = len(self.planes) > 1
        memory = model.surroundings.first_memory(len(features[0])) if several else None
        moments = moment_sums(model.stages, len(features[0]))
        incident, layers = as_array(facts.features), as_array(features)
        for kind, (stage, plane) in enumerate(zip(model.stages, self.planes, strict=True)):
            assert isinstance(stage, Stage)
            here = model.tree.planes[kind].layers
            seen, sums = self._remember(model, kind, memory)
            known = Known(
                as_array(facts.positions),
                as_array(facts.slopes),
                incident,
                event_inputs(stage, incident, layers[list(here)]),
                seen,
                sums,
                moments,
            )
            yield stage, self._look(stage, plane, hits, known)
            for layer in here:
                if memory is not None and layer + 1 < model.tree.layers:
                    part = model.tree.cells_of(layer)
                    both = torch.stack([cells.energy[part], cells.hits[part]])
                    memory = model.surroundings.remember(memory, both, layer)

    def _remember(
        self, model: CascadeSurrogate, kind: int, memory: Memory | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return what was written of the layers before those of one kind, and their sums; see `Known`."""
        boxes = self.planes[kind].boxes.none + 1
        if memory is None or not kind:
            return np.zeros((0, boxes, 3, 2), np.float32), np.zeros((0, boxes, 2), np.float32)
        return memory_arrays(model.tree.planes[kind].tree, memory)

    def _look(self, stage: Stage, plane: _Plane, hits: Hits, known: Known) -> Cuts:
        """Return how the boxes of one plane were cut."""
        events, levels = len(hits.start) - 1, plane.boxes.levels
        pieces = [(piece.start, piece.stop) for piece in cut_rows(events)]
        threads = len(pieces)
        counts = np.zeros((threads, levels), np.int64)
        space = [_space(plane) for _ in pieces]

        def count(number: int) -> None:
            count_boxes(*pieces[number], hits, plane.slabs, plane.boxes, space[number], counts[number])

        run_all([partial(count, number) for number in range(threads)])
        before = np.concatenate([[0], np.cumsum(counts.T.ravel())])
        places = before[:-1].reshape(levels, threads).T.copy()
        found = _found(plane, int(before[-1]))

        def see(number: int) -> None:
            view, tile = self._view(plane, known), _tile(plane)
            sums = np.zeros((plane.boxes.none + 1 if self.deep else 0, 2), np.float32)
            see_boxes(
                *pieces[number],
                hits,
                plane.slabs,
                plane.boxes,
                known,
                view,
                space[number],
                tile,
                places[number],
                sums,
                found,
            )

        run_all([partial(see, number) for number in range(threads)])
        blocks = len(plane.slabs.z) * events
        box, block, *values, seen = (torch.from_numpy(one) for one in found[:8])
        return stage.cuts_of(Rows(box, block, blocks), seen, *values)

    def _view(self, plane: _Plane, known: Known) -> View:
        """Return space for what there is to see of one event."""
        seen = np.zeros((1, plane.boxes.none + 1, 4 if self.deep else 1, 2), np.float32)
        return View(
            seen,
            seen.reshape(1, len(seen[0]), -1).view(np.int64),
            np.zeros(3, np.int64),
            np.zeros((1, known.incident.shape[1]), np.float32),
            np.zeros((1, 1), np.float32),
            np.zeros((1, 1), np.float32),
            np.zeros((1, 2), np.float32),
            np.zeros((1, 2), np.float32),
            np.zeros((1, 4, MOMENTS), np.float32),
            self.log_hits,
            self.log1p_hits,
        )


def _lay_out(model: CascadeSurrogate, kind: int, stage: Stage) -> _Plane:
    boxes, plane, tree = box_arrays(stage), model.tree.planes[kind], model.tree
    parents = np.zeros(boxes.none + 1, np.int64)
    parents[plane.tree.children] = np.arange(boxes.none)[:, None]
    first, last = plane.layers[0], plane.layers[-1]
    slabs = Slabs(
        np.array(tree.first_cells[first : last + 2], np.int64),
        tree.layer_z[first : last + 1].astype(np.float32),
        parents,
        plane.tree.starts[-2],
        as_array(model.surroundings.get_buffer(f"weights_{kind}").T.double()),
    )
    return _Plane(
        boxes,
        slabs,
        np.array(row_columns(stage), np.int64),
        np.array(event_columns(stage), np.int64),
        sum(part.width for part in stage.parts),
    )


def _sort(energy: Float32, counts: Float32) -> Hits:
    """Return the hits of showers (cell, event), of which each has so many (event,)."""
    start = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    hits = Hits(np.empty(start[-1], np.int64), np.empty(start[-1], np.float32), start)
    sort_hits(energy, hits)
    return hits


def _space(plane: _Plane) -> Ascent:
    """Return space for the boxes of a layer."""
    boxes = plane.boxes
    return Ascent(
        np.empty(boxes.none, np.int64),
        np.zeros(boxes.levels + 1, np.int64),
        np.zeros(boxes.none + 1, np.float32),
        np.zeros(boxes.none + 1, np.float32),
        np.empty(2 * boxes.none, np.float32),
    )


def _tile(plane: _Plane) -> Tile:
    """Return space for boxes that look together."""
    return Tile(
        np.empty(TILE_ROWS, np.int64),
        np.zeros(TILE_ROWS, np.int64),
        np.empty(TILE_ROWS, np.float32),
        np.empty(TILE_ROWS, np.float32),
        np.empty(TILE_ROWS, np.int64),
        make_sight(TILE_ROWS, len(plane.columns)),
    )


def _found(plane: _Plane, rows: int) -> Found:
    """Return space for the boxes that are cut."""
    box, block = (np.empty(rows, np.int64) for _ in range(2))
    energy, hits, taken, one, two = (np.empty(rows, np.float32) for _ in range(5))
    seen = np.empty((rows, plane.inputs), np.float32)
    return Found(box, block, energy, hits, taken, one, two, seen, plane.columns, plane.shared)
