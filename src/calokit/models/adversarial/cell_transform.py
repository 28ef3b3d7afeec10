"""Energies of cells as numbers of order one: the Box-Cox transform of 1 + energy / threshold."""

from __future__ import annotations

import torch
from torch import Tensor, nn

LARGEST = 20.0
"""Logarithms are cut here before they are turned back: far above any cell, so that none overflows."""


class CellTransform(nn.Module):
    """Maps energies of cells to ((1 + e / threshold)^power - 1) / power, over their root mean square.

    An empty cell is zero. A power of 0 is the logarithm. (A. Rogachev and F. Ratnikov use the transform of
    Box and Cox, a re-implementation log10(1 + e).)

    Args:
        power: 0 to 1.
        threshold_mev: The unit of energy.

    Example:
        >>> transform = CellTransform(0.0, 0.1)
        >>> energies = torch.tensor([[0.0, 0.1, 900.0]])
        >>> torch.allclose(transform.inverse(transform(energies)), energies, rtol=1e-4)
        True
    """

    unit: Tensor

    def __init__(self, power: float, threshold_mev: float) -> None:
        super().__init__()
        self.power = power
        self.threshold_mev = threshold_mev
        self.register_buffer("unit", torch.ones(()))

    def fit(self, energies: Tensor) -> None:
        """Find the root mean square of transformed hits among showers (event, cell) in MeV."""
        hits = energies[energies > self.threshold_mev]
        if len(hits):
            self.unit.copy_(self._raw(hits).double().square().mean().sqrt())

    def forward(self, energies: Tensor) -> Tensor:
        """Return transformed energies, of any shape, of MeV."""
        return self._raw(energies) / self.unit

    def inverse(self, values: Tensor) -> Tensor:
        """Return MeV of transformed energies, of any shape."""
        raw = values * self.unit
        if self.power == 0:
            return self.threshold_mev * torch.expm1(raw.clamp_max(LARGEST))
        return self.threshold_mev * ((1.0 + self.power * raw.clamp_min(0.0)) ** (1.0 / self.power) - 1.0)

    def _raw(self, energies: Tensor) -> Tensor:
        parts = energies / self.threshold_mev
        if self.power == 0:
            return torch.log1p(parts)
        return ((1.0 + parts) ** self.power - 1.0) / self.power
