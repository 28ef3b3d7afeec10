"""The time of a flow as features."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def sinusoidal_features(times: Tensor, frequencies: int = 8, largest: float = 100.0) -> Tensor:
    """Return (event, 1 + 2 * frequencies) features of a flow time in [0, 1] (event,)."""
    rates = torch.exp(torch.linspace(0.0, math.log(largest), frequencies, device=times.device))
    angles = times[:, None] * rates
    return torch.cat([times[:, None], torch.sin(angles), torch.cos(angles)], dim=1)
