"""Densities of hits and energies, and their slopes in the networks' outputs: `HitDraw`, `EnergyDraw`.

A row's density and all its slopes are found in one go, in double precision: where bounds lie near each other
the slopes of a truncated term are small differences of large numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from calokit.arrays import Float32, Float64
from calokit.models.cascade import energy_draw, hit_draw, logistic
from calokit.models.cascade.compiled.arrays import as_array
from calokit.models.cascade.compiled.compiler import compiled, compiled_for_vectors, compiled_into_loops
from calokit.models.cascade.compiled.draws import (
    HIGHEST,
    HIT_HIGHEST,
    LOWEST,
    NEVER,
)
from calokit.models.cascade.compiled.functions import double_exponential, double_logarithm
from calokit.models.cascade.compiled.threads import cut_rows, run_all
from calokit.models.cascade.energy_draw import EnergyDraw
from calokit.models.cascade.hit_draw import HitDraw
from calokit.models.cascade.stage import Cuts
from calokit.models.cascade.tree import Int64

LINEAR, CUBIC = logistic.LINEAR, logistic.CUBIC
BEYOND, SMALLEST_WIDTH = energy_draw.BEYOND, energy_draw.SMALLEST_WIDTH
SMALLEST_HIT_WIDTH = hit_draw.SMALLEST_WIDTH
LEAST, MOST = float(LOWEST), float(HIT_HIGHEST)
SMALLEST_GAP = 1e-12
SHORT = 1e-3
"""Up to here 1 - exp(-x) is its series."""

WEIGHT, LOCATION, WIDTH, LEAST_WIDTH, FREE, BOTTOM, TOP, PLACE, STEEP = range(9)
DENSITY, BY_LOCATION, BY_WIDTH, SHARE, PRIOR = range(9, 14)
SHEETS = 14
"""Rows of the space for numbers of terms; WEIGHT, LOCATION ... are what stands in each.

