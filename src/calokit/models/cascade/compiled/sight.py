"""What boxes see, written into one row a box: the parts of `calokit.models.cascade.sight`.

Each part is one loop over the rows that takes plain arrays: handing an array to a function costs two atomic
additions, which a call for each row would pay for each row.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from calokit.arrays import Float32
from calokit.models.cascade.compiled.arrays import Boxes, UInt32
from calokit.models.cascade.compiled.compiler import compiled
from calokit.models.cascade.tree import Int64

ZERO, ONE, TWO, FIVE = (np.float32(number) for number in (0.0, 1.0, 2.0, 5.0))


class View(NamedTuple):
    """All that is known around the boxes of one layer (or of the tree of layers); see `Scene`.

    Attributes:
        seen: ln(1 + energy) and ln(1 + hits) of the layer itself, the one before it, the one before that,
            and all before (4, event, box + 1, 2), in the order that `turn` says.
        turn: Which of the first three in `seen` is the layer itself, the one before, the one before that.
        incident: Features of the event (event, feature).
        layer: Features of the layer (event, feature).
        flight: Where the line of flight meets the layer, in mm (event, 2).
        slopes: dx/dz and dy/dz (event, 2).
        moments: Of the layer before and of all before (event, 2, moment).
        log_hits: Logarithms of 0, 1, 2 ... hits.
        log1p_hits: Logarithms of one more than 0, 1, 2 ... hits.
    """

    seen: Float32
    turn: Int64
    incident: Float32
    layer: Float32
    flight: Float32
    slopes: Float32
    moments: Float32
    log_hits: Float32
    log1p_hits: Float32


@compiled
def look(
    into: Float32, boxes: Boxes, view: View, box: Int64, event: Int64, energy: Float32, hits: Float32
) -> None:
    """Write what boxes see.

    Args:
        into: Where to write it (row, input).
        boxes: The tree.
        view: What there is to see.
        box: Numbers of the boxes (row,).
        event: Their events (row,).
        energy: Their energies in thresholds (row,).
        hits: Their hits (row,).
    """
    own, incident, shape, flight, window, layer, memory, moments = boxes.columns
    _look_at_itself(into, own, energy, hits, boxes.capacity, box, view.log_hits)
    if incident >= 0:
        _look_up(into, incident, view.incident, event)
    if shape >= 0:
        _look_up(into, shape, boxes.shape, box)
    if flight >= 0:
        _look_along(into, flight, boxes.at, boxes.along, boxes.pitch, view.flight, view.slopes, box, event)
    if window >= 0:
        now = view.turn[0]
        _look_around(into, window, view.seen, now, boxes.neighbours, box, event)
        window += 2 * boxes.neighbours.shape[1]
        _look_around(into, window, view.seen, now, boxes.known, box, event)
    if layer >= 0:
        _look_up(into, layer, view.layer, event)
    if memory >= 0:
        own, wide = 2 * boxes.halves.shape[1], 2 * boxes.nephews.shape[1]
        last, second = view.turn[1], view.turn[2]
        _look_around(into, memory, view.seen, last, boxes.halves, box, event)
        _look_around(into, memory + own, view.seen, last, boxes.nephews, box, event)
        _look_around(into, memory + own + wide, view.seen, second, boxes.halves, box, event)
        _look_around(into, memory + 2 * own + wide, view.seen, 3, boxes.halves, box, event)
        _look_around(into, memory + 3 * own + wide, view.seen, 3, boxes.nephews, box, event)
    if moments >= 0:
        _look_at_moments(into, moments, boxes.at, boxes.along, boxes.pitch, view.moments, box, event)


@compiled
def bend(value: np.float32) -> np.float32:
    """Return asinh, right to 1e-7 of one or of itself."""
    size = abs(value)
    bent: np.float32 = np.log(size + np.sqrt(size * size + ONE))
    return bent if value > ZERO else -bent


@compiled
def _look_at_itself(
    into: Float32,
    start: int,
    energy: Float32,
    hits: Float32,
    capacity: Float32,
    box: Int64,
    log_hits: Float32,
) -> None:
    """Write the box's own energy and hits (`OwnPart`)."""
    for row in range(len(box)):
        into[row, start] = np.log(energy[row])
        into[row, start + 1] = log_hits[int(hits[row])]
        into[row, start + 2] = np.log(energy[row] / hits[row])
        into[row, start + 3] = hits[row] / capacity[box[row]]
        into[row, start + 4] = ONE if hits[row] == ONE else ZERO


