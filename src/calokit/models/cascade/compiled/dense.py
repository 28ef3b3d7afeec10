"""The bend of dense layers, as a loop that uses the processor's vectors."""

from __future__ import annotations

import numpy as np

from calokit.arrays import Float32
from calokit.models.cascade.compiled.compiler import compiled_for_vectors

ONE = np.float32(1.0)
FARTHEST = np.float32(87.0)
LOG2_E = np.float32(1.44269504)
LN2_HIGH, LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
SERIES = (
    5.0000001201e-1,
    1.6666665459e-1,
    4.1665795894e-2,
    8.3334519073e-3,
    1.3981999507e-3,
    1.9875691500e-4,
)
C2, C3, C4, C5, C6, C7 = (np.float32(one) for one in SERIES)
"""Of exp on [-ln 2 / 2, ln 2 / 2], as in the Cephes library (Moshier 1989), right to 1e-7."""
BIAS, PLACES = np.int32(127), np.int32(23)


@compiled_for_vectors
def add_and_bend(values: Float32, bias: Float32) -> None:
    """Replace x by SiLU(x + bias) in rows (row, unit)."""
    rows, units = values.shape
    for row in range(rows):
        for unit in range(units):
            value = values[row, unit] + bias[unit]
            power = min(max(-value, -FARTHEST), FARTHEST)
            whole = np.rint(power * LOG2_E)
            rest = power - whole * LN2_HIGH - whole * LN2_LOW
            series = C2 + rest * (C3 + rest * (C4 + rest * (C5 + rest * (C6 + rest * C7))))
            fraction = ONE + rest + rest * rest * series
            scale = np.int32((np.int32(whole) + BIAS) << PLACES).view(np.float32)
            values[row, unit] = value / (ONE + fraction * scale)
