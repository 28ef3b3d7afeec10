"""Showers of a cascade by compiled loops: the same as `CascadeDrawing` draws, to rounding."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING
from weakref import ref

import numpy as np
import torch
from torch import Tensor

from calokit.arrays import Float32
from calokit.models.batches import IncidentTensors
from calokit.models.cascade.compiled.arrays import (
    Boxes,
    Weights,
    as_array,
    box_arrays,
    event_inputs,
    hit_logarithms,
    memory_arrays,
    moment_sums,
    weight_arrays,
)
from calokit.models.cascade.compiled.descent import CHOSEN, Bench, Rows, Written, descend
from calokit.models.cascade.compiled.draws import SHEETS
from calokit.models.cascade.compiled.layers import Drawn, Events, Memory, Place, draw_layers, write_cells
from calokit.models.cascade.compiled.sight import View, make_sight
from calokit.models.cascade.compiled.threads import run_all
from calokit.models.cascade.drawing import FIRST_BOX, CascadeDrawing
from calokit.models.cascade.scenes import EventFacts
from calokit.models.cascade.scenes import Memory as CellMemory
from calokit.models.cascade.sight import MOMENTS
from calokit.models.cascade.spectral_lines import LINE_WIDTHS, SMALLEST_WIDTH
from calokit.models.cascade.stage import Stage

if TYPE_CHECKING:
    from calokit.models.cascade.surrogate import CascadeSurrogate

CHUNK_SHOWERS = 128
"""Showers whose boxes are in work together."""

BENCH_ROWS = 256
"""So many rows see and draw together at most."""


@dataclass(frozen=True, eq=False)
class CompiledTree:
    """One tree of a cascade.

    Attributes:
        boxes: Its boxes.
        weights: Its networks.
        first_leaf: Number of the first box of the last level.
        stage: The stage whose tree it is.
    """

    boxes: Boxes
    weights: Weights
    first_leaf: int
    stage: Stage

    @classmethod
    def of(cls, stage: Stage) -> CompiledTree:
        """Return the tree of a stage."""
        return cls(box_arrays(stage), weight_arrays(stage), stage.tables.tree.starts[-2], stage)

    def bench(self) -> Bench:
        """Return space for the rows that go through a network together."""
        weights, rows = self.weights, BENCH_ROWS
        inputs, width = weights.first.shape[1:]
        hits, energy = weights.hits.shape[2], weights.energy.shape[2]
        return Bench(
            box=np.empty(rows, np.int64),
            event=np.empty(rows, np.int64),
            energy=np.empty(rows, np.float32),
            hits=np.empty(rows, np.float32),
            first=np.empty(rows, np.float32),
            second=np.empty(rows, np.float32),
            one=np.empty(rows, np.float32),
            other=np.empty(rows, np.float32),
            taken=np.empty(rows, np.float32),
            both=np.empty(rows, np.int64),
            given=np.empty(rows, np.float32),
            kept=np.empty(rows, np.float32),
            sight=make_sight(rows, inputs),
            hidden=np.empty((2, rows, width), np.float32),
            hit_outputs=np.empty((rows, hits), np.float32),
            joined=np.empty((rows, width + CHOSEN), np.float32),
            energy_outputs=np.empty((rows, energy), np.float32),
            heights=np.empty(rows * max(hits, energy), np.float32),
            chosen=np.empty(rows, np.int64),
            picked=np.empty(rows, np.int64),
            sheets=np.empty((SHEETS, rows)),
            child=np.empty(2 * rows, np.int64),
            child_event=np.empty(2 * rows, np.int64),
            child_energy=np.empty(2 * rows, np.float32),
            child_hits=np.empty(2 * rows, np.float32),
            child_log=np.empty(2 * rows, np.float32),
        )


class Space:
    """What chunk after chunk is worked on in: new memory would be dear."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, int], Float32] = {}
        self._benches: dict[CompiledTree, Bench] = {}

    def bench(self, tree: CompiledTree) -> Bench:
        """Return the bench of a tree."""
        if tree not in self._benches:
            self._benches[tree] = tree.bench()
        return self._benches[tree]

    def zeros(self, name: str, kind: int, shape: tuple[int, ...]) -> Float32:
        """Return an array of zeros; what was taken by that name before is overwritten.

        Args:
            name: What it is for.
            kind: Of the layers.
            shape: Its first axis may be shorter than before, the others are as before.
        """
        kept = self._kept.get((name, kind))
        if kept is None or len(kept) < shape[0]:
            kept = self._kept[name, kind] = np.zeros(shape, np.float32)
        else:
            kept[: shape[0]] = 0.0
        return kept[: shape[0]]


