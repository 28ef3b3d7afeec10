"""Which cells differ: the separation power of every cell's spectrum, as a map."""

from __future__ import annotations

from dataclasses import dataclass

from calokit.arrays import Float64
from calokit.evaluation.metrics.cells import CellHistograms, CellSums, cell_separations
from calokit.evaluation.metrics.distances import logarithmic_edges
from calokit.evaluation.samples.streams import plan_comparison
from calokit.evaluation.samples.survey import COARSE_CELL_BINS
from calokit.showers import ShowerFile
from calokit.showers.hits import find_hits


@dataclass(frozen=True)
class CellMap:
    """A number for every cell.

    Attributes:
        mean_energies: (cell,) MeV, of the reference.
        separations: (cell,) of generated from reference; NaN where a cell is hardly ever hit.
        floor: (cell,) of truth from truth at the same size.
        showers: Of each sample.
    """

    mean_energies: Float64
    separations: Float64
    floor: Float64
    showers: int


def map_cells(
    reference: ShowerFile, generated: ShowerFile, threshold_mev: float, floor: ShowerFile | None = None
) -> CellMap:
    """Compare the energy spectrum of every cell, showers that miss it included, in one passage.

    The EIC ZDC report (seeds document 000) looked at cells 130 and 210 and saw the outer ones differ.

    Args:
        reference: The truth, which fixes the bins.
        generated: The showers to judge.
        threshold_mev: Cells at or below it count as empty.
        floor: Truth of other seeds; None splits the reference in two.

    Raises:
        CalokitError: The files do not belong together.
    """
    comparison = plan_comparison(reference, generated, floor)
    largest = max(
        float(comparison.read(comparison.reference, start, stop).energies.max())
        for start, stop in comparison.blocks()
    )
    edges = logarithmic_edges(threshold_mev or 1e-3, largest, COARSE_CELL_BINS)
    cells = comparison.detector.number_of_cells
    samples = (comparison.reference, comparison.generated, comparison.floor)
    counted = [CellHistograms(cells, edges) for _ in samples]
    sums = CellSums(cells)
    for start, stop in comparison.blocks():
        for place, (stream, histograms) in enumerate(zip(samples, counted, strict=True)):
            hits = find_hits(comparison.read(stream, start, stop), threshold_mev)
            histograms.add(hits)
            if place == 0:
                sums.add(hits)
    separations, least = (cell_separations(counted[0], other) for other in counted[1:])
    return CellMap(sums.mean, separations, least, comparison.showers)