WIDTH is the logarithm of a width without LEAST_WIDTH; FREE is 1 where it is not cut off at a bound, else 0.
"""
TILE_ROWS = 64
"""The terms of so many boxes are worked on together."""


def find_energy_densities(
    draw: EnergyDraw, shape: Tensor, cuts: Cuts, with_slopes: bool
) -> tuple[Tensor, Tensor]:
    """Return the logarithms of densities in z (pair,), and their slopes (pair, shape) if wanted."""
    there = draw.places(cuts.share, cuts.ratio)
    kinds = np.array(draw.coordinate_of, np.int64)
    ends = as_array(there.bottoms), as_array(there.tops)
    places, steepness, base = as_array(there.at), as_array(there.steepness), as_array(there.base)
    given = as_array(shape)

    def write(rows: slice, density: Float32, slopes: Float32) -> None:
        """Write some rows."""
        energy_densities(
            given[rows],
            ends[0][rows],
            ends[1][rows],
            places[rows],
            steepness[rows],
            base[rows],
            kinds,
            draw.shared,
            draw.placed,
            np.empty((SHEETS, TILE_ROWS * draw.terms)),
            density,
            slopes,
        )

    return _find(write, given, with_slopes)


def find_hit_densities(
    draw: HitDraw, outputs: Tensor, cuts: Cuts, with_slopes: bool
) -> tuple[Tensor, Tensor]:
    """Return the logarithms of probabilities of hits (row,), and their slopes (row, output) if wanted."""
    choice = cuts.choice
    hits, first, second = as_array(choice.hits), as_array(choice.first), as_array(choice.second)
    given, taken = as_array(outputs), as_array(cuts.taken)

    def write(rows: slice, density: Float32, slopes: Float32) -> None:
        """Write some rows."""
        hit_densities(
            given[rows],
            hits[rows],
            first[rows],
            second[rows],
            taken[rows],
            draw.terms,
            float(draw.rarest),
            np.empty((SHEETS, 2 + draw.terms)),
            density,
            slopes,
        )

    return _find(write, given, with_slopes)


def _find(
    write: Callable[[slice, Float32, Float32], None], outputs: Float32, with_slopes: bool
) -> tuple[Tensor, Tensor]:
    """Return what is written for all rows of outputs: densities (row,), slopes (row, output) or none."""
    rows, width = outputs.shape
    density, slopes = np.empty(rows, np.float32), np.zeros((rows if with_slopes else 0, width), np.float32)
    run_all([partial(write, piece, density[piece], slopes[piece]) for piece in cut_rows(rows)])
    spoil(outputs, density)
    return torch.from_numpy(density), torch.from_numpy(slopes)


@compiled_into_loops
def _missing(power: float) -> float:
    """Return 1 - exp(-power) of a positive number."""
    short = power * (1.0 - power * (0.5 - power / 6.0))
    return short if power < SHORT else 1.0 - double_exponential(-power)


@compiled
def spoil(outputs: Float32, density: Float32) -> None:
    """Make the density (row,) of rows that hold a number which is not finite (row, output) such a number too.

    What is compiled for vectors takes all numbers for finite, and would go on from others.
    """
    for row in range(len(outputs)):
        total = np.float32(0.0)
        for column in range(outputs.shape[1]):
            total += outputs[row, column]
        density[row] += np.float32(0.0) * total


@compiled
def energy_densities(
    shape: Float32,
    bottoms: Float32,
    tops: Float32,
    places: Float32,
    steepness: Float32,
    base: Float32,
    kinds: Int64,
    shared: int,
    placed: int,
    sheets: Float64,
    density: Float32,
    slopes: Float32,
) -> None:
    """Write the logarithms of densities in z; see `EnergyDraw.log_density`.

    Args:
        shape: Outputs and lines (row, shape).
        bottoms: See `Places` (row, kind).
        tops: See `Places` (row, kind).
        places: `Places.at` (row, kind).
        steepness: See `Places` (row, kind).
        base: See `Places` (row,).
        kinds: The coordinate of each term (term,).
        shared: Terms in z.
        placed: Terms whose places are outputs: all but lines.
        sheets: Space (SHEETS, row x term).
        density: What is written (row,).
        slopes: Takes the derivatives by the shape where it has rows: zeros (row, shape).
    """
    terms = len(kinds)
    tile = sheets.shape[1] // terms
    for start in range(0, len(shape), tile):
        stop = min(start + tile, len(shape))
        some = sheets[:, : (stop - start) * terms]
        _lay_out_terms(
            start, stop, shape, bottoms, tops, places, steepness, base, kinds, shared, placed, some
        )
        _bent_terms(some)
        _add_terms(start, stop, terms, some, density)
        if len(slopes):
            _write_slopes(start, stop, terms, placed, some, slopes)


@compiled
def _lay_out_terms(
    start: int,
    stop: int,
    shape: Float32,
    bottoms: Float32,
    tops: Float32,
    places: Float32,
    steepness: Float32,
    base: Float32,
    kinds: Int64,
    shared: int,
    placed: int,
    sheets: Float64,
) -> None:
    """Put the terms of some rows side by side."""
    terms = len(kinds)
    lines = (terms - placed) // 2
    here = 0
    for row in range(start, stop):
        for term in range(terms):
            kind = kinds[term]
            sheets[BOTTOM, here], sheets[TOP, here] = bottoms[row, kind], tops[row, kind]
            sheets[PLACE, here], sheets[STEEP, here] = places[row, kind], steepness[row, kind]
            if term < placed:
                free = shape[row, terms + placed + term]
                sheets[WIDTH, here] = min(max(free, LOWEST), HIGHEST)
                sheets[FREE, here] = 1.0 if LOWEST <= free <= HIGHEST else 0.0
                sheets[LEAST_WIDTH, here] = SMALLEST_WIDTH
                sheets[LOCATION, here] = shape[row, terms + term]
                if term < shared:
                    sheets[LOCATION, here] += base[row]
                sheets[WEIGHT, here] = shape[row, term]
            else:
                line = terms + 2 * placed + (term - placed) % lines
                place = shape[row, line]
                inside = bottoms[row, kind] < place < tops[row, kind]
                sheets[WIDTH, here] = shape[row, line + lines]
                sheets[FREE, here] = sheets[LEAST_WIDTH, here] = 0.0
                sheets[LOCATION, here] = place
                sheets[WEIGHT, here] = shape[row, term] if inside else NEVER
            here += 1


@compiled_for_vectors
def _add_terms(start: int, stop: int, terms: int, sheets: Float64, density: Float32) -> None:
    """Write the densities of some rows, and into `sheets` the shares of their terms and of their weights."""
    for row in range(start, stop):
        first = (row - start) * terms
        height, highest = sheets[WEIGHT, first], sheets[WEIGHT, first] + sheets[DENSITY, first]
        for term in range(first + 1, first + terms):
            height = max(height, sheets[WEIGHT, term])
            highest = max(highest, sheets[WEIGHT, term] + sheets[DENSITY, term])
        density[row] = highest - height
        for term in range(first, first + terms):
            sheets[SHARE, term] = sheets[WEIGHT, term] + sheets[DENSITY, term] - highest
            sheets[PRIOR, term] = sheets[WEIGHT, term] - height
    for term in range(sheets.shape[1]):
        sheets[SHARE, term] = double_exponential(sheets[SHARE, term])
    for term in range(sheets.shape[1]):
        sheets[PRIOR, term] = double_exponential(sheets[PRIOR, term])
    for row in range(start, stop):
        first = (row - start) * terms
        every = whole = 0.0
        for term in range(first, first + terms):
            every += sheets[PRIOR, term]
            whole += sheets[SHARE, term]
        density[row] += double_logarithm(whole / every)
        for term in range(first, first + terms):
            sheets[PRIOR, term] /= every
            sheets[SHARE, term] /= whole


@compiled
def _write_slopes(start: int, stop: int, terms: int, placed: int, sheets: Float64, slopes: Float32) -> None:
    """Write the derivatives of some rows' densities by their shapes."""
    here = 0
    for row in range(start, stop):
        for term in range(terms):
            share = sheets[SHARE, here]
            slopes[row, term] = share - sheets[PRIOR, here]
            if term < placed:
                slopes[row, terms + term] = share * sheets[BY_LOCATION, here]
                slopes[row, terms + placed + term] = share * sheets[BY_WIDTH, here]
            here += 1


