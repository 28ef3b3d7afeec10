"""The draws of a few boxes, as `HitDraw.draw` and `EnergyDraw.draw` make them.

Exponentials and logarithms are taken of whole arrays; loops of plain arithmetic lay them out and go on from
them. What is between is kept in double precision, so that no digit is lost where torch goes by logarithms.
"""

from __future__ import annotations

import math

import numpy as np

from calokit.arrays import Float32, Float64
from calokit.models.cascade import (
    energy_choice,
    energy_draw,
    hit_draw,
    logistic,
    own_coordinate,
    pair_coordinate,
)
from calokit.models.cascade.compiled.compiler import START, compiled
from calokit.models.cascade.compiled.functions import double_exponentials, double_logarithms, exponentials
from calokit.models.cascade.tree import Int64

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
ONCE = np.uint64(0xBF58476D1CE4E5B9)
TWICE = np.uint64(0x94D049BB133111EB)
S27, S30, S31, S41 = (np.uint64(places) for places in (27, 30, 31, 41))
UNIT = np.float32(2.0**-23)

ZERO, HALF, ONE = np.float32(0.0), np.float32(0.5), np.float32(1.0)
LINEAR, CUBIC = logistic.LINEAR, logistic.CUBIC
SCALE = math.sqrt(LINEAR / (3 * CUBIC))
STEEP = LINEAR * SCALE
LIKELIEST = 1 - 1e-7
ALMOST_SURE = 40.0
"""The logistic's share below is one, to the digits of double precision."""
BIN, BINS = own_coordinate.BIN, own_coordinate.BINS
BEYOND, LOG_EDGE = energy_draw.BEYOND, math.log(energy_choice.EDGE)
NEVER = np.float32(-1e30)
STEEPER = int(hit_draw.STEEPER)
LOWEST, HIT_HIGHEST, HIGHEST = np.float32(-6.0), np.float32(4.0), np.float32(3.0)
SHARED, OWN, MIRRORED, LINE, MIRRORED_LINE = range(5)
"""Coordinates of terms: z; that of the first or the second child's own part; of lines, its logarithm."""

LOW, HIGH, SHARE, X, Y, Z, LOCATION, WIDTH, BOTTOM, TOP = range(10)
FIRST_LEAST, SECOND_LEAST, FIRST_MOST, SECOND_MOST, WHOLE, SHARED_ENERGY = range(10, 16)
SHEETS = 16
"""Rows of the space for numbers in double precision; LOW, HIGH ... are what stands in each."""


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
    rarest: np.float32,
    hits: Float32,
    first: Float32,
    second: Float32,
    one: Float32,
    other: Float32,
    heights: Float32,
    chosen: Int64,
    picked: Int64,
    sheets: Float64,
    taken: Float32,
) -> None:
    """Draw the first children's hits.

    Args:
        outputs: Of the network, without its bias (row, output).
        bias: (output,).
        terms: Logistics of the mixture.
        rarest: See `HitDraw`.
        hits: Of the boxes (row,).
        first: Cells of the first children (row,).
        second: Cells of the second children (row,).
        one: Uniform numbers (row,).
        other: Uniform numbers (row,).
        heights: Space for one number a term and row.
        chosen: Space (row,).
        picked: Space (row,).
        sheets: Space (SHEETS, row).
        taken: Takes what is drawn (row,).
    """
    count = 2 + terms
    for row in range(len(hits)):
        every, start = hits[row], count * row
        low, high = _between(every, first[row], second[row])
        heights[start] = NEVER if every > second[row] else outputs[row, 0] + bias[0]
        heights[start + 1] = NEVER if first[row] < every else outputs[row, 1] + bias[1]
        for term in range(2, count):
            heights[start + term] = NEVER if high < low else outputs[row, term] + bias[term]
    _exponentiate(heights, count, len(hits))
    if rarest > ZERO:
        _fall_off(heights, count, rarest, hits)
    _choose(heights, count, one[: len(hits)], chosen)
    found = START
    for row in range(len(hits)):
        term = chosen[row]
        taken[row] = hits[row] if term == 1 else ZERO
        if term > 1:
            place, spread = term + terms, term + 2 * terms
            picked[found] = row
            sheets[X, found] = -(outputs[row, place] + bias[place])
            sheets[WIDTH, found] = min(max(outputs[row, spread] + bias[spread], LOWEST), HIT_HIGHEST)
            found += 1
    if found == 0:
        return
    double_exponentials(sheets[X, :found])
    double_exponentials(sheets[WIDTH, :found])
    for place in range(found):
        row = picked[place]
        every = hits[row]
        low, high = _between(every, first[row], second[row])
        location = every * first[row] / (first[row] + second[row] * sheets[X, place])
        width = 0.5 * math.sqrt(every) * sheets[WIDTH, place] + hit_draw.SMALLEST_WIDTH
        sheets[LOW, place] = (low - 0.5 - location) / width
        sheets[HIGH, place] = (max(high, low) + 0.5 - location) / width
        sheets[SHARE, place] = other[row]
        sheets[LOCATION, place], sheets[WIDTH, place] = location, width
    _draw_between(sheets, found)
    for place in range(found):
        row = picked[place]
        low, high = _between(hits[row], first[row], second[row])
        drawn = np.rint(np.float32(sheets[LOCATION, place] + sheets[WIDTH, place] * sheets[X, place]))
        taken[row] = min(max(drawn, low), max(high, low))


