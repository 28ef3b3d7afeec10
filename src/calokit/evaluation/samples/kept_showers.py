"""Showers kept of a sample, evenly spread over it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from calokit.arrays import Float32, Float64, Integer
from calokit.evaluation.classifiers.boosted_judge import FeatureTable
from calokit.evaluation.samples.observables import join_low_level
from calokit.showers.incidents import Incidents


@dataclass(frozen=True)
class KeptShowers:
    """A bounded sample of showers, for the classifier, the matching of incidents and the gallery.

    Attributes:
        cells: (event, cell) float32 sparse, MeV above threshold.
        high_level: (event, k) float32, as `high_level_features` gives them.
        conditions: (event, k) float64, as `Showers.conditions` gives them.
        incidents: The incident particles.
        table: What the strong judge sees of them, where it was asked for.
    """

    cells: csr_array
    high_level: Float32
    conditions: Float64
    incidents: Incidents
    table: FeatureTable | None = None

    @property
    def known_table(self) -> FeatureTable:
        """The strong judge's table, which must have been asked for."""
        assert self.table is not None
        return self.table

    def low_level(self, threshold: float) -> csr_array:
        """Return the features of `low_level_features`."""
        return join_low_level(self.conditions, self.cells, threshold)

    def first(self, number: int) -> KeptShowers:
        """Return evenly spread showers, at most so many."""
        chosen = spread_positions(len(self.high_level), number)
        return KeptShowers(
            self.cells[chosen],
            self.high_level[chosen],
            self.conditions[chosen],
            self.incidents[chosen],
            None if self.table is None else self.table.at(chosen),
        )


def spread_positions(showers: int, number: int) -> Integer:
    """Return at most `number` positions, evenly spread over so many showers; (position,) rising."""
    number = min(number, showers)
    positions: Integer = (np.arange(number, dtype=np.int64) * showers) // max(number, 1)
    return positions
