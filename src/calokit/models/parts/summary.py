"""A few numbers that sum up a shower in a detector of several sections."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from calokit.detector import Detector

LOWEST_FRACTION = 1e-6
"""Visible over incident energy of a section without a hit, below what any hit leaves."""


class SectionSummary(nn.Module):
    """Visible fraction and hits of every section, and the depth of those with several layers, standardised.

    Raw numbers of a section: ln(visible / incident), ln(1 + hits), and with several layers the mean and the
    spread of the energy over the layers, in units of their number.

    Args:
        detector: Whose sections are summed up.
        threshold_mev: Cells at or below it count as empty.
    """

    mean: Tensor
    spread: Tensor
    layer: Tensor

    def __init__(self, detector: Detector, threshold_mev: float) -> None:
        super().__init__()
        self.threshold_mev = threshold_mev
        self.cells = [section.number_of_cells for section in detector.sections]
        self.layers = [section.number_of_layers for section in detector.sections]
        self.width = sum(2 if layers == 1 else 4 for layers in self.layers)
        self.register_buffer("mean", torch.zeros(self.width))
        self.register_buffer("spread", torch.ones(self.width))
        self.register_buffer("layer", torch.from_numpy(detector.cells.layer.copy()).long(), persistent=False)

    def fit(self, energies: Tensor, incident: Tensor) -> None:
        """Set means and spreads from a sample: energies (event, cell) and incident energies (event,), MeV."""
        raw = self._raw(energies, incident).double()
        self.mean.copy_(raw.mean(0))
        self.spread.copy_(raw.std(0, correction=0).clamp_min(1e-3))

    def forward(self, energies: Tensor, incident: Tensor) -> Tensor:
        """Return (event, width) of showers (event, cell) and incident energies (event,), MeV."""
        return (self._raw(energies, incident) - self.mean) / self.spread

    def visible(self, summary: Tensor, incident: Tensor) -> list[Tensor]:
        """Return the visible energy (event,) in MeV of each section; zero where it has less than one hit."""
        raw = summary * self.spread + self.mean
        found, column = [], 0
        for layers in self.layers:
            fraction = torch.exp(raw[:, column].clamp_max(0.2))
            full = raw[:, column + 1] > 0.5 * math.log(2.0)
            found.append(fraction * incident * full)
            column += 2 if layers == 1 else 4
        return found

    def _raw(self, energies: Tensor, incident: Tensor) -> Tensor:
        columns, start, first_layer = [], 0, 0
        for cells, layers in zip(self.cells, self.layers, strict=True):
            own = energies[:, start : start + cells]
            own = own * (own > self.threshold_mev)
            visible = own.sum(1)
            columns += [
                torch.log((visible / incident).clamp_min(LOWEST_FRACTION)),
                torch.log1p((own > 0).sum(1).to(own.dtype)),
            ]
            if layers > 1:
                place = (self.layer[start : start + cells] - first_layer).to(own.dtype) / layers
                columns += _mean_and_spread(own, place, visible)
            start, first_layer = start + cells, first_layer + layers
        return torch.stack(columns, dim=1)


def _mean_and_spread(energies: Tensor, place: Tensor, visible: Tensor) -> list[Tensor]:
    """Return the energy-weighted mean and spread (event,) of places (cell,); zero for empty showers."""
    whole = visible.clamp_min(1e-6)
    mean = energies @ place / whole
    square = energies @ place.square() / whole
    return [mean, (square - mean.square()).clamp_min(0.0).sqrt()]
