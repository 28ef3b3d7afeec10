"""Down one tree for many events: rows of boxes see, go through the networks and hand on, level by level."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from calokit.arrays import Float32, Float64
from calokit.models.cascade.compiled.arrays import Boxes, UInt32, Weights
from calokit.models.cascade.compiled.compiler import START, compiled, compiled_with_arrays
from calokit.models.cascade.compiled.dense import add_and_bend, add_own_and_bend, multiply
from calokit.models.cascade.compiled.draws import draw_hits, share_energies, uniform
from calokit.models.cascade.compiled.functions import logarithms
from calokit.models.cascade.compiled.sight import Sight, View, look
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
        box, event, energy, hits: Of the rows (row,).
        first, second: Cells of their children, hits of the children that share energy (row,).
        one, other: Uniform numbers (row,).
        taken: Hits of the first children (row,).
        both: The rows whose children both have hits (row,).
        given, kept: Energies of the first and second children of these (row,).
        sight: What they see.
        hidden: Hidden layers (2, row, width).
        hit_outputs: (row, output).
        joined: Hidden layer and the hits of both children (row, width + CHOSEN).
        energy_outputs: (row, output).
        heights: One number a term and row.
        chosen, picked: (row,).
        sheets: (SHEETS, row).
        child, child_event: Children with hits, and their events (2 x row,).
        child_energy, child_hits: Theirs (2 x row,).
        child_log: Logarithms of one more than these energies (2 x row,).
    """

    box: Int64
    event: Int64
    energy: Float32
    hits: Float32
    first: Float32
    second: Float32
    one: Float32
    other: Float32
    taken: Float32
    both: Int64
    given: Float32
    kept: Float32
    sight: Sight
    hidden: Float32
    hit_outputs: Float32
    joined: Float32
    energy_outputs: Float32
    heights: Float32
    chosen: Int64
    picked: Int64
    sheets: Float64
    child: Int64
    child_event: Int64
    child_energy: Float32
    child_hits: Float32
    child_log: Float32


@compiled_with_arrays
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
    now = START
    roots = rows.filled[0]
    _empty(view.seen, view.turn[0], written)
    _write(
        view,
        written,
        rows.box[0, :roots],
        rows.event[0, :roots],
        rows.energy[0, :roots],
        rows.hits[0, :roots],
        np.log(UNIT + rows.energy[0, :roots]),
    )
    tile = len(bench.box)
    for level in range(boxes.levels):
        rows.filled[1 - now] = 0
        multiply(view.known, weights.event[level], view.biases)
        ends = _sort(rows.box[now, : rows.filled[now]], boxes.colour, rows.picked)
        for turn in range(COLOURS + 1):
            begin = 0 if turn == 0 else ends[turn - 1]
            for start in range(begin, ends[turn], tile):
                size = min(tile, ends[turn] - start)
                _lay_out(rows, now, rows.picked[start : start + size], boxes, bench)
                if turn == 0:  # those that are not cut come first: their children are known to all others
                    children = _pass_on(boxes.halves, bench, size)
                else:
                    children = _draw(boxes, weights, view, keys, first_number, level, size, bench)
                _hand_on(view, rows, 1 - now, written, bench, children)
        now = 1 - now
    return now


@compiled_with_arrays
def _sort(box: Int64, colour: Int64, picked: Int64) -> Int64:
    """Write the numbers of the rows by turn, those not cut first; return where each turn ends."""
    count = np.zeros(COLOURS + 1, np.int64)
    for row in range(len(box)):
        count[(colour[box[row]] + 1) % (COLOURS + 1)] += 1
    place = np.zeros(COLOURS + 1, np.int64)
    for turn in range(1, COLOURS + 1):
        place[turn] = place[turn - 1] + count[turn - 1]
    for row in range(len(box)):
        turn = (colour[box[row]] + 1) % (COLOURS + 1)
        picked[place[turn]] = row
        place[turn] += 1
    return place


