"""Convolutions over all cells and dense layers behind them: the trunk of the LUXE report's networks.

Three blocks of Conv3d 3 x 3 x 3, batch normalisation where asked for, activation and 2 x 2 x 2 maximum; the
result is joined by what classical reconstruction found and passed through dense layers
(przemekk125/projekt_studencki). Deposits are in minimum ionising particles and energies in units of 0.1 GeV.
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn

from calokit.compute.device import Device
from calokit.compute.draws import Draws
from calokit.detector import Detector
from calokit.models.estimators.hit_batch import HitBatch
from calokit.models.estimators.protocol import Reconstructor
from calokit.models.estimators.settings import VoxelTrunkSettings
from calokit.units import MEV_PER_GEV

UNITS_PER_GEV = 10.0
"""The report's energies are in units of 0.1 GeV."""
MIP_MEV = 0.11
"""Deposit of a minimum ionising particle in a pad of 0.32 mm of silicon, MeV (the report's 115 a GeV)."""


class VoxelTrunk(Reconstructor):
    """Convolutions over all cells and the dense layers behind them.

    Args:
        settings: Sizes, penalties and dropout.
        detector: One Cartesian section, of at least 8 cells on each axis.
        beside: Numbers that join the cells before the dense layers.
        outputs: Numbers that the dense layers end in.
        looks: Whether there are convolutions at all.
    """

    settings: VoxelTrunkSettings

    def __init__(
        self, settings: VoxelTrunkSettings, detector: Detector, beside: int, outputs: int, looks: bool = True
    ) -> None:
        super().__init__(detector)
        self.settings = settings
        layers, every_row, columns = self.grid.shape
        rows = settings.window_rows or every_row
        self.window = ((every_row - rows) // 2, rows)
        blocks: list[nn.Module] = []
        inputs = 1
        for number, channels in enumerate(settings.channels):
            blocks += self._block(inputs, channels, settings.dropout.convolutions[number])
            inputs = channels
        self.convolutions = nn.Sequential(*blocks, nn.Flatten()) if looks else nn.Sequential()
        cells = settings.channels[-1] * (layers // 8) * (rows // 8) * (columns // 8)
        known = beside + (cells if looks else 0)
        dense: list[nn.Module] = []
        dropped = dict(enumerate(settings.dropout.dense))
        for number, width in enumerate(settings.dense):
            dense += [nn.Linear(known, width), self._activation()]
            if dropped.get(number):
                dense.append(nn.Dropout(dropped[number]))
            known = width
        self.dense = nn.Sequential(*dense, nn.Linear(known, outputs))

    def parts(self) -> dict[str, nn.Module]:
        """Return the whole network."""
        return {"voxels": nn.ModuleList([self.convolutions, self.dense])}

    @abstractmethod
    def data_loss(self, batch: HitBatch) -> Tensor:
        """Return the loss without penalties."""

    def losses(self, batch: HitBatch, draws: Draws) -> dict[str, Tensor]:
        """Return the loss with the penalties, showers in random mirror images where that is asked for."""
        if self.training and self.settings.mirror:
            batch = batch.mirrored(self.grid, *(draws.uniform(2, len(batch)) < 0.5))
        return {"voxels": self.data_loss(batch) + self.penalty()}

    def validation_losses(self, batch: HitBatch, draws: Draws) -> dict[str, Tensor]:  # noqa: ARG002
        """Return the loss without penalties."""
        return {"voxels": self.data_loss(batch)}

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

    def look(self, batch: HitBatch) -> Tensor:
        """Return what the convolutions make of the cells (event, k)."""
        seen: Tensor = self.convolutions(batch.images(self.grid, *self.window) / MIP_MEV)
        return seen

    def conclude(self, known: Tensor) -> Tensor:
        """Return what the dense layers make of all that is known (event, outputs)."""
        with Device.holding(known).full_precision():
            result: Tensor = self.dense(known.float())
        return result

    def true_energy(self, batch: HitBatch) -> Tensor:
        """Return true energies (event,) in units of 0.1 GeV."""
        return batch.incidents.energies * (UNITS_PER_GEV / MEV_PER_GEV)

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
