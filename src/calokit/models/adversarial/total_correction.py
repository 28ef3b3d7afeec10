"""A last correction of generated showers: their visible energies moved onto the true law."""

from __future__ import annotations

import torch
from torch import Tensor, nn

CLASSES = 8
"""Classes of incident energy, of equal size in the sample."""
KNOTS = 65
"""Quantiles kept of the standardised visible fractions."""
LEAST_FRACTION = 1e-6
LEAST_SPREAD = 1e-6


class TotalCorrection(nn.Module):
    """Scales each shower so that visible over incident energy has the true mean, spread and shape.

    A generator whose cells add up to a visible energy has a wider law of it than the calorimeter, whose
    resolution falls below 2 %. After training, showers are generated for training incidents; in classes of
    incident energy, between which logarithms of the energy interpolate, mean and spread of the visible
    fraction are kept for generated and true showers, and over all classes the quantiles of what is left.

    Until `fit` it changes nothing.
    """

    centres: Tensor
    generated: Tensor
    true: Tensor
    generated_knots: Tensor
    true_knots: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("centres", torch.linspace(6.0, 12.0, CLASSES))
        for name in ("generated", "true"):
            self.register_buffer(name, torch.tensor([[0.0, 1.0]]).repeat(CLASSES, 1))
            self.register_buffer(f"{name}_knots", torch.linspace(-3.0, 3.0, KNOTS))

    def fit(self, generated: Tensor, true: Tensor, incident: Tensor) -> None:
        """Set the maps; nothing is done with fewer than ten showers a class.

        Args:
            generated: (event,) visible energies, MeV.
            true: (event,) visible energies of true showers of the same incidents, MeV.
            incident: (event,) incident energies, MeV.
        """
        if len(incident) < 10 * CLASSES:
            return
        logarithms = incident.double().log()
        order = logarithms.argsort()
        classes = order.chunk(CLASSES)
        self.centres.copy_(torch.stack([logarithms[members].mean() for members in classes]))
        places = (torch.arange(KNOTS, dtype=torch.float64, device=incident.device) + 0.5) / KNOTS
        for visible, law, knots in (
            (generated, self.generated, self.generated_knots),
            (true, self.true, self.true_knots),
        ):
            fraction = visible.double() / incident.double()
            law.copy_(torch.stack([_mean_and_spread(fraction[members]) for members in classes]))
            mean, spread = self._at(law, incident)
            knots.copy_(((fraction - mean) / spread).quantile(places))

    def forward(self, energies: Tensor, incident: Tensor) -> Tensor:
        """Return scaled showers (event, cell), MeV; empty ones stay empty.

        Args:
            energies: (event, cell) MeV.
            incident: (event,) incident energies, MeV.
        """
        fraction = energies.sum(1) / incident
        mean, spread = self._at(self.generated, incident)
        wanted_mean, wanted_spread = self._at(self.true, incident)
        wanted = wanted_mean + wanted_spread * self._mapped((fraction - mean) / spread)
        scale = wanted.clamp_min(LEAST_FRACTION) / fraction.clamp_min(LEAST_FRACTION)
        return energies * scale[:, None].to(energies.dtype)

    def _at(self, law: Tensor, incident: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and spread (event,) of a law (class, 2) at incident energies, flat beyond the ends."""
        logarithms = incident.log().to(self.centres.dtype).clamp(self.centres[0], self.centres[-1])
        high = torch.searchsorted(self.centres, logarithms).clamp(1, CLASSES - 1)
        low_place, high_place = self.centres[high - 1], self.centres[high]
        along = ((logarithms - low_place) / (high_place - low_place).clamp_min(LEAST_SPREAD))[:, None]
        found = torch.lerp(law[high - 1], law[high], along)
        return found[:, 0], found[:, 1]

    def _mapped(self, standardised: Tensor) -> Tensor:
        """Return the true law's quantile of each generated one's; straight on beyond the outermost knots."""
        knots, targets = self.generated_knots, self.true_knots
        inside = standardised.clamp(knots[0], knots[-1])
        high = torch.searchsorted(knots, inside).clamp(1, KNOTS - 1)
        width = (knots[high] - knots[high - 1]).clamp_min(LEAST_SPREAD)
        along = ((inside - knots[high - 1]) / width).clamp(0.0, 1.0)
        return torch.lerp(targets[high - 1], targets[high], along) + (standardised - inside)


def _mean_and_spread(values: Tensor) -> Tensor:
    return torch.stack([values.mean(), values.std(correction=0).clamp_min(LEAST_SPREAD)])