class CompiledDrawing:
    """Draws showers of a cascade as it is now; later changes of its weights are not seen.

    Chunks of showers are drawn side by side by as many threads as torch computes with.

    Args:
        model: The cascade, on the processor.
    """

    def __init__(self, model: CascadeSurrogate) -> None:
        self._model = ref(model)  # which this is kept for as long as it lives
        self.tree = model.tree
        self.spare: list[Space] = []
        self.depth = None if model.depth is None else CompiledTree.of(model.depth)
        self.planes = [CompiledTree.of(stage) for stage in model.stages if isinstance(stage, Stage)]
        self.runs = [
            (kind, [layer for layer, _ in group])
            for kind, group in groupby(enumerate(self.tree.plane_of), key=lambda pair: pair[1])
        ]
        self.log_hits, self.log1p_hits = hit_logarithms(self.tree.first_cells[-1])
        threshold, lines = model.threshold, model.exact_lines
        self.out = (
            np.float32(threshold),
            np.float32(torch.nextafter(threshold, threshold + 1)),
            as_array(lines[lines > threshold]),
            np.float32(LINE_WIDTHS * SMALLEST_WIDTH),
        )

    @property
    def model(self) -> CascadeSurrogate:
        """The cascade."""
        model = self._model()
        assert model is not None
        return model

    def showers(self, incidents: IncidentTensors, keys: Tensor) -> Tensor:
        """Return the shower (event, cell) in MeV of each incident particle and key (event,)."""
        cells = np.zeros((len(keys), self.tree.first_cells[-1]), np.float32)
        self.write_showers(incidents, keys, cells)
        return torch.from_numpy(cells)

    def write_showers(self, incidents: IncidentTensors, keys: Tensor, cells: Float32) -> None:
        """Draw the shower of each incident particle and key (event,) into zeros (event, cell), in MeV."""
        facts, roots = CascadeDrawing(self.model).draw_totals(incidents, keys)

        def draw(start: int) -> None:
            """Draw one chunk; every thread has its own inference mode."""
            some = slice(start, start + CHUNK_SHOWERS)
            here = EventFacts(facts.features[some], facts.positions[some], facts.slopes[some])
            space = self.spare.pop() if self.spare else Space()
            with torch.inference_mode():
                _Chunk(self, here, roots[:, some], keys[some], cells[some], space).draw()
            self.spare.append(space)

        run_all([partial(draw, start) for start in range(0, len(keys), CHUNK_SHOWERS)])


