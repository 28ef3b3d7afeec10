"""A first look at part of the reference, which fixes every bin before the comparison begins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calokit.arrays import Float64
from calokit.evaluation.metrics.binned import energy_bin, energy_edges
from calokit.evaluation.metrics.cells import CellSums
from calokit.evaluation.metrics.condition_calibration import ConditionBins, bin_conditions, quantities_of
from calokit.evaluation.metrics.distances import integer_edges, linear_edges, logarithmic_edges
from calokit.evaluation.metrics.linearity import equal_width_edges
from calokit.evaluation.metrics.mask_classes import MaskLimits, limits_from_reference, mask_extents
from calokit.evaluation.samples.observables import ObservableCalculator
from calokit.evaluation.samples.shown import SHOWN_OBSERVABLES
from calokit.evaluation.samples.streams import Comparison, block_size
from calokit.evaluation.topology.lines import FineSpectrum, SpectralLine
from calokit.showers.hits import Hits, find_hits

SURVEY_SHOWERS = 20_000
"""At most so many showers of the reference are looked at, evenly spread."""
SURVEY_BYTES = 512 * 2**20
"""At most so much of the reference is read."""
SPECTRUM_BINS = 50
CELL_BINS = 40
"""Bins of a cell energy spectrum, as in CaloChallenge."""
COARSE_CELL_BINS = 16
"""Bins of the spectrum of each single cell in the mean over all cells."""


@dataclass(frozen=True)
class Bins:
    """Every bin of a comparison, from the reference alone.

    Attributes:
        energy: Edges in the incident energy, MeV.
        observables: Edges by name of observable.
        cell_energy: Edges of the spectrum of all cells together, MeV.
        coarse_cell_energy: Edges of the spectrum of each cell in the mean over all cells, MeV.
        named_cells: Edges of the spectra of the cells shown, by flat cell, MeV.
        mean_hits: Mean number of hits of a shower.
        sampling: Edges of 10 GeV (or a multiple) in the incident energy, MeV.
        masks: What masks of hits look like.
        conditions: Bins of every condition.
        lines: Spectral lines of the cells' energies.
    """

    energy: Float64
    observables: dict[str, Float64]
    cell_energy: Float64
    coarse_cell_energy: Float64
    named_cells: dict[int, Float64]
    mean_hits: float
    sampling: Float64
    masks: MaskLimits
    conditions: ConditionBins
    lines: tuple[SpectralLine, ...]


def survey_reference(
    comparison: Comparison, calculator: ObservableCalculator, energy_bins: int, cells: tuple[int, ...] | None
) -> Bins:
    """Look at part of the reference and fix the bins.

    Args:
        comparison: The samples.
        calculator: Computes the observables, with the comparison's threshold.
        energy_bins: How many bins of the incident energy.
        cells: Flat cells whose spectra are shown; None chooses them by `choose_cells`.
    """
    detector = comparison.detector
    sums = CellSums(detector.number_of_cells)
    largest = np.zeros(detector.number_of_cells)
    columns: list[Float64] = []
    extents: list[Float64] = []
    incident: list[Float64] = []
    names: tuple[str, ...] = ()
    fine = FineSpectrum(calculator.threshold)
    conditions: list[Float64] = []
    quantities: list[dict[str, Float64]] = []
    condition_names: list[str] = []
    for start, stop in _spread_blocks(comparison):
        showers = comparison.read(comparison.reference, start, stop)
        hits = find_hits(showers, calculator.threshold)
        observables = calculator(showers, hits)
        names = tuple(one.name for one in SHOWN_OBSERVABLES if one.name in observables.names)
        columns.append(np.stack([observables.column(name) for name in names], axis=1))
        extents.append(mask_extents(hits, detector))
        incident.append(showers.incident_energies.astype(np.float64))
        sums.add(hits)
        _raise_to(largest, hits)
        fine.add(hits.energy)
        known, condition_names = showers.conditions()
        conditions.append(known)
        quantities.append(quantities_of(observables))
    values, energies = np.concatenate(columns), np.concatenate(incident)
    chosen = choose_cells(sums.mean) if cells is None else cells
    lowest = calculator.threshold or 1e-3
    low, high = float(energies.min()), float(energies.max())
    edges = energy_edges(low, high, energy_bins)
    filled = np.bincount(energy_bin(energies, edges), minlength=len(edges) - 1).all()
    return Bins(
        energy=edges,
        sampling=equal_width_edges(low, high),
        masks=limits_from_reference(
            energies,
            values[:, names.index("hits")],
            np.concatenate(extents),
            edges if filled else edges[[0, -1]],
        ),
        observables={
            name: (integer_edges if name == "hits" else linear_edges)(values[:, index], SPECTRUM_BINS)
            for index, name in enumerate(names)
        },
        cell_energy=logarithmic_edges(lowest, float(largest.max()), CELL_BINS),
        coarse_cell_energy=logarithmic_edges(lowest, float(largest.max()), COARSE_CELL_BINS),
        named_cells={cell: logarithmic_edges(lowest, float(largest[cell]), CELL_BINS) for cell in chosen},
        mean_hits=float(sums.hits.sum() / max(sums.showers, 1)),
        conditions=bin_conditions(
            np.concatenate(conditions),
            condition_names,
            {name: np.concatenate([part[name] for part in quantities]) for name in quantities[0]},
            comparison.showers,
        ),
        lines=fine.find_lines(),
    )


def _spread_blocks(comparison: Comparison) -> list[tuple[int, int]]:
    """Return ranges that spread evenly over the reference and stay within the survey's bounds."""
    cell_bytes = 4 * comparison.detector.number_of_cells
    total = min(comparison.showers, SURVEY_SHOWERS, max(SURVEY_BYTES // cell_bytes, 2))
    size = min(block_size(comparison.detector), max(1, total // 8))
    number = max(1, total // size)
    starts = np.linspace(0, comparison.showers - size, number).astype(int)
    return [(int(start), int(start) + size) for start in starts]


def _raise_to(largest: Float64, hits: Hits) -> None:
    np.maximum.at(largest, hits.cell, hits.energy)


def choose_cells(mean_energies: Float64) -> tuple[int, ...]:
    """Return the cells whose spectra are shown where nobody names others.

    They are the cell with the highest mean energy, and the cell that half of the mean energy lies above when
    cells are ranked by it.

    Args:
        mean_energies: (cell,) of the reference.
    """
    order = np.argsort(-mean_energies, kind="stable")
    reached = np.cumsum(mean_energies[order])
    half = int(np.searchsorted(reached, 0.5 * reached[-1]))
    chosen = dict.fromkeys((int(order[0]), int(order[min(half, len(order) - 1)])))
    return tuple(chosen)