@compiled
def share_energies(
    outputs: Float32,
    bias: Float32,
    lines: Float32,
    knots: Float32,
    pairs: Float32,
    terms: Int64,
    log_hits: Float32,
    energy: Float32,
    first: Float32,
    second: Float32,
    one: Float32,
    other: Float32,
    heights: Float32,
    chosen: Int64,
    sheets: Float64,
    given: Float32,
    kept: Float32,
) -> None:
    """Draw how two children with hits share energies; see `EnergyDraw.draw` and `EnergyChoice`.

    Args:
        outputs: Of the network, without its bias (row, output).
        bias: (output,).
        lines: Places and logarithms of widths of lines (2 x line,).
        knots: Of the spectrum of single hits (knot,).
        pairs: Of two single hits (row, knot).
        terms: See `Weights`.
        log_hits: Logarithms of 0, 1, 2 ... hits.
        energy: Of the boxes, in thresholds (row,).
        first: Hits of the first children (row,).
        second: Hits of the second children (row,).
        one: Uniform numbers (row,).
        other: Uniform numbers (row,).
        heights: Space for one number a term and row.
        chosen: Space (row,).
        sheets: Space (SHEETS, row).
        given: Takes the energies of the first children (row,).
        kept: Takes those of the second (row,).
    """
    count, above = len(energy), terms[4] > 0
    for row in range(count):
        shared, first_least, second_least = _shared(energy[row], first[row], second[row], above)
        spare = max(shared - first_least - second_least, energy_choice.EDGE * shared)
        sheets[FIRST_MOST, row], sheets[SECOND_MOST, row] = first_least + spare, second_least + spare
        sheets[WHOLE, row] = first_least + second_least + spare
        sheets[SHARED_ENERGY, row] = shared
        sheets[SHARE, row] = other[row]
    for sheet in (FIRST_MOST, SECOND_MOST, WHOLE, SHARED_ENERGY):
        double_logarithms(sheets[sheet, :count])
    for row in range(count):
        little = sheets[SHARED_ENERGY, row] + LOG_EDGE
        for sheet, hits in ((FIRST_LEAST, first[row]), (SECOND_LEAST, second[row])):
            sheets[sheet, row] = little if above and hits > ONE else log_hits[int(hits)]
    _weigh_terms(outputs, bias, lines, terms, log_hits, first, second, heights, sheets)
    every = terms[1] + 2 * terms[2] + 2 * terms[3]
    _exponentiate(heights, every, count)
    _choose(heights, every, one[:count], chosen)
    _read_terms(outputs, bias, lines, terms, log_hits, first, second, chosen, sheets)
    if above:
        _follow_spectrum(knots, pairs, energy, first, second, chosen, sheets)
    _draw_bent(sheets, count)
    if above:
        _leave_spectrum(knots, pairs, energy, first, second, chosen, sheets)
    _find_ratios(log_hits, first, second, chosen, sheets)
    for row in range(count):
        sheets[Y, row] = abs(sheets[X, row])
    double_exponentials(sheets[Y, :count])
    for row in range(count):
        negative = sheets[X, row] < 0.0
        shared, first_least, second_least = _shared(energy[row], first[row], second[row], above)
        least, most = (first_least, second_least) if negative else (second_least, first_least)
        part = min(max(shared / (1.0 + sheets[Y, row]), least), max(shared - most, least))
        small = np.float32(part + _kept(first[row] if negative else second[row], above))
        large = energy[row] - small
        given[row], kept[row] = (small, large) if negative else (large, small)