@compiled
def _lay_out(rows: Rows, now: int, picked: Int64, boxes: Boxes, bench: Bench) -> None:
    """Put rows onto the bench."""
    for place in range(len(picked)):
        row = picked[place]
        box = rows.box[now, row]
        bench.box[place], bench.event[place] = box, rows.event[now, row]
        bench.energy[place], bench.hits[place] = rows.energy[now, row], rows.hits[now, row]
        bench.first[place] = boxes.capacity[boxes.halves[box, 0]]
        bench.second[place] = boxes.capacity[boxes.halves[box, 1]]


@compiled
def _pass_on(halves: UInt32, bench: Bench, size: int) -> int:
    """Make boxes that are not cut their own children; return how many."""
    for row in range(size):
        bench.child[row], bench.child_event[row] = halves[bench.box[row], 0], bench.event[row]
        bench.child_energy[row], bench.child_hits[row] = bench.energy[row], bench.hits[row]
    return size


@compiled
def _draw(
    boxes: Boxes,
    weights: Weights,
    view: View,
    keys: UInt64,
    first_number: int,
    level: int,
    size: int,
    bench: Bench,
) -> int:
    """Draw the children of the first `size` boxes on the bench; return how many have hits."""
    hidden = _look_through(boxes, weights, view, level, size, bench)
    multiply(bench.hidden[hidden][:size], weights.hits[level], bench.hit_outputs[:size])
    _draw_uniform(bench.box, bench.event, keys, first_number, ZERO, bench.one[:size], bench.other[:size])
    draw_hits(
        bench.hit_outputs,
        weights.hits_bias[level],
        weights.terms[0],
        weights.rarest,
        bench.hits[:size],
        bench.first,
        bench.second,
        bench.one,
        bench.other,
        bench.heights,
        bench.chosen,
        bench.picked,
        bench.sheets,
        bench.taken,
    )
    pairs, children = _divide(bench, size, boxes.halves)
    if pairs == 0:
        return children
    _join(bench, pairs, hidden, view.log_hits)
    deeper = bench.hidden[1 - hidden][:pairs]
    multiply(bench.joined[:pairs], weights.share[level], deeper)
    add_and_bend(deeper, weights.share_bias[level])
    multiply(deeper, weights.energy[level], bench.energy_outputs[:pairs])
    _draw_uniform(bench.box, bench.event, keys, first_number, TWO, bench.one[:pairs], bench.other[:pairs])
    share_energies(
        bench.energy_outputs,
        weights.energy_bias[level],
        weights.lines[level],
        weights.knots,
        weights.pairs,
        weights.terms,
        view.log_hits,
        bench.energy[:pairs],
        bench.first[:pairs],
        bench.second,
        bench.one,
        bench.other,
        bench.heights,
        bench.chosen,
        bench.sheets,
        bench.given,
        bench.kept,
    )
    return _share(bench, pairs, children, boxes.halves)


@compiled
def _look_through(boxes: Boxes, weights: Weights, view: View, level: int, size: int, bench: Bench) -> int:
    """Fill the trunk's last hidden layer; return which of the two it is."""
    event = bench.event[:size]
    look(bench.sight, boxes, view, bench.box[:size], event, bench.energy[:size], bench.hits[:size])
    multiply(bench.sight.rows[:size], weights.first[level], bench.hidden[0][:size])
    add_own_and_bend(bench.hidden[0][:size], view.biases, event)
    hidden = 0
    for layer in range(weights.deeper.shape[1]):
        multiply(bench.hidden[hidden][:size], weights.deeper[level, layer], bench.hidden[1 - hidden][:size])
        hidden = 1 - hidden
        add_and_bend(bench.hidden[hidden][:size], weights.deeper_bias[level, layer])
    return hidden


@compiled
def _draw_uniform(
    box: Int64, event: Int64, keys: UInt64, first_number: int, shift: np.uint64, one: Float32, other: Float32
) -> None:
    """Write two uniform numbers a row: of the box's counter and a shift, and of the next."""
    for row in range(len(one)):
        counter = FOUR * np.uint64(first_number + box[row]) + shift
        one[row] = uniform(keys[event[row]], counter)
        other[row] = uniform(keys[event[row]], counter + ONE)


