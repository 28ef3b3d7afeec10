"""The mask + value network of the EIC ZDC reports: layer lists, heads and losses (seeds documents 000, 001).

A network from the incident particle to images: the logit that a cell is hit and the value of a hit cell. The
layer lists `Default` and `Extended 2` are those of document 001, entry by entry; what stands inside their
blocks is not published and is our reading: LinearBlock(i, o, n) is n times (linear, batch normalisation,
LeakyReLU 0.2), Conv2dBlock is a "same" convolution, batch normalisation, LeakyReLU 0.2.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from calokit.models.mask_value.settings import Gate, MaskValueSettings

IMAGE_CELLS = 20
"""Rows and columns that the layer lists unfold to (3 -> 5 -> 10 -> 20)."""

REPORTED_CELLS = (IMAGE_CELLS, IMAGE_CELLS)

VALUE_START = 0.05
"""Factor on the initial weights of the value head, so that it starts where its softplus is not flat."""

SOFTNESS = 50.0
"""Inverse width of the softplus that keeps values above zero."""


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


def enlarge_to(cells: tuple[int, int]) -> list[nn.Module]:
    """Return what makes images of any rows and columns of the lists' 20 x 20; nothing where they are."""
    if cells == (IMAGE_CELLS, IMAGE_CELLS):
        return []
    return [nn.Upsample(cells, mode="bilinear")]


def default_layers(inputs: int, hidden_dim: int, cells: tuple[int, int] = REPORTED_CELLS) -> nn.Sequential:
    """Return the report's Default layer list, from (event, inputs) to (event, hidden_dim, row, column).

    Args:
        inputs: Width of the input.
        hidden_dim: Channels.
        cells: Rows and columns; where they are not the report's 20 x 20, the images are enlarged or made
            smaller to them, bilinearly, before the last two convolutions (ours).
    """
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
        *enlarge_to(cells),
        ConvolutionBlock(h, h, 5),
        ConvolutionBlock(h, h, 5),
    )


def extended_2_layers(inputs: int, hidden_dim: int, cells: tuple[int, int] = REPORTED_CELLS) -> nn.Sequential:
    """Return the report's "Extended 2", entries 0 to 23 as it numbers them; all else as `default_layers`."""
    h = hidden_dim
    return nn.Sequential(
        nn.Linear(inputs, 4 * h),
        LinearBlock(4 * h, 4 * h, 4),
        LinearBlock(4 * h, 4 * h, 4),
        LinearBlock(4 * h, 4 * h, 4),
        LinearBlock(4 * h, 9 * h, 4),
        nn.Dropout(0.1),
        nn.Unflatten(1, (h, 3, 3)),
        nn.ConvTranspose2d(h, h, kernel_size=3),
        ConvolutionBlock(h, 2 * h, 3),
        ConvolutionBlock(2 * h, 2 * h, 3),
        ConvolutionBlock(2 * h, 2 * h, 3),
        ConvolutionBlock(2 * h, 4 * h, 3),
        nn.Dropout(0.1),
        nn.PixelShuffle(2),
        ConvolutionBlock(h, 2 * h, 5),
        ConvolutionBlock(2 * h, 2 * h, 5),
        ConvolutionBlock(2 * h, 2 * h, 5),
        ConvolutionBlock(2 * h, 4 * h, 5),
        nn.Dropout(0.1),
        nn.PixelShuffle(2),
        *enlarge_to(cells),
        ConvolutionBlock(h, h, 5),
        ConvolutionBlock(h, h, 5),
        ConvolutionBlock(h, h, 5),
        ConvolutionBlock(h, h, 5),
    )


class MaskValueNetwork(nn.Module):
    """A layer list with a head for the mask and one for each image of positive numbers.

    Args:
        inputs: Width of the input.
        settings: Layer list, hidden size and kernel of the heads.
        cells: Rows and columns of the images.
        starts: One positive image for each entry, which the image is about at the start of training; the
            first is the value.
    """

    def __init__(
        self,
        inputs: int,
        settings: MaskValueSettings,
        cells: tuple[int, int],
        starts: tuple[float, ...] = (0.0,),
    ) -> None:
        super().__init__()
        build = default_layers if settings.layers == "default" else extended_2_layers
        kernel = settings.head_kernel
        self.inputs = inputs
        self.layers = build(inputs, settings.hidden_dim, cells)
        self.mask_head = nn.Conv2d(settings.hidden_dim, 1, kernel, padding=kernel // 2)
        heads = [nn.Conv2d(settings.hidden_dim, 1, kernel, padding=kernel // 2) for _ in starts]
        self.positive_heads = nn.ModuleList(heads)
        with torch.no_grad():
            for head, start in zip(heads, starts, strict=True):
                head.weight.mul_(VALUE_START)
                torch.nn.init.constant_(cast("Tensor", head.bias), start)

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Return mask logits (event, cell), then each positive image (event, cell); float32."""
        features = self.layers(inputs)
        images = [head(features).flatten(1).float() for head in self.positive_heads]
        logits = self.mask_head(features).flatten(1).float()
        return (logits, *(functional.softplus(image, beta=SOFTNESS) for image in images))


def mask_value_losses(
    logits: Tensor, values: Tensor, energies: Tensor, targets: Tensor, settings: MaskValueSettings
) -> tuple[Tensor, Tensor]:
    """Return L_mask, the cross-entropy of the hits, and L_value, the error of the values: means over cells.

    Args:
        logits: (event, cell) of a cell being hit.
        values: (event, cell) predicted values.
        energies: (event, cell) true energies, MeV.
        targets: (event, cell) true values, zero in empty cells.
        settings: Threshold, kind of value loss, and which cells have a value. `huber` turns from squared to
            absolute at an error of 0.05.
    """
    hit = energies > settings.threshold_mev
    mask_loss = functional.binary_cross_entropy_with_logits(logits, hit.to(logits.dtype))
    predicted = values * hit if settings.value_cells == "hit" else values
    match settings.value_loss:
        case "squared":
            return mask_loss, functional.mse_loss(predicted, targets)
        case "absolute":
            return mask_loss, functional.l1_loss(predicted, targets)
        case "huber":
            return mask_loss, functional.huber_loss(predicted, targets, delta=0.05)


def energy_penalty(made: Tensor, true: Tensor, incident: Tensor) -> Tensor:
    """Return the mean of (E / <E>) h((visible made - visible true) / E), h squared to 0.3 and linear beyond.

    The report (seeds document 000) tried energy-dependent penalties, of a form it does not give, since its
    squared error grew with the energy; this one lets an error of the visible energy count in proportion to E.

    Args:
        made: (event, cell) MeV.
        true: (event, cell) MeV.
        incident: (event,) incident energies E, MeV.
    """
    deviation = (made.sum(1) - true.sum(1)) / incident
    cost = 2.0 * functional.huber_loss(deviation, torch.zeros(()).expand_as(deviation), "none", delta=0.3)
    return (incident / incident.mean() * cost).mean()


def open_gate(logits: Tensor, gate: Gate, uniform: Tensor | None) -> Tensor:
    """Return the factor (event, cell) by which the mask lets a cell's energy through.

    Args:
        logits: (event, cell) of a hit.
        gate: How it opens.
        uniform: (event, cell) noise; needed where hits are drawn.
    """
    probability = torch.sigmoid(logits)
    match gate:
        case "probability":
            return probability
        case "threshold":
            return (probability > 0.5).to(logits.dtype)
        case "draw":
            assert uniform is not None
            return (uniform < probability).to(logits.dtype)
