"""Generator and discriminator of the Conv2D GAN: a path of 2D convolutions along each of the three axes.

Each path takes one axis of the volume as its channels (seeds document 002).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from calokit.models.adversarial.view_layers import FOLDING, LAST_SIZE, LAYERS, Shape, ViewLayers, folded
from calokit.models.adversarial.volume_settings import VolumeGanSettings

LEAK = 0.3
VIEWS = ((0, 1, 2), (2, 0, 1), (1, 2, 0))
"""Which axes of the volume (layer, row, column) are channels, rows and columns of a path."""
TOLD = 10
"""Width of the discriminator's last layer."""
STRETCHING = 5
"""Size of the transposed convolutions."""


class GeneratingPath(nn.Module):
    """From a cube of numbers (event, n, n, n) to channels, rows and columns of a view.

    Args:
        layers: The layer list.
        shape: Channels, rows and columns that it makes.
        width: Factor on the numbers of channels between.
        dropout: While it trains.
    """

    def __init__(self, layers: ViewLayers, shape: Shape, width: float, dropout: float) -> None:
        super().__init__()
        made, *image = shape
        steps: list[nn.Module] = []
        inputs = layers.seed_cells
        for number, layer in enumerate(layers.unfolding):
            outputs = layer.channels[made]
            if number < len(layers.unfolding) - 1:
                outputs = _channels(outputs, width)
            if layer.strides is not None:
                rows, columns = (layer.strides[cells] for cells in image)
                steps.append(_stretching(inputs, outputs, (rows, columns)))
                inputs = outputs
            rows, columns = (layer.sizes[cells] for cells in image)
            steps += _convolution(inputs, outputs, (rows, columns), dropout, layer.padded)
            inputs = outputs
        self.layers = nn.Sequential(*steps)

    def forward(self, seed: Tensor) -> Tensor:
        """Return (event, channel, row, column) of (event, n, n, n)."""
        unfolded: Tensor = self.layers(seed)
        return unfolded


class JudgingPath(nn.Module):
    """From a view (event, channel, row, column) to a smaller one.

    Args:
        channels: How many a view has.
        last_channels: In which it ends.
        width: Factor on the numbers of channels between.
        dropout: While it trains.
    """

    def __init__(self, channels: int, last_channels: int, width: float, dropout: float) -> None:
        super().__init__()
        steps: list[nn.Module] = []
        for size, published, padded in FOLDING:
            outputs = _channels(published, width)
            steps += _convolution(channels, outputs, (size, size), dropout, padded)
            channels = outputs
        steps += _convolution(channels, last_channels, (LAST_SIZE, LAST_SIZE), dropout, padded=False)
        self.layers = nn.Sequential(*steps)

    def forward(self, view: Tensor) -> Tensor:
        """Return (event, channel, row - 16, column - 16) of (event, channel, row, column)."""
        told: Tensor = self.layers(view)
        return told


