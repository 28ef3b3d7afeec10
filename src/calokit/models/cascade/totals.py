"""The root of the cascade: visible energy and number of hits given the incident particle."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.polynomial import Polynomial
from torch import Tensor, nn

from calokit.errors import ConfigurationError
from calokit.models.cascade.logistic import choose
from calokit.models.parts.blocks import DenseNetwork

SMALLEST_WIDTH = 0.02
LARGEST_WIDTH = 30.0
MARGIN = 0.5
"""How far beyond the training showers a total may lie, in standard widths."""
FARTHEST = 8.0
"""Standard widths from the trend beyond which networks are told no more."""


class Trend(nn.Module):
    """Centre and width of a quantity as smooth functions of a logarithm, fitted once.

    Cubic polynomials; the fit leaves out values far from the centre, five times over.
    """

    centre: Tensor
    width: Tensor
    range: Tensor

    DEGREE = 3

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(self.DEGREE + 1, dtype=torch.float64))
        self.register_buffer("width", torch.zeros(self.DEGREE + 1, dtype=torch.float64))
        self.register_buffer("range", torch.tensor([0.0, 1.0], dtype=torch.float64))

    def fit(self, logarithm: Tensor, values: Tensor) -> None:
        """Set the trend from samples (event,) of the logarithm and of the quantity."""
        x, y = logarithm.double().numpy(), values.double().numpy()
        self.range.copy_(torch.tensor([x.min(), max(x.max(), x.min() + 1e-6)]))
        place = self._place(logarithm).numpy()
        degree = min(self.DEGREE, len(np.unique(place)) - 1)
        kept = np.ones(len(y), bool)
        for _ in range(5):
            centre = Polynomial.fit(place[kept], y[kept], degree, domain=[-1, 1])
            residual = np.abs(y - centre(place))
            spread = max(float(np.median(residual)), 1e-9)
            kept = residual < 6 * spread
        scale = np.log(np.maximum(residual[kept], 1e-3 * spread))
        width = Polynomial.fit(place[kept], scale, min(2, degree), domain=[-1, 1])
        self.centre.copy_(_coefficients(centre, self.DEGREE))
        self.width.copy_(_coefficients(width, self.DEGREE))
        self.width[0] += 0.635  # of the mean logarithm of a normal variable's magnitude

    def forward(self, logarithm: Tensor) -> tuple[Tensor, Tensor]:
        """Return centre and width (event,) float64 at a logarithm (event,)."""
        powers = torch.stack([self._place(logarithm) ** power for power in range(self.DEGREE + 1)], 1)
        return powers @ self.centre, torch.exp(powers @ self.width)

    def _place(self, logarithm: Tensor) -> Tensor:
        low, high = self.range
        place: Tensor = (2 * (logarithm.double() - low) / (high - low) - 1).clamp(-1.0, 1.0)
        return place


class NormalMixture:
    """Mixtures of normals truncated to an interval: tails that end."""

    def __init__(self, terms: int) -> None:
        self.terms = terms
        self.outputs = 3 * terms

    def start(self) -> Tensor:
        """Return outputs (output,) to begin training from."""
        return torch.cat(
            [torch.zeros(self.terms), torch.linspace(-1.5, 1.5, self.terms), torch.zeros(self.terms)]
        )

    def log_probability(
        self, outputs: Tensor, low: Tensor, high: Tensor, bottom: Tensor, top: Tensor
    ) -> Tensor:
        """Return the logarithm of the probability (row,) of [bottom, top] within the bounds [low, high]."""
        weights, location, width = self._mixture(outputs)
        part = _log_normal_mass((bottom[:, None] - location) / width, (top[:, None] - location) / width)
        whole = _log_normal_mass((low[:, None] - location) / width, (high[:, None] - location) / width)
        return torch.logsumexp(weights + part - whole, 1)

    def log_density(self, outputs: Tensor, low: Tensor, high: Tensor, value: Tensor) -> Tensor:
        """Return the logarithm of the density (row,) at a value within the bounds."""
        weights, location, width = self._mixture(outputs)
        place = (value[:, None] - location) / width
        density = -0.5 * place.square() - 0.5 * math.log(2 * math.pi) - torch.log(width)
        whole = _log_normal_mass((low[:, None] - location) / width, (high[:, None] - location) / width)
        return torch.logsumexp(weights + density - whole, 1)

    def cumulative(self, outputs: Tensor, low: Tensor, high: Tensor, value: Tensor) -> Tensor:
        """Return the probability (row,) of less than a value within the bounds."""
        inside = torch.minimum(torch.maximum(value, low), high)
        return torch.exp(self.log_probability(outputs, low, high, low, inside)).clamp(0.0, 1.0)

    def draw(self, outputs: Tensor, low: Tensor, high: Tensor, first: Tensor, second: Tensor) -> Tensor:
        """Draw a value (row,) within the bounds from two uniform numbers (row,) each."""
        weights, location, width = self._mixture(outputs)
        term = choose(weights, first.double())[:, None]
        location, width = location.gather(1, term)[:, 0], width.gather(1, term)[:, 0]
        left, right = (low - location) / width, (high - location) / width
        turned = left + right > 0
        left, right = torch.where(turned, -right, left), torch.where(turned, -left, right)
        share = torch.where(turned, 1 - second.double(), second.double())
        start, end = torch.special.ndtr(left), torch.special.ndtr(right)
        place = torch.special.ndtri((start + share * (end - start)).clamp(1e-300, 1 - 1e-16))
        place = torch.maximum(torch.minimum(place, right), left)
        value = location + width * torch.where(turned, -place, place)
        return torch.maximum(torch.minimum(value, high), low)

    def _mixture(self, outputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits, location, spread = outputs.double().chunk(3, 1)
        width = torch.exp(spread.clamp(-4.0, math.log(LARGEST_WIDTH))) + SMALLEST_WIDTH
        return torch.log_softmax(logits, 1), location, width


class Totals(nn.Module):
    """Density of visible energy and hits.

    First whether there is any hit, then ln(visible / incident), then the hits. Energy and hits are measured
    from their trends in units of the spread about them; the energy is bounded by the training showers (with a
    margin) and from below by the threshold, the hits by the number of cells and by energy / threshold.

    Args:
        inputs: Width of the incident particle's features.
        width: Width of the hidden layers.
        terms: Normals in each mixture.
        cells: Cells of the detector.
    """

    bounds: Tensor

    def __init__(self, inputs: int, width: int, terms: int, cells: int) -> None:
        super().__init__()
        self.cells = cells
        self.mixture = NormalMixture(terms)
        self.energy_trend, self.hits_trend = Trend(), Trend()
        self.energy_network = DenseNetwork([inputs, width, width, 1 + self.mixture.outputs])
        self.hits_network = DenseNetwork([inputs + 2, width, width, self.mixture.outputs])
        self.register_buffer("bounds", torch.tensor([-5.0, 5.0], dtype=torch.float64))
        with torch.no_grad():
            for network, start in (
                (self.energy_network, torch.cat([torch.tensor([-4.0]), self.mixture.start()])),
                (self.hits_network, self.mixture.start()),
            ):
                last = _last_layer(network)
                last.weight.mul_(0.1)
                last.bias.copy_(start)

    def fit(self, incident: Tensor, visible: Tensor, hits: Tensor) -> None:
        """Set trends, bounds and the share of empty showers to begin from.

        Args:
            incident: Incident energies (event,) in MeV.
            visible: Visible energies (event,) in MeV.
            hits: Numbers of hits (event,).

        Raises:
            ConfigurationError: No shower has any.
        """
        full = hits > 0
        if not full.any():
            raise ConfigurationError(
                "no cell of the training showers is above the threshold: lower model.threshold_mev, or leave "
                "it out."
            )
        empty = int((~full).sum())
        with torch.no_grad():
            _last_layer(self.energy_network).bias[0] = math.log((empty + 0.5) / (len(hits) - empty + 0.5))
        incident, visible, hits = incident[full], visible[full], hits[full]
        logarithm = torch.log(incident.double())
        response = torch.log(visible.double()) - logarithm
        self.energy_trend.fit(logarithm, response)
        centre, width = self.energy_trend(logarithm)
        place = (response - centre) / width
        self.bounds.copy_(torch.stack([place.min() - MARGIN, place.max() + MARGIN]))
        self.hits_trend.fit(torch.log(visible.double()), torch.log(hits.double()))

    def log_density(
        self, features: Tensor, incident: Tensor, visible: Tensor, hits: Tensor, threshold: Tensor
    ) -> Tensor:
        """Return the log density (event,) of visible energy (in MeV) and hits.

        Args:
            features: Of the incident particle (event, input).
            incident: (event,) MeV.
            visible: (event,) MeV.
            hits: (event,).
            threshold: In MeV.
        """
        outputs = self.energy_network(features).double()
        full = hits > 0
        silent = nn.functional.logsigmoid(outputs[:, 0])
        visible = torch.where(full, visible, 1.001 * threshold)
        counted = hits.clamp_min(1).double()
        place, width, low, high = self._energy_place(incident, visible, threshold)
        energy = self.mixture.log_density(outputs[:, 1:], low, high, place)
        energy = energy - torch.log(width) - torch.log(visible.double())
        count = self._count(features, visible, place, counted, threshold)
        loud = nn.functional.logsigmoid(-outputs[:, 0]) + energy + count
        return torch.where(full, loud, silent)

    def deviations(self, incident: Tensor, visible: Tensor, hits: Tensor, threshold: Tensor) -> Tensor:
        """Return how far energies and hits lie from their trends (event, 2), in standard widths.

        Arguments as for the density; a shower without hits counts as one at the threshold.
        """
        visible = torch.maximum(visible, threshold)
        energy = self._energy_place(incident, visible, threshold)[0]
        centre, width = self._hits_scale(torch.log(visible.double()))
        count = (torch.log(hits.clamp_min(1).double()) - centre) / width
        return torch.stack([energy, count], 1).clamp(-FARTHEST, FARTHEST).float()

    def beyond(self, incident: Tensor, visible: Tensor, threshold: Tensor) -> Tensor:
        """Return by how many widths (event,) visible energies lie beyond what can be drawn."""
        centre, width, low, high = self._energy_bounds(incident, threshold)
        place = (torch.log(visible.clamp_min(1e-30).double() / incident.double()) - centre) / width
        outside = torch.maximum(place - high, low - place).clamp_min(0.0)
        return torch.where(visible > 0, outside, torch.zeros_like(outside))

    def cumulative(
        self, features: Tensor, incident: Tensor, visible: Tensor, hits: Tensor, threshold: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the cumulative values of both draws, as intervals [below, top] (event, 2).

        Those of the visible energy (none at all is the least), and of the hits given it, which say nothing
        of a shower without hits. Arguments as for the density.
        """
        outputs = self.energy_network(features).double()
        full = hits > 0
        silent = torch.sigmoid(outputs[:, 0])
        visible = torch.where(full, visible, 1.001 * threshold)
        place, _, low, high = self._energy_place(incident, visible, threshold)
        loud = silent + (1 - silent) * self.mixture.cumulative(outputs[:, 1:], low, high, place)
        energy = torch.stack([torch.where(full, loud, torch.zeros_like(loud)), loud.where(full, silent)], 1)
        scale, bottom, top, outputs = self._hit_bounds(features, visible, place, threshold)
        counted = torch.minimum(hits.clamp_min(1).double(), self._most(visible, threshold))
        ends = [(torch.log(counted + shift) - scale[0]) / scale[1] for shift in (-0.5, 0.5)]
        count = [self.mixture.cumulative(outputs, bottom, top, end) for end in ends]
        return energy, torch.stack(count, 1)

    def draw(
        self, features: Tensor, incident: Tensor, threshold: Tensor, uniforms: tuple[Tensor, ...]
    ) -> tuple[Tensor, Tensor]:
        """Draw visible energies (event,) in MeV and hits (event,) from five uniform numbers (event,) each."""
        outputs = self.energy_network(features).double()
        silent = uniforms[0] < torch.sigmoid(outputs[:, 0])
        centre, width, low, high = self._energy_bounds(incident, threshold)
        place = self.mixture.draw(outputs[:, 1:], low, high, uniforms[1], uniforms[2])
        visible = incident.double() * torch.exp(centre + width * place)
        scale, bottom, top, outputs = self._hit_bounds(features, visible, place, threshold)
        value = self.mixture.draw(outputs, bottom, top, uniforms[3], uniforms[4])
        most = self._most(visible, threshold)
        hits = torch.round(torch.exp(scale[0] + scale[1] * value))
        hits = torch.minimum(hits.clamp_min(1), most)
        zero = torch.zeros_like(hits)
        return torch.where(silent, zero, visible).float(), torch.where(silent, zero, hits).float()

    def _count(
        self,
        features: Tensor,
        visible: Tensor,
        place: Tensor,
        hits: Tensor,
        threshold: Tensor,
    ) -> Tensor:
        """Return the logarithm of the probability of hits (event,)."""
        scale, low, high, outputs = self._hit_bounds(features, visible, place, threshold)
        hits = torch.minimum(hits, self._most(visible, threshold))
        bottom = (torch.log(hits - 0.5) - scale[0]) / scale[1]
        top = (torch.log(hits + 0.5) - scale[0]) / scale[1]
        return self.mixture.log_probability(outputs, low, high, bottom, top)

    def _energy_place(
        self, incident: Tensor, visible: Tensor, threshold: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the standard value of ln(visible / incident), its width, and bounds of the value."""
        centre, width, low, high = self._energy_bounds(incident, threshold)
        place = ((torch.log(visible.double() / incident.double()) - centre) / width).clamp(low, high)
        return place, width, low, high

    def _energy_bounds(self, incident: Tensor, threshold: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return centre and width of ln(visible / incident), and bounds of its standard value."""
        centre, width = self.energy_trend(torch.log(incident))
        floor = (torch.log(1.0001 * threshold.double() / incident.double()) - centre) / width
        low = torch.maximum(self.bounds[0].expand_as(floor), floor)
        high = torch.maximum(self.bounds[1].expand_as(floor), low + 0.1)
        return centre, width, low, high

    def _hits_scale(self, logarithm: Tensor) -> tuple[Tensor, Tensor]:
        """Return centre and width of ln(hits) at logarithms of the visible energy (event,)."""
        centre, width = self.hits_trend(logarithm)
        return centre, width.clamp_min(1e-3)

    def _most(self, visible: Tensor, threshold: Tensor) -> Tensor:
        most: Tensor = torch.floor(visible.double() / threshold.double() * (1 - 1e-6)).clamp(1, self.cells)
        return most

    def _hit_bounds(
        self, features: Tensor, visible: Tensor, place: Tensor, threshold: Tensor
    ) -> tuple[tuple[Tensor, Tensor], Tensor, Tensor, Tensor]:
        """Return trend, bounds of its standard value (event,) and the network's outputs for the hits."""
        logarithm = torch.log(visible.double())
        centre, width = self._hits_scale(logarithm)
        low = (math.log(0.5) - centre) / width
        high = (torch.log(self._most(visible, threshold) + 0.5) - centre) / width
        low_knot, high_knot = self.hits_trend.range
        standard = 2 * (logarithm - low_knot) / (high_knot - low_knot) - 1
        known = torch.stack([place.clamp(-FARTHEST, FARTHEST) / 2, 2 * standard], 1).float()
        return (centre, width), low, high, self.hits_network(torch.cat([features, known], 1)).double()


def _last_layer(network: nn.Sequential) -> nn.Linear:
    last = network[-1]
    assert isinstance(last, nn.Linear)
    return last


def _log_normal_mass(low: Tensor, high: Tensor) -> Tensor:
    """Return ln(Phi(high) - Phi(low)) for low < high, exactly in both tails."""
    turned = low + high > 0
    left, right = torch.where(turned, -high, low), torch.where(turned, -low, high)
    upper, lower = torch.special.log_ndtr(right), torch.special.log_ndtr(left)
    gap = (upper - lower).clamp_min(1e-12)
    mass: Tensor = upper + torch.log(-torch.expm1(-gap))
    return mass


def _coefficients(polynomial: Polynomial, degree: int) -> Tensor:
    found = np.zeros(degree + 1)
    values = polynomial.convert(domain=[-1, 1], window=[-1, 1]).coef
    found[: len(values)] = values
    return torch.from_numpy(found)