@compiled
def _divide(bench: Bench, size: int, halves: UInt32) -> tuple[int, int]:
    """Put rows whose children both have hits in `both`, the only child of each other among children."""
    pairs = children = 0
    for row in range(size):
        taken = bench.taken[row]
        if NONE < taken < bench.hits[row]:
            bench.both[pairs] = row
            pairs += 1
        else:
            bench.child[children] = halves[bench.box[row], 0 if taken > NONE else 1]
            bench.child_event[children] = bench.event[row]
            bench.child_energy[children], bench.child_hits[children] = bench.energy[row], bench.hits[row]
            children += 1
    return pairs, children


@compiled
def _join(bench: Bench, pairs: int, hidden: int, log_hits: Float32) -> None:
    """Put hidden layers and hits of both children (`LevelNetwork.energy_outputs`) side by side.

    The rows `both` move to the front of the bench; `first` and `second` hold their children's hits from here.
    """
    width = bench.hidden.shape[2]
    for pair in range(pairs):
        row = bench.both[pair]
        for place in range(width):
            bench.joined[pair, place] = bench.hidden[hidden, row, place]
        every, one = bench.hits[row], bench.taken[row]
        two = every - one
        log_energy, log_one, log_two = bench.sight.log_energy[row], log_hits[int(one)], log_hits[int(two)]
        bench.joined[pair, width] = log_one - UNIT
        bench.joined[pair, width + 1] = log_two - UNIT
        bench.joined[pair, width + 2] = (log_energy - log_hits[int(every)]) / PAIR - UNIT
        bench.joined[pair, width + 3] = log_one - log_hits[int(bench.first[row])]
        bench.joined[pair, width + 4] = log_two - log_hits[int(bench.second[row])]
        bench.joined[pair, width + 5] = log_one - log_two
        bench.box[pair], bench.event[pair] = bench.box[row], bench.event[row]
        bench.energy[pair] = bench.energy[row]
        bench.first[pair], bench.second[pair] = one, two


@compiled
def _share(bench: Bench, pairs: int, children: int, halves: UInt32) -> int:
    """Put both children of the first rows on the bench among the children; return how many there are."""
    for row in range(pairs):
        one, two = bench.first[row], bench.second[row]
        for side in range(2):
            bench.child[children] = halves[bench.box[row], side]
            bench.child_event[children] = bench.event[row]
            bench.child_energy[children] = bench.kept[row] if side else bench.given[row]
            bench.child_hits[children] = two if side else one
            children += 1
    return children


@compiled
def _hand_on(view: View, rows: Rows, following: int, written: Written, bench: Bench, children: int) -> None:
    """Write the children on the bench and put them among the rows of the next level."""
    start = rows.filled[following]
    rows.filled[following] = start + children
    for child in range(children):
        row = start + child
        rows.box[following, row], rows.event[following, row] = bench.child[child], bench.child_event[child]
        rows.energy[following, row] = bench.child_energy[child]
        rows.hits[following, row] = bench.child_hits[child]
        bench.child_log[child] = UNIT + bench.child_energy[child]
    logarithms(bench.child_log[:children])
    _write(
        view,
        written,
        bench.child[:children],
        bench.child_event[:children],
        bench.child_energy[:children],
        bench.child_hits[:children],
        bench.child_log,
    )


@compiled
def _empty(seen: Float32, now: int, written: Written) -> None:
    """Forget the layer that had this place three layers ago."""
    if written.filled[now] < 0:
        seen[:, :, now] = NONE
    for row in range(written.filled[now]):
        seen[written.event[now, row], written.box[now, row], now, 0] = NONE
        seen[written.event[now, row], written.box[now, row], now, 1] = NONE
    written.filled[now] = 0


@compiled
def _write(
    view: View,
    written: Written,
    box: Int64,
    event: Int64,
    energy: Float32,
    hits: Float32,
    log_energy: Float32,
) -> None:
    """Let others see boxes, and remember that they were written; `log_energy` is of one more than energy."""
    now = view.turn[0]
    start = written.filled[now]
    written.filled[now] = start + len(box)
    for row in range(len(box)):
        view.seen[event[row], box[row], now, 0] = log_energy[row]
        view.seen[event[row], box[row], now, 1] = view.log1p_hits[int(hits[row])]
        written.box[now, start + row], written.event[now, start + row] = box[row], event[row]
        written.energy[now, start + row], written.hits[now, start + row] = energy[row], hits[row]
