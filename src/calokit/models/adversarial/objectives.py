"""What discriminator and generator of a GAN minimise: cross-entropy, hinge or Wasserstein, and a penalty."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from calokit.compute.draws import Draws
from calokit.models.adversarial.settings import Objective


def discriminator_loss(objective: Objective, real: Tensor, fake: Tensor) -> Tensor:
    """Return the discriminator's loss of its scores (event,) for real and for fake showers.

    Cross-entropy as in arXiv:1406.2661, hinge as in arXiv:1705.02894, Wasserstein as in arXiv:1701.07875.

    Example:
        >>> discriminator_loss("hinge", torch.tensor([2.0]), torch.tensor([-2.0])).item()
        0.0
    """
    match objective:
        case "cross_entropy":
            return functional.softplus(-real).mean() + functional.softplus(fake).mean()
        case "hinge":
            return functional.relu(1.0 - real).mean() + functional.relu(1.0 + fake).mean()
        case "wasserstein":
            return fake.mean() - real.mean()


def generator_loss(objective: Objective, fake: Tensor) -> Tensor:
    """Return the generator's loss of the scores (event,) of its showers; cross-entropy does not saturate."""
    if objective == "cross_entropy":
        return functional.softplus(-fake).mean()
    return -fake.mean()


def gradient_penalty(score: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, draws: Draws) -> Tensor:
    """Return the mean of (|gradient| - 1)^2 between real and fake images (WGAN-GP, arXiv:1704.00028, eq. 3).

    Args:
        score: From images to scores (event,).
        real: (event, ...) images.
        fake: As many generated images.
        draws: Draw the place between the two.
    """
    shape = (len(real), *([1] * (real.dim() - 1)))
    place = draws.uniform(*shape)
    between = torch.lerp(real.detach(), fake.detach(), place).requires_grad_(True)
    (gradient,) = torch.autograd.grad(score(between).sum(), between, create_graph=True)
    penalty: Tensor = (gradient.flatten(1).norm(dim=1) - 1.0).square().mean()
    return penalty
