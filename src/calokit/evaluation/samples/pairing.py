"""Pairs of showers of the same, or of nearly the same, incident particle."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from calokit.arrays import Float64, Integer
from calokit.errors import CalokitError
from calokit.evaluation.metrics.binned import energy_bin
from calokit.showers import Showers
from calokit.showers.incidents import Incidents

ENERGY_SCALE = 0.5
"""Difference in ln(incident energy) that weighs as much as one position scale when incidents are matched."""


POSITION_SCALE = 0.25
"""Difference of impact, in cell pitches, that weighs as much as one energy scale."""


DIRECTION_SCALE = 0.1
"""Difference of direction in rad that weighs as much as one energy scale."""


CLOSEST_PART = 0.1
"""Part of the matched incidents, the closest in each energy bin, that makes the squared error's floor."""


def squared_errors(first: Showers, second: Showers, threshold: float) -> Float64:
    """Return the mean over cells of ((e1 - e2) / incident energy)^2 for showers of the same incidents.

    Args:
        first: Showers; their incident energies normalise both.
        second: As many showers, in the same order.
        threshold: MeV; cells at or below it count as 0.

    Returns:
        (event,) float64, without unit.
    """
    kept = first.with_threshold(threshold).energies - second.with_threshold(threshold).energies
    squares = np.einsum("ec,ec->e", kept, kept, dtype=np.float64) / kept.shape[1]
    result: Float64 = squares / first.incident_energies.astype(np.float64) ** 2
    return result


def same_incidents(first: Showers, second: Showers) -> bool:
    """Return whether two batches are of the same incident energies, impacts and directions, if known."""
    if not np.allclose(first.incident_energies, second.incident_energies, rtol=1e-4, atol=0.0):
        return False
    return all(
        one is None or other is None or bool(np.allclose(one, other, rtol=0.0, atol=nearness))
        for one, other, nearness in (
            (first.positions, second.positions, 1e-2),
            (first.directions, second.directions, 1e-4),
        )
    )


def match_incidents(
    first: Incidents, second: Incidents, pitch: float, edges: Float64
) -> tuple[Integer, Integer]:
    """Pair showers of nearly equal incidents: the truth against itself, for the floor of the squared error.

    Each incident of `second` is matched with the nearest of `first`, with differences in ln E in units of
    0.5, of the impact in units of a quarter pitch and of the direction in units of 0.1 rad; of the pairs in
    each energy bin the closest tenth is kept. What difference is left makes the floor slightly too high.

    Args:
        first: Incidents to choose from.
        second: Incidents to find partners for.
        pitch: Cell pitch in mm.
        edges: Energy bins in MeV.

    Returns:
        Positions in `first` and in `second` of each pair.

    Raises:
        CalokitError: One side is empty.
    """
    if len(first) == 0 or len(second) == 0:
        raise CalokitError("no incidents to match: one side has no showers.")
    first, second = _alike(first, second), _alike(second, first)
    distance, partner = cKDTree(_scaled(first, pitch)).query(_scaled(second, pitch))
    bins = energy_bin(second.energies.astype(np.float64), edges)
    kept = []
    for number in range(len(edges) - 1):
        members = np.flatnonzero(bins == number)
        closest = members[np.argsort(distance[members], kind="stable")]
        kept.append(closest[: int(np.ceil(CLOSEST_PART * len(members)))])
    chosen = np.concatenate(kept)
    return partner[chosen].astype(np.int64), chosen.astype(np.int64)


def _alike(incidents: Incidents, other: Incidents) -> Incidents:
    """Return incidents without impacts or directions that the others lack."""
    return Incidents(
        incidents.energies,
        None if other.positions is None else incidents.positions,
        None if other.directions is None else incidents.directions,
    )


def _scaled(incidents: Incidents, pitch: float) -> Float64:
    columns = [np.log(incidents.energies.astype(np.float64))[:, None] / ENERGY_SCALE]
    if incidents.positions is not None:
        columns.append(incidents.positions.astype(np.float64) / (POSITION_SCALE * pitch))
    if incidents.directions is not None:
        columns.append(incidents.directions[:, :2].astype(np.float64) / DIRECTION_SCALE)
    return np.concatenate(columns, axis=1)
