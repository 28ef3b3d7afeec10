"""The energy network of the LUXE report: convolutions over all cells beside the classical energy.

Three blocks of Conv3d 3 x 3 x 3, batch normalisation, activation and 2 x 2 x 2 maximum; the result is joined
by the classical energy and passed through dense layers of 64, 32, 16 and 1. With 32, 32, 16 channels it has
72,113 numbers, those of the batch normalisation included (przemekk125/projekt_studencki). Energies inside are
in units of 0.1 GeV and deposits in minimum ionising particles, as there.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from calokit.config import Description
from calokit.detector import Detector
from calokit.errors import ConfigurationError
from calokit.models.energy_losses import EnergyLossName, energy_loss
from calokit.models.hit_batch import HitBatch
from calokit.models.reconstruction import Estimates, Reconstructor
from calokit.units import MEV_PER_GEV

UNITS_PER_GEV = 10.0
"""The report's energies are in units of 0.1 GeV."""
MIP_MEV = 0.11
"""Deposit of a minimum ionising particle in a pad of 0.32 mm of silicon, MeV (the report's 115 a GeV)."""


class LayerDropout(Description):
    """Probability of dropping each output of one layer while training.

    Attributes:
        convolutions: Of the three convolution blocks.
        dense: Of the hidden dense layers; missing ones drop nothing.
        whole_channels: Drop whole channels of the convolutions (spatial dropout) instead of single cells.
    """

    convolutions: tuple[float, float, float] = (0.0, 0.0, 0.0)
    dense: tuple[float, ...] = ()
    whole_channels: bool = False


class VoxelSettings(Description):
    """Settings of the report's network and its variants."""

    kind: Literal["voxels"] = "voxels"
    channels: tuple[int, int, int] = (32, 32, 16)
    dense: tuple[int, ...] = Field((64, 32, 16), min_length=1)
    activation: Literal["relu", "sigmoid"] = "relu"
    """The report's figure says sigmoid, its code uses ReLU."""
    normalise: bool = True
    """Batch normalisation after each convolution, before its activation."""
    inputs: Literal["both", "energy", "geometry"] = "both"
    """Cells and classical energy; `energy`: dense layers on the layers' sums; `geometry`: the cells alone."""
    window_rows: int | None = Field(None, ge=8)
    """Look at so many rows in the middle only, for speed; null takes all."""
    loss: EnergyLossName = "snorm_mse"
    huber_delta: float = Field(1.0, gt=0)
    """In the units of the loss's error (0.1 GeV)."""
    convolution_l2: float = Field(0.0, ge=0)
    dense_l1: float = Field(0.0, ge=0)
    dense_l2: float = Field(0.0, ge=0)
    """Penalties lambda x sum |w| and lambda x sum w^2 on the weights, added to the loss (Keras's form)."""
    dropout: LayerDropout = LayerDropout()
    mirror: bool = False
    """Show every shower in a random one of its mirror images (not done in the report)."""


