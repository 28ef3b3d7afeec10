"""Generators of images: transposed convolutions from 2 x 2 places, or enlarged ones from 3 x 3."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from calokit.models.adversarial.image_settings import CANVAS, GeneratorSettings
from calokit.models.parts.attention import SelfAttention

Wrap = Callable[[nn.Module], nn.Module]

EMBEDDING = 64
"""Width of the particle's embedding that multiplies the random numbers."""
OPEN = 0.5
"""First bias of the last layer, in units of the hits' root mean square."""


def wrapper(spectral: bool) -> Wrap:
    """Return what divides a layer's weight by its largest singular value, or leaves it (arXiv:1802.05957)."""
    return spectral_norm if spectral else nn.Identity()


class TransposedGenerator(nn.Module):
    """A dense layer to 2 x 2 places, four transposed convolutions to 32 x 32, of which the middle is cut.

    As the released WGAN of the LHCb calorimeter (airogachev/LHCb_CaloGAN): 3 x 3 kernels, batch
    normalisation and ReLU behind all but the last, whose ReLU makes no cell negative.

    Args:
        settings: Channels, spectral norm, attention.
        condition: Width of what is known of the incident particle.
        cells: (rows, columns), at most 32 each.
    """

    def __init__(self, settings: GeneratorSettings, condition: int, cells: tuple[int, int]) -> None:
        super().__init__()
        self.cells = cells
        wrap = wrapper(settings.spectral_norm)
        widest = settings.channels
        self.first = wrap(nn.Linear(settings.random_inputs + condition, 4 * widest))
        layers: list[nn.Module] = []
        for divisor in (1, 2, 4):
            incoming, outgoing = widest // divisor, widest // (2 * divisor)
            layers += [wrap(_doubling(incoming, outgoing)), nn.BatchNorm2d(outgoing), nn.ReLU()]
        if settings.attention:
            layers.append(SelfAttention(widest // 8, settings.spectral_norm))
        self.layers = nn.Sequential(*layers)
        self.last = wrap(_alive(_doubling(widest // 8, 1)))

    def forward(self, condition: Tensor, random: Tensor) -> Tensor:
        """Return images (event, 1, row, column), no cell below zero.

        Args:
            condition: (event, condition).
            random: (event, random input) normal numbers.
        """
        hidden = functional.leaky_relu(self.first(torch.cat([random, condition], dim=1)), 0.2)
        whole = functional.relu(self.last(self.layers(hidden.view(len(hidden), -1, 2, 2))))
        return cut_middle(whole, self.cells)


class UpsampledGenerator(nn.Module):
    """A dense layer to 3 x 3 places, enlarged to 7, 14, 28 and the readout, and convolved each time.

    The plain convolutional generator of a re-implementation, which multiplies the random numbers by an
    embedding of the particle; ours puts both side by side, so that the mean shower can follow the particle.

    Args:
        settings: Channels, spectral norm, attention, how random numbers meet the particle.
        condition: Width of what is known of the incident particle.
        cells: (rows, columns), at most 32 each.
    """

    def __init__(self, settings: GeneratorSettings, condition: int, cells: tuple[int, int]) -> None:
        super().__init__()
        self.sizes = ((7, 7), (14, 14), (28, 28), cells)
        wrap = wrapper(settings.spectral_norm)
        widths = [max(2, settings.channels // divisor) for divisor in (8, 4, 2, 1)]
        self.embedding: nn.Module | None = None
        inputs = settings.random_inputs + condition
        if settings.noise_times_condition:
            inputs = settings.random_inputs
            self.embedding = nn.Sequential(
                wrap(nn.Linear(condition, EMBEDDING)), nn.ReLU(), wrap(nn.Linear(EMBEDDING, inputs))
            )
        self.first = wrap(nn.Linear(inputs, 9 * widths[0]))
        blocks = [
            nn.Sequential(
                wrap(nn.Conv2d(incoming, outgoing, 3, padding=1)), nn.BatchNorm2d(outgoing), nn.ReLU()
            )
            for incoming, outgoing in pairwise(widths)
        ]
        if settings.attention:
            blocks[1].append(SelfAttention(widths[2], settings.spectral_norm))
        self.blocks = nn.ModuleList(blocks)
        self.last = wrap(_alive(nn.Conv2d(widths[-1], 1, 3, padding=1)))

    def forward(self, condition: Tensor, random: Tensor) -> Tensor:
        """Return images (event, 1, row, column), no cell below zero.

        Args:
            condition: (event, condition).
            random: (event, random input) normal numbers.
        """
        if self.embedding is None:
            inputs = torch.cat([random, condition], dim=1)
        else:
            inputs = random * self.embedding(condition)
        image = functional.relu(self.first(inputs)).view(len(inputs), -1, 3, 3)
        for size, layer in zip(self.sizes, [*self.blocks, self.last], strict=True):
            image = layer(functional.interpolate(image, size))
        return functional.relu(image)


GENERATORS: Mapping[str, type[TransposedGenerator | UpsampledGenerator]] = {
    "transposed": TransposedGenerator,
    "upsampled": UpsampledGenerator,
}
"""By the form that settings name."""


def _alive(last: nn.Conv2d | nn.ConvTranspose2d) -> nn.Module:
    """Return a last layer whose ReLU begins open in every cell: a cell that is always zero learns nothing."""
    assert last.bias is not None
    nn.init.constant_(last.bias, OPEN)
    return last


def _doubling(incoming: int, outgoing: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(incoming, outgoing, 3, stride=2, padding=1, output_padding=1)


def cut_middle(whole: Tensor, cells: tuple[int, int]) -> Tensor:
    """Return the middle rows and columns of (event, channel, 32, 32)."""
    row, column = ((CANVAS - count) // 2 for count in cells)
    return whole[:, :, row : row + cells[0], column : column + cells[1]]


def lay_in_middle(image: Tensor) -> Tensor:
    """Return (event, channel, 32, 32) with the image in the middle, zeros about it."""
    row, column = ((CANVAS - count) // 2 for count in image.shape[2:])
    rows, columns = image.shape[2:]
    return functional.pad(image, (column, CANVAS - columns - column, row, CANVAS - rows - row))
