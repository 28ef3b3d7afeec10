"""The learning rate of each step: a cosine for all parts, or one cycle for a part that has its own."""

from __future__ import annotations

import math

from calokit.recipes.recipe import OneCycle, TrainingSettings
from calokit.training.pace import find_place


def learning_rate(part: str, step: int, settings: TrainingSettings) -> float:
    """Return the learning rate of a part at a step, the first step being 0."""
    cycle = settings.one_cycle.get(part)
    if cycle is not None:
        place = find_place(step, settings.steps, settings.pace)
        return one_cycle_rate(place.step, place.steps, cycle)
    return settings.learning_rate * rate_factor(step, settings)


def rate_factor(step: int, settings: TrainingSettings) -> float:
    """Return the learning rate's factor: a linear warm-up, then a cosine to zero at the last step."""
    rise = min(1.0, (step + 1) / max(1, settings.warmup_steps))
    place = find_place(step, settings.steps, settings.pace)
    return rise * 0.5 * (1.0 + math.cos(math.pi * place.step / place.steps))


def one_cycle_rate(step: float, steps: int, cycle: OneCycle) -> float:
    """Return the rate of one cycle (arXiv:1708.07120, in the form of torch's OneCycleLR with two cosines).

    It rises from highest / start_divisor to highest at the step rising_part x steps, and falls from there to
    highest / start_divisor / end_divisor at the last.

    Args:
        step: The first step is 0, the last `steps` - 1.
        steps: How many.
        cycle: Highest rate, rising part and divisors.

    Example:
        >>> cycle = OneCycle(highest_rate=1e-3, rising_part=0.35)
        >>> [round(one_cycle_rate(step, 1000, cycle), 6) for step in (0, 349, 999)]
        [4e-05, 0.001, 0.0]
    """
    first = cycle.highest_rate / cycle.start_divisor
    last = first / cycle.end_divisor
    top = cycle.rising_part * steps - 1.0
    if step <= top:
        return _cosine(first, cycle.highest_rate, step / top if top > 0 else 1.0)
    return _cosine(cycle.highest_rate, last, min(1.0, (step - top) / max(steps - 1.0 - top, 1e-9)))


def _cosine(start: float, end: float, part: float) -> float:
    return end + 0.5 * (start - end) * (1.0 + math.cos(math.pi * part))
