"""Rounding of float32 numbers to fewer bits, so that files of them take less space compressed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def round_mantissas(values: NDArray[np.float32], kept: int) -> NDArray[np.float32]:
    """Return numbers with fewer than the 23 bits of mantissa that a float32 has, rounded to the nearest.

    Example:
        >>> round_mantissas(np.array([1.0 + 2.0**-12, 1.0 + 2.0**-14], np.float32), 12).tolist()
        [1.000244140625, 1.0]
    """
    dropped = 23 - kept
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    half, mask = np.uint32(1 << (dropped - 1)), np.uint32((0xFFFFFFFF << dropped) & 0xFFFFFFFF)
    rounded: NDArray[Any] = ((bits + half) & mask).view(np.float32)
    return rounded