class ViewsGenerator(nn.Module):
    """From random numbers to a volume.

    Args:
        settings: Sizes.
        shape: Layers, rows and columns; one of `LAYERS`.
        inputs: Numbers that it is given.
    """

    def __init__(self, settings: VolumeGanSettings, shape: Shape, inputs: int) -> None:
        super().__init__()
        layers = LAYERS[shape]
        self.seed_cells = layers.seed_cells
        self.dense = nn.Linear(inputs, self.seed_cells**3)
        self.paths = nn.ModuleList(
            GeneratingPath(layers, _in_order(shape, view), settings.width, settings.dropout) for view in VIEWS
        )
        self.joined = nn.Conv2d(len(VIEWS) * shape[0], shape[0], 3, padding=1)

    def begin_at_one(self) -> None:
        """Let the first volumes lie about 1, not 0."""
        assert self.joined.bias is not None
        nn.init.ones_(self.joined.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return (event, layer, row, column) of (event, number)."""
        return torch.relu(self.linear(inputs))

    def linear(self, inputs: Tensor) -> Tensor:
        """Return the same without cutting at zero, as training begins."""
        seed = self.dense(inputs).view(-1, self.seed_cells, self.seed_cells, self.seed_cells)
        volume: Tensor = self.joined(torch.cat(list(_seen_along_each_axis(self.paths, seed)), dim=1))
        return volume


class ViewsDiscriminator(nn.Module):
    """From a volume to a logit (true?) and the incident energy in 100 GeV.

    Args:
        settings: Sizes.
        shape: Layers, rows and columns; one of `LAYERS`.
    """

    def __init__(self, settings: VolumeGanSettings, shape: Shape) -> None:
        super().__init__()
        last = LAYERS[shape].last_channels
        views = [_in_order(shape, view) for view in VIEWS]
        self.paths = nn.ModuleList(
            JudgingPath(channels, last, settings.width, settings.dropout) for channels, _, _ in views
        )
        told = sum(last * folded(rows) * folded(columns) for _, rows, columns in views)
        self.summary = nn.Sequential(nn.Linear(told, TOLD), nn.LeakyReLU(LEAK), nn.BatchNorm1d(TOLD))
        self.true = nn.Linear(TOLD, 1)
        self.energy = nn.Linear(TOLD, 1)

    def forward(self, volume: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (event,) and energies (event,) of (event, layer, row, column)."""
        views = [view.flatten(1) for view in _seen_along_each_axis(self.paths, volume)]
        told = self.summary(torch.cat(views, dim=1))
        return self.true(told)[:, 0], self.energy(told)[:, 0]


def _channels(published: int, width: float) -> int:
    return max(2, round(published * width))


def _stretching(inputs: int, outputs: int, strides: tuple[int, int]) -> nn.Module:
    """Return a transposed convolution that makes an image as many times as large as its strides."""
    padding = tuple(math.ceil((STRETCHING - stride) / 2) for stride in strides)
    missing = tuple(stride + 2 * before - STRETCHING for stride, before in zip(strides, padding, strict=True))
    return nn.ConvTranspose2d(
        inputs,
        outputs,
        STRETCHING,
        stride=strides,
        padding=(padding[0], padding[1]),
        output_padding=(missing[0], missing[1]),
        bias=False,
    )


def _convolution(
    inputs: int, outputs: int, size: tuple[int, int], dropout: float, padded: bool = True
) -> list[nn.Module]:
    """Return a convolution without bias, and what stands behind each."""
    rows, columns = size
    around = ((columns - 1) // 2, columns // 2, (rows - 1) // 2, rows // 2)
    padding: list[nn.Module] = [nn.ZeroPad2d(around)] if padded else []
    return [
        *padding,
        nn.Conv2d(inputs, outputs, size, bias=False),
        nn.LeakyReLU(LEAK),
        nn.BatchNorm2d(outputs),
        nn.Dropout(dropout),
    ]


def _seen_along_each_axis(paths: nn.ModuleList, volume: Tensor) -> Iterator[Tensor]:
    """Yield what each path makes of a volume along its axis, turned back."""
    for path, view in zip(paths, VIEWS, strict=True):
        yield _back(path(_along(volume, view)), view)


def _in_order(shape: Shape, view: tuple[int, int, int]) -> Shape:
    """Return layers, rows and columns in the order of a view."""
    channels, rows, columns = (shape[axis] for axis in view)
    return channels, rows, columns


def _along(volume: Tensor, view: tuple[int, int, int]) -> Tensor:
    """Return a volume (event, layer, row, column) with its axes in the order of a view."""
    return volume.permute(0, *(axis + 1 for axis in view))


def _back(seen: Tensor, view: tuple[int, int, int]) -> Tensor:
    """Return what a path made in the order of the volume."""
    return seen.permute(0, *(view.index(axis) + 1 for axis in range(3)))
