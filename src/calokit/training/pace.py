"""How far a training is: by its steps where their number is given, by the clock where its time is."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from calokit.recipes.recipe import Pace

PLAN_PART = 0.02
"""Part of the time after which the steps are planned anew."""

LEFT_PART = 0.25
"""The same, of the time that is left."""


@dataclass(frozen=True)
class Place:
    """Where in its schedules a training stands.

    Attributes:
        step: Which step of `steps` it is; between whole numbers where the plan has changed.
        steps: How many there are, as now planned.
    """

    step: float
    steps: int


def find_place(step: int, steps: int, pace: Pace = ()) -> Place:
    """Return where schedules stand at a step.

    Args:
        step: Steps done.
        steps: Steps in all.
        pace: From which step on how many steps were planned in all; each plan leads from where it begins to
            the end of all schedules. Without one, schedules follow the steps.

    Example:
        >>> find_place(150, 200), find_place(150, 200, ((0, 400), (100, 200)))
        (Place(step=150, steps=200), Place(step=125.0, steps=200))
    """
    if not pace:
        return Place(step, steps)
    done = 0.0
    for (start, planned), (stop, _) in pairwise([*pace, (max(step, pace[-1][0]), 0)]):
        done += (1.0 - done) * (min(stop, step) - start) / (planned - start)
        if stop >= step:
            return Place(done * planned, planned)
    raise AssertionError("a plan begins at step 0")


class TimeBudget:
    """Plans how many steps fit into a given time, again and again while the training goes on.

    Args:
        seconds: How long the training shall take.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._last: tuple[int, float] | None = None
        self._due = 0

    def due(self, step: int) -> bool:
        """Whether to plan anew after so many steps."""
        return step >= self._due

    def plan(self, step: int, elapsed: float, guess: float) -> int:
        """Return how many steps there shall be in all, at least one more.

        Args:
            step: Steps done.
            elapsed: Seconds that they took.
            guess: Seconds a step, taken where none has been timed yet.
        """
        pace = guess
        if self._last is not None and elapsed > self._last[1]:
            pace = (elapsed - self._last[1]) / (step - self._last[0])
        self._last = (step, elapsed)
        left = self.seconds - elapsed
        self._due = step + max(1, round(min(PLAN_PART * self.seconds, LEFT_PART * left) / pace))
        return step + max(1, round(left / pace))
