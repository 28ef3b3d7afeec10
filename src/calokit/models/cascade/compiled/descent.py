"""Down one tree for many events: rows of boxes see, go through the networks and hand on, level by level."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from calokit.arrays import Float32
from calokit.models.cascade.compiled.arrays import Boxes, Weights
from calokit.models.cascade.compiled.compiler import compiled
from calokit.models.cascade.compiled.dense import add_and_bend
from calokit.models.cascade.compiled.draws import draw_hits, draw_ratio, share_out, uniform
from calokit.models.cascade.compiled.sight import View, look
from calokit.models.cascade.stage import COLOURS
from calokit.models.cascade.tree import Int64

UInt64 = np.ndarray[tuple[int, ...], np.dtype[np.uint64]]

ZERO, ONE, TWO, FOUR = (np.uint64(number) for number in (0, 1, 2, 4))
NONE, UNIT, PAIR = np.float32(0.0), np.float32(1.0), np.float32(2.0)
CHOSEN = 6


class Rows(NamedTuple):
    """Boxes with hits: those of a level, and those of the next.

    Attributes:
        box: Numbers of the boxes (2, row).
        event: Their events (2, row).
        energy: Their energies in thresholds (2, row).
        hits: Their hits (2, row).
        filled: How many there are (2,).
        picked: Space for the numbers of the rows of one colour (row,).
    """

    box: Int64
    event: Int64
    energy: Float32
    hits: Float32
    filled: Int64
    picked: Int64


class Written(NamedTuple):
    """Every box with hits of a layer and of the two before it; which is which, `View.turn` says.

    Attributes:
        box: (3, row).
        event: (3, row).
        energy: In thresholds (3, row).
        hits: (3, row).
        filled: How many there are (3,), -1 where that is not known.
    """

    box: Int64
    event: Int64
    energy: Float32
    hits: Float32
    filled: Int64


class Bench(NamedTuple):
    """Space for a few rows on their way through a network.

    Attributes:
        box, event, energy, hits, taken: Of the rows (row,).
        both: The rows whose children both have hits (row,).
        seen: What they see (row, input).
        hidden: Hidden layers (2, row, width).
        hit_outputs: (row, output).
        joined: Hidden layer and the hits of both children (row, width + CHOSEN).
        energy_outputs: (row, output).
        heights: One number a term.
    """

    box: Int64
    event: Int64
    energy: Float32
    hits: Float32
    taken: Float32
    both: Int64
    seen: Float32
    hidden: Float32
    hit_outputs: Float32
    joined: Float32
    energy_outputs: Float32
    heights: Float32


@compiled
def descend(
    boxes: Boxes,
    weights: Weights,
    view: View,
    keys: UInt64,
    first_number: int,
    rows: Rows,
    written: Written,
    bench: Bench,
) -> int:
    """Draw all boxes below the roots, which are `rows` number 0; return which of `rows` hold the last level.

    Args:
        boxes: The tree.
        weights: Its networks.
        view: What there is to see; what is drawn is written into it.
        keys: One an event.
        first_number: The counter of the tree's first box.
        rows: The roots, and space.
        written: Takes every box with hits.
        bench: Space.
    """
    _empty(view, written)
    now = 0
    for row in range(rows.filled[0]):
        _write(view, written, rows.box[0, row], rows.event[0, row], rows.energy[0, row], rows.hits[0, row])
    tile = len(bench.box)
    for level in range(boxes.levels):
        rows.filled[1 - now] = 0
        for turn in range(COLOURS + 1):  # first those that are not cut: their children are known to all
            colour = (turn + COLOURS) % (COLOURS + 1)
            found = 0
            for row in range(rows.filled[now]):
                if boxes.colour[rows.box[now, row]] == colour:
                    rows.picked[found] = row
                    found += 1
            for start in range(0, found, tile):
                size = min(tile, found - start)
                for place in range(size):
                    row = rows.picked[start + place]
                    bench.box[place], bench.event[place] = rows.box[now, row], rows.event[now, row]
                    bench.energy[place], bench.hits[place] = rows.energy[now, row], rows.hits[now, row]
                if colour < COLOURS:
                    _draw(
                        boxes, weights, view, keys, first_number, level, size, rows, 1 - now, written, bench
                    )
                else:
                    for place in range(size):
                        child = boxes.halves[bench.box[place], 0]
                        energy, hits = bench.energy[place], bench.hits[place]
                        _hand_on(view, rows, 1 - now, written, child, bench.event[place], energy, hits)
        now = 1 - now
    return now


@compiled
def _draw(
    boxes: Boxes,
    weights: Weights,
    view: View,
    keys: UInt64,
    first_number: int,
    level: int,
    size: int,
    rows: Rows,
    following: int,
    written: Written,
    bench: Bench,
) -> None:
    """Draw the first `size` boxes on the bench."""
    hidden = _look_through(boxes, weights, view, level, size, bench)
    np.dot(bench.hidden[hidden][:size], weights.hits[level], bench.hit_outputs[:size])
    pairs = 0
    for row in range(size):
        box = bench.box[row]
        counter = FOUR * np.uint64(first_number + box)
        key = keys[bench.event[row]]
        taken = draw_hits(
            bench.hit_outputs[row],
            weights.hits_bias[level],
            weights.terms[0],
            bench.heights,
            bench.hits[row],
            boxes.capacity[boxes.halves[box, 0]],
            boxes.capacity[boxes.halves[box, 1]],
            uniform(key, counter),
            uniform(key, counter + ONE),
        )
        bench.taken[row] = taken
        if NONE < taken < bench.hits[row]:
            _join(boxes, view, bench, row, pairs, hidden)
            pairs += 1
        else:
            child = boxes.halves[box, 0 if taken > NONE else 1]
            event, energy, hits = bench.event[row], bench.energy[row], bench.hits[row]
            _hand_on(view, rows, following, written, child, event, energy, hits)
    if pairs:
        deeper = 1 - hidden
        np.dot(bench.joined[:pairs], weights.share[level], bench.hidden[deeper][:pairs])
        add_and_bend(bench.hidden[deeper][:pairs], weights.share_bias[level])
        np.dot(bench.hidden[deeper][:pairs], weights.energy[level], bench.energy_outputs[:pairs])
    for pair in range(pairs):
        row = bench.both[pair]
        box, event, energy = bench.box[row], bench.event[row], bench.energy[row]
        one, two = bench.taken[row], bench.hits[row] - bench.taken[row]
        counter = FOUR * np.uint64(first_number + box) + TWO
        ratio = draw_ratio(
            bench.energy_outputs[pair],
            weights.energy_bias[level],
            weights.lines[level],
            weights.terms,
            bench.heights,
            energy,
            one,
            two,
            uniform(keys[event], counter),
            uniform(keys[event], counter + ONE),
        )
        given, kept = share_out(energy, one, two, ratio)
        _hand_on(view, rows, following, written, boxes.halves[box, 0], event, given, one)
        _hand_on(view, rows, following, written, boxes.halves[box, 1], event, kept, two)


@compiled
def _look_through(boxes: Boxes, weights: Weights, view: View, level: int, size: int, bench: Bench) -> int:
    """Fill the trunk's last hidden layer; return which of the two it is."""
    energy, hits = bench.energy[:size], bench.hits[:size]
    look(bench.seen, boxes, view, bench.box[:size], bench.event[:size], energy, hits)
    np.dot(bench.seen[:size], weights.first[level], bench.hidden[0][:size])
    add_and_bend(bench.hidden[0][:size], weights.first_bias[level])
    hidden = 0
    for layer in range(weights.deeper.shape[1]):
        np.dot(bench.hidden[hidden][:size], weights.deeper[level, layer], bench.hidden[1 - hidden][:size])
        hidden = 1 - hidden
        add_and_bend(bench.hidden[hidden][:size], weights.deeper_bias[level, layer])
    return hidden


