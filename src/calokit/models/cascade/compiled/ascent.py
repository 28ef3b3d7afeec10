"""Up one tree from the cells of given showers: every box with hits, and what it sees where it is cut."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from calokit.arrays import Float32, Float64
from calokit.models.cascade.compiled.arrays import Boxes
from calokit.models.cascade.compiled.compiler import START, compiled, compiled_with_arrays
from calokit.models.cascade.compiled.functions import logarithms
from calokit.models.cascade.compiled.layers import add_moments, find_moments
from calokit.models.cascade.compiled.sight import ALL, Sight, View, look
from calokit.models.cascade.stage import COLOURS
from calokit.models.cascade.tree import Int64

ZERO, ONE = np.float32(0.0), np.float32(1.0)


class Hits(NamedTuple):
    """The hits of showers, one event after the other, in the order of the cells.

    Attributes:
        cell: Number of the cell (hit,).
        energy: In thresholds (hit,).
        start: Of each event the number of its first hit, and at the end that of all (event + 1,).
    """

    cell: Int64
    energy: Float32
    start: Int64


class Slabs(NamedTuple):
    """Layers of one kind that follow each other, and their tree.

    Attributes:
        cells: Number of the first cell of each, and of the one behind the last (layer + 1,).
        z: Middle of each in mm (layer,).
        parents: Of every box the one that it is a child of (box,).
        first_leaf: Number of the tree's first box of one cell.
        weights: What the moments are sums of (cell, MOMENTS + 1).
    """

    cells: Int64
    z: Float32
    parents: Int64
    first_leaf: int
    weights: Float64


class Known(NamedTuple):
    """What is known of events; see `Events`.

    Attributes:
        positions, slopes, incident: (event, ...).
        shared: What all boxes of an event and layer see (layer, event, input), after a column of ones.
        seen: What was written of the layers before the first (event, box + 1, 3, 2); no events for nothing.
        sums: Energies and hits of all layers before it (event, box + 1, 2).
        moments: See `Memory` of `layers.py` (2 or 4, event, MOMENTS + 1); move on.
    """

    positions: Float32
    slopes: Float32
    incident: Float32
    shared: Float32
    seen: Float32
    sums: Float32
    moments: Float64


class Found(NamedTuple):
    """The boxes that are cut, level after level.

    Attributes:
        box: Their numbers (row,).
        block: Layer (counted from the first of its kind) times the number of events, plus the event (row,).
        energy: In thresholds (row,).
        hits: (row,).
        taken: Hits of the first child (row,).
        one, two: Energies of the first and the second child in thresholds (row,).
        seen: What they see, in the order of the stage's parts (row, input).
        columns: Where in `seen` each number of a compiled row belongs, -1 for nowhere (number,).
        shared: The same of `Known.shared` without the ones.
    """

    box: Int64
    block: Int64
    energy: Float32
    hits: Float32
    taken: Float32
    one: Float32
    two: Float32
    seen: Float32
    columns: Int64
    shared: Int64


class Ascent(NamedTuple):
    """Space for the boxes of one layer of one event.

    Attributes:
        box: Those with hits, from the cells up (row,).
        ends: Where those of each level end, from the cells up (level + 1,).
        energy: In thresholds, zero where there are no hits (box + 1,).
        hits: (box + 1,).
        logs: Space for logarithms (2 x row,).
    """

    box: Int64
    ends: Int64
    energy: Float32
    hits: Float32
    logs: Float32


class Tile(NamedTuple):
    """Space for a few boxes that look together.

    Attributes:
        box, event: Their numbers, and zeros (row,).
        energy, hits: Theirs (row,).
        row: Where in `Found` each belongs (row,).
        sight: What they see.
    """

    box: Int64
    event: Int64
    energy: Float32
    hits: Float32
    row: Int64
    sight: Sight


@compiled_with_arrays
def sort_hits(energy: Float32, hits: Hits) -> None:
    """Fill in cells and energies of hits (cell, event); `start` is given."""
    place = hits.start[:-1].copy()
    for cell in range(energy.shape[0]):
        for event in range(energy.shape[1]):
            if energy[cell, event] > ZERO:
                hits.cell[place[event]] = cell
                hits.energy[place[event]] = energy[cell, event]
                place[event] += 1


@compiled
def count_boxes(
    begin: int, end: int, hits: Hits, slabs: Slabs, boxes: Boxes, ascent: Ascent, counts: Int64
) -> None:
    """Add how many boxes of each level (level,) are cut in the layers of events begin to end."""
    for event in range(begin, end):
        place = _layer_end(hits, hits.start[event], event, slabs.cells[0])
        for layer in range(len(slabs.z)):
            stop = _layer_end(hits, place, event, slabs.cells[layer + 1])
            climb(ascent, slabs, hits.cell[place:stop], hits.energy[place:stop], slabs.cells[layer])
            for level in range(boxes.levels):
                above = boxes.levels - level
                for row in range(ascent.ends[above - 1], ascent.ends[above]):
                    counts[level] += boxes.colour[ascent.box[row]] != COLOURS
            _forget(ascent)
            place = stop


@compiled
def see_boxes(
    begin: int,
    end: int,
    hits: Hits,
    slabs: Slabs,
    boxes: Boxes,
    known: Known,
    view: View,
    ascent: Ascent,
    tile: Tile,
    places: Int64,
    sums: Float32,
    found: Found,
) -> None:
    """Write the boxes that are cut in the layers of events begin to end, and what they see.

    Args:
        begin: The first event.
        end: The one after the last.
        hits: The showers.
        slabs: The layers.
        boxes: Their tree.
        known: What is known of the events.
        view: Space for what there is to see of one event.
        ascent: Space.
        tile: Space.
        places: Where in `found` the next box of each level belongs (level,).
        sums: Space for energies and hits of all layers before (box + 1, 2).
        found: What is filled.
    """
    deep = view.seen.shape[2] > 1
    for event in range(begin, end):
        _begin(known, event, view, sums, deep)
        place = _layer_end(hits, hits.start[event], event, slabs.cells[0])
        for layer in range(len(slabs.z)):
            stop = _layer_end(hits, place, event, slabs.cells[layer + 1])
            for axis in range(2):
                slope = known.slopes[event, axis]
                view.flight[0, axis] = known.positions[event, axis] + slabs.z[layer] * slope
            for which in range(len(known.moments)):
                find_moments(view.moments[0, which], known.moments[which, event], view.flight[0])
            climb(ascent, slabs, hits.cell[place:stop], hits.energy[place:stop], slabs.cells[layer])
            _show(ascent, view, deep)
            _look(event, layer, boxes, known, view, ascent, tile, places, found)
            known.moments[::2, event] = 0.0
            for hit in range(place, stop):
                cell, energy = hits.cell[hit] - slabs.cells[layer], hits.energy[hit]
                for number in range(slabs.weights.shape[1]):
                    known.moments[0, event, number] += slabs.weights[cell, number] * energy
                if len(known.moments) > 2:
                    for number in range(slabs.weights.shape[1]):
                        known.moments[2, event, number] += slabs.weights[cell, number]
            add_moments(known.moments[:, event])
            if deep:
                _move_on(ascent, view, sums)
            _forget(ascent)
            place = stop


@compiled
def climb(ascent: Ascent, slabs: Slabs, cell: Int64, energy: Float32, first_cell: int) -> None:
    """Find every box with hits of a layer from its hits (hit,)."""
    filled = len(cell)
    for hit in range(filled):
        box = slabs.first_leaf + cell[hit] - first_cell
        ascent.box[hit] = box
        ascent.energy[box], ascent.hits[box] = energy[hit], ONE
    ascent.ends[0] = filled
    begin = 0
    for above in range(1, len(ascent.ends)):
        stop = ascent.ends[above - 1]
        for row in range(begin, stop):
            box = ascent.box[row]
            parent = slabs.parents[box]
            if ascent.hits[parent] == ZERO:
                ascent.box[filled] = parent
                filled += 1
            ascent.energy[parent] += ascent.energy[box]
            ascent.hits[parent] += ascent.hits[box]
        begin = stop
        ascent.ends[above] = filled


@compiled
def _layer_end(hits: Hits, place: int, event: int, next_cell: int) -> int:
    """Return the first hit of an event, from a place on, that lies in the next layer."""
    while place < hits.start[event + 1] and hits.cell[place] < next_cell:
        place += 1
    return place


@compiled
def _begin(known: Known, event: int, view: View, sums: Float32, deep: bool) -> None:
    """Write what is known of an event before the first layer."""
    view.seen[:] = ZERO
    sums[:] = ZERO
    for number in range(view.incident.shape[1]):
        view.incident[0, number] = known.incident[event, number]
    for axis in range(2):
        view.slopes[0, axis] = known.slopes[event, axis]
    if deep:
        view.turn[0], view.turn[1], view.turn[2] = 0, 1, 2
    if len(known.seen):
        for box in range(len(sums)):
            for number in range(2):
                sums[box, number] = known.sums[event, box, number]
                for before in range(known.seen.shape[2]):
                    view.seen[0, box, before + 1, number] = known.seen[event, box, before, number]


@compiled
def _show(ascent: Ascent, view: View, deep: bool) -> None:
    """Let others see the boxes of a layer, in place of those of the layer three before."""
    now, filled = view.turn[0], ascent.ends[-1]
    if deep:
        view.seen[0, :, now] = ZERO
    else:
        view.seen[:] = ZERO
    for row in range(filled):
        ascent.logs[row] = ONE + ascent.energy[ascent.box[row]]
    logarithms(ascent.logs[:filled])
    for row in range(filled):
        box = ascent.box[row]
        view.seen[0, box, now, 0] = ascent.logs[row]
        view.seen[0, box, now, 1] = view.log1p_hits[int(ascent.hits[box])]


@compiled
def _look(
    event: int,
    layer: int,
    boxes: Boxes,
    known: Known,
    view: View,
    ascent: Ascent,
    tile: Tile,
    places: Int64,
    found: Found,
) -> None:
    """Let the boxes of a layer that are cut look, a tile at a time, and write what they see."""
    block = layer * len(known.positions) + event
    shared = known.shared[layer, event]
    filled = START
    for level in range(boxes.levels):
        above = boxes.levels - level
        for row in range(ascent.ends[above - 1], ascent.ends[above]):
            box = ascent.box[row]
            if boxes.colour[box] != COLOURS:
                if filled == len(tile.box):
                    _write(filled, block, shared, boxes, view, ascent, tile, found)
                    filled = 0
                tile.box[filled], tile.row[filled] = box, places[level]
                tile.energy[filled], tile.hits[filled] = ascent.energy[box], ascent.hits[box]
                places[level] += 1
                filled += 1
    if filled:
        _write(filled, block, shared, boxes, view, ascent, tile, found)


@compiled
def _write(
    filled: int,
    block: int,
    shared: Float32,
    boxes: Boxes,
    view: View,
    ascent: Ascent,
    tile: Tile,
    found: Found,
) -> None:
    """Let the first boxes of a tile look, and write what they see and how they were cut."""
    look(
        tile.sight,
        boxes,
        view,
        tile.box[:filled],
        tile.event[:filled],
        tile.energy[:filled],
        tile.hits[:filled],
    )
    rows, seen, columns, others = tile.sight.rows, found.seen, found.columns, found.shared
    for place in range(filled):
        row, box = tile.row[place], tile.box[place]
        one, two = boxes.halves[box, 0], boxes.halves[box, 1]
        found.box[row], found.block[row] = box, block
        found.energy[row], found.hits[row] = tile.energy[place], tile.hits[place]
        found.taken[row] = ascent.hits[one]
        found.one[row], found.two[row] = ascent.energy[one], ascent.energy[two]
        for number in range(len(columns)):
            if columns[number] >= 0:
                seen[row, columns[number]] = rows[place, number]
        for number in range(len(others)):
            seen[row, others[number]] = shared[number + 1]


@compiled
def _move_on(ascent: Ascent, view: View, sums: Float32) -> None:
    """Make the layer the one before."""
    filled = ascent.ends[-1]
    logs = ascent.logs
    for row in range(filled):
        box = ascent.box[row]
        sums[box, 0] += ascent.energy[box]
        sums[box, 1] += ascent.hits[box]
        logs[2 * row], logs[2 * row + 1] = ONE + sums[box, 0], ONE + sums[box, 1]
    logarithms(logs[: 2 * filled])
    for row in range(filled):
        box = ascent.box[row]
        view.seen[0, box, ALL, 0], view.seen[0, box, ALL, 1] = logs[2 * row], logs[2 * row + 1]
    now, last, second = view.turn
    view.turn[0], view.turn[1], view.turn[2] = second, now, last


@compiled
def _forget(ascent: Ascent) -> None:
    """Make the space ready for the next layer."""
    for row in range(ascent.ends[-1]):
        ascent.energy[ascent.box[row]] = ZERO
        ascent.hits[ascent.box[row]] = ZERO
