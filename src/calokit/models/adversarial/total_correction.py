"""A last correction of generated showers: their visible energies moved onto the true law."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from calokit.compute.draws import Draws, Noise
from calokit.models.batches import IncidentTensors, TrainingBatch

CLASSES = 8
"""Classes of incident energy, of equal size in the sample."""
KNOTS = 65
"""Quantiles kept of the visible fractions of a class, from the smallest to the largest."""
LEAST_FRACTION = 1e-6
LEAST_STEP = 1e-9
BLOCK = 256
"""Showers generated at once for the fit."""


class TotalCorrection(nn.Module):
    """Scales each shower so that visible over incident energy follows the true law.

    A generator whose cells add up to a visible energy has a wider law of it than the calorimeter, whose
    resolution falls below 2 %. After training, showers are generated for training incidents; in classes of
    incident energy the quantiles of the visible fraction are kept of generated and true showers. A shower's
    fraction is moved from quantile to quantile in the two classes next to its energy, and the logarithm of
    the energy interpolates between both. No fraction is beyond those of the true showers.

    Until `fit` it changes nothing.
    """

    centres: Tensor
    generated: Tensor
    true: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("centres", torch.linspace(6.0, 12.0, CLASSES))
        for name in ("generated", "true"):
            self.register_buffer(name, torch.linspace(0.0, 2.0, KNOTS).repeat(CLASSES, 1))

    def fit(self, generated: Tensor, true: Tensor, incident: Tensor) -> None:
        """Set the quantiles; nothing is done with fewer than ten showers a class.

        Args:
            generated: (event,) visible energies, MeV.
            true: (event,) visible energies of true showers of the same incidents, MeV.
            incident: (event,) incident energies, MeV.
        """
        if len(incident) < 10 * CLASSES:
            return
        logarithms = incident.double().log()
        places = torch.linspace(0.0, 1.0, KNOTS, dtype=torch.float64, device=incident.device)
        for number, members in enumerate(logarithms.argsort().chunk(CLASSES)):
            self.centres[number] = logarithms[members].mean()
            for visible, knots in ((generated, self.generated), (true, self.true)):
                fraction = visible[members].double() / incident[members].double()
                knots[number] = fraction.quantile(places)

    def fit_to(
        self,
        make: Callable[[IncidentTensors, Mapping[str, Tensor]], Tensor],
        batch: TrainingBatch,
        noise: Mapping[str, Noise],
        threshold_mev: float,
        draws: Draws,
    ) -> None:
        """Generate for the particles of true showers and set the quantiles.

        Args:
            make: Makes showers (event, cell) in MeV of incident particles and noise, not corrected.
            batch: True showers.
            noise: What is drawn for each shower.
            threshold_mev: True cells at or below it count as empty.
            draws: Where the noise comes from.
        """
        made, true = [], []
        for start in range(0, len(batch), BLOCK):
            part = batch[slice(start, start + BLOCK)]
            made.append(make(part.incidents, draws.noise(noise, len(part))).sum(1))
            true.append((part.energies * (part.energies > threshold_mev)).sum(1))
        self.fit(torch.cat(made), torch.cat(true), batch.incidents.energies)

    def forward(self, energies: Tensor, incident: Tensor) -> Tensor:
        """Return scaled showers (event, cell), MeV; empty ones stay empty.

        Args:
            energies: (event, cell) MeV.
            incident: (event,) incident energies, MeV.
        """
        fraction = (energies.sum(1) / incident).to(self.centres.dtype)
        logarithms = incident.log().to(self.centres.dtype).clamp(self.centres[0], self.centres[-1])
        high = torch.searchsorted(self.centres, logarithms).clamp(1, CLASSES - 1)
        width = (self.centres[high] - self.centres[high - 1]).clamp_min(LEAST_STEP)
        along = (logarithms - self.centres[high - 1]) / width
        wanted = torch.lerp(self._moved(fraction, high - 1), self._moved(fraction, high), along)
        scale = wanted.clamp_min(LEAST_FRACTION) / fraction.clamp_min(LEAST_FRACTION)
        return energies * scale[:, None].to(energies.dtype)

    def _moved(self, fraction: Tensor, number: Tensor) -> Tensor:
        """Return the true quantiles (event,) of generated fractions (event,) in classes of these numbers."""
        knots, targets = self.generated[number], self.true[number]
        high = torch.searchsorted(knots, fraction[:, None].contiguous()).clamp(1, KNOTS - 1)
        low_from, high_from, low_to, high_to = (
            one.gather(1, place)[:, 0] for one in (knots, targets) for place in (high - 1, high)
        )
        along = ((fraction - low_from) / (high_from - low_from).clamp_min(LEAST_STEP)).clamp(0.0, 1.0)
        return torch.lerp(low_to, high_to, along)
