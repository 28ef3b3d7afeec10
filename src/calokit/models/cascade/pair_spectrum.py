"""A coordinate in which two single hits, independent but for their sum, share it by a normal density."""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import ndtr, ndtri
from torch import Tensor, nn

from calokit.arrays import Float64

OUTSIDE = 0.02
"""The thresholds cut off so much of a normal density on either side."""
KNOTS = 33
ROWS = 96
LOWEST, STEP = float(np.log(0.02)), float(np.log(25_000.0) / (ROWS - 1))
"""First row and distance of rows in ln(energy of both hits / 2 thresholds - 1)."""
FIRST = float(ndtri(OUTSIDE))
WIDTH = -2 * FIRST / (KNOTS - 1)
"""First knot and distance of knots in the coordinate."""
GRID = 4001
SMALLEST_SPARE = 1e-6
"""Energy of a hit above its threshold, in thresholds, for which knots are distinguished."""


def measure_pairs(spectrum: Float64) -> Float64:
    """Return z = ln(first hit / second hit) at the knots, in parts of the largest possible (row, knot).

    Args:
        spectrum: Of single hits; see `measure_spectrum`.

    Example:
        >>> pairs = measure_pairs(np.stack([np.linspace(0.0, 30.0, 10)] * 2))
        >>> pairs.shape, pairs[0, [0, 16, -1]].round(6).tolist()
        ((96, 33), [-1.0, 0.0, 1.0])
    """
    share = (ndtr(FIRST + WIDTH * np.arange(KNOTS)) - OUTSIDE) / (1 - 2 * OUTSIDE)
    rows = []
    for row in range(ROWS):
        energy = 2 * (1 + np.exp(LOWEST + STEP * row))
        most = np.log(energy - 1)
        ratio = np.linspace(-most, most, GRID)
        first, second = np.log(energy / (1 + np.exp(-ratio))), np.log(energy / (1 + np.exp(ratio)))
        logarithm = _log_density(spectrum, first) + _log_density(spectrum, second)
        density = np.exp(logarithm - logarithm.max())
        mass = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
        place = np.interp(share.clip(0.0, 1.0), mass / mass[-1], ratio / most)
        place[[0, -1]] = -1.0, 1.0
        rows.append((place - place[::-1]) / 2)
    return np.stack(rows)


class PairSpectrum(nn.Module):
    """The coordinate w of z = ln(first child's energy / second child's) of two single hits; else it is z.

    Args:
        measured: Whether there is any; without, w is z.

    Attributes:
        knots: z at the knots in parts of the largest possible (row, knot); None where w is z.
    """

    knots: Tensor | None

    def __init__(self, measured: bool) -> None:
        super().__init__()
        even = torch.linspace(-1.0, 1.0, KNOTS).expand(ROWS, -1).clone()
        self.register_buffer("knots", even if measured else None)

    def place(self, spectrum: Float64) -> None:
        """Set the knots by what `measure_spectrum` finds."""
        if self.knots is not None:
            self.knots.copy_(torch.from_numpy(measure_pairs(spectrum)))

    def coordinate(self, ratio: Tensor, energy: Tensor, single: Tensor) -> Tensor:
        """Return w (row,).

        Args:
            ratio: z (row,).
            energy: Of both children in thresholds (row,).
            single: Whether both are single hits (row,).
        """
        if self.knots is None:
            return ratio
        pairs = single.nonzero()[:, 0]
        segment, left, right = self._segments(ratio[pairs], energy[pairs])
        return ratio.index_put((pairs,), FIRST + WIDTH * (segment + (ratio[pairs] - left) / (right - left)))

    def back(self, place: Tensor, energy: Tensor, single: Tensor) -> Tensor:
        """Return z (row,) of w (row,); other arguments as for `coordinate`."""
        if self.knots is None:
            return place
        pairs = single.nonzero()[:, 0]
        steps = (place[pairs] - FIRST) / WIDTH
        segment = steps.long().clamp(0, KNOTS - 2)
        left, right = (self._knots_at(energy[pairs], one) for one in (segment, segment + 1))
        return place.index_put((pairs,), left + (steps - segment) * (right - left))

    def log_slope(self, ratio: Tensor, energy: Tensor, single: Tensor) -> Tensor:
        """Return ln(dw / dz) (row,); arguments as for `coordinate`."""
        slope = torch.zeros_like(ratio)
        if self.knots is None:
            return slope
        pairs = single.nonzero()[:, 0]
        _, left, right = self._segments(ratio[pairs], energy[pairs])
        return slope.index_put((pairs,), torch.log(WIDTH / (right - left)))

    def _segments(self, ratio: Tensor, energy: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return between which knots z lies (pair,), and z at both."""
        inner = self._knots_at(energy[:, None], torch.arange(1, KNOTS - 1, device=ratio.device))
        segment = torch.searchsorted(inner, ratio[:, None])[:, 0]
        return segment, self._knots_at(energy, segment), self._knots_at(energy, segment + 1)

    def _knots_at(self, energy: Tensor, knot: Tensor) -> Tensor:
        """Return z at knots for the energies of pairs, which go together as torch broadcasts."""
        assert self.knots is not None
        row = (torch.log((energy / 2 - 1).clamp_min(SMALLEST_SPARE)) - LOWEST) / STEP
        row = row.clamp(0, ROWS - 1)
        left = row.long().clamp_max(ROWS - 2)
        part = torch.lerp(self.knots[left, knot], self.knots[left + 1, knot], (row - left).to(self.knots))
        return part * torch.log(1 + (energy - 2).clamp_min(2 * SMALLEST_SPARE))


def _log_density(spectrum: Float64, x: Float64) -> Float64:
    """Return the logarithm of the density of single hits (point,) in x, but for a constant."""
    knots, normal = spectrum
    slope = (np.diff(normal) / np.diff(knots))[np.searchsorted(knots[1:-1], x)]
    found: Float64 = np.log(slope) - 0.5 * np.interp(x, knots, normal) ** 2
    return found
