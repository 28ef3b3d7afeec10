"""A coordinate in which the energies of single hits are nearly normal, measured in the training showers."""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import ndtr, ndtri
from torch import Tensor, nn

from calokit.arrays import Float32, Float64

BELOW = 0.02
"""The threshold cuts off so much of a normal spectrum."""
ABOVE = 1e-3
"""The part of the hits above the last knot."""
HITS_A_KNOT = 200
"""So many hits a knot at least: with fewer hits there are fewer knots."""
FEWEST_KNOTS = 8
"""With hits for fewer, nothing is measured."""
CLOSEST = 1e-4
"""Knots are no nearer to each other, in ln(energy)."""
REACH = 30.0
"""Beyond the knots the coordinate is ln(energy) but for a constant, so far."""


def measure_spectrum(
    energies: Float32, threshold: float, knots: int, lines: Float64, widths: Float64
) -> Float64:
    """Return x = ln(energy / threshold) and y at the knots of a piecewise linear function (2, knots + 2).

    y has mean and width of x and is normal, cut off at the threshold; hits on lines are left out.

    Args:
        energies: Of cells (event, cell) in MeV.
        threshold: MeV.
        knots: How many; with few hits some lie where nothing is, or y = x.
        lines: Places of lines, x (line,).
        widths: Theirs in x (line,).

    Example:
        >>> hits = np.exp(np.abs(np.random.default_rng(1).normal(0.0, 0.5, (100, 100)))).astype(np.float32)
        >>> x, y = measure_spectrum(hits, 1.0, 12, np.zeros(0), np.zeros(0))
        >>> len(x), float(x[1]), bool((np.diff(x) > 0).all() and (np.diff(y) > 0).all())
        (14, 0.0, True)
    """
    found = np.log(energies[energies > threshold] / threshold, dtype=np.float64)
    for place, width in zip(lines, widths, strict=True):
        found = found[np.abs(found - place) > 5 * width]
    measured = min(knots, len(found) // HITS_A_KNOT)
    if measured < FEWEST_KNOTS:
        return np.stack([np.linspace(0.0, REACH, knots + 2)] * 2)
    normal = np.linspace(ndtri(BELOW), ndtri(1 - ABOVE), measured)
    x = np.quantile(found, ((ndtr(normal) - BELOW) / (1 - BELOW)).clip(0.0, 1.0))
    x[0] = 0.0
    kept = np.concatenate([[True], np.diff(x) > CLOSEST])
    x, y = x[kept], found.mean() + found.std() * normal[kept]
    beyond = REACH * np.arange(1, knots + 2 - len(x)) / (knots + 1 - len(x))
    return np.stack([np.concatenate([[one[0] - REACH], one, one[-1] + beyond]) for one in (x, y)])


class HitSpectrum(nn.Module):
    """The coordinate y of single hits; that of several hits together is x = ln(energy a hit / threshold).

    Args:
        knots: How many are measured; with none, y is x.

    Attributes:
        knots: x and y of a piecewise linear function (2, knots + 2), straight beyond; None where y is x.
    """

    knots: Tensor | None

    def __init__(self, knots: int) -> None:
        super().__init__()
        line = torch.linspace(0.0, REACH, knots + 2)
        self.register_buffer("knots", torch.stack([line, line]) if knots else None)

    def place(self, knots: Tensor) -> None:
        """Set the knots (2, knots + 2); see `measure_spectrum`."""
        if self.knots is not None:
            self.knots.copy_(knots)

    def coordinate(self, x: Tensor, hits: Tensor) -> Tensor:
        """Return y (row,) of x (row,) and hits (row,)."""
        return x if self.knots is None else torch.where(hits == 1, _through(self.knots, x), x)

    def back(self, y: Tensor, hits: Tensor) -> Tensor:
        """Return x (row,) of y (row,) and hits (row,)."""
        return y if self.knots is None else torch.where(hits == 1, _through(self.knots.flip(0), y), y)

    def log_slope(self, x: Tensor, hits: Tensor) -> Tensor:
        """Return ln(dy / dx) (row,) at x (row,)."""
        if self.knots is None:
            return torch.zeros_like(x)
        slope = torch.log(self.knots[1].diff() / self.knots[0].diff())[_segment(self.knots[0], x)]
        return torch.where(hits == 1, slope, 0.0)


def _segment(knots: Tensor, at: Tensor) -> Tensor:
    return torch.searchsorted(knots[1:-1].contiguous(), at.contiguous())


def _through(table: Tensor, at: Tensor) -> Tensor:
    """Return the piecewise linear function (row,) through knots and values (2, knot)."""
    knots, values = table
    left = _segment(knots, at)
    slope = values.diff() / knots.diff()
    found: Tensor = values[left] + slope[left] * (at - knots[left])
    return found
