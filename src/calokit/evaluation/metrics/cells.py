"""Mean images, cell by cell comparisons and the choice of cells worth a look of their own."""

from __future__ import annotations

import math

import numpy as np

from calokit.arrays import Float64
from calokit.evaluation.metrics.binned import require_same_edges
from calokit.evaluation.metrics.distances import Distance
from calokit.showers.hits import Hits

LEAST_HITS = 10
"""A cell takes part in means over cells if it is hit at least this often in both samples together."""


class CellSums:
    """Sums energies, their squares and hits of every cell, in bounded memory.

    Attributes:
        energy: (cell,) MeV.
        squares: (cell,) MeV^2.
        hits: (cell,) number of showers that hit the cell.
        showers: Number of showers added.
    """

    def __init__(self, cells: int) -> None:
        self.energy: Float64 = np.zeros(cells)
        self.squares: Float64 = np.zeros(cells)
        self.hits: Float64 = np.zeros(cells)
        self.showers = 0

    def add(self, hits: Hits) -> None:
        """Add the hits of a batch."""
        cells = len(self.energy)
        self.energy += np.bincount(hits.cell, weights=hits.energy, minlength=cells)
        self.squares += np.bincount(hits.cell, weights=hits.energy**2, minlength=cells)
        self.hits += np.bincount(hits.cell, minlength=cells)
        self.showers += hits.events

    def merge(self, other: CellSums) -> None:
        """Add the sums of other showers of the same detector."""
        self.energy += other.energy
        self.squares += other.squares
        self.hits += other.hits
        self.showers += other.showers

    @property
    def mean(self) -> Float64:
        """(cell,) mean energy in MeV, empty cells counting as 0."""
        average: Float64 = self.energy / max(self.showers, 1)
        return average

    @property
    def variance_of_mean(self) -> Float64:
        """(cell,) squared statistical error of `mean`, MeV^2."""
        spread = self.squares / max(self.showers, 1) - self.mean**2
        variance: Float64 = np.maximum(spread, 0.0) / max(self.showers, 1)
        return variance

    @property
    def occupancy(self) -> Float64:
        """(cell,) probability that a shower hits the cell."""
        probability: Float64 = self.hits / max(self.showers, 1)
        return probability


def occupancy_deviations(first: CellSums, second: CellSums) -> Float64:
    """Return the difference of the hit probabilities in standard errors, for cells hit often enough.

    Args:
        first: Sums of one sample.
        second: Sums of the other.

    Returns:
        (cells with at least 10 hits in both samples together,) |p1 - p2| / sqrt(p (1 - p) (1/n1 + 1/n2)) with
        p the pooled probability; on average sqrt(2 / pi) = 0.80 for samples of the same law.
    """
    pooled = (first.hits + second.hits) / max(first.showers + second.showers, 1)
    inverse = 1.0 / max(first.showers, 1) + 1.0 / max(second.showers, 1)
    used = (first.hits + second.hits >= LEAST_HITS) & (pooled < 1.0)
    error = np.sqrt(pooled[used] * (1.0 - pooled[used]) * inverse)
    deviations: Float64 = np.abs(first.occupancy[used] - second.occupancy[used]) / error
    return deviations


def mean_occupancy_deviation(first: CellSums, second: CellSums) -> Distance:
    """Return the mean of `occupancy_deviations` and its error.

    The cells of a shower are hit together; as many cells as the mean number of hits are therefore counted as
    one independent cell in the error.
    """
    deviations = occupancy_deviations(first, second)
    if len(deviations) == 0:
        return Distance(0.0, 0.0)
    independent = max(len(deviations) / max(float(first.occupancy.sum()), 1.0), 1.0)
    return Distance(float(deviations.mean()), float(deviations.std()) / math.sqrt(independent))


def worst_cell_deviation(first: CellSums, second: CellSums) -> Distance:
    """Return the largest of `occupancy_deviations` and its spread over equal laws: what finds a dead cell.

    The largest of M normal deviates is spread by pi / sqrt(12 ln M) (Gumbel); cells that are hit together
    count as fewer.
    """
    deviations = occupancy_deviations(first, second)
    if len(deviations) == 0:
        return Distance(0.0, 0.0)
    return Distance(float(deviations.max()), math.pi / math.sqrt(12.0 * math.log(len(deviations) + 1.0)))


class CellHistograms:
    """Counts, for every cell, how often its energy falls in each of a few bins, in bounded memory.

    Args:
        cells: Number of cells.
        edges: (bin + 1,) MeV, from the threshold; larger energies count in the last bin.
    """

    def __init__(self, cells: int, edges: Float64) -> None:
        self.edges = edges
        self.counts = np.zeros((cells, len(edges) - 1), dtype=np.int64)
        self.showers = 0

    def add(self, hits: Hits) -> None:
        """Add the hits of a batch."""
        bins = len(self.edges) - 1
        place = np.clip(np.searchsorted(self.edges, hits.energy, side="right") - 1, 0, bins - 1)
        flat = np.bincount(hits.cell * bins + place, minlength=self.counts.size)
        self.counts += flat.reshape(self.counts.shape)
        self.showers += hits.events

    def merge(self, other: CellHistograms) -> None:
        """Add the counts of other showers.

        Raises:
            CalokitError: The bins differ.
        """
        require_same_edges(self.edges, other.edges)
        self.counts += other.counts
        self.showers += other.showers

    def fractions(self) -> Float64:
        """Return (cell, 1 + bin): the part of the showers that miss the cell, then those in each bin."""
        missed = self.showers - self.counts.sum(axis=1, keepdims=True)
        whole: Float64 = np.concatenate([missed, self.counts], axis=1) / max(self.showers, 1)
        return whole


def cell_separations(first: CellHistograms, second: CellHistograms) -> Float64:
    """Return the separation power of the energy spectrum of each cell; (cell,).

    Showers that miss the cell make a bin of their own. Cells with fewer than 10 hits in both samples together
    have NaN.
    """
    used = (first.counts + second.counts).sum(axis=1) >= LEAST_HITS
    a, b = first.fractions()[used], second.fractions()[used]
    total = a + b
    share = np.divide((a - b) ** 2, total, out=np.zeros_like(total), where=total > 0)
    separations = np.full(len(used), np.nan)
    separations[used] = 0.5 * share.sum(axis=1)
    return separations


def mean_cell_separation(first: CellHistograms, second: CellHistograms) -> Distance:
    """Return the mean of `cell_separations` over the cells hit often enough.

    The error counts as many cells as the mean number of hits as one independent cell.
    """
    separations = cell_separations(first, second)
    separations = separations[np.isfinite(separations)]
    if not len(separations):
        return Distance(0.0, 0.0)
    hits_per_shower = first.counts.sum() / max(first.showers, 1)
    independent = max(len(separations) / max(float(hits_per_shower), 1.0), 1.0)
    return Distance(float(separations.mean()), float(separations.std()) / math.sqrt(independent))
