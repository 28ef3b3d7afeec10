"""Layer after layer of one kind, for many events: moments, memory, the descent, and what comes out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from calokit.arrays import Float32, Float64
from calokit.models.cascade.compiled.arrays import Boxes, Weights
from calokit.models.cascade.compiled.compiler import compiled, compiled_with_arrays
from calokit.models.cascade.compiled.descent import Bench, Rows, UInt64, Written, descend
from calokit.models.cascade.compiled.functions import logarithms
from calokit.models.cascade.compiled.sight import ALL, View
from calokit.models.cascade.tree import Int64

ZERO, ONE = np.float32(0.0), np.float32(1.0)


class Events(NamedTuple):
    """What is known of events before their layers are drawn.

    Attributes:
        keys: One an event.
        positions: Impact in mm (event, 2).
        slopes: dx/dz and dy/dz (event, 2).
        incident: Features (event, feature).
        known: What `Weights.event` takes (layer, event, input).
        energy: Of every layer in thresholds (layer, event).
        hits: Of every layer (layer, event).
    """

    keys: UInt64
    positions: Float32
    slopes: Float32
    incident: Float32
    known: Float32
    energy: Float32
    hits: Float32


class Memory(NamedTuple):
    """What is known of the layers before, for many events; see `View`.

    Attributes:
        seen: (event, box + 1, 4, 2).
        pairs: The same memory (event, box + 1, 4).
        turn: (3,).
        sums: Energies and hits of all layers before (event, box + 1, 2).
        moments: Sums over the energies of the layer before and of all before; where `View.moments` has them,
            over their hits (2 or 4, event, MOMENTS + 1).
        log_hits, log1p_hits: See `View`.
    """

    seen: Float32
    pairs: Int64
    turn: Int64
    sums: Float32
    moments: Float64
    log_hits: Float32
    log1p_hits: Float32


class Place(NamedTuple):
    """Where a layer is, and how energies leave it.

    Attributes:
        z: Middle of each layer in mm (layer,).
        first_box: Counter of the first box of each layer (layer,).
        first_cell: Number of the first cell of each layer (layer,).
        first_leaf: Number of the tree's first box of one cell.
        weights: What the moments are sums of (cell, MOMENTS + 1).
        threshold: In MeV.
        least: Smallest energy of a hit, in MeV.
        lines: Energies in MeV that hits near to them are given (line,).
        nearness: How near, as a share of the energy.
    """

    z: Float32
    first_box: Int64
    first_cell: Int64
    first_leaf: int
    weights: Float64
    threshold: np.float32
    least: np.float32
    lines: Float32
    nearness: np.float32


class Drawn(NamedTuple):
    """Hits in the order in which they are drawn: they are few among the cells.

    Attributes:
        event: Their events (hit,).
        cell: Their cells (hit,).
        energy: In MeV (hit,).
        filled: How many there are (1,).
    """

    event: Int64
    cell: Int64
    energy: Float32
    filled: Int64


@compiled_with_arrays
def draw_layers(
    start: int,
    stop: int,
    boxes: Boxes,
    weights: Weights,
    events: Events,
    memory: Memory,
    place: Place,
    rows: Rows,
    written: Written,
    bench: Bench,
    drawn: Drawn,
    plain: Float32,
) -> None:
    """Draw the cells of layers of one kind that follow each other.

    Args:
        start: The first layer.
        stop: The one after the last.
        boxes: Their tree.
        weights: Its networks.
        events: What is known of the events.
        memory: What is known of the layers before; moves on.
        place: Where the layers are.
        rows: Space.
        written: Space.
        bench: Space.
        drawn: Takes the hits.
        plain: Takes them in thresholds, where it has room (event, cell).
    """
    count = len(events.keys)
    flight = np.empty((count, 2), np.float32)
    biases = np.empty((count, weights.event.shape[2]), np.float32)
    kinds = len(memory.moments)
    moments = np.empty((count, kinds, 6), np.float32)
    for layer in range(start, stop):
        for event in range(count):
            for axis in range(2):
                slope = events.slopes[event, axis]
                flight[event, axis] = events.positions[event, axis] + place.z[layer] * slope
            for which in range(kinds):
                find_moments(moments[event, which], memory.moments[which, event], flight[event])
        view = View(
            memory.seen,
            memory.pairs,
            memory.turn,
            events.incident,
            events.known[layer],
            biases,
            flight,
            events.slopes,
            moments,
            memory.log_hits,
            memory.log1p_hits,
        )
        rows.filled[0] = 0
        for event in range(count):
            if events.hits[layer, event] > ZERO:
                row = rows.filled[0]
                rows.filled[0] = row + 1
                rows.box[0, row], rows.event[0, row] = 0, event
                rows.energy[0, row], rows.hits[0, row] = (
                    events.energy[layer, event],
                    events.hits[layer, event],
                )
        last = descend(boxes, weights, view, events.keys, place.first_box[layer], rows, written, bench)
        memory.moments[::2] = 0.0
        for row in range(rows.filled[last]):
            cell, event = rows.box[last, row] - place.first_leaf, rows.event[last, row]
            energy, hit = rows.energy[last, row], drawn.filled[0] + row
            drawn.event[hit], drawn.cell[hit] = event, place.first_cell[layer] + cell
            drawn.energy[hit] = _in_mev(energy, place)
            if plain.shape[1]:
                plain[event, place.first_cell[layer] + cell] = energy
            for number in range(place.weights.shape[1]):
                memory.moments[0, event, number] += place.weights[cell, number] * energy
            if kinds > 2:
                for number in range(place.weights.shape[1]):
                    memory.moments[2, event, number] += place.weights[cell, number]
        drawn.filled[0] += rows.filled[last]
        for event in range(count):
            add_moments(memory.moments[:, event])
        _move_on(memory, written)


@compiled_with_arrays
def write_cells(drawn: Drawn, cells: Float32) -> None:
    """Write hits into zeros (event, cell), event after event: memory far away is best gone through once."""
    start = np.zeros(len(cells) + 1, np.int64)
    for hit in range(drawn.filled[0]):
        start[drawn.event[hit] + 1] += 1
    for event in range(len(cells)):
        start[event + 1] += start[event]
    order = np.empty(drawn.filled[0], np.int64)
    for hit in range(drawn.filled[0]):
        order[start[drawn.event[hit]]] = hit
        start[drawn.event[hit]] += 1
    for hit in order:
        cells[drawn.event[hit], drawn.cell[hit]] = drawn.energy[hit]


@compiled
def add_moments(sums: Float64) -> None:
    """Add an event's sums (2 or 4, MOMENTS + 1) of the last layer to those of all."""
    for which in range(0, len(sums), 2):
        for number in range(sums.shape[1]):
            sums[which + 1, number] += sums[which, number]


