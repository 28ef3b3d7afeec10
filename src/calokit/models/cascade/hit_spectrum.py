"""A coordinate in which the energies of single hits are nearly normal, measured in the training showers."""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import ndtr, ndtri
from torch import Tensor, nn

from calokit.arrays import Float32, Float64
from calokit.models.cascade.spectral_lines import LINE_WIDTHS

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
    """Return x = ln(energy / threshold), and where it lies in a normal distribution, at knots (2, knots + 2).

    The distribution is cut off at the threshold; hits on lines are left out.

    Args:
        energies: Of cells (event, cell) in MeV.
        threshold: MeV.
        knots: How many; with few hits some lie where nothing is, or nothing is measured: both rows are x.
        lines: Places of lines, x (line,).
        widths: Theirs in x (line,).

    Example:
        >>> hits = np.exp(np.abs(np.random.default_rng(1).normal(0.0, 0.5, (100, 100)))).astype(np.float32)
        >>> x, normal = measure_spectrum(hits, 1.0, 12, np.zeros(0), np.zeros(0))
        >>> len(x), float(x[1]), normal[[1, 12]].round(2).tolist()
        (14, 0.0, [-2.05, 3.09])
    """
    found = np.log(energies[energies > threshold] / threshold, dtype=np.float64)
    for place, width in zip(lines, widths, strict=True):
        found = found[np.abs(found - place) > LINE_WIDTHS * width]
    measured = min(knots, len(found) // HITS_A_KNOT)
    if measured < FEWEST_KNOTS:
        return np.stack([np.linspace(-REACH, REACH, knots + 2)] * 2)
    normal = np.linspace(ndtri(BELOW), ndtri(1 - ABOVE), measured)
    x = np.quantile(found, ((ndtr(normal) - BELOW) / (1 - BELOW)).clip(0.0, 1.0))
    x[0] = 0.0
    kept = np.concatenate([[True], np.diff(x) > CLOSEST])
    x, normal = x[kept], normal[kept]
    beyond = REACH * np.arange(1, knots + 2 - len(x)) / (knots + 1 - len(x))
    _, width = centre_and_width(x, normal)
    return np.stack(
        [
            np.concatenate([[x[0] - REACH], x, x[-1] + beyond]),
            np.concatenate([[normal[0] - REACH / width], normal, normal[-1] + beyond / width]),
        ]
    )


def centre_and_width(x: Float64, normal: Float64) -> tuple[float, float]:
    """Return the median of x and half of what holds 68 % of it, from knots (knot,)."""
    low, centre, high = np.interp([-1.0, 0.0, 1.0], normal, x)
    return float(centre), float(high - low) / 2


class HitSpectrum(nn.Module):
    """The coordinate y of single hits, which has centre and width of x = ln(energy a hit / threshold).

    That of several hits together is x.

    Args:
        knots: How many are measured; with none, y is x.

    Attributes:
        knots: x and y of a piecewise linear function (2, knots + 2), straight beyond; None where y is x.
    """

    knots: Tensor | None

    def __init__(self, knots: int) -> None:
        super().__init__()
        line = torch.linspace(-REACH, REACH, knots + 2)
        self.register_buffer("knots", torch.stack([line, line]) if knots else None)

    def place(self, spectrum: Float64) -> None:
        """Set the knots by what `measure_spectrum` finds."""
        if self.knots is not None:
            x, normal = spectrum
            centre, width = centre_and_width(x, normal)
            self.knots.copy_(torch.from_numpy(np.stack([x, centre + width * normal])))

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
