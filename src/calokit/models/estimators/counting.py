"""A network on hits that also learns how many charged particles entered each cell.

A silicon pad measures a deposit; what follows the incident energy is the number of charged particles that
crossed the pad, and slanting or slow ones deposit several times what others do. A simulation knows that
number of every cell (`count_entries` of a sample), a detector never does. Learned beside the energy, it gives
some two hundred true answers a shower instead of one. Whether a deposit is one slanting particle or three
straight ones depends on how much goes on around it: so a hit also sees deposits and hits of the layers about
it, and the energy follows the expected entries in a straight line, which a small network corrects.

Two things can be added, and gained nothing with 53,000 showers (docs/luxe.md): what was made of the hits of
every layer goes back to each hit (`layer_channels`), and the energy is aimed at what a straight line through
the true entries of the layers makes of it (`teacher_weight`), which no training energy snaps to.

Learning from truth that only training has: Vapnik and Vashist, Neural Networks 22 (2009) 544; from a teacher
who sees it: Lopez-Paz, Bottou, Schoelkopf and Vapnik, arXiv:1511.03643.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from calokit.classical.hits import GridHits
from calokit.compute.draws import Draws
from calokit.detector import Detector
from calokit.errors import ConfigurationError
from calokit.models.estimators.hit_batch import HitBatch
from calokit.models.estimators.hits import HIT_NUMBERS, HitsMember, HitsReconstructor, log_sums
from calokit.models.estimators.settings import CountingSettings, Target
from calokit.showers import Showers
from calokit.units import MEV_PER_GEV

LAYERS_ABOUT = 2
"""A hit sees the sums of so many layers before and behind its own."""
SHOWER_NUMBERS = 2 * (2 * LAYERS_ABOUT + 1) + 2
"""Numbers about the shower around each hit."""
DEPOSIT_SCALE_MEV = 50.0
"""Deposits of layers enter the straight line divided by it."""
RIDGE = 1e-4
"""Damping of the teacher's weights, which neighbouring layers share."""
SMALLEST_RATE = 1e-4
"""Added to expected entries before the logarithm."""


class CountingMember(HitsMember):
    """One network: hits look around, exchange numbers by layer, and are counted.

    Args:
        settings: Sizes.
        layers: Layers of the calorimeter.
    """

    def __init__(self, settings: CountingSettings, layers: int) -> None:
        super().__init__(settings, layers, HIT_NUMBERS + SHOWER_NUMBERS, more_inputs=layers)
        width, channels = settings.width, settings.layer_channels
        self.channels = channels
        self.straight_inputs = layers * (settings.channels + 2)
        self.straight = nn.Linear(self.straight_inputs, 1)
        nn.init.zeros_(self.straight.weight)
        nn.init.zeros_(self.straight.bias)
        self.rate = nn.Linear(width, 1)
        if channels == 0:
            return
        self.pool = nn.Linear(width, channels)
        self.mix = nn.Sequential(
            nn.Dropout(settings.mixing_dropout),
            nn.Linear(layers * channels + layers + 2, settings.mixing_width),
            nn.SiLU(),
            nn.Linear(settings.mixing_width, layers * channels),
        )
        self.back = nn.Linear(2 * channels, width)
        self.second = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())

    def expected_entries(self, inner: Tensor) -> Tensor:
        """Return the expected number (hit, 1) of charged particles that entered each hit's cell."""
        return nn.functional.softplus(self.rate(inner))

    def _look(self, features: Tensor, context: Tensor, batch: HitBatch, layer: Tensor) -> Tensor:
        inner = super()._look(features, context, batch, layer)
        if self.channels == 0:
            return inner
        place = batch.event * self.layers + layer
        # context holds ln(E / GeV) - 2: sums are compared at equal energies
        scale = torch.exp(-context[:, :1])
        pooled = self._sum_by_layer(self.pool(inner), place, len(batch)) * scale
        mixed = self.mix(torch.cat([pooled, log_sums(batch), context], dim=1))
        both = torch.cat([pooled.view(-1, self.channels), mixed.view(-1, self.channels)], dim=1)
        looked: Tensor = inner + self.second(inner + self.back(both)[place])
        return looked

    def _more_numbers(
        self, inner: Tensor, summed: Tensor, context: Tensor, batch: HitBatch, place: Tensor
    ) -> list[Tensor]:
        """Return the expected entries by layer, and what the energy follows in a straight line."""
        entries = self._sum_by_layer(self.expected_entries(inner), place, len(batch))
        straight = torch.cat([summed, entries, batch.sums / DEPOSIT_SCALE_MEV], dim=1)
        # an energy is estimated as classical energy + its square root times a value
        return [entries, straight * torch.exp(-0.5 * (context[:, :1] + 2.0))]

    def value(self, target: Target, numbers: Tensor) -> Tensor:
        """Return the estimates (event, 1 or 4) of a target on the network's scale."""
        value = super().value(target, numbers[:, : -self.straight_inputs])
        if target == "energy":
            value = value + self.straight(numbers[:, -self.straight_inputs :])
        return value

    def log_width(self, target: Target, numbers: Tensor) -> Tensor:
        """Return the logarithms (event, 1 or 4) of the uncertainties on the network's scale."""
        return super().log_width(target, numbers[:, : -self.straight_inputs])


