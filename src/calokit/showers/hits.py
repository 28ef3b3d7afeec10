"""The hits of showers: their cells above a threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from calokit.arrays import Float64, Integer
from calokit.showers.batch import Showers


@dataclass(frozen=True)
class Hits:
    """The cells above threshold of a batch of showers, one after the other, in order of event.

    Attributes:
        event: (hit,) position of the shower in the batch, not falling.
        cell: (hit,) flat cell.
        energy: (hit,) MeV.
        events: Number of showers in the batch.

    Example:
        >>> hits = Hits(np.array([0, 0, 2]), np.array([7, 9, 7]), np.array([1.0, 2.0, 4.0]), events=3)
        >>> hits.counts.tolist(), hits.sum_by_event(hits.energy).tolist()
        ([2, 0, 1], [3.0, 0.0, 4.0])
    """

    event: Integer
    cell: Integer
    energy: Float64
    events: int

    @property
    def counts(self) -> Integer:
        """(event,) number of hits of each shower."""
        return np.bincount(self.event, minlength=self.events)

    def sum_by_event(self, weights: NDArray[Any] | None = None) -> Float64:
        """Sum weights (default: 1) over the hits of each shower; (event,)."""
        total: Float64 = np.bincount(self.event, weights=weights, minlength=self.events).astype(np.float64)
        return total

    def head(self, events: int) -> Self:
        """Return the hits of the first so many showers."""
        last = int(np.searchsorted(self.event, events))
        return replace(
            self,
            event=self.event[:last],
            cell=self.cell[:last],
            energy=self.energy[:last],
            events=min(events, self.events),
        )

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Return the hits of several batches, one or more, as one batch."""
        before = np.concatenate([[0], np.cumsum([part.events for part in parts])])
        events = [part.event + first for part, first in zip(parts, before[:-1], strict=True)]
        return replace(
            parts[0],
            event=np.concatenate(events),
            cell=np.concatenate([part.cell for part in parts]),
            energy=np.concatenate([part.energy for part in parts]),
            events=int(before[-1]),
        )


def find_hits(showers: Showers, threshold: float = 0.0) -> Hits:
    """Return the cells above the threshold.

    Args:
        showers: The showers.
        threshold: MeV; a cell at or below it is no hit.
    """
    energies = showers.energies
    flat = np.flatnonzero(energies.ravel() > threshold)
    event, cell = np.divmod(flat, energies.shape[1])
    return Hits(event, cell, energies.ravel()[flat].astype(np.float64), len(showers))
