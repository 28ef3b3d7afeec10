"""Several particles in one event: a network along the rows, each row a candidate, matched to the truth.

Showers stand side by side along the long axis of the readout (x). Every row proposes a particle: whether
there is one, how far from the row's middle it entered, at which y, and its energy beside the deposit about
the row. The loss matches proposals and true particles one to one at the least cost (Hungarian method), so the
order of the particles does not matter; a proposal that is matched to nothing learns to say so. The idea is
that of arXiv:2005.12872, with rows for queries.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn
from torch.nn import functional

from calokit.classical.hits import GridHits
from calokit.compute.device import Device
from calokit.compute.draws import Draws
from calokit.detector import Detector
from calokit.errors import ConfigurationError
from calokit.models.estimators.hit_batch import HitBatch
from calokit.models.estimators.protocol import Estimates, Reconstructor
from calokit.models.estimators.settings import DEPTHS, ParticlesSettings
from calokit.showers import Showers
from calokit.units import MEV_PER_GEV

REACH_ROWS = 4
"""A row's own energy is the calibrated deposit of so many rows to both sides."""
MATCH_ROWS = 6.0
"""Proposals further than this from a true particle cannot be matched to it, in rows."""
FAR = 1e4


class ParticlesReconstructor(Reconstructor):
    """Number, energies and impacts of several particles.

    Args:
        settings: Sizes.
        detector: One Cartesian section; particles are told apart along its rows.
    """

    row_weights: Tensor
    row_x: Tensor
    column_y: Tensor

    def __init__(self, settings: ParticlesSettings, detector: Detector) -> None:
        super().__init__(detector)
        self.settings = settings
        layers = self.grid.shape[0]
        self.register_buffer("row_weights", torch.ones(2 * REACH_ROWS + 1), persistent=False)
        rows, columns = (np.arange(count) for count in self.grid.shape[1:])
        self.register_buffer("row_x", torch.from_numpy(self.grid.x_mm(rows)).float(), persistent=False)
        self.register_buffer("column_y", torch.from_numpy(self.grid.y_mm(columns)).float(), persistent=False)
        inputs, width = layers + DEPTHS + 2, settings.channels
        self.stem = nn.Conv1d(inputs, width, 5, padding=2)
        self.first = nn.ModuleList()
        self.second = nn.ModuleList()
        for number in range(settings.blocks):
            reach = 2 ** min(number, 3)
            self.first.append(nn.Conv1d(width, width, 5, padding=2 * reach, dilation=reach))
            self.second.append(nn.Conv1d(width, width, 5, padding=2 * reach, dilation=reach))
        self.head = nn.Conv1d(width, 4, 1)
        with torch.no_grad():
            self.head.weight.mul_(0.1)
            self.head.bias.copy_(torch.tensor([-4.0, 0.0, 0.0, 0.0]))  # type: ignore[union-attr]

    def fit_transforms(self, sample: Showers) -> None:
        """Set the energy of a deposit from training events.

        Raises:
            ConfigurationError: The events do not tell their particles, or have more than the settings allow.
        """
        if sample.particles is None:
            raise ConfigurationError("the recipe needs events that tell all their particles (particle_*).")
        most = int(sample.particles.count.max())
        if most > self.settings.most:
            raise ConfigurationError(
                f"the events have up to {most} particles; raise model.most from {self.settings.most}."
            )
        slope = sample.incident_energies.sum(dtype=np.float64) / sample.visible_energies.sum()
        self.sum_line.copy_(torch.tensor([slope, 0.0]))

    def parts(self) -> dict[str, nn.Module]:
        """Return the whole network."""
        return {"particles": nn.ModuleList([self.stem, self.first, self.second, self.head])}

    def prepare(self, showers: Showers) -> HitBatch:
        """Return the hits."""
        return HitBatch.of(showers, GridHits.of(showers), None, torch.zeros(len(showers), 4))

    def losses(self, batch: HitBatch, draws: Draws) -> dict[str, Tensor]:
        """Return the loss of the least costly matching of proposals and particles."""
        if self.training and self.settings.mirror:
            batch = batch.mirrored(self.grid, *(draws.uniform(2, len(batch)) < 0.5))
        presence, energy, position = self._propose(batch)
        event, row, particle = self._match(presence.detach(), energy.detach(), position.detach(), batch)
        target = torch.zeros_like(presence)
        target[event, row] = 1.0
        found = functional.binary_cross_entropy_with_logits(presence, target, reduction="none").sum(1).mean()
        true = batch.particles[event, particle]
        pitch = position.new_tensor(self.grid.pitch_mm)
        off = (position[event, row] - true[:, 1:]) / pitch
        error = (energy[event, row] - true[:, 0]) / (MEV_PER_GEV * true[:, 0]).sqrt()
        matched = max(len(event), 1)
        places = functional.smooth_l1_loss(off, torch.zeros_like(off), reduction="sum", beta=0.2) / matched
        energies = functional.huber_loss(error, torch.zeros_like(error), reduction="sum", delta=1.0) / matched
        return {"particles": self.settings.presence_weight * found + places + 5.0 * energies}

    @torch.no_grad()
    def estimate(self, batch: HitBatch) -> Estimates:
        """Return the particles that are more likely there than not, the most energetic first."""
        presence, energy, position = self._propose(batch)
        most = self.settings.most
        chance, row = torch.sigmoid(presence).topk(most, dim=1)
        there = chance > 0.5
        there[:, 0] |= batch.counts > 0
        energies = torch.where(there, energy.gather(1, row), torch.zeros(()))
        order = torch.argsort(-energies, dim=1, stable=True)
        positions = position.gather(1, row[..., None].expand(-1, -1, 2))
        positions = torch.where(there[..., None], positions, torch.zeros(()))
        return Estimates(
            count=there.sum(dim=1),
            particle_energy=energies.gather(1, order),
            particle_position=positions.gather(1, order[..., None].expand(-1, -1, 2)),
        )

    def _propose(self, batch: HitBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits (event, row), energies in MeV (event, row) and positions in mm (event, row, 2)."""
        layers, rows, columns = self.grid.shape
        images = batch.images(self.grid)[:, 0]
        by_row = images.sum(dim=(1, 3))
        layer_rows = torch.log1p(images.sum(dim=3) / self.hit_scale_mev)
        grouped = images.view(len(batch), DEPTHS, layers // DEPTHS, rows, columns).sum(dim=2)
        heights = (grouped * self.column_y).sum(dim=3) / (grouped.sum(dim=3) + 0.05) / self.grid.pitch_mm[1]
        around = functional.avg_pool1d(by_row[:, None], 3, 1, 1)
        total = torch.log1p(torch.cat([by_row[:, None], around], dim=1) / self.hit_scale_mev)
        inner = self.stem(torch.cat([layer_rows, heights, total], dim=1) / 3.0)
        for first, second in zip(self.first, self.second, strict=True):
            inner = inner + second(functional.silu(first(functional.silu(inner))))
        with Device.holding(inner).full_precision():
            out = self.head(functional.silu(inner.float()))
        window = functional.conv1d(by_row[:, None], self.row_weights[None, None], padding=REACH_ROWS)[:, 0]
        energies = self.sum_line[0].float() * window * torch.exp(out[:, 1].clamp(-5, 1))
        across = self.row_x + self.grid.pitch_mm[0] * out[:, 2]
        return out[:, 0], energies, torch.stack([across, self.grid.pitch_mm[1] * out[:, 3]], dim=2)

    def _match(
        self, presence: Tensor, energy: Tensor, position: Tensor, batch: HitBatch
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return event, row and particle of every pair of the least costly matching."""
        true = batch.particles
        apart = (self.row_x[None, None] - true[:, :, 1, None]).abs() / self.grid.pitch_mm[0]
        off = (position[:, None] - true[:, :, None, 1:]).abs().sum(dim=3) / self.grid.pitch_mm[0]
        scale = (MEV_PER_GEV * true[..., :1].clamp_min(1.0)).sqrt()
        error = ((energy[:, None] - true[..., :1]) / scale).abs()
        cost = off + error - 2.0 * torch.sigmoid(presence)[:, None]
        costs = torch.where(apart < MATCH_ROWS, cost, cost + FAR).cpu().numpy()
        known = (true[..., 0] > 0).cpu().numpy()
        pairs: list[tuple[int, int, int]] = []
        for event in range(len(batch)):
            members = np.flatnonzero(known[event])
            particle, row = linear_sum_assignment(costs[event, members])
            pairs += [(event, int(r), int(members[p])) for p, r in zip(particle, row, strict=True)]
        event_, row_, particle_ = (
            torch.tensor(pairs, dtype=torch.long).view(-1, 3).to(true.device).unbind(dim=1)
        )
        return event_, row_, particle_
