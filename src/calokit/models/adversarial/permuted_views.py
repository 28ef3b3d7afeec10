"""Generator and discriminator of the Conv2D GAN: a path of 2D convolutions along each of the three axes.

Each path takes one axis of the volume as its channels (seeds document 002; layer lists of the public code by
its author).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from calokit.models.adversarial.volume_settings import CELLS, VolumeGanSettings

SEED_CELLS = 5
"""The generator unfolds a cube of so many cells a side."""
LEAK = 0.3
VIEWS = ((0, 1, 2), (2, 0, 1), (1, 2, 0))
"""Which axes of the volume (layer, row, column) are channels, rows and columns of a path."""
TOLD = 10
"""Width of the discriminator's last layer."""


class GeneratingPath(nn.Module):
    """From (event, 5, 5, 5) to (event, 25, 25, 25), the second axis being channels."""

    def __init__(self, width: float, dropout: float) -> None:
        super().__init__()
        small, large = _channels(32, width), _channels(64, width)
        self.layers = nn.Sequential(
            *_convolution(SEED_CELLS, small, 5, dropout),
            nn.ConvTranspose2d(small, large, 5, stride=3, padding=1, bias=False),
            *_convolution(large, large, 5, dropout),
            nn.ConvTranspose2d(large, large, 5, stride=2, padding=2, output_padding=1, bias=False),
            *_convolution(large, large, 8, dropout),
            *_convolution(large, large, 5, dropout, padded=False),
            *_convolution(large, small, 4, dropout),
            *_convolution(small, small, 3, dropout),
            *_convolution(small, CELLS, 2, dropout, padded=False),
        )

    def forward(self, seed: Tensor) -> Tensor:
        """Return (event, 25, 25, 25) of (event, 5, 5, 5)."""
        unfolded: Tensor = self.layers(seed)
        return unfolded


class JudgingPath(nn.Module):
    """From (event, 25, 25, 25) to (event, 9, 9, 9), the second axis being channels."""

    def __init__(self, width: float, dropout: float) -> None:
        super().__init__()
        small, large = _channels(32, width), _channels(64, width)
        self.layers = nn.Sequential(
            *_convolution(CELLS, large, 8, dropout),
            *_convolution(large, small, 6, dropout, padded=False),
            *_convolution(small, small, 5, dropout, padded=False),
            *_convolution(small, small, 4, dropout, padded=False),
            *_convolution(small, small, 3, dropout, padded=False),
            *_convolution(small, 9, 3, dropout, padded=False),
        )

    def forward(self, volume: Tensor) -> Tensor:
        """Return (event, 9, 9, 9) of (event, 25, 25, 25)."""
        folded: Tensor = self.layers(volume)
        return folded


class ViewsGenerator(nn.Module):
    """From random numbers to a volume.

    Args:
        settings: Sizes.
    """

    def __init__(self, settings: VolumeGanSettings) -> None:
        super().__init__()
        self.dense = nn.Linear(settings.random_inputs, SEED_CELLS**3)
        self.paths = nn.ModuleList(GeneratingPath(settings.width, settings.dropout) for _ in VIEWS)
        self.joined = nn.Conv2d(len(VIEWS) * CELLS, CELLS, 3, padding=1)

    def begin_at_one(self) -> None:
        """Let the first volumes lie about 1, not 0."""
        assert self.joined.bias is not None
        nn.init.ones_(self.joined.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return (event, layer, row, column) of (event, random number)."""
        return torch.relu(self.linear(inputs))

    def linear(self, inputs: Tensor) -> Tensor:
        """Return the same without cutting at zero, as training begins."""
        seed = self.dense(inputs).view(-1, SEED_CELLS, SEED_CELLS, SEED_CELLS)
        volume: Tensor = self.joined(_seen_along_each_axis(self.paths, seed))
        return volume


class ViewsDiscriminator(nn.Module):
    """From a volume to a logit (true?) and the incident energy in 100 GeV.

    Args:
        settings: Sizes.
    """

    def __init__(self, settings: VolumeGanSettings) -> None:
        super().__init__()
        self.paths = nn.ModuleList(JudgingPath(settings.width, settings.dropout) for _ in VIEWS)
        self.summary = nn.Sequential(
            nn.Linear(len(VIEWS) * 9**3, TOLD), nn.LeakyReLU(LEAK), nn.BatchNorm1d(TOLD)
        )
        self.true = nn.Linear(TOLD, 1)
        self.energy = nn.Linear(TOLD, 1)

    def forward(self, volume: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (event,) and energies (event,) of (event, layer, row, column)."""
        told = self.summary(_seen_along_each_axis(self.paths, volume).flatten(1))
        return self.true(told)[:, 0], self.energy(told)[:, 0]


def _channels(published: int, width: float) -> int:
    return max(2, round(published * width))


def _convolution(
    inputs: int, outputs: int, size: int, dropout: float, padded: bool = True
) -> list[nn.Module]:
    """Return a convolution without bias, and what stands behind each."""
    before, after = (size - 1) // 2, size // 2
    padding: list[nn.Module] = [nn.ZeroPad2d((before, after, before, after))] if padded else []
    return [
        *padding,
        nn.Conv2d(inputs, outputs, size, bias=False),
        nn.LeakyReLU(LEAK),
        nn.BatchNorm2d(outputs),
        nn.Dropout(dropout),
    ]


def _seen_along_each_axis(paths: nn.ModuleList, volume: Tensor) -> Tensor:
    """Return what each path makes of a volume along its axis, turned back, as channels behind each other."""
    views = [_back(path(_along(volume, view)), view) for path, view in zip(paths, VIEWS, strict=True)]
    return torch.cat(views, dim=1)


def _along(volume: Tensor, view: tuple[int, int, int]) -> Tensor:
    """Return a volume (event, layer, row, column) with its axes in the order of a view."""
    return volume.permute(0, *(axis + 1 for axis in view))


def _back(seen: Tensor, view: tuple[int, int, int]) -> Tensor:
    """Return what a path made in the order of the volume."""
    return seen.permute(0, *(view.index(axis) + 1 for axis in range(3)))