@compiled_for_vectors
def _bent_terms(sheets: Float64) -> None:
    """Write the logarithms of densities of truncated bent terms, and the slopes in their outputs."""
    for term in range(sheets.shape[1]):
        spread, given = double_exponential(sheets[WIDTH, term]), sheets[LOCATION, term]
        width = spread + sheets[LEAST_WIDTH, term]
        farthest, nearest = sheets[TOP, term] + BEYOND * width, sheets[BOTTOM, term] - BEYOND * width
        location = max(min(given, farthest), nearest)
        turn = BEYOND if given > farthest else (-BEYOND if given < nearest else 0.0)
        place = (sheets[PLACE, term] - location) / width
        bottom = (sheets[BOTTOM, term] - location) / width
        top = (sheets[TOP, term] - location) / width
        slope = LINEAR + 3 * CUBIC * place * place
        bottom_slope = LINEAR + 3 * CUBIC * bottom * bottom
        top_slope = LINEAR + 3 * CUBIC * top * top
        bent = abs(place * (LINEAR + CUBIC * place * place))
        low, high = bottom * (LINEAR + CUBIC * bottom * bottom), top * (LINEAR + CUBIC * top * top)
        near = double_exponential(-bent)
        above = double_exponential(-high)
        below = double_exponential(low)
        mass = _missing(max(high - low, SMALLEST_GAP))
        head = slope * (1.0 + above) * (1.0 + below) / (width * mass * (1.0 + near) * (1.0 + near))
        sheets[DENSITY, term] = double_logarithm(head) - bent + sheets[STEEP, term]
        turned = -slope if place > 0.0 else slope
        by_place = turned * (1.0 - near) / (1.0 + near) + 6 * CUBIC * place / slope
        rest = (1.0 - mass) / mass
        by_top = (above / (1.0 + above) + rest) * top_slope
        by_bottom = -(below / (1.0 + below) + rest) * bottom_slope
        by_location = -(by_place - by_top - by_bottom) / width
        by_width = -(by_place * place - by_top * top - by_bottom * bottom + 1.0) / width
        sheets[BY_LOCATION, term] = by_location if turn == 0.0 else 0.0
        sheets[BY_WIDTH, term] = (by_width + turn * by_location) * spread * sheets[FREE, term]


