"""A coordinate in which the spectrum of single hits has no narrow features, measured in the showers."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from calokit.arrays import Float32, Float64
from calokit.models.cascade.spectral_lines import LINE_WIDTHS

BIN = 0.05
"""Distance of knots in x = ln(energy / threshold)."""
BINS = 64
"""Features are looked for in so many bins above the threshold; beyond them the coordinate runs as x does."""
SURROUNDINGS = 0.5
"""Features are narrower than this in x: it is the width of the normal weights of their surroundings."""
FEW = 200
"""Where a bin holds so many hits, half of the feature found in it is believed."""
SMALLEST = 1e-13
"""Several hits of smaller y are taken for ones of this."""


def count_hits(energies: Float32, threshold: float, bins: int, lines: Float64, widths: Float64) -> Float64:
    """Return the hits in bins of x = ln(energy / threshold) above the threshold (bin,), lines left out.

    Args:
        energies: Of cells (event, cell) in MeV.
        threshold: MeV.
        bins: How many.
        lines: Places of lines in x (line,).
        widths: Theirs (line,).

    Example:
        >>> count_hits(np.float32([[0.0, 1.01, 1.02, 1.1]]), 1.0, 3, np.zeros(0), np.zeros(0)).tolist()
        [2.0, 1.0, 0.0]
    """
    x = np.log(energies[energies > threshold] / threshold, dtype=np.float64)
    for place, width in zip(lines, widths, strict=True):
        x = x[np.abs(x - place) > LINE_WIDTHS * width]
    return np.histogram(x, np.arange(bins + 1) * BIN)[0].astype(np.float64)


def measure_features(energies: Float32, threshold: float, lines: Float64, widths: Float64) -> Float64:
    """Return the spectrum of hits over its surroundings (bin,), both in x = ln(energy / threshold).

    The surroundings are a straight line through the logarithms of the spectrum nearby.

    Args:
        energies: Of cells (event, cell) in MeV.
        threshold: MeV.
        lines: Places of lines in x, whose hits are left out (line,).
        widths: Theirs (line,).

    Example:
        >>> x = np.random.default_rng(1).exponential(1.0, (100, 10_000))
        >>> x = np.append(x[(x < 0.5) | (x > 0.7)], np.full(100, 0.6))
        >>> features = measure_features(np.exp(x).astype(np.float32), 1.0, np.log([1.0]), np.zeros(1))
        >>> features[[2, 9, 11, 14, 40]].round(1).tolist()
        [1.0, 1.0, 0.2, 1.0, 1.0]
    """
    counts = count_hits(energies, threshold, 2 * BINS, lines, widths)
    logarithm = np.log(counts.clip(1.0))
    middle = (np.arange(2 * BINS) + 0.5) * BIN
    found = np.zeros(BINS)
    for number in range(BINS):
        away = (middle - middle[number]) / SURROUNDINGS
        weight = np.sqrt((counts + 1e-3) * np.exp(-0.5 * away**2))
        straight = np.polynomial.Polynomial.fit(away, logarithm, 1, w=weight)
        believed = counts[number] / (counts[number] + FEW)
        found[number] = believed * (logarithm[number] - straight(0.0))
    features: Float64 = np.exp(found)
    return features


class OwnCoordinate(nn.Module):
    """The coordinate y in which a child's own energy is drawn.

    Of a single hit, x = ln(energy / threshold), and y rises with x as the features of the spectrum do. Of
    several, x = ln(energy above their thresholds / their thresholds), and y = ln(1 + exp(2 x)) / 2 runs as x
    does but ends at 0, where nothing is above: there a flat density in y is one that vanishes with the energy
    above, as that of two hits does.

    Args:
        followed: Whether there are features; without any, y is x.

    Attributes:
        knots: y of a single hit at x = 0, BIN, 2 BIN ... (BINS + 1,); None where y is x.
    """

    knots: Tensor | None

    def __init__(self, followed: bool) -> None:
        super().__init__()
        self.register_buffer("knots", BIN * torch.arange(BINS + 1.0) if followed else None)

    @property
    def features(self) -> Float64:
        """The features that y follows (bin,), all 1 where there are none."""
        if self.knots is None:
            return np.ones(BINS)
        found: Float64 = self.knots.diff().double().cpu().numpy() / BIN
        return found

    def place(self, features: Float64) -> None:
        """Set the coordinate by what `measure_features` finds (bin,)."""
        if self.knots is not None:
            self.knots.copy_(torch.from_numpy(BIN * np.concatenate([[0.0], np.cumsum(features)])))

    def coordinate(self, x: Tensor, hits: Tensor) -> Tensor:
        """Return y (row,) of x (row,) and hits (row,)."""
        if self.knots is None:
            return x
        inside = x.clamp(0.0, BIN * BINS)
        number = _bin(inside)
        start, end = self.knots[number], self.knots[number + 1]
        y = start + (end - start) * (inside / BIN - number) + (x - inside)
        return torch.where(hits == 1, y, nn.functional.softplus(2 * x) / 2)

    def back(self, y: Tensor, hits: Tensor) -> Tensor:
        """Return x (row,) of y (row,) and hits (row,)."""
        if self.knots is None:
            return y
        knots = self.knots.to(y.dtype)
        inside = torch.maximum(torch.minimum(y, knots[-1]), knots[0])
        number = torch.searchsorted(knots[1:-1], inside)
        start, end = knots[number], knots[number + 1]
        x = BIN * (number + (inside - start) / (end - start)) + (y - inside)
        some = y.clamp_min(SMALLEST)
        return torch.where(hits == 1, x, some + torch.log(-torch.expm1(-2 * some)) / 2)

    def log_slope(self, x: Tensor, hits: Tensor) -> Tensor:
        """Return ln(dy / dx) (row,) at x (row,)."""
        if self.knots is None:
            return torch.zeros_like(x)
        slope = torch.log(self.knots.diff() / BIN)[_bin(x)]
        slope = torch.where((x >= 0) & (x < BIN * BINS), slope, 0.0)
        return torch.where(hits == 1, slope, nn.functional.logsigmoid(2 * x))


def _bin(x: Tensor) -> Tensor:
    return (x / BIN).long().clamp(0, BINS - 1)
