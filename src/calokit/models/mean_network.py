"""The mean of networks on hits that differ in more than their seed.

Networks that learned differently err differently, and their mean errs less than the best of them.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from calokit.config import Description
from calokit.detector import Detector
from calokit.errors import ConfigurationError
from calokit.models.counting_network import CountingReconstructor, CountingSettings
from calokit.models.hit_batch import HitBatch
from calokit.models.hits_network import HitEstimator, HitsReconstructor, HitsSettings, Target
from calokit.showers import Showers

NetworkSettings = Annotated[HitsSettings | CountingSettings, Field(discriminator="kind")]


class MeanSettings(Description):
    """Which networks are averaged, each by itself the mean of its members."""

    kind: Literal["mean"] = "mean"
    networks: tuple[NetworkSettings, ...] = Field(min_length=1)


class MeanReconstructor(HitEstimator):
    """The mean of trained networks; made by `calokit calibrate --mixed`, never trained itself.

    Args:
        settings: The networks.
        detector: One Cartesian section.

    Raises:
        ConfigurationError: The networks estimate different things.
    """

    def __init__(self, settings: MeanSettings, detector: Detector) -> None:
        targets = {one.targets for one in settings.networks}
        if len(targets) > 1:
            raise ConfigurationError(f"networks of different targets have no mean: {sorted(targets)}.")
        super().__init__(targets.pop(), detector)
        self.settings = settings
        self.networks = nn.ModuleList(make_network(one, detector) for one in settings.networks)

    def average(self, batch: HitBatch) -> dict[Target, tuple[Tensor, Tensor]]:
        """Return, by target, the mean of the networks; the mean of one kind's seeds counts once."""
        found = [
            network.average(batch) for network in self.networks if isinstance(network, HitsReconstructor)
        ]
        result: dict[Target, tuple[Tensor, Tensor]] = {}
        for target in self.targets:
            values, widths = zip(*(one[target] for one in found), strict=True)
            result[target] = (torch.stack(values).mean(dim=0), torch.stack(widths).mean(dim=0))
        return result

    def fit_transforms(self, sample: Showers) -> None:
        """Refuse to be trained."""
        del sample
        raise ConfigurationError(
            "a mean of networks is not trained; train its networks, then calokit calibrate --mixed."
        )

    def parts(self) -> dict[str, nn.Module]:
        """Return the networks' members; nothing trains them."""
        return {f"network_{number + 1}": network for number, network in enumerate(self.networks)}

    def losses(self, batch: HitBatch, generator: torch.Generator) -> dict[str, Tensor]:
        """Refuse to be trained."""
        del batch, generator
        raise ConfigurationError("a mean of networks has no losses.")


def make_network(settings: NetworkSettings, detector: Detector) -> HitsReconstructor:
    """Return an untrained network on hits."""
    if isinstance(settings, CountingSettings):
        return CountingReconstructor(settings, detector)
    return HitsReconstructor(settings, detector)
