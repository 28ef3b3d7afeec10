"""Dense layers: products in pieces of the size that OpenBLAS is fastest at, and their bend."""

from __future__ import annotations

import numpy as np

from calokit.arrays import Float32
from calokit.models.cascade.compiled.compiler import compiled_for_vectors, compiled_with_arrays
from calokit.models.cascade.compiled.functions import exponential
from calokit.models.cascade.tree import Int64

ONE = np.float32(1.0)
MOST = 950_000
"""Rows x inputs x outputs of a product at most: below a million OpenBLAS has a faster way."""


@compiled_with_arrays
def multiply(rows: Float32, matrix: Float32, product: Float32) -> None:
    """Write rows (row, input) times a matrix (input, output) to a product (row, output)."""
    count = len(rows)
    pieces = count * matrix.size // MOST + 1
    size = (count + pieces - 1) // pieces
    for start in range(0, count, size):
        stop = min(start + size, count)
        np.dot(rows[start:stop], matrix, product[start:stop])


@compiled_for_vectors
def add_and_bend(values: Float32, bias: Float32) -> None:
    """Replace x by SiLU(x + bias) in rows (row, unit)."""
    rows, units = values.shape
    for row in range(rows):
        for unit in range(units):
            value = values[row, unit] + bias[unit]
            values[row, unit] = value / (ONE + exponential(-value))


@compiled_for_vectors
def add_own_and_bend(values: Float32, biases: Float32, which: Int64) -> None:
    """Replace x by SiLU(x + bias) in rows (row, unit), each with the bias (bias, unit) that `which` names."""
    rows, units = values.shape
    for row in range(rows):
        own = which[row]
        for unit in range(units):
            value = values[row, unit] + biases[own, unit]
            values[row, unit] = value / (ONE + exponential(-value))
