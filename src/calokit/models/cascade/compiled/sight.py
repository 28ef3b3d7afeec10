"""What boxes see, written into one row a box: the parts of `calokit.models.cascade.sight`.

What is the same for all boxes of an event and layer may be left out: its products with the first layer's
weights are the bias there (`Weights.event`). Each part is one loop over the rows that takes plain arrays.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from calokit.arrays import Float32, Float64
from calokit.models.cascade.compiled.arrays import Boxes, UInt32
from calokit.models.cascade.compiled.compiler import compiled
from calokit.models.cascade.compiled.functions import (
    double_logarithms,
    exponentials,
    inverse_sines,
    logarithms,
)
from calokit.models.cascade.tree import Int64

ZERO, ONE, TWO = (np.float32(number) for number in (0.0, 1.0, 2.0))
FLIGHT_BENDS, MOMENT_BENDS = 2, 12
BENDS = FLIGHT_BENDS + MOMENT_BENDS
"""Numbers of a row that are bent by asinh."""
ALL = 3


class View(NamedTuple):
    """All that is known around the boxes of one layer (or of the tree of layers); see `Scene`.

    Attributes:
        seen: ln(1 + energy) and ln(1 + hits) of the layer itself, the one before it, the one before that,
            and all before (event, box + 1, 4, 2), in the order that `turn` says.
        pairs: The same memory, both numbers as one (event, box + 1, 4).
        turn: Which of the first three in `seen` is the layer itself, the one before, the one before that.
        incident: Features of the event (event, feature).
        known: What `Weights.event` takes (event, input).
        biases: Space for the bias that it makes (event, width).
        flight: Where the line of flight meets the layer, in mm (event, 2).
        slopes: dx/dz and dy/dz (event, 2).
        moments: Of the layer before and of all before; where hits are looked at too, likewise by them
            (event, 2 or 4, moment).
        log_hits: Logarithms of 0, 1, 2 ... hits.
        log1p_hits: Logarithms of one more than 0, 1, 2 ... hits.
    """

    seen: Float32
    pairs: Int64
    turn: Int64
    incident: Float32
    known: Float32
    biases: Float32
    flight: Float32
    slopes: Float32
    moments: Float32
    log_hits: Float32
    log1p_hits: Float32


class Sight(NamedTuple):
    """Space for what a few rows see.

    Attributes:
        rows: What they see (row, input).
        pairs: The same memory, two numbers as one (row, input / 2).
        log_energy: Logarithms of their energies in thresholds (row,).
        logs: Energies, and energies a hit (2 x row,).
        bends: Numbers to be bent (BENDS x row,).
        powers: Exponents (2 x row,).
        distances: Squared distances (row,).
    """

    rows: Float32
    pairs: Int64
    log_energy: Float32
    logs: Float64
    bends: Float32
    powers: Float32
    distances: Float32


def make_sight(rows: int, inputs: int) -> Sight:
    """Return space for what so many rows see, an even number of inputs each."""
    seen = np.zeros((rows, inputs), np.float32)
    return Sight(
        rows=seen,
        pairs=seen.view(np.int64),
        log_energy=np.empty(rows, np.float32),
        logs=np.empty(2 * rows),
        bends=np.empty(rows * BENDS, np.float32),
        powers=np.empty(2 * rows, np.float32),
        distances=np.empty(rows, np.float32),
    )


@compiled
def look(
    sight: Sight, boxes: Boxes, view: View, box: Int64, event: Int64, energy: Float32, hits: Float32
) -> None:
    """Write what boxes see.

    Args:
        sight: Where to write it.
        boxes: The tree.
        view: What there is to see.
        box: Numbers of the boxes (row,).
        event: Their events (row,).
        energy: Their energies in thresholds (row,).
        hits: Their hits (row,).
    """
    own, incident, shape, flight, window, memory, track, moments, hit_moments = boxes.columns
    if window >= 0:
        _look_around(
            sight.pairs, window // 2, view.pairs, view.turn[0], boxes.neighbours, boxes.known, box, event
        )
    if memory >= 0:
        _look_back(sight.pairs, memory // 2, view.pairs, view.turn, boxes.halves, boxes.nephews, box, event)
    if track >= 0:
        _look_farther_back(sight.pairs, track // 2, view.pairs, view.turn[2], boxes.nephews, box, event)
    _look_at_itself(
        sight.rows, own, energy, hits, boxes.capacity, box, view.log_hits, sight.log_energy, sight.logs
    )
    if incident >= 0:
        _look_up(sight.rows, incident, view.incident, event)
    if shape >= 0:
        _look_up(sight.rows, shape, boxes.shape, box)
    if flight >= 0:
        _look_along(sight, flight, boxes.at, boxes.along, boxes.pitch, view.flight, view.slopes, box, event)
    if moments >= 0:
        _look_at_moments(sight, moments, boxes.at, boxes.along, boxes.pitch, view.moments, 0, box, event)
    if hit_moments >= 0:
        _look_at_moments(sight, hit_moments, boxes.at, boxes.along, boxes.pitch, view.moments, 2, box, event)


@compiled
def _look_up(into: Float32, start: int, table: Float32, which: Int64) -> None:
    """Write rows of a table."""
    for row in range(len(which)):
        for column in range(table.shape[1]):
            into[row, start + column] = table[which[row], column]


@compiled
def _look_around(
    into: Int64,
    start: int,
    seen: Int64,
    now: int,
    neighbours: UInt32,
    known: UInt32,
    box: Int64,
    event: Int64,
) -> None:
    """Write energy and hits of the neighbours, and of those of their children that are known."""
    about, children = neighbours.shape[1], known.shape[1]
    for row in range(len(box)):
        one, it = box[row], event[row]
        for number in range(about):
            into[row, start + number] = seen[it, neighbours[one, number], now]
        for number in range(children):
            into[row, start + about + number] = seen[it, known[one, number], now]


@compiled
def _look_back(
    into: Int64,
    start: int,
    seen: Int64,
    turn: Int64,
    halves: UInt32,
    nephews: UInt32,
    box: Int64,
    event: Int64,
) -> None:
    """Write energy and hits of the children and of the neighbours' children in the layers before."""
    last, second, wide = turn[1], turn[2], nephews.shape[1]
    every = start + wide + 4
    for row in range(len(box)):
        one, it = box[row], event[row]
        for half in range(2):
            there = halves[one, half]
            into[row, start + half] = seen[it, there, last]
            into[row, start + 2 + wide + half] = seen[it, there, second]
            into[row, every + half] = seen[it, there, ALL]
        for number in range(wide):
            there = nephews[one, number]
            into[row, start + 2 + number] = seen[it, there, last]
            into[row, every + 2 + number] = seen[it, there, ALL]


