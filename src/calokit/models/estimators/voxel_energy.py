"""The energy network of the LUXE report: convolutions over all cells beside the classical energy.

With 32, 32, 16 channels and dense layers of 64, 32, 16 and 1 it has 72,113 numbers, those of the batch
normalisation included (przemekk125/projekt_studencki).
"""

from __future__ import annotations

import torch
from torch import Tensor

from calokit.classical.hits import CellGrid
from calokit.detector import Detector
from calokit.models.estimators.energy_losses import energy_loss
from calokit.models.estimators.hit_batch import HitBatch
from calokit.models.estimators.protocol import Estimates
from calokit.models.estimators.settings import VoxelSettings
from calokit.models.estimators.voxel_trunk import MIP_MEV, UNITS_PER_GEV, VoxelTrunk
from calokit.units import MEV_PER_GEV


class VoxelReconstructor(VoxelTrunk):
    """Energy from all cells, as in the LUXE report.

    Args:
        settings: The variant.
        detector: One Cartesian section, of at least 8 cells on each axis.

    Raises:
        ConfigurationError: The detector does not fit.
    """

    settings: VoxelSettings

    def __init__(self, settings: VoxelSettings, detector: Detector) -> None:
        layers = CellGrid.of(detector).shape[0]
        beside = {"both": 1, "geometry": 0, "energy": layers + 1}[settings.inputs]
        super().__init__(settings, detector, beside, outputs=1, looks=settings.inputs != "energy")

    def data_loss(self, batch: HitBatch) -> Tensor:
        """Return the energy loss in units of 0.1 GeV."""
        return energy_loss(
            self.settings.loss, self(batch), self.true_energy(batch), self.settings.huber_delta
        )

    def forward(self, batch: HitBatch) -> Tensor:
        """Return energies (event,) in units of 0.1 GeV."""
        classical = UNITS_PER_GEV * self.classical_energy(batch)[:, None]
        if self.settings.inputs == "energy":
            known = torch.cat([batch.sums / MIP_MEV, classical], dim=1)
        else:
            known = self.look(batch)
            if self.settings.inputs == "both":
                known = torch.cat([known, classical], dim=1)
        return self.conclude(known)[:, 0]

    @torch.no_grad()
    def estimate(self, batch: HitBatch) -> Estimates:
        """Return the energies, MeV; the report's network has no uncertainty."""
        return Estimates(energy=(self(batch) * (MEV_PER_GEV / UNITS_PER_GEV)).clamp_min(0.0))
