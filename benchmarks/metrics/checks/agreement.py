"""What one comparison of a metric gives, and what all of them need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from calokit.evaluation.metrics.distances import Distance
from calokit.showers import Showers


@dataclass(frozen=True)
class Agreement:
    """How a metric stands against something that knows the answer.

    Attributes:
        metric: Name of the row in docs/metrics.md.
        against: The independent implementation or known answer, in words.
        difference: Largest difference seen.
        relative: Whether the difference is relative.
        error_over_spread: Mean error over the spread of the values in repetitions, smallest and largest.
        floor: Value and error for truth against truth, where the metric is a distance.
        floor_showers: Showers of each sample of the floor, and which.
    """

    metric: str
    against: str
    difference: float
    relative: bool = True
    error_over_spread: tuple[float, float] | None = None
    floor: Distance | None = None
    floor_showers: str = ""


@dataclass(frozen=True)
class Truth:
    """Geant4 showers that the comparisons run on.

    Attributes:
        zdc: Positrons in one layer of crystals, with impacts and directions.
        par04: Electrons in 45 layers of rings.
    """

    zdc: Showers
    par04: Showers


def largest(found: ArrayLike, expected: ArrayLike, relative: bool = True) -> float:
    """Return the largest difference of two arrays; places where both are NaN count as equal."""
    one, other = np.asarray(found, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    difference = np.abs(one - other)
    if relative:
        scale = np.abs(other)
        difference = np.divide(difference, scale, out=difference.copy(), where=scale > 0)
    difference[np.isnan(one) & np.isnan(other)] = 0.0
    return float(difference.max(initial=0.0))


def error_ratio(draw: Callable[[np.random.Generator], Distance], times: int, seed: int = 1) -> float:
    """Return the mean error over the spread of the values of independent samples."""
    generator = np.random.default_rng(seed)
    found = [draw(generator) for _ in range(times)]
    return float(np.mean([each.error for each in found]) / np.std([each.value for each in found], ddof=1))


def span(*ratios: float) -> tuple[float, float]:
    """Return the smallest and the largest ratio."""
    return min(ratios), max(ratios)


def halves(showers: Showers) -> tuple[Showers, Showers]:
    """Return the showers at even and at odd positions."""
    number = len(showers) // 2
    return showers[: 2 * number : 2], showers[1 : 2 * number : 2]
