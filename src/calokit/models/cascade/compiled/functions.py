"""Exponentials and logarithms of whole arrays, as loops that use the processor's vectors.

Both are series, right to the last bit of float32: exp is Taylor's on [-ln 2 / 2, ln 2 / 2] times a power of
two, ln x is 2 artanh((x - 1) / (x + 1)) on [sqrt(1/2), sqrt(2)] and a multiple of ln 2; in float32 it is
written as x - 1 and what is left, which rounds once. Those in double precision are right to 1e-11.
"""

from __future__ import annotations

import math

import numpy as np

from calokit.arrays import Float32, Float64
from calokit.models.cascade.compiled.compiler import compiled_for_vectors, compiled_into_loops

HALF, ONE, TWO = np.float32(0.5), np.float32(1.0), np.float32(2.0)
FARTHEST, FARTHEST_DOUBLE = np.float32(87.0), 700.0
"""Exponents beyond are taken for these."""

LOG2_E, LOG2_E_DOUBLE = np.float32(1 / math.log(2)), 1 / math.log(2)
LN2_HIGH, LN2_LOW, LN2 = np.float32(0.693359375), np.float32(math.log(2) - 0.693359375), math.log(2)
E2, E3, E4, E5, E6, E7 = (np.float32(1 / math.factorial(order)) for order in range(2, 8))
D2, D3, D4, D5, D6, D7, D8, D9 = (1 / math.factorial(order) for order in range(2, 10))
L3, L5, L7, L9 = (np.float32(2 / order) for order in (3, 5, 7, 9))
M3, M5, M7, M9, M11, M13 = (1 / order for order in (3, 5, 7, 9, 11, 13))

WHOLE, WHOLE_DOUBLE = np.float32(1.5 * 2**23), 1.5 * 2**52
"""Added to a number, it leaves the nearest whole number in the last bits."""

PLACES, PLACES_DOUBLE = np.int32(23), np.int64(52)
FRACTION, FRACTION_DOUBLE = np.int32(2**23 - 1), np.int64(2**52 - 1)
ROOT = np.float32(math.sqrt(0.5)).view(np.int32)
ROOT_DOUBLE = np.float64(math.sqrt(0.5)).view(np.int64)


@compiled_into_loops
def exponential(power: np.float32) -> np.float32:
    """Return exp."""
    near = min(max(power, -FARTHEST), FARTHEST)
    moved = np.float32(near * LOG2_E + WHOLE)
    whole = moved - WHOLE
    rest = near - whole * LN2_HIGH - whole * LN2_LOW
    series = E2 + rest * (E3 + rest * (E4 + rest * (E5 + rest * (E6 + rest * E7))))
    series = ONE + rest * (ONE + rest * series)
    bits = np.float32(series).view(np.int32) + np.int32(moved.view(np.int32) << PLACES)
    return np.int32(bits).view(np.float32)


@compiled_into_loops
def logarithm(value: np.float32) -> np.float32:
    """Return ln of a positive number."""
    bits = np.int32(np.float32(value).view(np.int32) - ROOT)
    rest = np.int32((bits & FRACTION) + ROOT).view(np.float32) - ONE
    share = rest / (TWO + rest)
    square, half = share * share, HALF * rest * rest
    series = square * (L3 + square * (L5 + square * (L7 + square * L9)))
    whole = np.float32(np.int32(bits >> PLACES))
    return np.float32(whole * LN2_HIGH + (rest - (half - (share * (half + series) + whole * LN2_LOW))))


@compiled_for_vectors
def exponentials(values: Float32) -> None:
    """Replace numbers (number,) by exp of them."""
    for place in range(len(values)):
        values[place] = exponential(values[place])


@compiled_for_vectors
def logarithms(values: Float32) -> None:
    """Replace positive numbers (number,) by their logarithms."""
    for place in range(len(values)):
        values[place] = logarithm(values[place])


@compiled_for_vectors
def inverse_sines(values: Float32) -> None:
    """Replace numbers (number,) by asinh of them, right to 1e-7 of one or of themselves."""
    for place in range(len(values)):
        value = values[place]
        size = abs(value)
        bent = logarithm(size + np.sqrt(size * size + ONE))
        values[place] = bent if value > 0 else -bent


@compiled_into_loops
def double_exponential(power: float) -> float:
    """Return exp."""
    near = min(max(power, -FARTHEST_DOUBLE), FARTHEST_DOUBLE)
    moved = np.float64(near * LOG2_E_DOUBLE + WHOLE_DOUBLE)
    rest = near - (moved - WHOLE_DOUBLE) * LN2
    series = D4 + rest * (D5 + rest * (D6 + rest * (D7 + rest * (D8 + rest * D9))))
    series = 1.0 + rest * (1.0 + rest * (D2 + rest * (D3 + rest * series)))
    bits = np.float64(series).view(np.int64) + np.int64(moved.view(np.int64) << PLACES_DOUBLE)
    return np.int64(bits).view(np.float64)


@compiled_into_loops
def double_logarithm(value: float) -> float:
    """Return ln of a positive number."""
    bits = np.int64(np.float64(value).view(np.int64) - ROOT_DOUBLE)
    fraction = np.int64((bits & FRACTION_DOUBLE) + ROOT_DOUBLE).view(np.float64)
    share = (fraction - 1.0) / (fraction + 1.0)
    square = share * share
    series = M7 + square * (M9 + square * (M11 + square * M13))
    series = 1.0 + square * (M3 + square * (M5 + square * series))
    return np.float64(bits >> PLACES_DOUBLE) * LN2 + 2.0 * share * series


@compiled_for_vectors
def double_exponentials(values: Float64) -> None:
    """Replace numbers (number,) by exp of them."""
    for place in range(len(values)):
        values[place] = double_exponential(values[place])


@compiled_for_vectors
def double_logarithms(values: Float64) -> None:
    """Replace positive numbers (number,) by their logarithms."""
    for place in range(len(values)):
        values[place] = double_logarithm(values[place])
