"""The hits of showers: their cells above a threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calokit.arrays import Float64, Integer
from calokit.showers import Showers


@dataclass(frozen=True)
class Hits:
    """The cells above threshold of a batch of showers, one after the other, in order of event.

    Attributes:
        event: (hit,) position of the shower in the batch.
        cell: (hit,) flat cell.
        energy: (hit,) MeV.
        events: Number of showers in the batch.
    """

    event: Integer
    cell: Integer
    energy: Float64
    events: int

    def sum_by_event(self, weights: Float64 | None = None) -> Float64:
        """Sum weights (default: 1) over the hits of each shower; (event,)."""
        total: Float64 = np.bincount(self.event, weights=weights, minlength=self.events).astype(np.float64)
        return total


def find_hits(showers: Showers, threshold: float) -> Hits:
    """Return the cells above the threshold.

    Args:
        showers: The showers.
        threshold: MeV; a cell at or below it is no hit.
    """
    energies = showers.energies
    flat = np.flatnonzero(energies.ravel() > threshold)
    event, cell = np.divmod(flat, energies.shape[1])
    return Hits(event, cell, energies.ravel()[flat].astype(np.float64), len(showers))
