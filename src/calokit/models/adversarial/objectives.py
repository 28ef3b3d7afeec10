"""What discriminator and generator of a GAN minimise: cross-entropy, hinge or Wasserstein, and a penalty."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
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


def gradient_penalty(
    score: Callable[..., Tensor],
    real: Sequence[Tensor],
    fake: Sequence[Tensor],
    draws: Draws,
    centre: float = 1.0,
) -> Tensor:
    """Return the mean of (|gradient| - centre)^2 between real and fake.

    A centre of 1 is WGAN-GP (arXiv:1704.00028, eq. 3), one of 0 the zero-centred penalty (arXiv:1902.03984).

    The gradient is that of every input which differs between real and fake: an input that is left out could
    be weighted without bound.

    Args:
        score: From the inputs to scores (event,).
        real: The inputs of real showers, (event, ...) each.
        fake: Those of as many generated showers.
        draws: Draw the place between the two, the same for all inputs of an event.
        centre: The norm that is wanted.
    """
    place = draws.uniform(len(real[0]))
    between = [
        torch.lerp(one.detach(), other.detach(), place.view(-1, *([1] * (one.dim() - 1)))).requires_grad_(
            True
        )
        for one, other in zip(real, fake, strict=True)
    ]
    gradients = torch.autograd.grad(score(*between).sum(), between, create_graph=True)
    whole = torch.cat([gradient.flatten(1) for gradient in gradients], dim=1)
    penalty: Tensor = (whole.norm(dim=1) - centre).square().mean()
    return penalty


def is_discriminators_turn(step: int, discriminator_steps: int, generator_steps: int) -> bool:
    """Tell whose turn a step is: in each round the discriminator's come first.

    Example:
        >>> [is_discriminators_turn(step, 2, 1) for step in range(4)]
        [True, True, False, True]
    """
    return step % (discriminator_steps + generator_steps) < discriminator_steps


@contextmanager
def held_fixed(part: nn.Module) -> Iterator[None]:
    """Let gradients flow through a part without any for its own weights."""
    for parameter in part.parameters():
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in part.parameters():
            parameter.requires_grad_(True)
