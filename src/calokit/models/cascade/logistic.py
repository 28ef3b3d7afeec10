"""Truncated logistic densities that keep their digits however far out the bounds are.

Where a logistic's tails are too heavy (one shower in a thousand with its energy in the wrong place), the
variable is bent first: sigmoid(bend(x)) follows the normal distribution to 2e-4, and ends faster still.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

LINEAR = 1.5976
CUBIC = 0.07056
"""Of the logistic approximation of the normal distribution (Page, Applied Statistics 26 (1977) 75)."""


def bend(place: Tensor) -> Tensor:
    """Return the logistic variable of a nearly normal one."""
    return place * (LINEAR + CUBIC * place.square())


def log_slope(place: Tensor) -> Tensor:
    """Return ln(d bend / d place)."""
    return torch.log(LINEAR + 3 * CUBIC * place.square())


def straighten(bent: Tensor) -> Tensor:
    """Return the nearly normal variable of a logistic one: the real root of the cubic.

    Example:
        >>> straighten(bend(torch.tensor([-3.0, 0.0, 8.0]))).round(decimals=4).tolist()
        [-3.0, 0.0, 8.0]
    """
    scale = math.sqrt(LINEAR / (3 * CUBIC))
    return 2 * scale * torch.sinh(torch.asinh(1.5 * bent / (LINEAR * scale)) / 3)


def log_mass(low: Tensor, high: Tensor) -> Tensor:
    """Return ln(sigmoid(high) - sigmoid(low)) for low < high, exactly in both tails.

    The difference is sigmoid(high) sigmoid(-low) (1 - exp(low - high)).
    """
    gap = (high - low).clamp_min(1e-12)
    return functional.logsigmoid(high) + functional.logsigmoid(-low) + torch.log(-torch.expm1(-gap))


def log_density(place: Tensor) -> Tensor:
    """Return the logarithm of the standard logistic density."""
    return functional.logsigmoid(place) + functional.logsigmoid(-place)


def draw_between(low: Tensor, high: Tensor, uniform: Tensor) -> Tensor:
    """Draw from the standard logistic truncated to [low, high], by its inverse cumulative distribution.

    The side that holds the bounds is turned to the left tail, where probabilities keep their digits.
    """
    turned = low + high > 0
    left = torch.where(turned, -high, low)
    right = torch.where(turned, -low, high)
    share = torch.where(turned, 1 - uniform, uniform)
    logarithm = torch.logaddexp(
        functional.logsigmoid(left) + torch.log1p(-share), functional.logsigmoid(right) + torch.log(share)
    ).clamp_max(-1e-7)
    place = logarithm - torch.log(-torch.expm1(logarithm))
    place = torch.maximum(torch.minimum(place, right), left)
    return torch.where(turned, -place, place)


def choose(logits: Tensor, uniform: Tensor) -> Tensor:
    """Draw one of the last axis' alternatives for each row by its unnormalised logarithms.

    Args:
        logits: (row, alternative); those of -inf are never chosen.
        uniform: (row,) in (0, 1).

    Returns:
        (row,) int64.
    """
    heights = torch.exp(logits - logits.amax(1, keepdim=True)).cumsum(1)
    return (heights < uniform[:, None] * heights[:, -1:]).sum(1).clamp_max(logits.shape[1] - 1)
