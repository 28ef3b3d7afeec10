"""How well the particles of events with several are found: number, energies, places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from calokit.arrays import Float64
from calokit.errors import CalokitError
from calokit.evaluation.estimates.single import root_mean_square
from calokit.units import MEV_PER_GEV

MATCH_MM = 30.0
"""A found particle further than this from every true one is a fake."""


@dataclass(frozen=True)
class ParticleErrors:
    """Errors of found particles; each figure is a value and its statistical error.

    Attributes:
        confusion: (true number + 1, found number + 1) events.
        right_count: Share of events with the right number.
        found: Share of true particles that are matched.
        fake: Share of found particles that are not.
        energy: Root mean square of (found - true) / sqrt(E x GeV) of matched particles.
        position: ((x, error), (y, error)) root mean squares of matched particles, mm.
        by_separation: (row of separation_edges, 2) right-count share by distance of the closest pair.
        separation_edges: (k + 1,) mm.
    """

    confusion: NDArray[np.int64]
    right_count: tuple[float, float]
    found: tuple[float, float]
    fake: tuple[float, float]
    energy: tuple[float, float]
    position: tuple[tuple[float, float], tuple[float, float]]
    by_separation: Float64
    separation_edges: Float64

    @classmethod
    def of(
        cls,
        energies: Float64,
        positions: Float64,
        true_energies: Float64,
        true_positions: Float64,
        separation_edges: tuple[float, ...] = (0.0, 10.0, 20.0, 30.0, 50.0, 100.0, 1000.0),
    ) -> Self:
        """Measure found particles.

        Found and true particles are matched one to one at the least sum of distances in x (Hungarian method).

        Args:
            energies: (event, k) MeV, 0 where nothing is found.
            positions: (event, k, 2) mm.
            true_energies: (event, m) MeV, 0 where there is no particle.
            true_positions: (event, m, 2) mm.
            separation_edges: mm.

        Raises:
            CalokitError: There are no events.
        """
        if len(energies) == 0:
            raise CalokitError("no events to judge particles by.")
        number, true_number = (energies > 0).sum(axis=1), (true_energies > 0).sum(axis=1)
        confusion = np.zeros((true_number.max() + 1, number.max() + 1), np.int64)
        np.add.at(confusion, (true_number, number), 1)
        pairs = _match(energies, positions, true_energies, true_positions)
        event, mine, other = pairs.T
        error = energies[event, mine] - true_energies[event, other]
        error = error / np.sqrt(MEV_PER_GEV * true_energies[event, other])
        off = positions[event, mine] - true_positions[event, other]
        closest = closest_pair(true_energies, true_positions)
        edges = np.array(separation_edges)
        kind = np.digitize(closest, edges) - 1
        right = number == true_number
        shares = [_share(right[kind == one]) for one in range(len(edges) - 1)]
        return cls(
            confusion,
            _share(right),
            _part(len(pairs), int(true_number.sum())),
            _part(int(number.sum()) - len(pairs), int(number.sum())),
            root_mean_square(error),
            (root_mean_square(off[:, 0]), root_mean_square(off[:, 1])),
            np.array(shares),
            edges,
        )


def closest_pair(energies: Float64, positions: Float64) -> Float64:
    """Return the smallest distance in x between two particles (event,), infinite for a single one; mm.

    Example:
        >>> closest_pair(np.array([[1.0, 1.0, 0.0]]), np.array([[[0.0, 0], [30.0, 0], [0.0, 0]]])).tolist()
        [30.0]
    """
    x = np.where(energies > 0, positions[..., 0], np.inf)
    ordered = np.sort(x, axis=1)
    with np.errstate(invalid="ignore"):
        apart = np.diff(ordered, axis=1)
    apart = np.where(np.isfinite(apart), apart, np.inf)
    return np.asarray(apart.min(axis=1, initial=np.inf))


def _match(
    energies: Float64, positions: Float64, true_energies: Float64, true_positions: Float64
) -> NDArray[np.int64]:
    """Return (pair, 3): event, found particle, true particle."""
    pairs = []
    for event in range(len(energies)):
        mine, other = np.flatnonzero(energies[event] > 0), np.flatnonzero(true_energies[event] > 0)
        apart = np.abs(positions[event, mine, 0][:, None] - true_positions[event, other, 0])
        for one, two in zip(*linear_sum_assignment(np.minimum(apart, 1e3)), strict=True):
            if apart[one, two] < MATCH_MM:
                pairs.append((event, mine[one], other[two]))
    return np.array(pairs, np.int64).reshape(-1, 3)


def _share(right: NDArray[np.bool_]) -> tuple[float, float]:
    return _part(int(right.sum()), len(right))


def _part(number: int, whole: int) -> tuple[float, float]:
    """Return a share and its binomial error (of one more success and failure, so that it is never 0)."""
    if whole == 0:
        return float("nan"), float("nan")
    smooth = (number + 1) / (whole + 2)
    return number / whole, float(np.sqrt(smooth * (1 - smooth) / whole))
