"""Uniform random numbers as a pure function of a shower's key and a draw's number."""

from __future__ import annotations

import torch
from torch import Tensor

_STEP = -7046029254386353131  # 0x9E3779B97F4A7C15, the golden ratio of SplitMix64
_FIRST = -4658895280553007687  # 0xBF58476D1CE4E5B9
_SECOND = -7723592293110705685  # 0x94D049BB133111EB


def mix(counter: Tensor) -> Tensor:
    """Scramble 64-bit integers, one to one (the finaliser of SplitMix64, Steele et al. 2014)."""
    counter = (counter ^ ((counter >> 30) & ((1 << 34) - 1))) * _FIRST
    counter = (counter ^ ((counter >> 27) & ((1 << 37) - 1))) * _SECOND
    return counter ^ ((counter >> 31) & ((1 << 33) - 1))


def uniform_pair(key: Tensor, number: Tensor) -> tuple[Tensor, Tensor]:
    """Return two uniform numbers for each key and number.

    Args:
        key: (row,) int64, one of a shower.
        number: (row,) int64, which draw of the shower it is.

    Returns:
        Two (row,) float32 in (0, 1), multiples of 2^-24, the same on every machine.

    Example:
        >>> first, second = uniform_pair(torch.tensor([7, 7]), torch.tensor([0, 1]))
        >>> [round(float(x), 4) for x in (*first, *second)]
        [0.3898, 0.0168, 0.3484, 0.954]
    """
    scrambled = mix(key + (number + 1) * _STEP)
    high = (scrambled >> 41) & ((1 << 23) - 1)
    low = (scrambled >> 9) & ((1 << 23) - 1)
    return (high.float() + 0.5) * 2.0**-23, (low.float() + 0.5) * 2.0**-23


def draw_keys(events: int, generator: torch.Generator) -> Tensor:
    """Draw one key (event,) int64 a shower; the first do not depend on how many follow."""
    high = torch.randint(0, 1 << 31, (2 * events,), generator=generator)
    keys: Tensor = mix((high[0::2] << 31) ^ high[1::2])
    return keys
