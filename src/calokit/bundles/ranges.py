"""The range of the conditions among training showers, and what lies outside it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calokit.arrays import Float64
from calokit.errors import ConditionWarning
from calokit.showers import Incidents, ShowerFile
from calokit.units import MEV_PER_GEV, range_words

ENERGY = "ln incident energy"
RANGE_MARGIN = 1e-3
"""Share of a condition's training range by which it may be exceeded without a warning."""
KINDS = {ENERGY: "energy", "impact x": "position", "impact y": "position"}
"""Which condition of a model a column belongs to; the others belong to the direction."""


@dataclass(frozen=True)
class ConditionRange:
    """Smallest and largest value of one condition column among the training showers."""

    name: str
    smallest: float
    largest: float

    @property
    def kind(self) -> str:
        """The condition of a model that the column belongs to: energy, position or direction."""
        return KINDS.get(self.name, "direction")

    @property
    def words(self) -> str:
        """Name and range in words, with the unit; energies in GeV."""
        if self.name == ENERGY:
            low, high = math.exp(self.smallest) / MEV_PER_GEV, math.exp(self.largest) / MEV_PER_GEV
            return range_words(low, high, "GeV", digits=3)
        unit = "mm" if self.kind == "position" else "rad"
        return f"{self.name} {range_words(self.smallest, self.largest, unit)}"

    def outside(self, values: Float64) -> NDArray[np.bool_]:
        """Return which values (event,) lie outside by more than a thousandth of the range."""
        margin = RANGE_MARGIN * (self.largest - self.smallest)
        return (values < self.smallest - margin) | (values > self.largest + margin)


def describe_ranges(ranges: Sequence[ConditionRange]) -> str:
    """Return ranges in words.

    Example:
        >>> describe_ranges([ConditionRange("ln incident energy", 0.0, math.log(2e3))])
        '0.001 to 2 GeV'
    """
    return ", ".join(one.words for one in ranges)


def ranges_of(ranges: Sequence[ConditionRange], conditions: Collection[str]) -> list[ConditionRange]:
    """Return the ranges of the conditions that a model knows (`energy`, `position`, `direction`)."""
    return [one for one in ranges if one.kind in conditions]


def incidents_outside(ranges: Sequence[ConditionRange], incidents: Incidents) -> dict[str, NDArray[np.bool_]]:
    """Return which incident particles (event,) lie outside, by the name of each column that is known."""
    values, names = incidents.conditions()
    return {one.name: one.outside(values[:, names.index(one.name)]) for one in ranges if one.name in names}


def energies_outside(
    ranges: Sequence[ConditionRange], energies: Float64, margins: Float64
) -> dict[str, NDArray[np.bool_]]:
    """Return which energies (event,) in MeV lie outside by more than their margins (event,) in MeV."""
    known = [one for one in ranges if one.name == ENERGY]
    return {
        one.name: (energies < math.exp(one.smallest) - margins) | (energies > math.exp(one.largest) + margins)
        for one in known
    }


def warn_outside(
    outside: Mapping[str, NDArray[np.bool_]],
    ranges: Sequence[ConditionRange],
    bundle: str,
    what: str,
    distrust: str,
    stacklevel: int,
) -> None:
    """Warn of what lies outside the training range, and say in which condition.

    Args:
        outside: Flags (event,) by condition.
        ranges: The ranges that are looked at.
        bundle: Name of the bundle.
        what: Plural of what is outside, such as `energies`.
        distrust: What is then not to be trusted, such as `their showers`.
        stacklevel: As that of `warnings.warn`, counted from the caller.
    """
    if not outside:
        return
    flags = np.stack(list(outside.values()))
    number = int(flags.any(axis=0).sum())
    if number == 0:
        return
    by = ", ".join(
        f"{int(count)} in {name}" for name, count in zip(outside, flags.sum(axis=1), strict=True) if count
    )
    warnings.warn(
        f"{number} of {flags.shape[1]} {what} lie outside the training range of {bundle} "
        f"({describe_ranges(ranges)}): {by}; do not trust {distrust}.",
        ConditionWarning,
        stacklevel=stacklevel + 1,
    )


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