@compiled
def _kept(hits: np.float32, above: bool) -> np.float64:
    """Return the thresholds that a child does not share; see `EnergyChoice.kept`."""
    return np.float64(hits) if above and hits > ONE else np.float64(0.0)


@compiled
def _shared(
    energy: np.float32, first: np.float32, second: np.float32, above: bool
) -> tuple[np.float64, np.float64, np.float64]:
    """Return what two children share, and the least that either takes of it; see `EnergyChoice`."""
    whole = np.float64(energy)
    if not above:
        return whole, np.float64(first), np.float64(second)
    shared = max(whole - _kept(first, above) - _kept(second, above), energy_choice.EDGE * whole)
    little, one = energy_choice.EDGE * shared, np.float64(1.0)
    return shared, (little if first > ONE else one), (little if second > ONE else one)


@compiled
def _between(hits: np.float32, first: np.float32, second: np.float32) -> tuple[np.float32, np.float32]:
    """Return the fewest and the most hits of a first child where both children have some."""
    return max(hits - second, ONE), min(first, hits - ONE)


@compiled
def _finalise(bits: np.uint64) -> np.uint64:
    bits = (bits ^ (bits >> S30)) * ONCE
    bits = (bits ^ (bits >> S27)) * TWICE
    return bits ^ (bits >> S31)


@compiled
def _exponentiate(heights: Float32, count: int, rows: int) -> None:
    """Replace logarithms of `count` alternatives a row by what is in proportion to their probabilities."""
    for row in range(rows):
        top = heights[count * row]
        for place in range(count * row + 1, count * (row + 1)):
            top = max(top, heights[place])
        for place in range(count * row, count * (row + 1)):
            heights[place] -= top
    exponentials(heights[: count * rows])


@compiled
def _fall_off(heights: Float32, count: int, rarest: np.float32, hits: Float32) -> None:
    """Make rare atoms of boxes of many hits rarer; see `HitDraw`."""
    for row in range(len(hits)):
        if hits[row] >= hit_draw.MANY:
            total = np.float64(0.0)
            for place in range(count * row, count * (row + 1)):
                total += heights[place]
            for place in range(count * row, count * row + 2):
                part = np.float32(heights[place] / (total * rarest))
                if part < ONE:
                    heights[place] *= part**STEEPER


@compiled
def _choose(heights: Float32, count: int, shares: Float32, chosen: Int64) -> None:
    """Draw one of `count` alternatives a row by `_exponentiate`'s numbers, which are summed up in place."""
    for row in range(len(shares)):
        total = np.float64(0.0)
        for place in range(count * row, count * (row + 1)):
            total += heights[place]
            heights[place] = np.float32(total)
        wanted, term = shares[row] * np.float32(total), 0
        for place in range(count * row, count * (row + 1) - 1):
            term += heights[place] < wanted
        chosen[row] = term


