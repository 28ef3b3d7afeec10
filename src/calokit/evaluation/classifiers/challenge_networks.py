"""The two networks of CaloChallenge's classifiers: a dense one, and a residual one of 3D convolutions."""

from __future__ import annotations

import itertools
import math

import torch
from torch import nn

from calokit.compute.draws import Generator

PLANES = (32, 64, 64, 128)
"""Channels of the four stages of the residual network."""


class ChallengeNetwork(nn.Sequential):
    """Hidden layers of one width, each followed by LeakyReLU, and one logit (CaloChallenge evaluate.py, DNN).

    With hidden layers of 2048 it has 2048 (k + 1) + 2 (2048^2 + 2048) + 2049 weights for k inputs.

    Args:
        inputs: Columns of the input; the input is (shower, inputs), the output (shower, 1).
        hidden: Width of the hidden layers.
        hidden_layers: At least 1; CaloChallenge has 3 (the first and "two hidden layers" more).

    Example:
        >>> sum(weight.numel() for weight in ChallengeNetwork(6481).parameters())
        21669889
    """

    def __init__(self, inputs: int, hidden: int = 2048, hidden_layers: int = 3) -> None:
        layers: list[nn.Module] = []
        for inward, outward in itertools.pairwise([inputs, *[hidden] * hidden_layers]):
            layers += [nn.Linear(inward, outward), nn.LeakyReLU(0.01)]
        super().__init__(*layers, nn.Linear(hidden, 1))


class ResidualNetwork(nn.Module):
    """ResNet-18 of 3D convolutions with 32, 64, 64 and 128 planes (CaloChallenge resnet.py).

    A convolution of 7 x 7 x 7 and a maximum pooling, both of stride 2, then four stages of two residual
    blocks, the mean over the image, and one linear layer that also takes the conditions after batch
    normalisation. In that layer conditions and image only add, so that the network cannot tell conditions
    that do not belong to the image from those that do; `condition_hidden` puts a hidden layer there.

    Args:
        image_shape: (layer, phi, r) or (layer, x, y) cells; an input row is the conditions and then the cells
            in that order, (shower, conditions + cells), the output (shower, 1).
        conditions: Columns before the cells; CaloChallenge has 1.
        condition_hidden: Width of a hidden layer over image and conditions; 0 is CaloChallenge's.

    Example:
        >>> network = ResidualNetwork((45, 16, 9))
        >>> sum(weight.numel() for weight in network.parameters())
        2516644
    """

    def __init__(
        self, image_shape: tuple[int, int, int], conditions: int = 1, condition_hidden: int = 0
    ) -> None:
        super().__init__()
        self.image_shape, self.conditions = image_shape, conditions
        self.stem = nn.Sequential(
            nn.Conv3d(1, PLANES[0], 7, stride=2, padding=3, bias=False),
            nn.BatchNorm3d(PLANES[0]),
            nn.ReLU(),
            nn.MaxPool3d(3, stride=2, padding=1),
        )
        blocks = []
        for stage, (inward, outward) in enumerate(itertools.pairwise([PLANES[0], *PLANES])):
            blocks += [_Block(inward, outward, 1 if stage == 0 else 2), _Block(outward, outward, 1)]
        self.blocks = nn.Sequential(*blocks)
        self.condition_norm = nn.BatchNorm1d(conditions)
        joined = PLANES[-1] + conditions
        self.head: nn.Module = nn.Linear(joined, 1)
        if condition_hidden:
            self.head = nn.Sequential(
                nn.Linear(joined, condition_hidden), nn.ReLU(), nn.Linear(condition_hidden, 1)
            )

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return logits, (shower, 1), of rows of conditions and cells, (shower, conditions + cells)."""
        conditions = self.condition_norm(rows[:, : self.conditions])
        images = rows[:, self.conditions :].reshape(-1, 1, *self.image_shape)
        means = self.blocks(self.stem(images)).mean(dim=(2, 3, 4))
        logits: torch.Tensor = self.head(torch.cat([means, conditions], dim=1))
        return logits


class _Block(nn.Module):
    """Two 3 x 3 x 3 convolutions beside a shortcut, a 1 x 1 x 1 convolution where the shape changes."""

    def __init__(self, inward: int, outward: int, stride: int) -> None:
        super().__init__()
        self.path = nn.Sequential(
            nn.Conv3d(inward, outward, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm3d(outward),
            nn.ReLU(),
            nn.Conv3d(outward, outward, 3, padding=1, bias=False),
            nn.BatchNorm3d(outward),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inward != outward:
            self.shortcut = nn.Sequential(
                nn.Conv3d(inward, outward, 1, stride=stride, bias=False), nn.BatchNorm3d(outward)
            )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = nn.functional.relu(self.path(images) + self.shortcut(images))
        return output


def draw_weights(network: nn.Module, random: Generator) -> None:
    """Draw all weights of a network from a generator, by the laws CaloChallenge's networks start from.

    Linear layers: uniform in +-1 / sqrt(inputs), weights and biases (PyTorch's default). Convolutions: normal
    with variance 2 / (outputs x kernel cells) (He et al., arXiv:1502.01852). Batch normalisation: 1 and 0.

    Args:
        network: On the CPU; changed in place.
        random: A generator of the CPU.
    """
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.Linear):
                bound = 1.0 / math.sqrt(layer.in_features)
                layer.weight.uniform_(-bound, bound, generator=random)
                layer.bias.uniform_(-bound, bound, generator=random)
            elif isinstance(layer, nn.Conv3d):
                fan = layer.out_channels * math.prod(layer.kernel_size)
                layer.weight.normal_(0.0, math.sqrt(2.0 / fan), generator=random)
            elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm3d):
                layer.reset_parameters()
