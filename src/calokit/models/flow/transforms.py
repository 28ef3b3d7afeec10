"""Exactly invertible maps between MeV and the near-normal numbers that a network learns."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor, nn

from calokit.arrays import Float64
from calokit.compute.draws import Draws


class HitSpectrum(nn.Module):
    """A strictly rising map that irons the sharp features out of the spectrum of hits.

    Real spectra have lines and edges (in crystals the 511 keV line of annihilation photons, with a few per
    cent of all hits at one value); a flow smears them. The map spreads the hits so that their density is the
    measured one smoothed by a kernel, which keeps its support and its coarse shape; a line becomes an
    interval, within which a hit is placed at random. The inverse brings every line back exactly.

    Until `fit` is called it is the scaled logarithm alone.

    Args:
        threshold_mev: Where the spectrum begins, MeV; it maps to zero.
        scale: Divides ln(e / threshold).
    """

    energy_knots: Tensor
    value_knots: Tensor

    KNOTS = 2048
    KERNEL_WIDTH = 0.2
    """Width of the smoothing kernel, in units of the mapped values."""

    def __init__(self, threshold_mev: float, scale: float) -> None:
        super().__init__()
        self.threshold_mev = threshold_mev
        self.scale = scale
        steps = torch.linspace(0.0, 8.0, self.KNOTS)
        self.register_buffer("value_knots", steps)
        self.register_buffer("energy_knots", threshold_mev * torch.exp(scale * steps))

    def fit(self, hits: Tensor) -> None:
        """Set the map from a sample (hit,) of energies above the threshold, MeV."""
        ordered = hits.sort().values
        places = torch.linspace(0.0, len(ordered) - 1, self.KNOTS, device=hits.device).round().long()
        values = (torch.log(ordered.double() / self.threshold_mev) / self.scale).cpu().numpy()
        self.energy_knots.copy_(ordered[places])
        self.energy_knots[0] = self.threshold_mev
        self.value_knots.copy_(torch.from_numpy(_smoothed_quantiles(values, self.KNOTS, self.KERNEL_WIDTH)))

    def forward(self, energies: Tensor, draws: Draws) -> Tensor:
        """Map hits (MeV, above the threshold, any shape) to values above zero; random within lines."""
        last = self.KNOTS - 1
        left = torch.searchsorted(self.energy_knots, energies)
        right = torch.searchsorted(self.energy_knots, energies, right=True)
        low, high = (right - 1).clamp(0, last), left.clamp(0, last)
        log_low, log_high = torch.log(self.energy_knots[low]), torch.log(self.energy_knots[high])
        along = (torch.log(energies) - log_low) / (log_high - log_low)
        place = draws.uniform(*energies.shape)
        inside = torch.where(right > left, place, along.nan_to_num(0.0, 0.0, 0.0).clamp(0.0, 1.0))
        first, second = torch.minimum(low, high), torch.maximum(low, high)
        values = torch.lerp(self.value_knots[first], self.value_knots[second], inside)
        beyond = torch.log(energies / self.energy_knots[last]) / self.scale
        return torch.where(left > last, self.value_knots[last] + beyond, values)

    def inverse(self, values: Tensor) -> Tensor:
        """Map values above zero (any shape) back to MeV."""
        last = self.KNOTS - 1
        high = torch.searchsorted(self.value_knots, values).clamp(1, last)
        low_value, high_value = self.value_knots[high - 1], self.value_knots[high]
        along = ((values - low_value) / (high_value - low_value)).clamp(0.0, 1.0)
        low_energy = self.energy_knots[high - 1]
        energies = low_energy * (self.energy_knots[high] / low_energy) ** along
        beyond = (values - self.value_knots[last]).clamp(0.0, 10.0 / self.scale) * self.scale
        return energies * torch.exp(beyond)


def _smoothed_quantiles(values: Float64, knots: int, width: float) -> Float64:
    """Return the quantiles, from 0 to 1, of positive values whose density is smoothed and kept above zero."""
    edges = np.linspace(0.0, values.max() + 4 * width, 4096)
    density = np.histogram(values, bins=edges)[0].astype(np.float64)
    smooth = gaussian_filter1d(density, width / (edges[1] - edges[0]), mode="reflect") + 1e-12 * len(values)
    cumulated = np.concatenate([[0.0], np.cumsum(smooth)])
    top = np.interp(values.max(), edges, cumulated)
    found: Float64 = np.interp(np.linspace(0.0, top, knots), cumulated, edges)
    return found


class LogCells(nn.Module):
    """Cell energies as smooth logarithms above a threshold, cells below it as a narrow normal beneath zero.

    Hits go through `HitSpectrum` (about ln(e / threshold) / scale); the other cells are drawn from
    Normal(zero_mean, zero_width), afresh at every call, so that "no hit" is a value a flow can reach and
    the sign decides between hit and none. The inverse of the forward map is the showers with the threshold
    applied, to the rounding of float32.

    Args:
        threshold_mev: Cells at or below it count as empty, MeV.
        scale: Divides the logarithm so that hits have a spread of about one.
        zero_mean: Centre of the empty cells, below zero by four widths or more.
        zero_width: Their standard deviation.

    Example:
        >>> cells = torch.tensor([[0.0, 0.05, 0.2, 300.0]])
        >>> from calokit.compute.device import CPU
        >>> log_cells = LogCells(0.1, 2.1, -0.6, 0.15)
        >>> back = log_cells.inverse(log_cells(cells, Draws(CPU.generator(1))))
        >>> back.round(decimals=3).tolist()[0][:2], round(float(back[0, 3]), 2)
        ([0.0, 0.0], 300.0)
    """

    def __init__(self, threshold_mev: float, scale: float, zero_mean: float, zero_width: float) -> None:
        super().__init__()
        self.threshold_mev = threshold_mev
        self.zero_mean = zero_mean
        self.zero_width = zero_width
        self.spectrum = HitSpectrum(threshold_mev, scale)

    def fit(self, energies: Tensor) -> None:
        """Set the map of the hits from a sample (event, cell) in MeV."""
        self.spectrum.fit(energies[energies > self.threshold_mev])

    def forward(self, energies: Tensor, draws: Draws) -> Tensor:
        """Map (event, cell) MeV to (event, cell) numbers of order one."""
        empty = draws.normal(*energies.shape) * self.zero_width + self.zero_mean
        values = empty.clamp_max(-1e-6)
        hit = energies > self.threshold_mev
        values[hit] = self.spectrum(energies[hit], draws)
        return values

    def inverse(self, values: Tensor) -> Tensor:
        """Map (event, cell) numbers back to MeV; below zero there is no hit."""
        energies = torch.zeros_like(values)
        hit = values > 0
        energies[hit] = self.spectrum.inverse(values[hit])
        return energies


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
