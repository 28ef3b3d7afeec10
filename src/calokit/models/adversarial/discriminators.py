"""A convolutional discriminator of calorimeter images that knows the incident particle."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm


class ImageDiscriminator(nn.Module):
    """Three convolutions (n, n / 2, n / 4 cells a side), then two dense layers with conditions and totals.

    Args:
        channels_in: Channels of the image.
        cells: (rows, columns), each of four or more.
        condition: Width of what is known beside the image.
        channels: Channels of the first convolution; the later ones have two and four times as many.
        spectral: Divide every weight by its largest singular value (arXiv:1802.05957).
    """

    def __init__(
        self, channels_in: int, cells: tuple[int, int], condition: int, channels: int, spectral: bool
    ) -> None:
        super().__init__()
        wrap: Callable[[nn.Module], nn.Module] = spectral_norm if spectral else nn.Identity()
        self.convolutions = nn.ModuleList(
            [
                wrap(nn.Conv2d(channels_in, channels, 3, padding=1)),
                wrap(nn.Conv2d(channels, 2 * channels, 4, stride=2, padding=1)),
                wrap(nn.Conv2d(2 * channels, 4 * channels, 4, stride=2, padding=1)),
            ]
        )
        places = (cells[0] // 4) * (cells[1] // 4)
        self.inner = wrap(nn.Linear(4 * channels * places + condition, 128))
        self.outer = wrap(nn.Linear(128 + condition, 1))

    def forward(self, image: Tensor, condition: Tensor) -> Tensor:
        """Return scores (event,), high for real.

        Args:
            image: (event, channel, row, column).
            condition: (event, condition).
        """
        for convolution in self.convolutions:
            image = functional.leaky_relu(convolution(image), 0.2)
        hidden = self.inner(torch.cat([image.flatten(1), condition], dim=1))
        hidden = functional.leaky_relu(hidden, 0.2)
        score: Tensor = self.outer(torch.cat([hidden, condition], dim=1))
        return score.flatten().float()