@compiled
def _look_farther_back(
    into: Int64, start: int, seen: Int64, second: int, nephews: UInt32, box: Int64, event: Int64
) -> None:
    """Write energy and hits of the neighbours' children in the layer before the last (`TrackPart`)."""
    wide = nephews.shape[1]
    for row in range(len(box)):
        one, it = box[row], event[row]
        for number in range(wide):
            into[row, start + number] = seen[it, nephews[one, number], second]


@compiled
def _look_at_itself(
    into: Float32,
    start: int,
    energy: Float32,
    hits: Float32,
    capacity: Float32,
    box: Int64,
    log_hits: Float32,
    log_energy: Float32,
    logs: Float64,
) -> None:
    """Write the box's own energy and hits (`OwnPart`)."""
    for row in range(len(box)):
        logs[2 * row], logs[2 * row + 1] = energy[row], energy[row] / hits[row]
    double_logarithms(logs[: 2 * len(box)])
    for row in range(len(box)):
        log_energy[row] = logs[2 * row]
        into[row, start] = logs[2 * row]
        into[row, start + 1] = log_hits[int(hits[row])]
        into[row, start + 2] = logs[2 * row + 1]
        into[row, start + 3] = hits[row] / capacity[box[row]]
        into[row, start + 4] = ONE if hits[row] == ONE else ZERO


@compiled
def _look_along(
    sight: Sight,
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
    into, bends, powers, distances = sight.rows, sight.bends, sight.powers, sight.distances
    count = len(box)
    for row in range(count):
        one, it = box[row], event[row]
        x, y = (flight[it, 0] - at[one, 0]) / pitch, (flight[it, 1] - at[one, 1]) / pitch
        u, v = axes[one, 0], axes[one, 1]
        along, across = x * u + y * v, y * u - x * v
        bends[FLIGHT_BENDS * row], bends[FLIGHT_BENDS * row + 1] = TWO * along, TWO * across
        powers[2 * row], powers[2 * row + 1] = -abs(along), -abs(across)
        distances[row] = ONE + (x * x + y * y)
        x, y = slopes[it, 0], slopes[it, 1]
        into[row, start + 6] = x * u + y * v
        into[row, start + 7] = y * u - x * v
    inverse_sines(bends[: FLIGHT_BENDS * count])
    exponentials(powers[: 2 * count])
    logarithms(distances[:count])
    for row in range(count):
        near, bent = powers[2 * row], bends[FLIGHT_BENDS * row]
        fourth = near * near * near * near
        side = (ONE - fourth) / (ONE + fourth)
        into[row, start] = bent
        into[row, start + 1] = bends[FLIGHT_BENDS * row + 1]
        into[row, start + 2] = side if bent > ZERO else -side
        into[row, start + 3] = near
        into[row, start + 4] = powers[2 * row + 1]
        into[row, start + 5] = distances[row]
        into[row, start + 8] = fourth * near


@compiled
def _look_at_moments(
    sight: Sight,
    start: int,
    at: Float32,
    axes: Float32,
    pitch: np.float32,
    moments: Float32,
    first: int,
    box: Int64,
    event: Int64,
) -> None:
    """Write two of the moments, of the layer before and of all before (`MomentPart`, `HitMomentPart`)."""
    into, bends = sight.rows, sight.bends
    scale, count = TWO / pitch, len(box)
    for row in range(count):
        one, it = box[row], event[row]
        x, y = axes[one, 0], axes[one, 1]
        for which in range(2):
            column, seen = MOMENT_BENDS * row + 6 * which, first + which
            off_x, off_y = moments[it, seen, 0] - at[one, 0], moments[it, seen, 1] - at[one, 1]
            xx, yy, xy = moments[it, seen, 2], moments[it, seen, 3], moments[it, seen, 4]
            wide = x * x * xx + y * y * yy + TWO * x * y * xy
            deep = y * y * xx + x * x * yy - TWO * x * y * xy
            bends[column] = scale * (off_x * x + off_y * y)
            bends[column + 1] = scale * (off_y * x - off_x * y)
            bends[column + 2] = scale * np.sqrt(max(wide, ZERO))
            bends[column + 3] = scale * np.sqrt(max(deep, ZERO))
            bends[column + 4] = scale * moments[it, seen, 5]
            bends[column + 5] = scale * np.sqrt(max(xx + yy, ZERO))
    inverse_sines(bends[: MOMENT_BENDS * count])
    for row in range(count):
        for column in range(MOMENT_BENDS):
            into[row, start + column] = bends[MOMENT_BENDS * row + column]
