"""The unit in which a mask + value network learns the energy of a hit cell."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from calokit.models.batches import TrainingBatch
from calokit.models.mask_value.settings import Normalisation

LARGEST_LOGARITHM = 20.0
"""ln(e / threshold) is cut here, far above any cell, so that noise cannot overflow."""


class CellValues(nn.Module):
    """Maps the energy of a hit cell to the number a network learns, and back.

    `log` is ln(e / threshold) / ln(largest / threshold), which runs from 0 to 1; `largest` is e / largest.

    Args:
        normalisation: Which of the four units.
        threshold_mev: A cell above it is hit, MeV.

    Example:
        >>> values = CellValues("incident", 0.1)
        >>> round(float(values(torch.tensor([[200.0]]), torch.tensor([1000.0]))), 3)
        0.2
    """

    largest_mev: Tensor

    def __init__(self, normalisation: Normalisation, threshold_mev: float) -> None:
        super().__init__()
        self.normalisation = normalisation
        self.threshold_mev = threshold_mev
        self.register_buffer("largest_mev", torch.tensor(1e5))

    def fit(self, batch: TrainingBatch) -> None:
        """Find the largest cell of a training sample."""
        self.largest_mev.copy_(batch.energies.max().clamp_min(10 * self.threshold_mev))

    @property
    def _decades(self) -> Tensor:
        return torch.log(self.largest_mev / self.threshold_mev)

    def forward(self, energies: Tensor, incident: Tensor) -> Tensor:
        """Return values (event, cell) of energies (event, cell) in MeV; zero where a cell is not hit.

        Args:
            energies: (event, cell) MeV.
            incident: (event,) incident energies, MeV.
        """
        hit = energies > self.threshold_mev
        if self.normalisation == "log":
            logarithms = torch.log(energies.clamp_min(self.threshold_mev)) - math.log(self.threshold_mev)
            return logarithms / self._decades * hit
        return energies * hit / self._unit(incident)

    def inverse(self, values: Tensor, incident: Tensor) -> Tensor:
        """Return energies (event, cell) in MeV of the values (event, cell) of hit cells.

        No cell gets more than the incident particle has.
        """
        if self.normalisation == "log":
            energies = self.threshold_mev * torch.exp((values * self._decades).clamp_max(LARGEST_LOGARITHM))
        else:
            energies = values * self._unit(incident)
        return torch.minimum(energies, incident[:, None])

    def _unit(self, incident: Tensor) -> Tensor:
        """Return what one stands for, in MeV, as (event, 1) or a scalar."""
        if self.normalisation == "incident":
            return incident[:, None]
        return self.largest_mev if self.normalisation == "largest" else incident.new_tensor(1e3)
