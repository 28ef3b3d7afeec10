"""Energy by convolutions over the whole shower: a learner that shares nothing with the networks on hits.

No hit is looked at by itself and none has a line or neighbours of its own: three blocks of Conv2d see the
cells of all layers at once as the channels of an image, pooled by means, and what they make of it is summed
over rows and columns. A family from outside calokit: `CALOKIT_FAMILIES=benchmarks.models.whole_shower` makes
it known.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from calokit.compute.device import Device
from calokit.compute.draws import Draws
from calokit.detector import Detector
from calokit.models.estimators.energy_losses import energy_loss
from calokit.models.estimators.hit_batch import HitBatch
from calokit.models.estimators.hits import log_sums
from calokit.models.estimators.protocol import Estimates, Reconstructor
from calokit.models.estimators.settings import EstimatorSettings
from calokit.recipes.recipe import Recipe, TrainingSettings
from calokit.units import MEV_PER_GEV

CELL_NUMBERS = 3
"""Numbers that are shown of each cell's deposit."""


class WholeShowerSettings(EstimatorSettings):
    """Sizes of the network."""

    model: ClassVar[str] = "benchmarks.models.whole_shower:WholeShower"
    kind: Literal["whole_shower"] = "whole_shower"
    rows: int = 16
    """Rows in the middle that are looked at."""
    channels: tuple[int, int, int] = (48, 64, 64)
    dense: tuple[int, int] = (64, 32)
    dropout: float = 0.1


class WholeShower(Reconstructor):
    """Classical energy + sqrt(classical energy) x what convolutions make of the cells.

    Args:
        settings: Sizes.
        detector: One Cartesian section.
    """

    def __init__(self, settings: WholeShowerSettings, detector: Detector) -> None:
        super().__init__(detector)
        layers, every_row, _ = self.grid.shape
        self.window = ((every_row - settings.rows) // 2, settings.rows)
        blocks: list[nn.Module] = []
        inputs = CELL_NUMBERS * layers
        pools = (nn.AvgPool2d(2, ceil_mode=True), nn.AvgPool2d(2, ceil_mode=True), nn.Identity())
        for channels, pool in zip(settings.channels, pools, strict=True):
            convolution = nn.Conv2d(inputs, channels, 3, padding=1, bias=False)
            blocks += [convolution, nn.BatchNorm2d(channels), nn.ReLU(), pool]
            inputs = channels
        self.convolutions = nn.Sequential(*blocks)
        known = inputs + layers + 1
        dense: list[nn.Module] = [nn.Dropout(settings.dropout)]
        for width in settings.dense:
            dense += [nn.Linear(known, width), nn.SiLU()]
            known = width
        last = nn.Linear(known, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.dense = nn.Sequential(*dense, last)

    def parts(self) -> dict[str, nn.Module]:
        """Return the whole network."""
        return {"shower": nn.ModuleList([self.convolutions, self.dense])}

    def forward(self, batch: HitBatch) -> Tensor:
        """Return the energies (event,), GeV."""
        scaled = batch.images(self.grid, *self.window) / self.hit_scale_mev
        shown = torch.cat([scaled.log1p(), scaled.clamp_max(4.0) / 2, torch.exp(-scaled) - 1.0], dim=1)
        seen = self.convolutions(shown.flatten(1, 2)).sum(dim=(2, 3))
        with Device.holding(seen).full_precision():
            classical = self.classical_energy(batch)
            numbers = [seen.float() / 10.0, log_sums(batch), classical.log()[:, None] - 2.0]
            result: Tensor = classical + classical.sqrt() * self.dense(torch.cat(numbers, dim=1))[:, 0]
        return result

    def losses(self, batch: HitBatch, draws: Draws) -> dict[str, Tensor]:
        """Return the mean of (dE)^2 / E of showers in random mirror images."""
        if self.training:
            batch = batch.mirrored(self.grid, *(draws.uniform(2, len(batch)) < 0.5))
        true = batch.incidents.energies / MEV_PER_GEV
        return {"shower": energy_loss("snorm_mse", self(batch).clamp_min(0.01), true)}

    @torch.no_grad()
    def estimate(self, batch: HitBatch) -> Estimates:
        """Return the energies, MeV."""
        return Estimates(energy=MEV_PER_GEV * self(batch).clamp_min(0.01))


def luxe_whole_shower() -> Recipe:
    """The energy from all cells at once."""
    return Recipe(
        name="luxe_whole_shower",
        title="LUXE ECAL-P, energy by convolutions over the whole shower",
        detector="luxe_ecal",
        model=WholeShowerSettings(),
        training=TrainingSettings(
            steps=4_000,
            batch_size=64,
            learning_rate=3e-3,
            moving_average=0.998,
            validate_every=350,
            precision="float32",
            memory_format="contiguous",
        ),
    )


RECIPES = (luxe_whole_shower,)
