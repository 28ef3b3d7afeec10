"""The position and angle network of the LUXE report, and one that shares its trunk with the energy.

The report's trunk without batch normalisation, joined by the four classical values (impact and slopes) and
the classical energy, dense 64, 32, 16 and four linear outputs (przemekk125/projekt_studencki). What failed
there is mended: targets are float instead of cut to whole numbers, the angle is nominal tilt plus deviation,
outputs are standardised, and the losses of impact and angle have weights.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from calokit.classical.track_fit import directions_to_slopes
from calokit.detector import Detector
from calokit.models.estimators.energy_losses import energy_loss
from calokit.models.estimators.hit_batch import HitBatch
from calokit.models.estimators.protocol import Estimates, unit_vectors
from calokit.models.estimators.settings import VoxelPlaceSettings
from calokit.models.estimators.voxel_trunk import UNITS_PER_GEV, VoxelTrunk
from calokit.showers import Showers
from calokit.units import MEV_PER_GEV

PLACES = 4
"""Impact x and y and the slopes dx/dz and dy/dz."""


class VoxelPlaceReconstructor(VoxelTrunk):
    """Impact and direction from all cells, as in the LUXE report, with the energy where it is asked for.

    Args:
        settings: The variant.
        detector: One Cartesian section, of at least 8 cells on each axis.

    Raises:
        ConfigurationError: The detector does not fit.
    """

    settings: VoxelPlaceSettings
    place_mean: Tensor
    place_width: Tensor

    def __init__(self, settings: VoxelPlaceSettings, detector: Detector) -> None:
        super().__init__(settings, detector, beside=PLACES + 1, outputs=PLACES + settings.shared)
        self.register_buffer("place_mean", torch.zeros(PLACES))
        self.register_buffer("place_width", torch.ones(PLACES))

    def fit_transforms(self, sample: Showers) -> None:
        """Calibrate the classical methods and standardise the targets on training showers."""
        super().fit_transforms(sample)
        if sample.positions is not None and sample.directions is not None:
            true = np.concatenate([sample.positions, directions_to_slopes(sample.directions)], axis=1)
            self.place_mean.copy_(torch.from_numpy(true.mean(axis=0)))
            self.place_width.copy_(torch.from_numpy(true.std(axis=0)).clamp_min(1e-6))

    def data_loss(self, batch: HitBatch) -> Tensor:
        """Return the weighted squared errors in standard deviations, and where shared the energy loss."""
        found = self(batch)
        error = found[:, :PLACES] - (self._targets(batch) - self.place_mean) / self.place_width
        impact, angle = self.settings.place_weights
        loss: Tensor = (error.new_tensor([impact, impact, angle, angle]) * error.square()).mean()
        if self.settings.shared:
            loss = loss + energy_loss("snorm_mse", found[:, PLACES], self.true_energy(batch))
        return loss

    def _targets(self, batch: HitBatch) -> Tensor:
        """Return (event, 4) true impacts in mm and slopes."""
        true = batch.true_lines()
        if not self.settings.whole_numbers:
            return true
        degrees = torch.rad2deg(torch.atan(true[:, 2:])).trunc()
        return torch.cat([true[:, :2].trunc(), torch.tan(degrees * (math.pi / 180))], dim=1)

    def forward(self, batch: HitBatch) -> Tensor:
        """Return (event, 4) standardised impacts and slopes, and where shared the energy in 0.1 GeV."""
        classical = UNITS_PER_GEV * self.classical_energy(batch)[:, None]
        lines = (batch.lines - self.place_mean) / self.place_width
        found = self.conclude(torch.cat([self.look(batch), lines, classical], dim=1))
        if not self.settings.shared:
            return found
        return torch.cat([found[:, :PLACES], classical + classical.sqrt() * found[:, PLACES:]], dim=1)

    @torch.no_grad()
    def estimate(self, batch: HitBatch) -> Estimates:
        """Return impacts in mm and unit vectors, and where shared the energies in MeV; no uncertainty."""
        found = self(batch)
        places = self.place_mean + self.place_width * found[:, :PLACES]
        energy = found[:, PLACES] * (MEV_PER_GEV / UNITS_PER_GEV) if self.settings.shared else None
        return Estimates(
            energy=None if energy is None else energy.clamp_min(0.0),
            position=places[:, :2],
            direction=unit_vectors(places[:, 2:]),
        )
