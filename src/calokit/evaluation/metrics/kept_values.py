"""A bounded sample of values in bins of the incident energy, for statistics that sums cannot give."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calokit.arrays import Float64
from calokit.evaluation.metrics.binned import energy_bin, require_next, require_same_edges

Keys = NDArray[np.uint64]

MOST_VALUES = 20_000
"""So many values of a bin are kept; the error of a width from them is 0.5 %."""


class KeptValues:
    """Keeps at most so many values in each bin of the incident energy, each with the same chance.

    Which values stay follows from the seed and the number of the shower, and not from the blocks they come
    in: those with the smallest keys, a key being a hash of the two (splitmix64, Steele, Lea and Flood, OOPSLA
    2014).

    Args:
        energy_edges: (bin + 1,) MeV; showers beyond the outer edges count in the outer bins.
        most: Values kept in each bin.
        seed: Of the keys.
        first: Number of the first shower that is added, for a part of a sample.

    Example:
        >>> kept = KeptValues(np.array([1.0, 10.0, 100.0]), most=2)
        >>> kept.add(np.array([2.0, 3.0, 50.0, 4.0]), np.array([0.1, 0.2, 0.3, 0.4]))
        >>> [len(values) for values in kept.by_bin()]
        [2, 1]
    """

    def __init__(self, energy_edges: Float64, most: int = MOST_VALUES, seed: int = 0, first: int = 0) -> None:
        self.edges, self.most, self.seed, self.first = energy_edges, most, seed, first
        self.showers = 0
        bins = len(energy_edges) - 1
        self._values: list[Float64] = [np.zeros(0) for _ in range(bins)]
        self._keys: list[Keys] = [np.zeros(0, np.uint64) for _ in range(bins)]

    def add(self, incident_energies: Float64, values: Float64) -> None:
        """Add showers: incident energies (event,) in MeV and their values (event,)."""
        start = self.first + self.showers
        keys = _hash(np.arange(start, start + len(values), dtype=np.uint64), self.seed)
        self.showers += len(values)
        bins = energy_bin(incident_energies, self.edges)
        for number in np.unique(bins):
            inside = bins == number
            self._values[number] = np.concatenate([self._values[number], values[inside]])
            self._keys[number] = np.concatenate([self._keys[number], keys[inside]])
            if len(self._keys[number]) > 2 * self.most:
                self._cut(number)

    def merge(self, other: KeptValues) -> None:
        """Add the values of the showers that follow these in the sample.

        Raises:
            CalokitError: The bins differ, or other showers follow these.
        """
        require_same_edges(self.edges, other.edges)
        require_next(self.first + self.showers, other.first)
        self.showers += other.showers
        for number in range(len(self._keys)):
            self._values[number] = np.concatenate([self._values[number], other._values[number]])
            self._keys[number] = np.concatenate([self._keys[number], other._keys[number]])
            if len(self._keys[number]) > 2 * self.most:
                self._cut(number)

    def by_bin(self) -> list[Float64]:
        """Return the kept values of each bin, (value,) each, in the order the showers came."""
        for number in range(len(self._keys)):
            self._cut(number)
        return [values.copy() for values in self._values]

    def _cut(self, number: int) -> None:
        keys = self._keys[number]
        if len(keys) <= self.most:
            return
        chosen = np.sort(np.argpartition(keys, self.most - 1)[: self.most])
        self._keys[number], self._values[number] = keys[chosen], self._values[number][chosen]


def _hash(numbers: Keys, seed: int) -> Keys:
    """Return keys that look like chance, (number,) uint64."""
    step = np.uint64(0x9E3779B97F4A7C15)
    mixed = (numbers + np.uint64(1) + np.uint64(seed) * np.uint64(0x2545F491)) * step
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    keys: Keys = mixed ^ (mixed >> np.uint64(31))
    return keys