@compiled
def _weigh_terms(
    outputs: Float32,
    bias: Float32,
    lines: Float32,
    terms: Int64,
    log_hits: Float32,
    first: Float32,
    second: Float32,
    heights: Float32,
    sheets: Float64,
) -> None:
    """Write the weights of the terms of the energy's density; lines outside of what is allowed have none."""
    placed, narrow = terms[1] + 2 * terms[2], terms[3]
    every = placed + 2 * narrow
    for row in range(len(first)):
        start = every * row
        for term in range(every):
            heights[start + term] = outputs[row, term] + bias[term]
        unit = sheets[SHARED_ENERGY, row] - sheets[WHOLE, row] - log_hits[int(first[row])]
        mirrored = sheets[SHARED_ENERGY, row] - sheets[WHOLE, row] - log_hits[int(second[row])]
        for line in range(narrow):
            place, term = lines[line], start + placed + line
            if place <= unit + sheets[FIRST_LEAST, row] or place >= unit + sheets[FIRST_MOST, row]:
                heights[term] = NEVER
            if place <= mirrored + sheets[SECOND_LEAST, row] or place >= mirrored + sheets[SECOND_MOST, row]:
                heights[term + narrow] = NEVER


@compiled
def _read_terms(
    outputs: Float32,
    bias: Float32,
    lines: Float32,
    terms: Int64,
    log_hits: Float32,
    first: Float32,
    second: Float32,
    chosen: Int64,
    sheets: Float64,
) -> None:
    """Write LOCATION, WIDTH, BOTTOM and TOP of terms; `chosen` holds the coordinates of them from here."""
    shared, own, narrow = terms[1], terms[2], terms[3]
    placed = shared + 2 * own
    every, count = placed + 2 * narrow, len(first)
    for row in range(count):
        term = chosen[row]
        if term < placed:
            chosen[row] = SHARED if term < shared else (OWN if term < shared + own else MIRRORED)
            location = outputs[row, every + term] + bias[every + term]
            wide = outputs[row, every + placed + term] + bias[every + placed + term]
            sheets[WIDTH, row] = min(max(wide, LOWEST), HIGHEST)
            sheets[X, row] = energy_draw.SMALLEST_WIDTH
        else:
            chosen[row] = LINE if term < placed + narrow else MIRRORED_LINE
            location = lines[(term - placed) % narrow]
            sheets[WIDTH, row] = lines[narrow + (term - placed) % narrow]
            sheets[X, row] = 0.0
        log_first, log_second = log_hits[int(first[row])], log_hits[int(second[row])]
        unit = sheets[SHARED_ENERGY, row] - sheets[WHOLE, row]
        if chosen[row] == SHARED:
            location += log_first - log_second
            sheets[BOTTOM, row] = sheets[FIRST_LEAST, row] - sheets[SECOND_MOST, row]
            sheets[TOP, row] = sheets[FIRST_MOST, row] - sheets[SECOND_LEAST, row]
        elif chosen[row] == OWN or chosen[row] == LINE:
            sheets[BOTTOM, row] = unit + sheets[FIRST_LEAST, row] - log_first
            sheets[TOP, row] = unit + sheets[FIRST_MOST, row] - log_first
        else:
            sheets[BOTTOM, row] = unit + sheets[SECOND_LEAST, row] - log_second
            sheets[TOP, row] = unit + sheets[SECOND_MOST, row] - log_second
        sheets[LOCATION, row] = location
    double_exponentials(sheets[WIDTH, :count])
    for row in range(count):
        sheets[WIDTH, row] += sheets[X, row]


@compiled
def _follow_spectrum(
    knots: Float32,
    pairs: Float32,
    energy: Float32,
    first: Float32,
    second: Float32,
    kinds: Int64,
    sheets: Float64,
) -> None:
    """Take BOTTOM and TOP to the coordinates that know of the threshold."""
    last = pairs.shape[1] - 1
    for row in range(len(first)):
        if kinds[row] == OWN or kinds[row] == MIRRORED:
            hits = first[row] if kinds[row] == OWN else second[row]
            sheets[BOTTOM, row] = _in_spectrum(knots, sheets[BOTTOM, row], hits)
            sheets[TOP, row] = _in_spectrum(knots, sheets[TOP, row], hits)
        elif _is_pair(kinds[row], first[row], second[row]):
            low, part = _pair_row(pairs, energy[row])
            sheets[BOTTOM, row] *= -((1 - part) * pairs[low, 0] + part * pairs[low + 1, 0])
            sheets[TOP, row] *= (1 - part) * pairs[low, last] + part * pairs[low + 1, last]


