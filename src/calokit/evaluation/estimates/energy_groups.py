"""True energies in groups that errors are measured in: fixed energies, or bins of a continuous spectrum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calokit.arrays import Float64
from calokit.errors import CalokitError

LEAST_SHOWERS = 20
"""A group has at least so many showers; a fixed energy with fewer is left out."""
MOST_BINS = 10


@dataclass(frozen=True)
class EnergyGroups:
    """Showers by true energy.

    Attributes:
        energies: (group,) MeV, rising: the fixed energy, or the mean of a bin.
        members: Positions of the showers of each group.
        binned: Whether the groups are bins of a continuous spectrum.
    """

    energies: Float64
    members: list[NDArray[np.intp]]
    binned: bool


def group_by_energy(true_mev: Float64) -> EnergyGroups:
    """Group showers by their true energies (event,), MeV.

    Where at least half of the showers have an energy that twenty share, each such energy is a group and the
    other showers are left out; else up to ten bins hold equally many showers, at least twenty each.

    Raises:
        CalokitError: There are fewer than twenty showers.

    Example:
        >>> group_by_energy(np.repeat([2000.0, 4000.0], 50)).energies.tolist()
        [2000.0, 4000.0]
        >>> group_by_energy(np.arange(1.0, 61.0)).energies.tolist()
        [10.5, 30.5, 50.5]
    """
    grid, counts = np.unique(true_mev, return_counts=True)
    shared = counts >= LEAST_SHOWERS
    if shared.any() and 2 * counts[shared].sum() >= len(true_mev):
        fixed: Float64 = grid[shared]
        return EnergyGroups(fixed, [np.flatnonzero(true_mev == one) for one in fixed], binned=False)
    if len(true_mev) < LEAST_SHOWERS:
        raise CalokitError(
            f"{len(true_mev)} showers are too few to measure errors by true energy; "
            f"give at least {LEAST_SHOWERS}."
        )
    bins = min(MOST_BINS, len(true_mev) // LEAST_SHOWERS)
    members = np.array_split(np.argsort(true_mev, kind="stable"), bins)
    return EnergyGroups(np.array([true_mev[one].mean() for one in members]), members, binned=True)