class CountingReconstructor(HitsReconstructor):
    """Energy and places from hits, learned together with the charged entries of every cell.

    Args:
        settings: Targets and sizes.
        detector: One Cartesian section.
    """

    def __init__(self, settings: CountingSettings, detector: Detector) -> None:
        self.counting = settings
        super().__init__(settings, detector)
        self.learns_entries = settings.entries_weight > 0
        self.register_buffer("teacher", torch.zeros(self.grid.shape[0] + 1, dtype=torch.float64))

    teacher: Tensor

    def fit_transforms(self, sample: Showers) -> None:
        """Calibrate the classical methods, and the teacher: least squares of (dE)^2 / E over true entries.

        Args:
            sample: Training showers.
        """
        super().fit_transforms(sample)
        if not self.learns_entries or sample.entries is None:
            return
        hits = GridHits.of(sample)
        entries = hits.sum_by_layer(sample.entries[hits.event, hits.cell].astype(np.float64))
        energies = sample.incident_energies.astype(np.float64) / MEV_PER_GEV
        columns = np.concatenate([entries, np.ones((len(entries), 1))], axis=1) / np.sqrt(energies)[:, None]
        ridge = RIDGE * np.diag(np.square(columns).sum(axis=0))
        weights = np.linalg.lstsq(columns.T @ columns + ridge, columns.T @ np.sqrt(energies), rcond=None)[0]
        self.teacher.copy_(torch.from_numpy(weights))

    def losses(self, batch: HitBatch, draws: Draws) -> dict[str, Tensor]:
        """Return for each member the loss of every target and, while training, of the entries.

        Raises:
            ConfigurationError: It shall learn the entries, and the showers have none.
        """
        if self.training and self.learns_entries and batch.entries.shape[1] == 0:
            raise ConfigurationError(
                "the recipe learns the charged entries of each cell, and the showers have none. Simulate "
                "them with calokit simulate --entries, or set model.entries_weight=0."
            )
        return super().losses(batch, draws)

    def taught_energies(self, batch: HitBatch) -> Tensor:
        """Return the energies (event,), GeV, that the teacher makes of true entries."""
        layers = self.grid.shape[0]
        layer = batch.places(self.grid)[0]
        entries = self.teacher.new_zeros(len(batch) * layers)
        entries = entries.index_add(0, batch.event * layers + layer, batch.entries[:, 0].double())
        return (entries.view(-1, layers) @ self.teacher[:-1] + self.teacher[-1]).float()

    def _aim_beside(self, batch: HitBatch) -> Tensor:
        """Return by how much (event,) the teacher's energies lie above the true ones, GeV."""
        if not (self.training and self.learns_entries and self.counting.teacher_weight > 0):
            return super()._aim_beside(batch)
        true = batch.incidents.energies / MEV_PER_GEV
        return self.counting.teacher_weight * (self.taught_energies(batch) - true)

    def _make_member(self) -> HitsMember:
        return CountingMember(self.counting, self.grid.shape[0])

    def _loss_of(self, member: HitsMember, numbers: Tensor, inner: Tensor, batch: HitBatch) -> Tensor:
        """Return the loss of the targets and, while training, the likelihood of the entries."""
        loss = super()._loss_of(member, numbers, inner, batch)
        if not (self.training and self.learns_entries):
            return loss
        assert isinstance(member, CountingMember)
        rate = member.expected_entries(inner)
        likelihood = batch.entries * torch.log(rate + SMALLEST_RATE) - rate
        return loss - self.counting.entries_weight * likelihood.mean()

    def _inputs(self, batch: HitBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Return the features (hit, k), the context (event, 2), and the layer (hit,)."""
        features, context, layer = super()._inputs(batch)
        layers, event = self.grid.shape[0], batch.event
        energy = self.classical_energy(batch)[:, None]
        hits = features.new_zeros(len(batch) * layers)
        hits = hits.index_add(0, event * layers + layer, torch.ones_like(features[:, 0])).view(-1, layers)
        about = (LAYERS_ABOUT, LAYERS_ABOUT)
        deposits = nn.functional.pad((batch.sums / energy / 5.0 + 1e-3).log(), about)
        occupied = nn.functional.pad((hits / energy + 0.1).log(), about)
        columns = []
        for step in range(2 * LAYERS_ABOUT + 1):
            columns += [deposits[event, layer + step], occupied[event, layer + step]]
        number = torch.arange(layers, dtype=features.dtype, device=features.device)
        depth = (batch.sums * number).sum(dim=1) / batch.sums.sum(dim=1).clamp_min(1e-6)
        columns += [(depth[event] - 0.4 * layers) / 3.0, (layer - depth[event]) / 5.0]
        return torch.cat([features, torch.stack(columns, dim=1)], dim=1), context, layer