@compiled
def _look_up(into: Float32, start: int, table: Float32, which: Int64) -> None:
    """Write rows of a table."""
    for row in range(len(which)):
        for column in range(table.shape[1]):
            into[row, start + column] = table[which[row], column]


@compiled
def _look_around(
    into: Float32, start: int, seen: Float32, layer: int, table: UInt32, box: Int64, event: Int64
) -> None:
    """Write energy and hits of the boxes that a table (box, number) names."""
    for row in range(len(box)):
        one, it = box[row], event[row]
        for number in range(table.shape[1]):
            there = table[one, number]
            into[row, start + 2 * number] = seen[layer, it, there, 0]
            into[row, start + 2 * number + 1] = seen[layer, it, there, 1]


@compiled
def _look_along(
    into: Float32,
    start: int,
    at: Float32,
    axes: Float32,
    pitch: np.float32,
    flight: Float32,
    slopes: Float32,
    box: Int64,
    event: Int64,
) -> None:
    """Write the line of flight (`FlightPart`)."""
    for row in range(len(box)):
        one, it = box[row], event[row]
        x, y = (flight[it, 0] - at[one, 0]) / pitch, (flight[it, 1] - at[one, 1]) / pitch
        u, v = axes[one, 0], axes[one, 1]
        along, across = x * u + y * v, y * u - x * v
        into[row, start] = bend(TWO * along)
        into[row, start + 1] = bend(TWO * across)
        into[row, start + 2] = np.tanh(TWO * along)
        into[row, start + 3] = np.exp(-abs(along))
        into[row, start + 4] = np.exp(-abs(across))
        into[row, start + 5] = np.log(ONE + (x * x + y * y))
        x, y = slopes[it, 0], slopes[it, 1]
        into[row, start + 6] = x * u + y * v
        into[row, start + 7] = y * u - x * v
        into[row, start + 8] = np.exp(-FIVE * abs(along))


@compiled
def _look_at_moments(
    into: Float32,
    start: int,
    at: Float32,
    axes: Float32,
    pitch: np.float32,
    moments: Float32,
    box: Int64,
    event: Int64,
) -> None:
    """Write the moments of the layer before and of all before (`MomentPart`)."""
    scale = TWO / pitch
    for row in range(len(box)):
        one, it = box[row], event[row]
        x, y = axes[one, 0], axes[one, 1]
        for which in range(2):
            column = start + 6 * which
            off_x, off_y = moments[it, which, 0] - at[one, 0], moments[it, which, 1] - at[one, 1]
            xx, yy, xy = moments[it, which, 2], moments[it, which, 3], moments[it, which, 4]
            wide = x * x * xx + y * y * yy + TWO * x * y * xy
            deep = y * y * xx + x * x * yy - TWO * x * y * xy
            into[row, column] = bend(scale * (off_x * x + off_y * y))
            into[row, column + 1] = bend(scale * (off_y * x - off_x * y))
            into[row, column + 2] = bend(scale * np.sqrt(max(wide, ZERO)))
            into[row, column + 3] = bend(scale * np.sqrt(max(deep, ZERO)))
            into[row, column + 4] = bend(scale * moments[it, which, 5])
            into[row, column + 5] = bend(scale * np.sqrt(max(xx + yy, ZERO)))
