"""The draws of one box, as `HitDraw.draw` and `EnergyDraw.draw` make them for many."""

from __future__ import annotations

import math

import numpy as np

from calokit.arrays import Float32
from calokit.models.cascade import energy_draw, hit_draw, logistic
from calokit.models.cascade.compiled.compiler import compiled
from calokit.models.cascade.tree import Int64

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST = np.uint64(0xBF58476D1CE4E5B9)
SECOND = np.uint64(0x94D049BB133111EB)
S27, S30, S31, S41 = (np.uint64(places) for places in (27, 30, 31, 41))
UNIT = np.float32(2.0**-23)

ZERO, HALF, ONE = np.float32(0.0), np.float32(0.5), np.float32(1.0)
LINEAR, CUBIC = np.float32(logistic.LINEAR), np.float32(logistic.CUBIC)
SCALE = math.sqrt(logistic.LINEAR / (3 * logistic.CUBIC))
TWICE_SCALE, STEEP = np.float32(2 * SCALE), np.float32(logistic.LINEAR * SCALE)
TINY = np.float32(-1e-7)
SMALLEST_HIT_WIDTH = np.float32(hit_draw.SMALLEST_WIDTH)
SMALLEST_WIDTH = np.float32(energy_draw.SMALLEST_WIDTH)
EDGE, BEYOND = np.float32(energy_draw.EDGE), np.float32(energy_draw.BEYOND)
NEVER = np.float32(-1e30)
THIRD, ONE_AND_HALF = np.float32(3.0), np.float32(1.5)
LOWEST, HIT_HIGHEST, HIGHEST = np.float32(-6.0), np.float32(4.0), np.float32(3.0)


@compiled
def uniform(key: np.uint64, counter: np.uint64) -> np.float32:
    """Return the number in (0, 1) of a key and a counter; see `keyed_uniform`."""
    mixed = _finalise(_finalise(key + counter * GOLDEN) + key)
    return (np.float32(mixed >> S41) + HALF) * UNIT


@compiled
def draw_hits(
    outputs: Float32,
    bias: Float32,
    terms: int,
    heights: Float32,
    hits: Float32,
    first: Float32,
    second: Float32,
    one: Float32,
    other: Float32,
    taken: Float32,
) -> None:
    """Draw the first children's hits.

    Args:
        outputs: Of the network, without its bias (row, output).
        bias: (output,).
        terms: Logistics of the mixture.
        heights: Space for one number a term.
        hits: Of the boxes (row,).
        first: Cells of the first children (row,).
        second: Cells of the second children (row,).
        one: Uniform numbers (row,).
        other: Uniform numbers (row,).
        taken: Takes what is drawn (row,).
    """
    for row in range(len(hits)):
        every = hits[row]
        least, most = max(every - second[row], ZERO), min(every, first[row])
        low, high = max(least, ONE), min(most, every - ONE)
        heights[0] = NEVER if least > ZERO else outputs[row, 0] + bias[0]
        heights[1] = NEVER if most < every else outputs[row, 1] + bias[1]
        for term in range(2, 2 + terms):
            heights[term] = NEVER if high < low else outputs[row, term] + bias[term]
        term = _choose(heights, 2 + terms, one[row])
        if term == 0:
            taken[row] = ZERO
        elif term == 1:
            taken[row] = every
        else:
            place, spread = term + terms, term + 2 * terms
            shift = outputs[row, place] + bias[place]
            location = every * _sigmoid(np.log(first[row] / second[row]) + shift)
            wide = np.exp(min(max(outputs[row, spread] + bias[spread], LOWEST), HIT_HIGHEST))
            width = HALF * np.sqrt(every) * wide + SMALLEST_HIT_WIDTH
            high = max(high, low)
            ends = ((low - HALF - location) / width, (high + HALF - location) / width)
            drawn = _draw_between(ends[0], ends[1], other[row])
            taken[row] = min(max(np.rint(location + width * drawn), low), high)


