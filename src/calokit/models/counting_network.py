"""A network on hits that also learns how many charged particles entered each cell.

A silicon pad measures a deposit; what follows the incident energy is the number of charged particles that
crossed the pad, and slanting or slow ones deposit several times what others do. A simulation knows that
number of every cell (`count_entries` of a sample), a detector never does. Learned beside the energy, it gives
some two hundred true answers a shower instead of one. Whether a deposit is one slanting particle or three
straight ones depends on how much goes on around it: so the network also sees the deposits and hits of the
layers about each hit, and what was made of the hits of every layer goes back to each hit before it is judged.

Learning from truth that only training has: Vapnik and Vashist, Neural Networks 22 (2009) 544.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from calokit.detector import Detector
from calokit.errors import ConfigurationError
from calokit.models.hit_batch import HitBatch
from calokit.models.hits_network import (
    HIT_NUMBERS,
    HitNetworkSettings,
    HitsMember,
    HitsReconstructor,
    log_sums,
)

LAYERS_ABOUT = 2
"""A hit sees the sums of so many layers before and behind its own."""
SHOWER_NUMBERS = 2 * (2 * LAYERS_ABOUT + 1) + 2
"""Numbers about the shower around each hit."""
SMALLEST_RATE = 1e-4
"""Added to expected entries before the logarithm."""


class CountingSettings(HitNetworkSettings):
    """Settings of the network that learns charged entries beside its targets."""

    kind: Literal["counting_hits"] = "counting_hits"
    layer_channels: int = Field(8, ge=1)
    """Numbers a layer that are exchanged between hits."""
    mixing_width: int = Field(128, ge=4)
    """Width of the network that mixes the layers."""
    entries_weight: float = Field(1.0, ge=0)
    """Weight of the loss of the entries; 0 learns from the targets alone and needs no entries."""


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
        self.pool = nn.Linear(width, channels)
        self.mix = nn.Sequential(
            nn.Linear(layers * channels + layers + 2, settings.mixing_width),
            nn.SiLU(),
            nn.Linear(settings.mixing_width, layers * channels),
        )
        self.back = nn.Linear(2 * channels, width)
        self.second = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.rate = nn.Linear(width, 1)

    def expected_entries(self, inner: Tensor) -> Tensor:
        """Return the expected number (hit, 1) of charged particles that entered each hit's cell."""
        return nn.functional.softplus(self.rate(inner))

    def _look(self, features: Tensor, context: Tensor, batch: HitBatch, layer: Tensor) -> Tensor:
        inner = super()._look(features, context, batch, layer)
        place = batch.event * self.layers + layer
        # context holds ln(E / GeV) - 2: sums are compared at equal energies
        scale = torch.exp(-context[:, :1])
        pooled = self._sum_by_layer(self.pool(inner), place, len(batch)) * scale
        mixed = self.mix(torch.cat([pooled, log_sums(batch), context], dim=1))
        both = torch.cat([pooled.view(-1, self.channels), mixed.view(-1, self.channels)], dim=1)
        looked: Tensor = inner + self.second(inner + self.back(both)[place])
        return looked

    def _more_numbers(self, inner: Tensor, place: Tensor, events: int) -> list[Tensor]:
        return [self._sum_by_layer(self.expected_entries(inner), place, events)]


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

    def _make_member(self) -> HitsMember:
        return CountingMember(self.counting, self.grid.shape[0])

    def _loss_of(self, member: HitsMember, numbers: Tensor, inner: Tensor, batch: HitBatch) -> Tensor:
        """Return the loss of the targets and, while training, the likelihood of the entries."""
        loss = super()._loss_of(member, numbers, inner, batch)
        if not (self.training and self.learns_entries):
            return loss
        if batch.entries.shape[1] == 0:
            raise ConfigurationError(
                "the recipe learns the charged entries of each cell, and the showers have none. Simulate "
                "them with calokit simulate --entries, or set model.entries_weight=0."
            )
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
        number = torch.arange(layers, dtype=features.dtype)
        depth = (batch.sums * number).sum(dim=1) / batch.sums.sum(dim=1).clamp_min(1e-6)
        columns += [(depth[event] - 0.4 * layers) / 3.0, (layer - depth[event]) / 5.0]
        return torch.cat([features, torch.stack(columns, dim=1)], dim=1), context, layer