@compiled
def hit_densities(
    outputs: Float32,
    hits: Float32,
    first: Float32,
    second: Float32,
    taken: Float32,
    terms: int,
    rarest: float,
    sheets: Float64,
    density: Float32,
    slopes: Float32,
) -> None:
    """Write the logarithms of probabilities of hits; see `HitDraw.log_probability`.

    Args:
        outputs: (row, output).
        hits: Of the boxes (row,).
        first: Cells of the first children (row,).
        second: Cells of the second children (row,).
        taken: Hits of the first children (row,).
        terms: Logistics of the mixture.
        rarest: See `HitDraw`.
        sheets: Space (SHEETS, 2 + term).
        density: What is written (row,).
        slopes: Takes the derivatives by the outputs where it has rows: zeros (row, output).
    """
    count = 2 + terms
    for row in range(len(outputs)):
        every, one, two = np.float64(hits[row]), np.float64(first[row]), np.float64(second[row])
        low, high = max(every - two, 1.0), min(one, every - 1.0)
        here = np.float64(taken[row])
        sheets[WEIGHT, 0] = np.float64(NEVER) if every > two else np.float64(outputs[row, 0])
        sheets[WEIGHT, 1] = np.float64(NEVER) if one < every else np.float64(outputs[row, 1])
        height = max(sheets[WEIGHT, 0], sheets[WEIGHT, 1])
        for term in range(2, count):
            sheets[WEIGHT, term] = np.float64(NEVER) if high < low else np.float64(outputs[row, term])
            height = max(height, sheets[WEIGHT, term])
        total = _log_sum(height, count, sheets)
        falls = rarest > 0.0 and every >= hit_draw.MANY
        if falls:
            _fall_off(total, math.log(rarest), count, sheets)
            total = _log_sum(height, count, sheets)
        if 0.0 < here < every:
            _hit_terms(outputs, row, terms, every, one, two, here, low, max(high, low), sheets)
            highest = -math.inf
            for term in range(2, count):
                highest = max(highest, sheets[WEIGHT, term] + sheets[DENSITY, term])
            inside = 0.0
            for term in range(2, count):
                inside += double_exponential(sheets[WEIGHT, term] + sheets[DENSITY, term] - highest)
            density[row] = highest + double_logarithm(inside) - total
        else:
            density[row] = sheets[WEIGHT, 0 if here <= 0.0 else 1] - total
        if len(slopes):
            for term in range(count):
                slopes[row, term] = -double_exponential(sheets[WEIGHT, term] - total)
            if 0.0 < here < every:
                for term in range(2, count):
                    share = sheets[WEIGHT, term] + sheets[DENSITY, term] - highest
                    share = double_exponential(share) / inside
                    slopes[row, term] += share
                    slopes[row, term + terms] = share * sheets[BY_LOCATION, term]
                    slopes[row, term + 2 * terms] = share * sheets[BY_WIDTH, term]
            else:
                slopes[row, 0 if here <= 0.0 else 1] += 1.0
            if falls:
                pull = np.float64(slopes[row, 0]) * sheets[STEEP, 0]
                pull += np.float64(slopes[row, 1]) * sheets[STEEP, 1]
                for term in range(count):
                    own = 1.0 + sheets[STEEP, term]
                    slopes[row, term] = own * slopes[row, term] - pull * sheets[SHARE, term]