@compiled
def find_moments(found: Float32, sums: Float64, flight: Float32) -> None:
    """Write means, variances and radius; see `moments_of`."""
    if sums[0] > 0:
        x, y = sums[1] / sums[0], sums[2] / sums[0]
        found[0], found[1] = x, y
        found[2], found[3] = sums[3] / sums[0] - x * x, sums[4] / sums[0] - y * y
        found[4], found[5] = sums[5] / sums[0] - x * y, sums[6] / sums[0]
    else:
        found[0], found[1] = flight[0], flight[1]
        found[2:5] = ZERO
        found[5] = np.sqrt(flight[0] * flight[0] + flight[1] * flight[1])


@compiled
def _in_mev(energy: np.float32, place: Place) -> np.float32:
    """Return the energy of a hit in MeV; see `to_mev`."""
    found = max(energy * place.threshold, place.least)
    for line in place.lines:
        if abs(found / line - ONE) < place.nearness:
            found = line
    return found


@compiled
def _move_on(memory: Memory, written: Written) -> None:
    """Make the layer that was drawn the one before."""
    now, last, second = memory.turn
    if memory.sums.shape[1]:
        filled = written.filled[now]
        for row in range(filled):
            event, box = written.event[now, row], written.box[now, row]
            memory.sums[event, box, 0] += written.energy[now, row]
            memory.sums[event, box, 1] += written.hits[now, row]
            written.energy[now, row] = ONE + memory.sums[event, box, 0]
            written.hits[now, row] = ONE + memory.sums[event, box, 1]
        logarithms(written.energy[now, :filled])
        logarithms(written.hits[now, :filled])
        for row in range(filled):
            event, box = written.event[now, row], written.box[now, row]
            memory.seen[event, box, ALL, 0] = written.energy[now, row]
            memory.seen[event, box, ALL, 1] = written.hits[now, row]
    memory.turn[0], memory.turn[1], memory.turn[2] = second, now, last