class VoxelReconstructor(Reconstructor):
    """Energy from all cells, as in the LUXE report.

    Args:
        settings: The variant.
        detector: One Cartesian section, of at least 8 cells on each axis.

    Raises:
        ConfigurationError: The detector does not fit.
    """

    def __init__(self, settings: VoxelSettings, detector: Detector) -> None:
        super().__init__(detector)
        self.settings = settings
        layers, every_row, columns = self.grid.shape
        rows = settings.window_rows or every_row
        if min(layers, columns) < 8 or rows > every_row:
            raise ConfigurationError(
                f"the network needs 8 cells on each axis and window_rows of at most {every_row}; detector "
                f"{detector.name!r} has {self.grid.shape}, window_rows is {settings.window_rows}."
            )
        self.window = ((every_row - rows) // 2, rows)
        blocks: list[nn.Module] = []
        inputs = 1
        for number, channels in enumerate(settings.channels):
            blocks += self._block(inputs, channels, settings.dropout.convolutions[number])
            inputs = channels
        looks = settings.inputs != "energy"
        self.convolutions = nn.Sequential(*blocks, nn.Flatten()) if looks else nn.Sequential()
        cells = settings.channels[-1] * (layers // 8) * (rows // 8) * (columns // 8)
        known = {"both": cells + 1, "geometry": cells, "energy": layers + 1}[settings.inputs]
        dense: list[nn.Module] = []
        dropped = dict(enumerate(settings.dropout.dense))
        for number, width in enumerate(settings.dense):
            dense += [nn.Linear(known, width), self._activation()]
            if dropped.get(number):
                dense.append(nn.Dropout(dropped[number]))
            known = width
        self.dense = nn.Sequential(*dense, nn.Linear(known, 1))

    def parts(self) -> dict[str, nn.Module]:
        """Return the whole network."""
        return {"voxels": nn.ModuleList([self.convolutions, self.dense])}

    def losses(self, batch: HitBatch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the energy loss in units of 0.1 GeV, with the penalties on the weights."""
        if self.training and self.settings.mirror:
            draw = torch.rand(2, len(batch), generator=generator) < 0.5
            batch = batch.mirrored(self.grid, draw[0], draw[1])
        true = batch.incidents.energies * (UNITS_PER_GEV / MEV_PER_GEV)
        loss = energy_loss(self.settings.loss, self(batch), true, self.settings.huber_delta)
        return {"voxels": loss + self.penalty()}

    def validation_losses(self, batch: HitBatch, generator: torch.Generator) -> dict[str, Tensor]:  # noqa: ARG002
        """Return the energy loss without penalties."""
        true = batch.incidents.energies * (UNITS_PER_GEV / MEV_PER_GEV)
        return {"voxels": energy_loss(self.settings.loss, self(batch), true, self.settings.huber_delta)}

    def penalty(self) -> Tensor:
        """Return the penalties: L2 on the convolutions, L1 and L2 on the hidden dense layers."""
        settings = self.settings
        total = torch.zeros(())
        if settings.convolution_l2:
            for module in self.convolutions:
                if isinstance(module, nn.Conv3d):
                    total = total + settings.convolution_l2 * module.weight.square().sum()
        if settings.dense_l1 or settings.dense_l2:
            for module in list(self.dense)[:-1]:
                if isinstance(module, nn.Linear):
                    total = total + settings.dense_l1 * module.weight.abs().sum()
                    total = total + settings.dense_l2 * module.weight.square().sum()
        return total

    def forward(self, batch: HitBatch) -> Tensor:
        """Return energies (event,) in units of 0.1 GeV."""
        classical = UNITS_PER_GEV * self.classical_energy(batch)[:, None]
        if self.settings.inputs == "energy":
            known = torch.cat([batch.sums / MIP_MEV, classical], dim=1)
        else:
            known = self.convolutions(batch.images(self.grid, *self.window) / MIP_MEV)
            if self.settings.inputs == "both":
                known = torch.cat([known, classical], dim=1)
        with torch.autocast("cpu", enabled=False):
            energies: Tensor = self.dense(known.float())
        return energies[:, 0]

    @torch.no_grad()
    def estimate(self, batch: HitBatch) -> Estimates:
        """Return the energies, MeV; the report's network has no uncertainty."""
        return Estimates(energy=(self(batch) * (MEV_PER_GEV / UNITS_PER_GEV)).clamp_min(0.0))

    def _activation(self) -> nn.Module:
        return nn.ReLU() if self.settings.activation == "relu" else nn.Sigmoid()

    def _block(self, inputs: int, channels: int, dropout: float) -> list[nn.Module]:
        """Return one block: convolution, normalisation, activation, maximum, dropout."""
        block: list[nn.Module] = [nn.Conv3d(inputs, channels, 3, padding=1)]
        if self.settings.normalise:
            block.append(nn.BatchNorm3d(channels, eps=1e-3, momentum=0.01))
        block += [self._activation(), nn.MaxPool3d(2)]
        if dropout:
            block.append(
                nn.Dropout3d(dropout) if self.settings.dropout.whole_channels else nn.Dropout(dropout)
            )
        return block
