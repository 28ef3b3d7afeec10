"""Random numbers: every draw follows from a seed, its purpose and its place."""

from __future__ import annotations

import torch
from torch import Tensor

NOISE_ROWS = 256
"""Noise is drawn for so many events at a time, whether all are used or not (see `draw_noise`)."""


def draw_noise(events: int, width: int, generator: torch.Generator) -> Tensor:
    """Draw standard normal noise whose first rows do not depend on how many rows follow.

    Returns:
        (event, width); always a multiple of 256 rows is drawn, and the rest left unused.
    """
    rows = -(-events // NOISE_ROWS) * NOISE_ROWS
    return torch.randn(rows, width, generator=generator)[:events]


def draw_uniform(events: int, width: int, generator: torch.Generator) -> Tensor:
    """Draw uniform numbers in [0, 1) as `draw_noise` draws normal ones; returns (event, width)."""
    rows = -(-events // NOISE_ROWS) * NOISE_ROWS
    return torch.rand(rows, width, generator=generator)[:events]


def step_generator(seed: int, step: int) -> torch.Generator:
    """Return the generator of one step: the same for the same seed and step, whatever came before."""
    mixed = (seed * 0x9E3779B97F4A7C15 + step * 0xBF58476D1CE4E5B9 + 1) % 2**63
    return torch.Generator().manual_seed(mixed)
