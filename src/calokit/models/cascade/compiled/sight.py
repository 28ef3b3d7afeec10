"""What boxes see, written into one row a box: the parts of `calokit.models.cascade.sight`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from calokit.arrays import Float32
from calokit.models.cascade.compiled.arrays import Boxes
from calokit.models.cascade.compiled.compiler import compiled
from calokit.models.cascade.tree import Int64

ZERO, HALF, ONE, TWO, FIVE = (np.float32(number) for number in (0.0, 0.5, 1.0, 2.0, 5.0))


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
    for row in range(len(box)):
        one, it, out = box[row], event[row], into[row]
        out[own] = np.log(energy[row])
        out[own + 1] = view.log_hits[int(hits[row])]
        out[own + 2] = np.log(energy[row] / hits[row])
        out[own + 3] = hits[row] / boxes.capacity[one]
        out[own + 4] = ONE if hits[row] == ONE else ZERO
        if incident >= 0:
            _copy(out, incident, view.incident[it])
        if shape >= 0:
            _copy(out, shape, boxes.shape[one])
        if flight >= 0:
            _look_along(out, flight, boxes, view, one, it)
        if window >= 0:
            _look_about(out, window, boxes, view.seen[view.turn[0], it], one)
        if layer >= 0:
            _copy(out, layer, view.layer[it])
        if memory >= 0:
            _look_back(out, memory, boxes, view, one, it)
        if moments >= 0:
            _look_at_moments(out, moments, boxes, view.moments[it], one)


@compiled
def _copy(out: Float32, start: int, values: Float32) -> None:
    for place in range(len(values)):
        out[start + place] = values[place]


@compiled
def _look_along(out: Float32, start: int, boxes: Boxes, view: View, one: int, it: int) -> None:
    """Write the line of flight (`FlightPart`)."""
    x = (view.flight[it, 0] - boxes.at[one, 0]) / boxes.pitch
    y = (view.flight[it, 1] - boxes.at[one, 1]) / boxes.pitch
    u, v = boxes.along[one, 0], boxes.along[one, 1]
    along, across = x * u + y * v, y * u - x * v
    out[start] = np.arcsinh(TWO * along)
    out[start + 1] = np.arcsinh(TWO * across)
    out[start + 2] = np.tanh(TWO * along)
    out[start + 3] = np.exp(-abs(along))
    out[start + 4] = np.exp(-abs(across))
    out[start + 5] = np.log1p(x * x + y * y)
    x, y = view.slopes[it, 0], view.slopes[it, 1]
    out[start + 6] = x * u + y * v
    out[start + 7] = y * u - x * v
    out[start + 8] = np.exp(-FIVE * abs(along))


@compiled
def _look_about(out: Float32, start: int, boxes: Boxes, seen: Float32, one: int) -> None:
    """Write the neighbours, and the children of those that are drawn before (`WindowPart`)."""
    neighbours, nephews, known = boxes.neighbours[one], boxes.nephews[one], boxes.known[one]
    for number in range(len(neighbours)):
        out[start] = seen[neighbours[number], 0]
        out[start + 1] = seen[neighbours[number], 1]
        start += 2
    for number in range(len(nephews)):
        there = known[number] > ZERO
        out[start] = seen[nephews[number], 0] if there else ZERO
        out[start + 1] = seen[nephews[number], 1] if there else ZERO
        start += 2


@compiled
def _look_back(out: Float32, start: int, boxes: Boxes, view: View, one: int, it: int) -> None:
    """Write the layers before (`MemoryPart`)."""
    halves, nephews = boxes.halves[one], boxes.nephews[one]
    last, second, before = view.seen[view.turn[1], it], view.seen[view.turn[2], it], view.seen[3, it]
    start = _write_both(out, start, last, halves)
    start = _write_both(out, start, last, nephews)
    start = _write_both(out, start, second, halves)
    start = _write_both(out, start, before, halves)
    _write_both(out, start, before, nephews)


@compiled
def _write_both(out: Float32, start: int, seen: Float32, which: Int64) -> int:
    for number in range(len(which)):
        out[start] = seen[which[number], 0]
        out[start + 1] = seen[which[number], 1]
        start += 2
    return start


@compiled
def _look_at_moments(out: Float32, start: int, boxes: Boxes, moments: Float32, one: int) -> None:
    """Write the moments of the layer before and of all before (`MomentPart`)."""
    x, y = boxes.along[one, 0], boxes.along[one, 1]
    scale = TWO / boxes.pitch
    for which in range(2):
        off_x, off_y = moments[which, 0] - boxes.at[one, 0], moments[which, 1] - boxes.at[one, 1]
        xx, yy, xy = moments[which, 2], moments[which, 3], moments[which, 4]
        out[start] = np.arcsinh(scale * (off_x * x + off_y * y))
        out[start + 1] = np.arcsinh(scale * (off_y * x - off_x * y))
        wide = x * x * xx + y * y * yy + TWO * x * y * xy
        deep = y * y * xx + x * x * yy - TWO * x * y * xy
        out[start + 2] = np.arcsinh(scale * np.sqrt(max(wide, ZERO)))
        out[start + 3] = np.arcsinh(scale * np.sqrt(max(deep, ZERO)))
        out[start + 4] = np.arcsinh(scale * moments[which, 5])
        out[start + 5] = np.arcsinh(scale * np.sqrt(max(xx + yy, ZERO)))
        start += 6
