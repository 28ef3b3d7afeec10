"""Network parts that several families are built from."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


class DenseNetwork(nn.Sequential):
    """Fully connected layers with SiLU between them.

    Args:
        widths: Number of inputs, of each hidden layer, and of outputs.

    Example:
        >>> DenseNetwork([3, 16, 2])(torch.zeros(5, 3)).shape
        torch.Size([5, 2])
    """

    def __init__(self, widths: list[int]) -> None:
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Linear(inputs, outputs), nn.SiLU()]
        super().__init__(*layers[:-1])


class ConvolutionalNetwork(nn.Module):
    """Residual convolutional network on a readout image, for the unknown parts of a flow's velocity.

    2 x 2 cells are folded into channels, so that the convolutions run on a quarter of the places; there is
    no normalisation layer; conditions are added to the channels of every block. The last convolution of each
    block and the head start at zero, so that the network starts by adding nothing.

    Args:
        layers: Readout layers of the calorimeter, the channels of the image.
        outputs: Numbers returned for each cell.
        geometry: Fixed channels that describe each cell's place relative to the impact.
        condition: Width of the condition vector.
        channels: Channels of the residual blocks.
        blocks: Residual blocks of two 3 x 3 convolutions.
        inputs: Channels of the image that comes in, where they are not the layers.
    """

    FOLD = 2

    def __init__(
        self,
        layers: int,
        outputs: int,
        geometry: int,
        condition: int,
        channels: int,
        blocks: int,
        inputs: int | None = None,
    ) -> None:
        super().__init__()
        fold = self.FOLD**2
        self.channels = channels
        incoming = layers if inputs is None else inputs
        self.stem = nn.Conv2d((incoming + geometry) * fold, channels, 3, padding=1)
        self.first = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(blocks))
        self.second = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(blocks))
        self.head = nn.Conv2d(channels, outputs * layers * fold, 3, padding=1)
        self.condition = DenseNetwork([condition, 128, 128, channels * (blocks + 1)])
        for convolution in [*self.second, self.head]:
            nn.init.zeros_(convolution.weight)
            nn.init.zeros_(convolution.bias)

    def forward(self, image: Tensor, geometry: Tensor, condition: Tensor) -> Tensor:
        """Return the outputs for every cell.

        Args:
            image: (event, layer or input, row, column), an even number of rows and columns.
            geometry: (event, geometry channel, row, column).
            condition: (event, condition).

        Returns:
            (event, output x layer, row, column), all layers of the first output first.
        """
        added = self.condition(condition).view(len(image), -1, self.channels, 1, 1)
        folded = functional.pixel_unshuffle(torch.cat([image, geometry], dim=1), self.FOLD)
        if self.stem.weight.is_contiguous(memory_format=torch.channels_last):
            folded = folded.contiguous(memory_format=torch.channels_last)
        hidden = self.stem(folded) + added[:, 0]
        for index, (first, second) in enumerate(zip(self.first, self.second, strict=True)):
            inner = first(functional.silu(hidden)) + added[:, index + 1]
            hidden = hidden + second(functional.silu(inner))
        return functional.pixel_shuffle(self.head(functional.silu(hidden)), self.FOLD)
