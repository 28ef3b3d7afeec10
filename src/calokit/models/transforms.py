"""Exactly invertible maps between MeV and the near-normal numbers that a network learns."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class LogCells(nn.Module):
    """Cell energies as scaled logarithms above a threshold, cells below it as a narrow normal beneath zero.

    y = ln(e / threshold) / scale for cells above the threshold; the others are drawn from
    Normal(zero_mean, zero_width), afresh at every call, so that "no hit" is a value a flow can reach and
    the sign of y decides between hit and none. The inverse of the forward map is exactly the showers with
    the threshold applied.

    Args:
        threshold_mev: Cells at or below it count as empty, MeV.
        scale: Divides the logarithm so that hits have a spread of about one.
        zero_mean: Centre of the empty cells, below zero by four widths or more.
        zero_width: Their standard deviation.

    Example:
        >>> cells = torch.tensor([[0.0, 0.05, 0.2, 300.0]])
        >>> log_cells = LogCells(0.1, 2.1, -0.6, 0.15)
        >>> log_cells.inverse(log_cells(cells, torch.Generator().manual_seed(1)))
        tensor([[0.0000e+00, 0.0000e+00, 2.0000e-01, 3.0000e+02]])
    """

    def __init__(self, threshold_mev: float, scale: float, zero_mean: float, zero_width: float) -> None:
        super().__init__()
        self.threshold_mev = threshold_mev
        self.scale = scale
        self.zero_mean = zero_mean
        self.zero_width = zero_width

    def forward(self, energies: Tensor, generator: torch.Generator) -> Tensor:
        """Map (event, cell) MeV to (event, cell) numbers of order one."""
        empty = torch.randn(energies.shape, generator=generator) * self.zero_width + self.zero_mean
        hit = torch.log(energies.clamp_min(self.threshold_mev) / self.threshold_mev) / self.scale
        return torch.where(energies > self.threshold_mev, hit, empty.clamp_max(-1e-6))

    def inverse(self, values: Tensor) -> Tensor:
        """Map (event, cell) numbers back to MeV; below zero there is no hit."""
        hit = self.threshold_mev * torch.exp(values.clamp(max=20.0 / self.scale) * self.scale)
        return torch.where(values > 0, hit, torch.zeros(()))


class ShowerTotals(nn.Module):
    """Visible fraction and hit count as two standardised numbers.

    The visible fraction enters as its logarithm, compressed below exp(-3) where only particles that slip
    through a gap are; the hit count as ln(1 + hits), made continuous by a uniform draw within the count.
    Both maps are strictly increasing, so the inverse is exact (the count by rounding down).

    Args:
        floor_mev: Visible energy given to empty showers, below what any hit leaves, MeV.
    """

    mean: Tensor
    width: Tensor

    KNEE = -3.0
    COMPRESSION = 0.1
    LARGEST = 0.18
    """No shower shows more than exp(0.18) = 1.2 times its incident energy."""

    def __init__(self, floor_mev: float) -> None:
        super().__init__()
        self.floor_mev = floor_mev
        self.register_buffer("mean", torch.zeros(2))
        self.register_buffer("width", torch.ones(2))

    def fit(self, incident: Tensor, visible: Tensor, hits: Tensor) -> None:
        """Set mean and width from a sample (event,) of incident and visible energies (MeV) and hit counts."""
        raw = self._raw(incident, visible, hits + 0.5).double()
        self.mean.copy_(raw.mean(0))
        self.width.copy_(raw.std(0, correction=0).clamp_min(1e-3))

    def forward(self, incident: Tensor, visible: Tensor, hits: Tensor, fraction: Tensor) -> Tensor:
        """Map to (event, 2) standardised numbers.

        Args:
            incident: (event,) MeV.
            visible: (event,) MeV.
            hits: (event,) counts.
            fraction: (event,) in [0, 1): the place within the count.
        """
        return (self._raw(incident, visible, hits + fraction) - self.mean) / self.width

    def inverse(self, values: Tensor, incident: Tensor) -> tuple[Tensor, Tensor]:
        """Map (event, 2) back to visible energies (MeV, zero for no hit) and hit counts (event,)."""
        raw = values * self.width + self.mean
        log_fraction = raw[:, 0]
        below = self.KNEE + (log_fraction - self.KNEE) / self.COMPRESSION
        log_fraction = torch.where(log_fraction < self.KNEE, below, log_fraction)
        visible = torch.exp(log_fraction.clamp(-40.0, self.LARGEST)) * incident
        hits = torch.floor(torch.expm1(raw[:, 1].clamp(0.0, 15.0)))
        return torch.where(hits > 0, visible, torch.zeros(())), hits

    def _raw(self, incident: Tensor, visible: Tensor, hits: Tensor) -> Tensor:
        log_fraction = torch.log(visible.clamp_min(self.floor_mev) / incident)
        low = self.KNEE + (log_fraction - self.KNEE) * self.COMPRESSION
        log_fraction = torch.where(log_fraction < self.KNEE, low, log_fraction)
        return torch.stack([log_fraction, torch.log1p(hits)], dim=1)


def sinusoidal_features(times: Tensor, frequencies: int = 8, largest: float = 100.0) -> Tensor:
    """Return (event, 1 + 2 * frequencies) features of a flow time in [0, 1] (event,)."""
    rates = torch.exp(torch.linspace(0.0, math.log(largest), frequencies))
    angles = times[:, None] * rates
    return torch.cat([times[:, None], torch.sin(angles), torch.cos(angles)], dim=1)
