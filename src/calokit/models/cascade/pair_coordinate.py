"""A coordinate in which the shares of two single hits have no narrow features."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from calokit.arrays import Float64
from calokit.models.cascade.own_coordinate import BIN, BINS

ROWS, KNOTS = 48, 65
"""Energies of both hits together, and ratios of their energies, at which the coordinate is kept."""
LOWEST, STEP = float(np.log(0.02)), float(np.log(11 / 0.02)) / (ROWS - 1)
"""First row and distance of rows in ln(energy of both hits / 2 thresholds - 1)."""
WHOLE, NOTHING = 8.0, 24.0
"""Energies of both hits in thresholds up to which features count whole, and from which they do not at all."""
FINE = 16
"""Steps of integration between knots."""
SMALLEST_SPARE = 1e-6
"""Energy of a hit above its threshold, in thresholds, that is told from none."""


def measure_pairs(features: Float64) -> Float64:
    """Return the coordinate at the knots, in parts of the largest possible z (row, knot).

    The coordinate rises with z = ln(first hit / second hit) as the product of both hits' features does. Of
    large energies it is z: there the terms in each hit's own energy follow the features.

    Args:
        features: Of the spectrum of single hits (bin,); see `measure_features`.

    Example:
        >>> measure_pairs(np.ones(64))[3, [0, 16, 64]].round(6).tolist()
        [-1.0, -0.5, 1.0]
    """
    share = np.linspace(-1.0, 1.0, FINE * (KNOTS - 1) + 1)
    middle = (share[1:] + share[:-1]) / 2
    rows = []
    for energy in 2 * (1 + np.exp(LOWEST + STEP * np.arange(ROWS))):
        ratio = middle * np.log(energy - 1)
        slope = _feature(features, energy / (1 + np.exp(-ratio))) * _feature(
            features, energy / (1 + np.exp(ratio))
        )
        counted = np.interp(np.log(energy), np.log([WHOLE, NOTHING]), [1.0, 0.0])
        place = np.concatenate([[0.0], np.cumsum(slope**counted * np.diff(share))])[::FINE]
        rows.append(place - place[-1] / 2)
    return np.stack(rows)


def _feature(features: Float64, energy: Float64) -> Float64:
    """Return the feature of hits (hit,) in thresholds; 1 beyond the bins."""
    number = (np.log(energy) / BIN).astype(np.int64).clip(0, BINS)
    found: Float64 = np.append(features, 1.0)[number]
    return found


class PairCoordinate(nn.Module):
    """The coordinate w of z = ln(first child's energy / second child's) of two single hits; else it is z.

    Args:
        followed: Whether there are features; without any, w is z.

    Attributes:
        knots: w in parts of the largest possible z, at even steps of z (row, knot); None where w is z.
    """

    knots: Tensor | None

    def __init__(self, followed: bool) -> None:
        super().__init__()
        even = torch.linspace(-1.0, 1.0, KNOTS).expand(ROWS, -1).clone()
        self.register_buffer("knots", even if followed else None)

    def place(self, features: Float64) -> None:
        """Set the coordinate by what `measure_features` finds (bin,)."""
        if self.knots is not None:
            self.knots.copy_(torch.from_numpy(measure_pairs(features)))

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
        most = _largest(energy[pairs])
        steps, number = _steps(ratio[pairs] / most)
        start, end = (self._knots_at(energy[pairs], one) for one in (number, number + 1))
        return ratio.index_put((pairs,), most * (start + (steps - number) * (end - start)))

    def back(self, place: Tensor, energy: Tensor, single: Tensor) -> Tensor:
        """Return z (row,) of w (row,); other arguments as for `coordinate`."""
        if self.knots is None:
            return place
        pairs = single.nonzero()[:, 0]
        energy = energy[pairs]
        most = _largest(energy)
        inner = self._knots_at(energy[:, None], torch.arange(1, KNOTS - 1, device=place.device))
        share = place[pairs] / most
        number = torch.searchsorted(inner, share[:, None])[:, 0]
        start, end = (self._knots_at(energy, one) for one in (number, number + 1))
        steps = number + (share - start) / (end - start)
        return place.index_put((pairs,), most * (2 * steps / (KNOTS - 1) - 1))

    def log_slope(self, ratio: Tensor, energy: Tensor, single: Tensor) -> Tensor:
        """Return ln(dw / dz) (row,); arguments as for `coordinate`."""
        slope = torch.zeros_like(ratio)
        if self.knots is None:
            return slope
        pairs = single.nonzero()[:, 0]
        _, number = _steps(ratio[pairs] / _largest(energy[pairs]))
        start, end = (self._knots_at(energy[pairs], one) for one in (number, number + 1))
        return slope.index_put((pairs,), torch.log((end - start) * (KNOTS - 1) / 2))

    def _knots_at(self, energy: Tensor, knot: Tensor) -> Tensor:
        """Return w at knots for the energies of pairs, which go together as torch broadcasts."""
        assert self.knots is not None
        row = (torch.log((energy / 2 - 1).clamp_min(SMALLEST_SPARE)) - LOWEST) / STEP
        row = row.clamp(0, ROWS - 1)
        left = row.long().clamp_max(ROWS - 2)
        below, above = (self.knots[one, knot].to(row.dtype) for one in (left, left + 1))
        return torch.lerp(below, above, row - left)


def _largest(energy: Tensor) -> Tensor:
    """Return the largest possible z (pair,)."""
    return torch.log(1 + (energy - 2).clamp_min(2 * SMALLEST_SPARE))


def _steps(share: Tensor) -> tuple[Tensor, Tensor]:
    """Return how many knots lie below z in parts of the largest (pair,): with fractions, and whole."""
    steps = (share + 1) * (KNOTS - 1) / 2
    return steps, steps.long().clamp(0, KNOTS - 2)
