"""What judges images whose incident particle is known, with a regressor inside that tells it their shape."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from calokit.models.adversarial.generators import Wrap, lay_in_middle, wrapper
from calokit.models.adversarial.image_settings import CANVAS, CriticSettings, RegressorSettings
from calokit.models.parts.attention import SelfAttention

SLOPE = 0.2
"""Of LeakyReLU below zero."""


class HalvingConvolutions(nn.Module):
    """3 x 3 convolutions of stride 2 on the 32 x 32 canvas: 16, 8, 4, 2, 1 places a side.

    Args:
        channels: Of each.
        spectral: Divide every weight by its largest singular value.
        attention: Self-attention behind the first, at 16 x 16.
    """

    def __init__(self, channels: tuple[int, ...], spectral: bool, attention: bool) -> None:
        super().__init__()
        wrap = wrapper(spectral)
        layers: list[nn.Module] = []
        for incoming, outgoing in zip((1, *channels[:-1]), channels, strict=True):
            layers += [wrap(nn.Conv2d(incoming, outgoing, 3, stride=2, padding=1)), nn.LeakyReLU(SLOPE)]
            if attention and len(layers) == 2:
                layers.append(SelfAttention(outgoing, spectral))
        self.layers = nn.Sequential(*layers)
        side = CANVAS >> len(channels)
        self.width = channels[-1] * side * side

    def forward(self, image: Tensor) -> Tensor:
        """Return features (event, width) of images (event, 1, row, column)."""
        features: Tensor = self.layers(lay_in_middle(image)).flatten(1)
        return features


class DenseCritic(nn.Module):
    """Convolutions, then dense layers that see the particle too, as the released WGAN's notebook has it.

    Args:
        settings: Channels, spectral norm, attention.
        condition: Width of what is known beside the image.
    """

    def __init__(self, settings: CriticSettings, condition: int) -> None:
        super().__init__()
        wrap = wrapper(settings.spectral_norm)
        self.features = HalvingConvolutions(settings.channels, settings.spectral_norm, settings.attention)
        self.dense = nn.Sequential(
            wrap(nn.Linear(self.features.width + condition, 64)),
            nn.LeakyReLU(SLOPE),
            wrap(nn.Linear(64, 32)),
            nn.LeakyReLU(SLOPE),
            wrap(nn.Linear(32, 1)),
        )

    def forward(self, image: Tensor, condition: Tensor) -> Tensor:
        """Return scores (event,) of images (event, 1, row, column), high for real."""
        score: Tensor = self.dense(torch.cat([self.features(image), condition], dim=1))
        return score.flatten().float()


class ProjectionCritic(nn.Module):
    """Convolutions whose features are scored alone and by their product with the embedded particle.

    score = linear(features) + <embedding(condition), features> (arXiv:1802.05637, eq. 3).

    Args:
        settings: Channels, spectral norm, attention.
        condition: Width of what is known beside the image.
    """

    WIDTH = 64

    def __init__(self, settings: CriticSettings, condition: int) -> None:
        super().__init__()
        wrap = wrapper(settings.spectral_norm)
        self.features = HalvingConvolutions(settings.channels, settings.spectral_norm, settings.attention)
        self.joined = wrap(nn.Linear(self.features.width, self.WIDTH))
        self.score = wrap(nn.Linear(self.WIDTH, 1))
        self.embedding = _embedding(wrap, condition, self.WIDTH)

    def forward(self, image: Tensor, condition: Tensor) -> Tensor:
        """Return scores (event,) of images (event, 1, row, column), high for real."""
        features = functional.leaky_relu(self.joined(self.features(image)), SLOPE)
        alone = self.score(features).flatten()
        projected = (self.embedding(condition) * features).sum(1)
        score: Tensor = alone + projected
        return score.float()


def _embedding(wrap: Wrap, condition: int, width: int) -> nn.Module:
    return nn.Sequential(
        wrap(nn.Linear(condition, width)), nn.LeakyReLU(SLOPE), wrap(nn.Linear(width, width))
    )


CRITICS: Mapping[str, type[DenseCritic | ProjectionCritic]] = {
    "dense": DenseCritic,
    "projection": ProjectionCritic,
}
"""By the form that settings name."""


class ImageRegressor(nn.Module):
    """Tells numbers of an image: small convolutions and two dense layers, which see the particle too.

    Args:
        settings: Channels.
        condition: Width of what is known beside the image.
        outputs: How many numbers.
    """

    def __init__(self, settings: RegressorSettings, condition: int, outputs: int) -> None:
        super().__init__()
        self.features = HalvingConvolutions(settings.channels, spectral=False, attention=False)
        self.dense = nn.Sequential(
            nn.Linear(self.features.width + condition, 64), nn.LeakyReLU(SLOPE), nn.Linear(64, outputs)
        )

    def forward(self, image: Tensor, condition: Tensor) -> Tensor:
        """Return (event, output) of images (event, 1, row, column), in units of the targets' spread."""
        told: Tensor = self.dense(torch.cat([self.features(image), condition], dim=1))
        return told.float()
