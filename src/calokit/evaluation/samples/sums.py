"""What a comparison keeps of each sample: sums and counts of fixed size, and a bounded sample of showers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, vstack

from calokit.arrays import Float64, Integer
from calokit.errors import CalokitError
from calokit.evaluation.classifiers.boosted_judge import FeatureTable, join_tables
from calokit.evaluation.metrics.binned import (
    BinnedMoments,
    require_next,
)
from calokit.evaluation.metrics.cell_hits import CellHitsByEnergy
from calokit.evaluation.metrics.cells import (
    CellHistograms,
    CellSums,
)
from calokit.evaluation.metrics.condition_calibration import ConditionSums, quantities_of
from calokit.evaluation.metrics.correlations import CorrelationSums
from calokit.evaluation.metrics.distances import (
    Distance,
    Histogram,
    count_in_bins,
    histogram_from_clusters,
    histogram_from_counts,
)
from calokit.evaluation.metrics.kept_values import KeptValues
from calokit.evaluation.metrics.layer_occupancy import THRESHOLD_MULTIPLES, LayerOccupancy
from calokit.evaluation.metrics.linearity import EnergyResponse
from calokit.evaluation.metrics.mask_classes import MaskClasses
from calokit.evaluation.samples.kept_showers import KeptShowers
from calokit.evaluation.samples.observables import ObservableCalculator, Observables, features_of
from calokit.evaluation.samples.survey import Bins
from calokit.evaluation.scorecard import Measurement
from calokit.evaluation.topology.features import FeatureMaker
from calokit.showers import Showers
from calokit.showers.hits import Hits, find_hits
from calokit.showers.incidents import Incidents

MERGED = (
    "visible_fraction",
    "hits",
    "cells",
    "cell_histograms",
    "energy_response",
    "fractions",
    "occupancy",
    "masks",
    "cell_hits",
    "layer_correlations",
    "upper_correlations",
    "conditions",
)
"""The sums of `SideSums` that are sums of their own."""


class SideSums:
    """Everything one sample of a comparison is asked for, filled block by block.

    Args:
        calculator: Computes the observables.
        bins: Every bin, from the survey of the reference.
        kept: Positions of the showers that are kept, rising.
        maker: Makes the strong judge's table of kept showers; None leaves it out.
        first: Number in the sample of the first shower that is added, for sums of a part.
    """

    def __init__(
        self,
        calculator: ObservableCalculator,
        bins: Bins,
        kept: Integer,
        maker: FeatureMaker | None = None,
        first: int = 0,
    ) -> None:
        cells = calculator.detector.number_of_cells
        self.calculator, self.bins, self.kept, self.maker = calculator, bins, kept, maker
        self.first = first
        self.showers = 0
        self.empty_showers = 0
        self.visible_fraction = BinnedMoments(bins.energy)
        self.hits = BinnedMoments(bins.energy)
        self.observables = {name: np.zeros(len(edges) - 1) for name, edges in bins.observables.items()}
        self.named_cells = {cell: np.zeros(len(edges)) for cell, edges in bins.named_cells.items()}
        self.spectrum: Float64 = np.zeros((2, len(bins.cell_energy) - 1))
        self.layers: Float64 = np.zeros((2, calculator.detector.number_of_layers))
        self.cells = CellSums(cells)
        self.cell_histograms = CellHistograms(cells, bins.coarse_cell_energy)
        self.energy_response = EnergyResponse(bins.sampling)
        self.fractions = KeptValues(bins.energy, first=first)
        self.occupancy = LayerOccupancy(
            calculator.detector, [factor * (calculator.threshold or 1e-3) for factor in THRESHOLD_MULTIPLES]
        )
        self.masks = MaskClasses(calculator.detector, bins.masks)
        self.cell_hits = CellHitsByEnergy(bins.energy, bins.named_cells)
        self.layer_correlations = CorrelationSums(calculator.detector.number_of_layers)
        self.upper_correlations = CorrelationSums(calculator.detector.number_of_layers)
        self.conditions = ConditionSums(bins.conditions)
        self._middle_energy = float(np.sqrt(bins.energy[0] * bins.energy[-1]))
        self._parts: list[KeptShowers] = []

    def add(self, showers: Showers) -> None:
        """Add the next block of the sample."""
        hits = find_hits(showers, self.calculator.threshold)
        observables = self.calculator(showers, hits)
        energies = showers.incident_energies.astype(np.float64)
        self.visible_fraction.add(energies, observables.column("visible_fraction"))
        self.hits.add(energies, observables.column("hits"))
        for name, edges in self.bins.observables.items():
            self.observables[name] += count_in_bins(observables.column(name), edges)
        self.cells.add(hits)
        self.cell_histograms.add(hits)
        self.energy_response.add(energies, observables.column("visible_energy"))
        self.fractions.add(energies, observables.column("visible_fraction"))
        self.occupancy.add(hits)
        self.masks.add(energies, hits)
        self.cell_hits.add(energies, hits)
        self.conditions.add(showers.conditions()[0], quantities_of(observables))
        self._add_spectra(hits)
        self._add_layers(observables, energies)
        self._keep(showers, hits, observables)
        self.showers += len(showers)
        self.empty_showers += int(np.count_nonzero(observables.column("hits") == 0))

    def merge(self, other: SideSums) -> None:
        """Add the sums of the showers that follow these in the sample.

        Raises:
            CalokitError: The bins differ, or other showers follow these.
        """
        require_next(self.first + self.showers, other.first)
        for name in MERGED:
            getattr(self, name).merge(getattr(other, name))
        for name, counts in other.observables.items():
            self.observables[name] += counts
        for cell, counts in other.named_cells.items():
            self.named_cells[cell] += counts
        self.spectrum += other.spectrum
        self.layers += other.layers
        self.showers += other.showers
        self.empty_showers += other.empty_showers
        self._parts += other._parts

    def histogram(self, name: str) -> Histogram:
        """Return the distribution of an observable."""
        return histogram_from_counts(self.observables[name], self.bins.observables[name])

    def cell_spectrum(self) -> Histogram:
        """Return the spectrum of all hits; its errors are those of independent showers."""
        counts, squares = self.spectrum
        return histogram_from_clusters(counts, squares, self.showers, self.bins.cell_energy)

    def named_spectrum(self, cell: int) -> Histogram:
        """Return the spectrum of one cell; showers that miss it make the first bin, below the threshold."""
        edges = self.bins.named_cells[cell]
        return histogram_from_counts(self.named_cells[cell], np.concatenate([[0.0], edges]))

    def kept_showers(self) -> KeptShowers:
        """Return the showers that were kept."""
        parts = self._parts
        joined = KeptShowers(
            vstack([part.cells for part in parts], format="csr"),
            np.concatenate([part.high_level for part in parts]),
            np.concatenate([part.conditions for part in parts]),
            Incidents.join([part.incidents for part in parts]),
            join_tables([part.table for part in parts if part.table is not None]),
        )
        # the pieces are let go, which would hold as much memory again
        self._parts = [joined]
        return joined

    def _add_spectra(self, hits: Hits) -> None:
        edges = self.bins.cell_energy
        bins = len(edges) - 1
        place = np.clip(np.searchsorted(edges, hits.energy, side="right") - 1, 0, bins - 1)
        counts = np.bincount(hits.event * bins + place, minlength=hits.events * bins).reshape(
            hits.events, bins
        )
        self.spectrum[0] += counts.sum(axis=0)
        self.spectrum[1] += (counts.astype(np.float64) ** 2).sum(axis=0)
        for cell, cell_edges in self.bins.named_cells.items():
            energies = hits.energy[hits.cell == cell]
            self.named_cells[cell][0] += hits.events - len(energies)
            self.named_cells[cell][1:] += count_in_bins(energies, cell_edges)

    def _add_layers(self, observables: Observables, incident_energies: Float64) -> None:
        layers = self.layers.shape[1]
        if layers > 1:
            first = observables.names.index("layer_0")
            energies = observables.values[:, first : first + layers]
            self.layers[0] += energies.sum(axis=0)
            self.layers[1] += (energies**2).sum(axis=0)
            fractions = energies / incident_energies[:, None]
            self.layer_correlations.add(fractions)
            self.upper_correlations.add(fractions[incident_energies >= self._middle_energy])

    def _keep(self, showers: Showers, hits: Hits, observables: Observables) -> None:
        start = self.first + self.showers
        first, last = np.searchsorted(self.kept, [start, start + len(showers)])
        chosen = self.kept[first:last] - start
        if not len(chosen):
            return
        high_level, _ = features_of(observables, showers, self.calculator.threshold)
        matrix = csr_array(
            (hits.energy.astype(np.float32), (hits.event, hits.cell)), shape=showers.energies.shape
        )
        self._parts.append(
            KeptShowers(
                matrix[chosen],
                high_level[chosen],
                showers.conditions()[0][chosen],
                showers.incidents[chosen],
                None if self.maker is None else self._tabulate(showers, hits, observables, chosen),
            )
        )

    def _tabulate(
        self, showers: Showers, hits: Hits, observables: Observables, chosen: Integer
    ) -> FeatureTable:
        """Return the strong judge's table of the chosen showers of a block."""
        assert self.maker is not None
        if len(chosen) == len(showers):
            return self.maker(showers, hits, observables)
        return self.maker(showers[chosen])


Judge = Callable[[SideSums, SideSums], Distance]


@dataclass(frozen=True)
class Sides:
    """The filled sums of the three samples."""

    reference: SideSums
    generated: SideSums
    floor: SideSums

    def measure(
        self, topic: str, name: str, title: str, judge: Judge, unit: str = "", note: str = ""
    ) -> Measurement:
        """Judge the generated sample and the floor against the reference in the same way.

        Args:
            topic: Page of a report that the measurement belongs on (`report/topics.py`).
            name: Key.
            title: Words.
            judge: Gives the distance of two samples.
            unit: Of the distance.
            note: What a reader should know.
        """
        value, why = _judge_if_possible(judge, self.reference, self.generated)
        floor, why_not = _judge_if_possible(judge, self.reference, self.floor)
        return Measurement.of(
            topic,
            name,
            title,
            value,
            floor,
            self.reference.showers,
            unit=unit,
            note=note,
            reason=why or why_not,
        )


def _judge_if_possible(judge: Judge, reference: SideSums, other: SideSums) -> tuple[Distance, str]:
    """Return a distance, or NaN and the reason why these showers allow none."""
    try:
        return judge(reference, other), ""
    except CalokitError as error:
        return Distance(math.nan, math.nan), str(error).rstrip(".")
