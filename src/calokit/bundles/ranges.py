"""The range of the conditions among training showers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calokit.showers import ShowerFile


@dataclass(frozen=True)
class ConditionRange:
    """Smallest and largest value of one condition column among the training showers."""

    name: str
    smallest: float
    largest: float


def measure_ranges(view: ShowerFile) -> list[ConditionRange]:
    """Find the range of every condition column over a view (reads the condition columns only).

    Returns:
        One range a column: ln of the incident energy (MeV), impact (mm), direction (rad).
    """
    smallest: NDArray[np.float64] | None = None
    largest: NDArray[np.float64] | None = None
    names: list[str] = []
    for incidents in view.incident_chunks():
        conditions, columns = incidents.conditions()
        names = columns
        low, high = conditions.min(axis=0), conditions.max(axis=0)
        smallest = low if smallest is None else np.minimum(smallest, low)
        largest = high if largest is None else np.maximum(largest, high)
    assert smallest is not None
    assert largest is not None
    return [
        ConditionRange(name, float(low), float(high))
        for name, low, high in zip(names, smallest, largest, strict=True)
    ]
