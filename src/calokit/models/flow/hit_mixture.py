"""The part of a flow's velocity that is known exactly: each cell is either empty or hit.

Empty cells are Normal(m0, s0) by construction (`LogCells`), hits are roughly Normal(m1, s1). For a path
x = (1 - t) z + t y from unit noise z to a normal y, the mean velocity given x is linear,

    v(x, t) = m + (t s^2 - (1 - t)) / (t^2 s^2 + (1 - t)^2) (x - t m),

and for the mixture it is the mean of both, weighted by the probability that the cell is hit given x. So the
network has to say only what the formula cannot: the log-odds of a hit before x is seen, given the incident
particle and the neighbours, and a correction to the velocity of a hit. (Derived here; the linear case is
the Gaussian path of arXiv:2210.02747, section 4.)
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class HitMixture(nn.Module):
    """Joins a network's log-odds and correction with the exact velocities of empty cells and hits.

    Args:
        zero_mean: Mean of empty cells after `LogCells`.
        zero_width: Their standard deviation.
    """

    hit_mean: Tensor
    hit_width: Tensor
    log_odds: Tensor

    def __init__(self, zero_mean: float, zero_width: float) -> None:
        super().__init__()
        self.zero_mean = zero_mean
        self.zero_width = zero_width
        self.register_buffer("hit_mean", torch.tensor(1.0))
        self.register_buffer("hit_width", torch.tensor(1.0))
        self.register_buffer("log_odds", torch.tensor(0.0))

    def fit(self, values: Tensor) -> None:
        """Set the hits' mean and width and the overall log-odds from a sample (event, cell) of `LogCells`."""
        hit = values > 0
        share = float(hit.double().mean())
        self.hit_mean.fill_(float(values[hit].double().mean()))
        self.hit_width.fill_(float(values[hit].double().std(correction=0)))
        self.log_odds.fill_(math.log(share / (1.0 - share)) if 0.0 < share < 1.0 else 0.0)

    def forward(self, state: Tensor, times: Tensor, log_odds: Tensor, correction: Tensor) -> Tensor:
        """Return the velocity (event, cell).

        Args:
            state: (event, cell) x at time t.
            times: (event,) t in [0, 1].
            log_odds: (event, cell) the network's log-odds of a hit, beyond the overall ones.
            correction: (event, cell) the network's correction to the velocity of a hit.
        """
        time = times[:, None]
        empty, empty_score = _normal_velocity(state, time, self.zero_mean, self.zero_width)
        hit, hit_score = _normal_velocity(state, time, self.hit_mean, self.hit_width)
        probability = torch.sigmoid(log_odds + self.log_odds + hit_score - empty_score)
        return torch.lerp(empty, hit + correction, probability)


def _normal_velocity(
    state: Tensor, time: Tensor, mean: Tensor | float, width: Tensor | float
) -> tuple[Tensor, Tensor]:
    """Return mean velocity and log-density (up to a constant) of a path to Normal(mean, width)."""
    variance = (time * width) ** 2 + (1.0 - time) ** 2
    distance = state - time * mean
    velocity = mean + (time * width**2 - (1.0 - time)) / variance * distance
    return velocity, -0.5 * (distance.square() / variance + torch.log(variance))
