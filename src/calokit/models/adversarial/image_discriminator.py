"""A critic of images with the auxiliary regressor inside it, whose answer is a condition of the judgement."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from calokit.models.adversarial.critics import CRITICS, ImageRegressor
from calokit.models.adversarial.image_settings import ImageGanSettings, RegressorSettings
from calokit.models.batches import IncidentTensors
from calokit.models.parts.places import CartesianImage
from calokit.models.parts.shower_shape import ShowerShape


class RegressedShape(nn.Module):
    """What the auxiliary regressor shall tell of showers, in units of its spread over the training showers.

    Args:
        settings: Which numbers, and the depth that asymmetries refer to.
        image: The readout.
        threshold_mev: Cells above it are counted as hits.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, settings: RegressorSettings, image: CartesianImage, threshold_mev: float) -> None:
        super().__init__()
        self.target = settings.target
        self.threshold_mev = threshold_mev
        self.shape = ShowerShape(image, settings.depth_mm)
        self.width = 1 if settings.target == "hits" else 2
        self.register_buffer("mean", torch.zeros(self.width))
        self.register_buffer("spread", torch.ones(self.width))

    def fit(self, energies: Tensor, incidents: IncidentTensors) -> None:
        """Set mean and spread from training showers."""
        raw = self._raw(energies, incidents).double()
        self.mean.copy_(raw.mean(0))
        self.spread.copy_(raw.std(0, correction=0).clamp_min(1e-3))

    def forward(self, energies: Tensor, incidents: IncidentTensors) -> Tensor:
        """Return (event, width) of showers (event, cell) in MeV."""
        return (self._raw(energies, incidents) - self.mean) / self.spread

    def _raw(self, energies: Tensor, incidents: IncidentTensors) -> Tensor:
        match self.target:
            case "asymmetries":
                return self.shape.asymmetries(energies, incidents)
            case "widths":
                return self.shape.widths(energies, incidents)
            case "hits":
                hits = (energies > self.threshold_mev).sum(1, keepdim=True)
                return torch.log1p(hits.to(energies.dtype))


class RegressingDiscriminator(nn.Module):
    """Scores images of which the incident particle is known, and perhaps what a regressor tells of them.

    Args:
        settings: Critic and regressor.
        condition: Width of the encoded incident particle.
        regressed: How many numbers the regressor tells; 0 without one.
    """

    def __init__(self, settings: ImageGanSettings, condition: int, regressed: int) -> None:
        super().__init__()
        self.regressor: ImageRegressor | None = None
        if settings.regressor is not None:
            self.moved_by_critic = settings.regressor.moved_by_critic
            self.leads_generator = settings.regressor.leads_generator
            self.regressor = ImageRegressor(settings.regressor, condition, regressed)
        whole = condition + regressed + settings.critic.sees_total
        self.critic = CRITICS[settings.critic.form](settings.critic, whole)

    def forward(self, image: Tensor, condition: Tensor, total: Tensor | None) -> Tensor:
        """Return scores (event,) of images, high for real.

        Args:
            image: (event, 1, row, column) transformed energies.
            condition: (event, condition) the encoded particle.
            total: (event, 1) what is told of the visible energy; None where nothing is.
        """
        known = [condition] if total is None else [condition, total]
        if self.regressor is not None:
            seen = image if self.leads_generator else image.detach()
            told = self.regressor if self.moved_by_critic else self._fixed_regressor
            known.append(told(seen, condition))
        score: Tensor = self.critic(image, torch.cat(known, dim=1))
        return score

    def _fixed_regressor(self, image: Tensor, condition: Tensor) -> Tensor:
        """Return what the regressor tells, with gradients for the image and none for its weights."""
        assert self.regressor is not None
        weights = {name: one.detach() for name, one in self.regressor.named_parameters()}
        told: Tensor = torch.func.functional_call(self.regressor, weights, (image, condition))
        return told