@compiled
def _join(boxes: Boxes, view: View, bench: Bench, row: int, pair: int, hidden: int) -> None:
    """Put hidden layer and hits of both children (`LevelNetwork.energy_outputs`) side by side."""
    bench.both[pair] = row
    out, before = bench.joined[pair], bench.hidden[hidden, row]
    width = len(before)
    for place in range(width):
        out[place] = before[place]
    box = bench.box[row]
    one, two = bench.taken[row], bench.hits[row] - bench.taken[row]
    out[width] = view.log_hits[int(one)] - UNIT
    out[width + 1] = view.log_hits[int(two)] - UNIT
    out[width + 2] = np.log(bench.energy[row] / (one + two)) / PAIR - UNIT
    out[width + 3] = np.log(one / boxes.capacity[boxes.halves[box, 0]])
    out[width + 4] = np.log(two / boxes.capacity[boxes.halves[box, 1]])
    out[width + 5] = np.log(one / two)


@compiled
def _hand_on(
    view: View,
    rows: Rows,
    following: int,
    written: Written,
    box: int,
    event: int,
    energy: np.float32,
    hits: np.float32,
) -> None:
    """Write a box and put it among the rows of the next level."""
    place = rows.filled[following]
    rows.filled[following] = place + 1
    rows.box[following, place], rows.event[following, place] = box, event
    rows.energy[following, place], rows.hits[following, place] = energy, hits
    _write(view, written, box, event, energy, hits)


@compiled
def _empty(view: View, written: Written) -> None:
    """Forget the layer that had this place three layers ago."""
    now = view.turn[0]
    if written.filled[now] < 0:
        view.seen[now] = NONE
    for row in range(written.filled[now]):
        box, event = written.box[now, row], written.event[now, row]
        view.seen[now, event, box, 0] = NONE
        view.seen[now, event, box, 1] = NONE
    written.filled[now] = 0


@compiled
def _write(view: View, written: Written, box: int, event: int, energy: np.float32, hits: np.float32) -> None:
    """Let others see a box, and remember that it was written."""
    now = view.turn[0]
    view.seen[now, event, box, 0] = np.log1p(energy)
    view.seen[now, event, box, 1] = view.log1p_hits[int(hits)]
    place = written.filled[now]
    written.filled[now] = place + 1
    written.box[now, place], written.event[now, place] = box, event
    written.energy[now, place], written.hits[now, place] = energy, hits