@compiled
def _leave_spectrum(
    knots: Float32,
    pairs: Float32,
    energy: Float32,
    first: Float32,
    second: Float32,
    kinds: Int64,
    sheets: Float64,
) -> None:
    """Take X from the coordinates that know of the threshold back to ln(part a hit) or z."""
    for row in range(len(first)):
        if kinds[row] == OWN or kinds[row] == MIRRORED:
            hits = first[row] if kinds[row] == OWN else second[row]
            sheets[X, row] = _from_spectrum(knots, sheets[X, row], hits)
        elif _is_pair(kinds[row], first[row], second[row]):
            sheets[X, row] = _pair_ratio(pairs, energy[row], sheets[X, row])


@compiled
def _is_pair(kind: int, first: np.float32, second: np.float32) -> bool:
    """Return whether a term is one in the ratio of two single hits."""
    return kind == SHARED and first == ONE and second == ONE


@compiled
def _in_spectrum(knots: Float32, x: np.float64, hits: np.float32) -> np.float64:
    """Return y of x; see `OwnCoordinate.coordinate`."""
    if hits > ONE:
        return np.float64(max(x, 0.0) + math.log1p(math.exp(-2 * abs(x))) / 2)
    inside = min(max(x, 0.0), BIN * BINS)
    number = min(int(inside / BIN), BINS - 1)
    start, rise = np.float64(knots[number]), np.float64(knots[number + 1]) - knots[number]
    return np.float64(start + rise * (inside / BIN - number) + x - inside)


@compiled
def _from_spectrum(knots: Float32, y: np.float64, hits: np.float32) -> np.float64:
    """Return x of y; see `OwnCoordinate.back`."""
    if hits > ONE:
        some = max(y, own_coordinate.SMALLEST)
        return np.float64(some + math.log(-math.expm1(-2 * some)) / 2)
    inside = min(max(y, np.float64(knots[0])), np.float64(knots[BINS]))
    low, high = 0, BINS - 1
    while low < high:
        middle = (low + high) // 2
        if inside > knots[middle + 1]:
            low = middle + 1
        else:
            high = middle
    rise = np.float64(knots[low + 1]) - knots[low]
    return np.float64(BIN * (low + (inside - knots[low]) / rise) + y - inside)


@compiled
def _pair_row(pairs: Float32, energy: np.float32) -> tuple[int, np.float64]:
    """Return the row below the energy of two hits, and how far it is to the next."""
    spare = max(np.float64(energy) / 2 - 1, pair_coordinate.SMALLEST_SPARE)
    row = (math.log(spare) - pair_coordinate.LOWEST) / pair_coordinate.STEP
    row = min(max(row, 0.0), len(pairs) - 1.0)
    low = min(int(row), len(pairs) - 2)
    return low, np.float64(row - low)


@compiled
def _pair_ratio(pairs: Float32, energy: np.float32, place: np.float64) -> np.float64:
    """Return z of two single hits; see `PairCoordinate.back`."""
    row, part = _pair_row(pairs, energy)
    most = math.log(1 + 2 * max(np.float64(energy) / 2 - 1, pair_coordinate.SMALLEST_SPARE))
    share, last = place / most, pairs.shape[1] - 1
    low, high = 0, last - 1
    while low < high:
        middle = (low + high) // 2
        if share > (1 - part) * pairs[row, middle + 1] + part * pairs[row + 1, middle + 1]:
            low = middle + 1
        else:
            high = middle
    start = (1 - part) * pairs[row, low] + part * pairs[row + 1, low]
    end = (1 - part) * pairs[row, low + 1] + part * pairs[row + 1, low + 1]
    steps = low + (share - start) / (end - start)
    return np.float64(most * (2 * steps / last - 1))


