"""The mask + value regression of the EIC ZDC reports (seeds documents 000 and 001), stage 1.

A network from the incident particle to two images: the logit that a cell is hit and the energy of a hit
cell. The layer list `Default` is the report's; what stands inside its blocks is not published and is our
reading: LinearBlock(i, o, n) is n times (linear, batch normalisation, LeakyReLU 0.2), Conv2dBlock is a "same"
convolution, batch normalisation, LeakyReLU 0.2.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from calokit.config import Description
from calokit.detector import Detector
from calokit.errors import ConfigurationError
from calokit.models.conditions import Condition, IncidentEncoder
from calokit.models.protocols import Incidents, Surrogate, TrainingBatch, draw_noise
from calokit.models.readout import CartesianImage
from calokit.showers import Showers

IMAGE_CELLS = 20
"""Rows and columns that the layer list unfolds to (3 -> 5 -> 10 -> 20)."""


VALUE_START = 0.05
"""Factor on the initial weights of the value head, so that it starts where its softplus is not flat."""


class RegressionSettings(Description):
    """Settings of the mask + value regression."""

    kind: Literal["regression"] = "regression"
    conditions: tuple[Condition, ...] = ("energy", "position")
    """`("energy",)` is the report's input; an impact lets the network follow displaced showers."""
    hidden_dim: int = Field(32, ge=4)
    threshold_mev: float = Field(0.1, gt=0)
    """A cell above it is hit, MeV."""
    value_weight: float = Field(200.0, gt=0)
    """Weight of the value loss beside the mask loss; the report tried 200, 500 and 1000 and kept 200."""
    gate: Literal["threshold", "probability", "draw"] = "draw"
    """How the mask enters a generated shower: hit where likelier than not, as a factor, or drawn."""


class LinearBlock(nn.Sequential):
    """`layers` times linear, batch normalisation, LeakyReLU 0.2; the first changes the width."""

    def __init__(self, inputs: int, outputs: int, layers: int) -> None:
        modules: list[nn.Module] = []
        for layer in range(layers):
            modules += [
                nn.Linear(inputs if layer == 0 else outputs, outputs),
                nn.BatchNorm1d(outputs),
                nn.LeakyReLU(0.2),
            ]
        super().__init__(*modules)


class ConvolutionBlock(nn.Sequential):
    """A "same" convolution of one kernel size, batch normalisation, LeakyReLU 0.2."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2),
            nn.BatchNorm2d(outputs),
            nn.LeakyReLU(0.2),
        )


def default_layers(inputs: int, hidden_dim: int) -> nn.Sequential:
    """Return the report's Default layer list, from (event, inputs) to (event, hidden_dim, 20, 20)."""
    h = hidden_dim
    return nn.Sequential(
        nn.Linear(inputs, 4 * h),
        LinearBlock(4 * h, 4 * h, 4),
        LinearBlock(4 * h, 9 * h, 4),
        nn.Unflatten(1, (h, 3, 3)),
        nn.ConvTranspose2d(h, h, kernel_size=3),
        ConvolutionBlock(h, 2 * h, 3),
        ConvolutionBlock(2 * h, 4 * h, 3),
        nn.PixelShuffle(2),
        ConvolutionBlock(h, 2 * h, 5),
        ConvolutionBlock(2 * h, 4 * h, 5),
        nn.PixelShuffle(2),
        ConvolutionBlock(h, h, 5),
        ConvolutionBlock(h, h, 5),
    )


class RegressionSurrogate(Surrogate):
    """The mask + value network for a detector with one layer of 20 x 20 cells.

    Cell values are in units of the incident energy.

    Args:
        settings: Sizes, conditions and loss weight.
        detector: One Cartesian section of 1 x 20 x 20 cells.

    Raises:
        ConfigurationError: The detector has another readout.
    """

    def __init__(self, settings: RegressionSettings, detector: Detector) -> None:
        super().__init__()
        self.settings = settings
        self.image = CartesianImage(detector)
        shape = (self.image.layers, self.image.rows, self.image.columns)
        if shape != (1, IMAGE_CELLS, IMAGE_CELLS):
            raise ConfigurationError(
                f"the regression's layer list makes one image of {IMAGE_CELLS} x {IMAGE_CELLS} cells, and "
                f"detector {detector.name!r} has {shape}."
            )
        self.encoder = IncidentEncoder(
            settings.conditions, self.image.pitch_mm, (self.image.rows, self.image.columns)
        )
        self.layers = default_layers(self.encoder.width, settings.hidden_dim)
        self.mask_head = nn.Conv2d(settings.hidden_dim, 1, 1)
        self.value_head = nn.Conv2d(settings.hidden_dim, 1, 1)
        with torch.no_grad():
            self.value_head.weight.mul_(VALUE_START)
            self.value_head.bias.zero_()  # type: ignore[union-attr]

    def fit_transforms(self, sample: Showers) -> None:
        """Set the scales of the conditions from training showers."""
        self.encoder.fit(Incidents.of(sample))

    def parts(self) -> dict[str, nn.Module]:
        """Return the whole network, which one optimiser trains."""
        return {"regression": nn.ModuleList([self.layers, self.mask_head, self.value_head])}

    def losses(self, batch: TrainingBatch, generator: torch.Generator) -> dict[str, Tensor]:  # noqa: ARG002
        """Return L_mask + weight x L_value: cross-entropy of the hits, squared error of the values."""
        logits, values = self._images(batch.incidents)
        hit = batch.energies > self.settings.threshold_mev
        target = batch.energies * hit / batch.incidents.energies[:, None]
        mask_loss = functional.binary_cross_entropy_with_logits(logits, hit.to(logits.dtype))
        value_loss = functional.mse_loss(hit * values, target)
        return {"regression": mask_loss + self.settings.value_weight * value_loss}

    @torch.no_grad()
    def generate(self, incidents: Incidents, generator: torch.Generator) -> Tensor:
        """Compose value and gated mask and cut at the threshold; cells are independent given the particle."""
        logits, values = self._images(incidents)
        probability = torch.sigmoid(logits)
        gate = probability
        if self.settings.gate == "threshold":
            gate = (probability > 0.5).to(values.dtype)
        elif self.settings.gate == "draw":
            place = torch.special.ndtr(draw_noise(len(incidents), self.image.cells, generator))
            gate = (place < probability).to(values.dtype)
        energies = gate * values * incidents.energies[:, None]
        return torch.where(energies > self.settings.threshold_mev, energies, torch.zeros(()))

    def _images(self, incidents: Incidents) -> tuple[Tensor, Tensor]:
        """Return mask logits and values (event, cell); values are in units of the incident energy."""
        features = self.layers(self.encoder(incidents))
        logits = self.mask_head(features).flatten(1).float()
        values = functional.softplus(self.value_head(features).flatten(1).float(), beta=50.0)
        return logits, values
