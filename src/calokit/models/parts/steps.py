"""The steps of a solver's way through time."""

from __future__ import annotations


def uniform_times(steps: int) -> list[float]:
    """Return the `steps` + 1 equally spaced times from 0 to 1."""
    return [index / steps for index in range(steps + 1)]