class _Chunk:
    """A few showers in work.

    Args:
        drawing: The cascade.
        facts: What is known of the events.
        roots: Energies in thresholds and hits (2, event).
        keys: One int64 an event.
        cells: Takes the showers (event, cell).
        space: What they are worked on in.
    """

    def __init__(
        self,
        drawing: CompiledDrawing,
        facts: EventFacts,
        roots: Tensor,
        keys: Tensor,
        cells: Float32,
        space: Space,
    ) -> None:
        self.drawing = drawing
        self.facts = facts
        self.roots = roots
        self.keys = as_array(keys).view(np.uint64)
        self.cells = cells
        self.space = space

    def draw(self) -> None:
        """Draw them."""
        drawing, facts = self.drawing, self.facts
        surroundings, several = drawing.model.surroundings, len(drawing.runs) > 1
        totals = self._draw_depth()
        incident, features = as_array(facts.features), as_array(surroundings.layer_features(*totals))
        plain = np.zeros_like(self.cells) if several else np.zeros((len(self.keys), 0), np.float32)
        memory = surroundings.first_memory(len(self.keys)) if several else None
        moments = moment_sums(drawing.model.stages, len(self.keys))
        drawn = _space_for_hits(int(totals[1].double().sum()))
        for kind, layers in drawing.runs:
            compiled = drawing.planes[kind]
            most = int(totals[1][layers].double().sum(1).max())
            events = Events(
                self.keys,
                as_array(facts.positions),
                as_array(facts.slopes),
                incident,
                event_inputs(compiled.stage, incident, features),
                *(as_array(one) for one in totals),
            )
            known = self._remember(compiled, kind, memory, moments)
            rows, written = _space(compiled, most)
            written.filled[1:] = 0 if memory is None else -1
            where = self._place(compiled, kind)
            parts = (events, known, where, rows, written, self.space.bench(compiled), drawn, plain)
            draw_layers(layers[0], layers[-1] + 1, compiled.boxes, compiled.weights, *parts)
            for layer in layers[: len(layers) if several else 0]:
                if memory is not None and layer + 1 < drawing.tree.layers:
                    energy = torch.from_numpy(plain[:, drawing.tree.cells_of(layer)]).T
                    cells = torch.stack([energy, (energy > 0).float()])
                    memory = surroundings.remember(memory, cells, layer)
        write_cells(drawn, self.cells)

    def _draw_depth(self) -> Tensor:
        """Return energies and hits of the layers (2, layer, event)."""
        drawing, facts, tree = self.drawing, self.facts, self.drawing.depth
        if tree is None:
            return self.roots[:, None]
        events = len(self.keys)
        totals = np.zeros((2, drawing.tree.layers, events), np.float32)
        energy, hits = as_array(self.roots)
        full = np.flatnonzero(hits > 0)
        rows, written = _space(tree, int(hits.sum(dtype=np.float64)))
        rows.box[0, : len(full)] = 0
        rows.event[0, : len(full)] = full
        rows.energy[0, : len(full)], rows.hits[0, : len(full)] = energy[full], hits[full]
        rows.filled[0] = len(full)
        seen = np.zeros((events, tree.boxes.none + 1, 1, 2), np.float32)
        incident = as_array(facts.features)
        view = View(
            seen,
            seen[:, :, 0].view(np.int64),
            np.zeros(3, np.int64),
            incident,
            event_inputs(tree.stage, incident, np.zeros((1, events, 0), np.float32))[0],
            np.empty((events, tree.weights.event.shape[2]), np.float32),
            as_array(facts.positions),
            as_array(facts.slopes),
            np.zeros((events, 0, MOMENTS), np.float32),
            drawing.log_hits,
            drawing.log1p_hits,
        )
        bench = self.space.bench(tree)
        last = descend(tree.boxes, tree.weights, view, self.keys, FIRST_BOX, rows, written, bench)
        found = slice(rows.filled[last])
        place = (rows.box[last, found] - tree.first_leaf, rows.event[last, found])
        totals[0][place], totals[1][place] = rows.energy[last, found], rows.hits[last, found]
        return torch.from_numpy(totals)

    def _remember(
        self, compiled: CompiledTree, kind: int, cells: CellMemory | None, moments: np.ndarray
    ) -> Memory:
        """Return what is known of the layers before the first of one kind."""
        drawing, events, boxes = self.drawing, len(self.keys), compiled.boxes.none + 1
        deep = drawing.depth is not None
        seen = self.space.zeros("seen", kind, (events, boxes, 4 if deep else 1, 2))
        sums = self.space.zeros("sums", kind, (events, boxes if deep else 0, 2))
        if cells is not None:
            seen[:, :, 1:], sums[:] = memory_arrays(drawing.tree.planes[kind].tree, cells)
        turn = np.array([0, 1, 2] if deep else [0, 0, 0], np.int64)
        return Memory(
            seen,
            seen.reshape(events, boxes, -1).view(np.int64),
            turn,
            sums,
            moments,
            drawing.log_hits,
            drawing.log1p_hits,
        )

    def _place(self, compiled: CompiledTree, kind: int) -> Place:
        """Return where layers are, and how energies leave them."""
        tree, model = self.drawing.tree, self.drawing.model
        weights = model.surroundings.get_buffer(f"weights_{kind}").T.double()
        return Place(
            tree.layer_z.astype(np.float32),
            np.array(model.first_numbers, np.int64),
            np.array(tree.first_cells, np.int64),
            compiled.first_leaf,
            as_array(weights),
            *self.drawing.out,
        )


def _space_for_hits(hits: int) -> Drawn:
    """Return space for so many hits."""
    event, cell = (np.empty(hits, np.int64) for _ in range(2))
    return Drawn(event, cell, np.empty(hits, np.float32), np.zeros(1, np.int64))


def _space(compiled: CompiledTree, most: int) -> tuple[Rows, Written]:
    """Return space for the boxes of a tree in which there are at most so many hits a layer."""
    room, every = max(most, 1), max(most, 1) * (compiled.boxes.levels + 1)
    rows = Rows(
        box=np.empty((2, room), np.int64),
        event=np.empty((2, room), np.int64),
        energy=np.empty((2, room), np.float32),
        hits=np.empty((2, room), np.float32),
        filled=np.zeros(2, np.int64),
        picked=np.empty(room, np.int64),
    )
    written = Written(
        box=np.empty((3, every), np.int64),
        event=np.empty((3, every), np.int64),
        energy=np.empty((3, every), np.float32),
        hits=np.empty((3, every), np.float32),
        filled=np.zeros(3, np.int64),
    )
    return rows, written
