"""Hits of single cells against the incident energy: how often, and with which energy."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from calokit.arrays import Float64, Integer
from calokit.errors import CalokitError
from calokit.evaluation.metrics.binned import BinnedValues, energy_bin, require_same_edges
from calokit.evaluation.metrics.distances import Distance, histogram_from_counts, separation_power
from calokit.showers.hits import Hits


class CellHitsByEnergy:
    """Counts, for some cells, the showers by incident energy and energy in the cell, in bounded memory.

    Args:
        incident_edges: (bin + 1,) MeV; showers beyond the outer edges count in the outer bins.
        cell_edges: Edges (bin + 1,) in MeV of the energy in each cell, by flat cell; hits beyond count in the
            outer bins.

    Attributes:
        counts: By cell, (incident bin, 1 + cell bin): showers that miss the cell, then those in each bin.

    Example:
        >>> table = CellHitsByEnergy(np.array([1e3, 1e4, 1e5]), {130: np.array([0.1, 1.0, 10.0])})
        >>> table.add(np.array([2e3, 5e4]), Hits(np.array([1]), np.array([130]), np.array([3.0]), 2))
        >>> table.counts[130].tolist()
        [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """

    def __init__(self, incident_edges: Float64, cell_edges: Mapping[int, Float64]) -> None:
        self.incident_edges, self.cell_edges = incident_edges, dict(cell_edges)
        self.counts: dict[int, Float64] = {
            cell: np.zeros((len(incident_edges) - 1, len(edges))) for cell, edges in self.cell_edges.items()
        }

    def add(self, incident_energies: Float64, hits: Hits) -> None:
        """Add the hits of a batch of incident energies (event,) in MeV."""
        bins = energy_bin(incident_energies, self.incident_edges)
        for cell, edges in self.cell_edges.items():
            here = hits.cell == cell
            column: Integer = np.zeros(hits.events, dtype=np.int64)
            place = np.searchsorted(edges, hits.energy[here], side="right") - 1
            column[hits.event[here]] = 1 + np.clip(place, 0, len(edges) - 2)
            table = self.counts[cell]
            flat = np.bincount(bins * table.shape[1] + column, minlength=table.size)
            table += flat.reshape(table.shape)

    def merge(self, other: CellHitsByEnergy) -> None:
        """Add the counts of other showers.

        Raises:
            CalokitError: The cells or the bins differ.
        """
        require_same_edges(self.incident_edges, other.incident_edges)
        if list(self.cell_edges) != list(other.cell_edges):
            raise CalokitError("counts of different cells cannot be added.")
        for cell, edges in self.cell_edges.items():
            require_same_edges(edges, other.cell_edges[cell])
            self.counts[cell] += other.counts[cell]

    def hit_probability(self, cell: int) -> BinnedValues:
        """Return how often the cell is hit in each bin of the incident energy, with binomial errors."""
        table = self.counts[cell]
        showers = table.sum(axis=1)
        known = np.where(showers >= 2, showers, np.nan)
        part = table[:, 1:].sum(axis=1) / known
        return BinnedValues(part, np.sqrt(part * (1.0 - part) / known), showers)


def cell_hits_separation(first: CellHitsByEnergy, second: CellHitsByEnergy, cell: int) -> Distance:
    """Return the separation power of a cell's energies at given incident energy, averaged over the showers.

    In each bin of the incident energy both samples are normalised by themselves, so that other incident
    energies make no difference; the bins count by the showers of `first`. Missing the cell is a bin too.

    Raises:
        CalokitError: The bins differ, or no bin of the incident energy holds showers of both samples.
    """
    one, other = first.counts[cell], second.counts[cell]
    if one.shape != other.shape or not np.array_equal(first.incident_edges, second.incident_edges):
        raise CalokitError(f"cell {cell} was counted in different bins; fix the bins from the reference.")
    edges = np.concatenate([[0.0], first.cell_edges[cell]])
    value = variance = weight = 0.0
    for a, b in zip(one, other, strict=True):
        if a.sum() == 0 or b.sum() == 0:
            continue
        distance = separation_power(histogram_from_counts(a, edges), histogram_from_counts(b, edges))
        value += a.sum() * distance.value
        variance += (a.sum() * distance.error) ** 2
        weight += a.sum()
    if weight == 0.0:
        raise CalokitError(f"no bin of the incident energy holds showers of both samples for cell {cell}.")
    return Distance(value / weight, math.sqrt(variance) / weight)