@compiled
def _find_ratios(log_hits: Float32, first: Float32, second: Float32, kinds: Int64, sheets: Float64) -> None:
    """Replace places X in the coordinates of terms by z = ln(first child's part / second child's)."""
    count = len(first)
    for row in range(count):
        sheets[Y, row] = 1.0
        if kinds[row] != SHARED:
            hits = first[row] if kinds[row] == OWN or kinds[row] == LINE else second[row]
            child = sheets[X, row] - (sheets[SHARED_ENERGY, row] - log_hits[int(hits)])
            sheets[Y, row] = -min(child, -energy_choice.EDGE)
    double_exponentials(sheets[Y, :count])
    for row in range(count):
        sheets[Y, row] -= 1.0
    double_logarithms(sheets[Y, :count])
    for row in range(count):
        ratio = sheets[X, row]
        if kinds[row] != SHARED:
            mirrored = kinds[row] == MIRRORED or kinds[row] == MIRRORED_LINE
            ratio = sheets[Y, row] if mirrored else -sheets[Y, row]
        low = sheets[FIRST_LEAST, row] - sheets[SECOND_MOST, row]
        high = sheets[FIRST_MOST, row] - sheets[SECOND_LEAST, row]
        sheets[X, row] = min(max(ratio, low), high)


@compiled
def _draw_bent(sheets: Float64, count: int) -> None:
    """Draw X from nearly normal densities at LOCATION, truncated to BOTTOM and TOP, by SHARE."""
    for row in range(count):
        width, bottom, top = sheets[WIDTH, row], sheets[BOTTOM, row], sheets[TOP, row]
        location = max(min(sheets[LOCATION, row], top + BEYOND * width), bottom - BEYOND * width)
        left, right = (bottom - location) / width, (top - location) / width
        sheets[LOW, row] = left * (LINEAR + CUBIC * (left * left))
        sheets[HIGH, row] = right * (LINEAR + CUBIC * (right * right))
        sheets[LOCATION, row] = location
    _draw_between(sheets, count)
    for row in range(count):
        size = 1.5 / STEEP * abs(sheets[X, row])
        sheets[Y, row] = size + math.sqrt(size * size + 1.0)
    double_logarithms(sheets[Y, :count])
    for row in range(count):
        sheets[Y, row] /= 3.0
    double_exponentials(sheets[Y, :count])
    for row in range(count):
        straight = SCALE * (sheets[Y, row] - 1.0 / sheets[Y, row])
        turned = straight if sheets[X, row] > 0.0 else -straight
        sheets[X, row] = sheets[LOCATION, row] + sheets[WIDTH, row] * turned


@compiled
def _draw_between(sheets: Float64, count: int) -> None:
    """Draw X from standard logistics truncated to LOW and HIGH, by SHARE; uses Y and Z.

    The side that holds the bounds is turned to the left tail, where probabilities keep their digits; where
    the right bound lies in it, its share is a factor taken out of all others.
    """
    for row in range(count):
        low, high = sheets[LOW, row], sheets[HIGH, row]
        left, right = (-high, -low) if low + high > 0.0 else (low, high)
        tail = min(right, 0.0)
        sheets[X, row], sheets[Y, row], sheets[Z, row] = left - tail, min(right - tail, ALMOST_SURE), tail
    for sheet in (X, Y, Z):
        double_exponentials(sheets[sheet, :count])
    for row in range(count):
        turned = sheets[LOW, row] + sheets[HIGH, row] > 0.0
        share = 1.0 - sheets[SHARE, row] if turned else sheets[SHARE, row]
        left, right, tail = sheets[X, row], sheets[Y, row], sheets[Z, row]
        mass = (1.0 - share) * left / (1.0 + left * tail) + share * right / (1.0 + right * tail)
        mass = min(mass, LIKELIEST)
        sheets[X, row] = mass / (1.0 - mass * tail)
    double_logarithms(sheets[X, :count])
    for row in range(count):
        low, high = sheets[LOW, row], sheets[HIGH, row]
        turned = low + high > 0.0
        left, right = (-high, -low) if turned else (low, high)
        place = max(min(sheets[X, row] + min(right, 0.0), right), left)
        sheets[X, row] = -place if turned else place
