"""Solvers of the flow's differential equation dx/dt = v(x, t), from noise at t = 0 to data at t = 1."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import ClassVar

from torch import Tensor

from calokit.errors import ConfigurationError, suggest_near_miss

Velocity = Callable[[Tensor, float], Tensor]


class Solver(ABC):
    """A numerical scheme: its name, its order and its cost."""

    name: ClassVar[str]
    order: ClassVar[int]
    evaluations: ClassVar[int]
    """Velocity evaluations a step."""

    @abstractmethod
    def solve(self, velocity: Velocity, state: Tensor, times: Sequence[float]) -> Tensor:
        """Carry the state (event, ...) from the first of the times to the last."""


class OneStepSolver(Solver):
    """A scheme that forgets what was before the step: it is its formula."""

    def solve(self, velocity: Velocity, state: Tensor, times: Sequence[float]) -> Tensor:
        """Carry the state through the times, step by step."""
        for start, stop in pairwise(times):
            state = self.step(velocity, state, start, stop)
        return state

    @abstractmethod
    def step(self, velocity: Velocity, state: Tensor, start: float, stop: float) -> Tensor:
        """Advance the state (event, ...) from one time to another."""


class Euler(OneStepSolver):
    """First order: follow the velocity at the start."""

    name = "euler"
    order = 1
    evaluations = 1

    def step(self, velocity: Velocity, state: Tensor, start: float, stop: float) -> Tensor:
        """Advance by one Euler step."""
        return state + (stop - start) * velocity(state, start)


class Midpoint(OneStepSolver):
    """Second order: follow the velocity found half way."""

    name = "midpoint"
    order = 2
    evaluations = 2

    def step(self, velocity: Velocity, state: Tensor, start: float, stop: float) -> Tensor:
        """Advance by one explicit midpoint step."""
        half = 0.5 * (stop - start)
        return state + 2 * half * velocity(state + half * velocity(state, start), start + half)


class Heun(OneStepSolver):
    """Second order: follow the mean of the velocities at the start and at the predicted end."""

    name = "heun"
    order = 2
    evaluations = 2

    def step(self, velocity: Velocity, state: Tensor, start: float, stop: float) -> Tensor:
        """Advance by one Heun step."""
        first = velocity(state, start)
        second = velocity(state + (stop - start) * first, stop)
        return state + 0.5 * (stop - start) * (first + second)


class RungeKutta4(OneStepSolver):
    """The classical fourth-order scheme."""

    name = "rk4"
    order = 4
    evaluations = 4

    def step(self, velocity: Velocity, state: Tensor, start: float, stop: float) -> Tensor:
        """Advance by one classical Runge-Kutta step."""
        length = stop - start
        first = velocity(state, start)
        second = velocity(state + 0.5 * length * first, start + 0.5 * length)
        third = velocity(state + 0.5 * length * second, start + 0.5 * length)
        fourth = velocity(state + length * third, stop)
        return state + length / 6 * (first + 2 * second + 2 * third + fourth)


class AdamsBashforth2(Solver):
    """Second order with one evaluation a step: the velocity is carried on linearly from the step before.

    For steps h after h' (Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I, III.5):
    x += h ((1 + h / 2h') v - h / 2h' v').
    """

    name = "ab2"
    order = 2
    evaluations = 1

    def solve(self, velocity: Velocity, state: Tensor, times: Sequence[float]) -> Tensor:
        """Carry the state through the times; the first step is an Euler step."""
        before: tuple[Tensor, float] | None = None
        for start, stop in pairwise(times):
            length, current = stop - start, velocity(state, start)
            if before is None:
                state = state + length * current
            else:
                ratio = length / (2 * before[1])
                state = state + length * ((1 + ratio) * current - ratio * before[0])
            before = current, length
        return state


_SOLVERS: dict[str, type[Solver]] = {
    scheme.name: scheme for scheme in (Euler, Midpoint, Heun, RungeKutta4, AdamsBashforth2)
}


def find_solver(name: str) -> Solver:
    """Return the solver of that name.

    Raises:
        ConfigurationError: There is none of that name.

    Example:
        >>> find_solver("heun").order
        2
    """
    if name not in _SOLVERS:
        raise ConfigurationError(f"no solver {name!r}. {suggest_near_miss(name, _SOLVERS)}")
    return _SOLVERS[name]()


def integrate(solver: Solver, velocity: Velocity, noise: Tensor, times: Sequence[float]) -> Tensor:
    """Carry noise (event, ...) along the velocity through the given times.

    Args:
        solver: The scheme.
        velocity: v(state, time) of the state's shape.
        noise: The state at the first time.
        times: Increasing times, first 0 and last 1.

    Returns:
        The state at the last time.

    Example:
        >>> import torch
        >>> from calokit.models.parts.steps import uniform_times
        >>> float(integrate(Heun(), lambda x, t: x, torch.ones(1), uniform_times(50)).log().round(decimals=3))
        1.0
    """
    return solver.solve(velocity, noise, times)