@compiled
def _log_sum(height: float, count: int, sheets: Float64) -> float:
    """Return the logarithm of the sum of the exponentials of the weights, of which one is the height."""
    whole = 0.0
    for term in range(count):
        whole += double_exponential(sheets[WEIGHT, term] - height)
    return height + double_logarithm(whole)


@compiled
def _fall_off(total: float, log_rarest: float, count: int, sheets: Float64) -> None:
    """Lower the weights of rare atoms; write the shares there were, and by how much steeper weights fall."""
    for term in range(count):
        sheets[SHARE, term] = double_exponential(sheets[WEIGHT, term] - total)
        below = sheets[WEIGHT, term] - total - log_rarest
        falls = term < 2 and sheets[WEIGHT, term] > NEVER and below < 0.0
        sheets[STEEP, term] = hit_draw.STEEPER if falls else 0.0
        sheets[WEIGHT, term] += sheets[STEEP, term] * below


@compiled_for_vectors
def _hit_terms(
    outputs: Float32,
    row: int,
    terms: int,
    every: float,
    one: float,
    two: float,
    here: float,
    low: float,
    high: float,
    sheets: Float64,
) -> None:
    """Write the logarithms of the terms' probabilities of so many hits, and their slopes in the outputs."""
    here = min(max(here, low), high)
    for term in range(2, 2 + terms):
        part = one / (one + two * double_exponential(-np.float64(outputs[row, term + terms])))
        location = every * part
        free = np.float64(outputs[row, term + 2 * terms])
        spread = 0.5 * math.sqrt(every) * double_exponential(min(max(free, LEAST), MOST))
        width = spread + SMALLEST_HIT_WIDTH
        under, over = (here - 0.5 - location) / width, (here + 0.5 - location) / width
        bottom, top = (low - 0.5 - location) / width, (high + 0.5 - location) / width
        near_under, near_over = double_exponential(-abs(under)), double_exponential(-abs(over))
        near_bottom, near_top = double_exponential(-abs(bottom)), double_exponential(-abs(top))
        mass = _missing(max(over - under, SMALLEST_GAP))
        reach = _missing(max(top - bottom, SMALLEST_GAP))
        head = mass * (1.0 + near_bottom) * (1.0 + near_top)
        tail = reach * (1.0 + near_under) * (1.0 + near_over)
        sheets[DENSITY, term] = (
            double_logarithm(head / tail)
            + min(over, 0.0)
            + min(-under, 0.0)
            - min(top, 0.0)
            - min(-bottom, 0.0)
        )
        # sigmoid(-x) of upper and sigmoid(x) of lower ends
        over_side = (near_over if over > 0.0 else 1.0) / (1.0 + near_over)
        top_side = (near_top if top > 0.0 else 1.0) / (1.0 + near_top)
        under_side = (1.0 if under > 0.0 else near_under) / (1.0 + near_under)
        bottom_side = (1.0 if bottom > 0.0 else near_bottom) / (1.0 + near_bottom)
        by_location = -(over_side - under_side - top_side + bottom_side) / width
        by_width = over_side * over - under_side * under + (over - under) * (1.0 - mass) / mass
        by_width -= top_side * top - bottom_side * bottom + (top - bottom) * (1.0 - reach) / reach
        sheets[BY_LOCATION, term] = by_location * location * (1.0 - part)
        inside = LEAST <= free <= MOST
        sheets[BY_WIDTH, term] = -by_width / width * spread if inside else 0.0