@compiled
def draw_ratios(
    outputs: Float32,
    bias: Float32,
    lines: Float32,
    terms: Int64,
    heights: Float32,
    energy: Float32,
    first: Float32,
    second: Float32,
    one: Float32,
    other: Float32,
    ratio: Float32,
) -> None:
    """Draw z = ln(first child's energy / second child's).

    Args:
        outputs: Of the network, without its bias (row, output).
        bias: (output,).
        lines: Places and logarithms of widths of lines (2 x line,).
        terms: See `Weights`.
        heights: Space for one number a term.
        energy: Of the boxes, in thresholds (row,).
        first: Hits of the first children (row,).
        second: Hits of the second children (row,).
        one: Uniform numbers (row,).
        other: Uniform numbers (row,).
        ratio: Takes what is drawn (row,).
    """
    shared, own, narrow = terms[1], terms[2], terms[3]
    placed = shared + 2 * own
    every = placed + 2 * narrow
    for row in range(len(energy)):
        spare = max(energy[row] - first[row] - second[row], EDGE * energy[row])
        log_first, log_second, log_energy = np.log(first[row]), np.log(second[row]), np.log(energy[row])
        low = log_first - np.log(second[row] + spare)
        high = np.log(first[row] + spare) - log_second
        low_sigmoids = (_log_sigmoid(low), _log_sigmoid(-low))
        high_sigmoids = (_log_sigmoid(high), _log_sigmoid(-high))
        for term in range(every):
            heights[term] = outputs[row, term] + bias[term]
        for line in range(narrow):
            place, term = lines[line], placed + line
            if place <= log_energy + low_sigmoids[0] - log_first or (
                place >= log_energy + high_sigmoids[0] - log_first
            ):
                heights[term] = NEVER
            if place <= log_energy + high_sigmoids[1] - log_second or (
                place >= log_energy + low_sigmoids[1] - log_second
            ):
                heights[term + narrow] = NEVER
        term = _choose(heights, every, one[row])
        if term < placed:
            location = outputs[row, every + term] + bias[every + term]
            wide = outputs[row, every + placed + term] + bias[every + placed + term]
            width = np.exp(min(max(wide, LOWEST), HIGHEST)) + SMALLEST_WIDTH
            mirrored = term >= shared + own
        else:
            location = lines[(term - placed) % narrow]
            width = np.exp(lines[narrow + (term - placed) % narrow])
            mirrored = term >= placed + narrow
        if term < shared:
            location += np.log(first[row] / second[row])
            drawn = _draw_bent(location, width, low, high, other[row])
        else:  # in the energy a hit of one child
            offset = np.log(energy[row] / (second[row] if mirrored else first[row]))
            bottom, top = low_sigmoids[0], high_sigmoids[0]
            if mirrored:
                bottom, top = high_sigmoids[1], low_sigmoids[1]
            place = _draw_bent(location, width, offset + bottom, offset + top, other[row])
            child = min(place - offset, -EDGE)
            drawn = child - np.log(-np.expm1(child))
            if mirrored:
                drawn = -drawn
        ratio[row] = min(max(drawn, low), high)


@compiled
def share_out(
    energy: np.float32, first: np.float32, second: np.float32, ratio: np.float32
) -> tuple[np.float32, np.float32]:
    """Return the energies of both children; see `calokit.models.cascade.stage.share_out`."""
    small = energy * _sigmoid(-abs(ratio))
    least = first if ratio < ZERO else second
    other = first + second - least
    small = min(max(small, least), max(energy - other, least))
    large = energy - small
    return (small, large) if ratio < ZERO else (large, small)


@compiled
def _finalise(bits: np.uint64) -> np.uint64:
    bits = (bits ^ (bits >> S30)) * FIRST
    bits = (bits ^ (bits >> S27)) * SECOND
    return bits ^ (bits >> S31)


@compiled
def _choose(heights: Float32, count: int, share: np.float32) -> int:
    """Draw one of alternatives by their logarithms, which are overwritten."""
    top = heights[0]
    for term in range(1, count):
        top = max(top, heights[term])
    total = 0.0
    for term in range(count):
        total += np.exp(heights[term] - top)
        heights[term] = np.float32(total)
    wanted = share * heights[count - 1]
    term = 0
    while term < count - 1 and heights[term] < wanted:
        term += 1
    return term


@compiled
def _sigmoid(value: np.float32) -> np.float32:
    share: np.float32 = ONE / (ONE + np.exp(-value))
    return share


@compiled
def _log_sigmoid(value: np.float32) -> np.float32:
    logarithm: np.float32 = min(value, ZERO) - np.log1p(np.exp(-abs(value)))
    return logarithm


@compiled
def _draw_bent(
    location: np.float32, width: np.float32, bottom: np.float32, top: np.float32, share: np.float32
) -> np.float32:
    """Draw from a nearly normal density truncated to [bottom, top]."""
    location = max(min(location, top + BEYOND * width), bottom - BEYOND * width)
    left, right = (bottom - location) / width, (top - location) / width
    left = left * (LINEAR + CUBIC * (left * left))
    right = right * (LINEAR + CUBIC * (right * right))
    bent = _draw_between(left, right, share)
    straight = TWICE_SCALE * np.sinh(np.arcsinh(ONE_AND_HALF * bent / STEEP) / THIRD)
    place: np.float32 = location + width * straight
    return place


@compiled
def _draw_between(low: np.float32, high: np.float32, share: np.float32) -> np.float32:
    """Draw from the standard logistic truncated to [low, high]."""
    turned = low + high > ZERO
    left, right = (-high, -low) if turned else (low, high)
    if turned:
        share = ONE - share
    one = _log_sigmoid(left) + np.log1p(-share)
    two = _log_sigmoid(right) + np.log(share)
    logarithm = min(max(one, two) + np.log1p(np.exp(-abs(one - two))), TINY)
    place: np.float32 = logarithm - np.log(-np.expm1(logarithm))
    place = max(min(place, right), left)
    return -place if turned else place
