"""The conditions of an incident particle as the coordinates that a likelihood is searched over."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from scipy.optimize import brentq
from torch import Tensor

from calokit.bundles.ranges import ENERGY, ConditionRange, ranges_of
from calokit.compute.device import Device
from calokit.models.batches import IncidentTensors
from calokit.showers import Incidents

BEYOND = math.log(2.0)
"""Where no prior is given, energies are looked for up to a factor of two beyond the training range."""
TIED = 0.05
"""Directions are tied to the impacts where their spread about a line is a smaller part than this of all."""
SMALLEST_RANGE = 1e-3
"""Energies whose logarithms spread less tell nothing of a power."""
STEEPEST = 50.0
"""Largest change of the prior over the range of energies, in nats."""
PAIRS = (("impact x", "theta cos phi"), ("impact y", "theta sin phi"))
"""Coordinates that a likelihood couples: impact and slope along one axis."""


@dataclass(frozen=True)
class ConditionSpace:
    """A box of conditions.

    Attributes:
        names: The coordinates (coordinate,).
        low: Lower ends of the box (coordinate,).
        high: Upper ends (coordinate,).
        tie: theta cos phi and theta sin phi as a line in the impact, (3, 2): offset, slopes in x and y; None
            where directions are free or not known.
        power: The prior density of ln(energy) is exp(power ln(energy)): 1 where energies are uniform, 0 where
            their logarithms are.
        beyond: How far ln(energy) reaches beyond the training range to either side.
        fixed: Coordinates that were the same for all training showers, which are not looked for.
    """

    names: tuple[str, ...]
    low: Tensor
    high: Tensor
    tie: Tensor | None = None
    power: float = 1.0
    beyond: float = 0.0
    fixed: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls, ranges: Sequence[ConditionRange], conditions: Sequence[str], prior: Incidents | None = None
    ) -> ConditionSpace:
        """Return the box of the training range.

        Args:
            ranges: Of the training showers; without a prior, energies are looked for a factor of two beyond.
            conditions: What the model knows: energy, position, direction.
            prior: Incident particles as the showers may have: their mean ln(energy) sets the power. Where
                directions follow from impacts (as from a distant vertex), only the impact is looked for.
        """
        known = ranges_of(ranges, conditions)
        tie = None if prior is None else _tie_directions(prior)
        if tie is not None:
            known = [one for one in known if one.kind != "direction"]
        fixed = {one.name: one.smallest for one in known if one.smallest == one.largest}
        known = [one for one in known if one.name not in fixed]
        beyond = BEYOND if prior is None else 0.0
        more = [beyond if one.name == ENERGY else 0.0 for one in known]
        return cls(
            tuple(one.name for one in known),
            torch.tensor([one.smallest - far for one, far in zip(known, more, strict=True)]),
            torch.tensor([one.largest + far for one, far in zip(known, more, strict=True)]),
            tie,
            1.0 if prior is None else _find_power(prior),
            beyond,
            fixed,
        )

    def to(self, device: Device) -> ConditionSpace:
        """Return the box on a device."""
        tie = None if self.tie is None else device.put(self.tie)
        return replace(self, low=device.put(self.low), high=device.put(self.high), tie=tie)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Numbers of coordinates that go together."""
        return [
            (self.names.index(one), self.names.index(two))
            for one, two in PAIRS
            if one in self.names and two in self.names
        ]

    def incidents(self, points: Tensor) -> IncidentTensors:
        """Return the incident particles at points (event, coordinate), on the axis where none says."""
        columns = dict(zip(self.names, points.unbind(1), strict=True))
        columns |= {name: torch.full_like(points[:, 0], value) for name, value in self.fixed.items()}
        nothing = torch.zeros_like(points[:, 0])
        positions = torch.stack([columns.get(f"impact {axis}", nothing) for axis in "xy"], 1)
        if self.tie is None:
            names = ("theta cos phi", "theta sin phi")
            directions = torch.stack([columns.get(name, nothing) for name in names], 1)
        else:
            directions = self.tie[0] + positions @ self.tie[1:]
        return IncidentTensors(torch.exp(columns[ENERGY]), positions, directions)


def _find_power(prior: Incidents) -> float:
    """Return the power at which exp(power x) has the mean of the logarithms x of the energies."""
    values = np.log(prior.energies.astype(np.float64))
    low, high = values.min(), values.max()
    if high - low < SMALLEST_RANGE:
        return 1.0
    grid = np.linspace(low, high, 1001)

    def miss(power: float) -> float:
        weights = np.exp(power * (grid - high))
        return float((weights * grid).sum() / weights.sum() - values.mean())

    steepest = STEEPEST / (high - low)
    if miss(-steepest) > 0 or miss(steepest) < 0:
        return 1.0
    return float(brentq(miss, -steepest, steepest))


def _tie_directions(prior: Incidents) -> Tensor | None:
    if prior.positions is None or prior.directions is None:
        return None
    values, names = prior.conditions()
    impact = values[:, [names.index("impact x"), names.index("impact y")]]
    direction = values[:, [names.index("theta cos phi"), names.index("theta sin phi")]]
    design = np.column_stack([np.ones(len(impact)), impact])
    tie, *_ = np.linalg.lstsq(design, direction, rcond=None)
    left = (direction - design @ tie).std(0)
    return torch.from_numpy(tie).float() if bool((left < TIED * direction.std(0)).all()) else None
