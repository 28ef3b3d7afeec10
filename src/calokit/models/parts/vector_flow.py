"""Flow matching for a few numbers given a condition."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from calokit.compute.device import Device
from calokit.compute.draws import Draws, Noise
from calokit.models.parts.blocks import DenseNetwork
from calokit.models.parts.solvers import find_solver, integrate
from calokit.models.parts.steps import uniform_times
from calokit.models.parts.times import sinusoidal_features

SOLVER_STEPS = 8


class VectorFlow(nn.Module):
    """Draws standardised numbers by the velocity of straight paths from noise (arXiv:2210.02747, eq. 23).

    Computed in full precision, since it is cheap and carries the energy response.

    Args:
        numbers: How many are drawn.
        condition: Width of the condition.
        width: Of each hidden layer.
        layers: Hidden layers.
    """

    def __init__(self, numbers: int, condition: int, width: int, layers: int) -> None:
        super().__init__()
        self.numbers = numbers
        times = sinusoidal_features(torch.zeros(1)).shape[1]
        self.velocity = DenseNetwork([numbers + condition + times, *[width] * layers, numbers])

    def loss(self, values: Tensor, condition: Tensor, draws: Draws) -> Tensor:
        """Return the mean squared error of the velocity for values (event, number)."""
        noise = draws.normal(*values.shape)
        times = torch.sigmoid(draws.normal(len(values)))
        state = noise + times[:, None] * (values - noise)
        error: Tensor = (self._velocity(state, condition, times) - (values - noise)).square().mean()
        return error

    def noise(self) -> Noise:
        """Return the random numbers that a draw takes."""
        return Noise("normal", self.numbers)

    def draw(self, condition: Tensor, noise: Tensor) -> Tensor:
        """Return numbers (event, number) for conditions (event, condition) and noise (event, number)."""

        def velocity(state: Tensor, time: float) -> Tensor:
            return self._velocity(state, condition, state.new_full((len(state),), time))

        return integrate(find_solver("midpoint"), velocity, noise, uniform_times(SOLVER_STEPS))

    def _velocity(self, state: Tensor, condition: Tensor, times: Tensor) -> Tensor:
        with Device.holding(state).full_precision():
            velocity: Tensor = self.velocity(torch.cat([state, condition, sinusoidal_features(times)], dim=1))
        return velocity
