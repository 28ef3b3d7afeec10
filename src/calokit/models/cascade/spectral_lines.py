"""Lines of the spectrum (in crystals that of annihilation photons), measured in the training showers."""

from __future__ import annotations

import numpy as np

from calokit.arrays import Float32, Float64
from calokit.evaluation.topology.lines import FineSpectrum

SMALLEST_WIDTH = 2e-5
"""Width of a line at least, in ln(energy): below it are roundings."""
LINE_WIDTHS = 5.0
"""Cells within so many of the smallest widths of a line without width are drawn on it."""
NOWHERE = -1.0
"""Place of a line that the spectrum does not have: below the threshold, where no hit is."""
MEDIAN_OF_NORMAL = 0.6745


def measure_lines(energies: Float32, threshold: float, count: int) -> tuple[Float64, Float64, Float64]:
    """Return ln(energy / threshold), width in ln(energy), and energy in MeV of a spectrum's lines (line,).

    The place is the median of the hits in the line, the width their median distance from it, as a normal's.

    Args:
        energies: Of cells (event, cell) in MeV.
        threshold: MeV.
        count: How many lines are returned; those that the spectrum does not have are at `NOWHERE` and 0 MeV.

    Example:
        >>> rng = np.random.default_rng(1)
        >>> hits = np.concatenate([rng.exponential(1.0, 50_000), rng.normal(0.511, 1e-4, 1000)])
        >>> places, widths, exact = measure_lines(hits.astype(np.float32), 0.1, 2)
        >>> exact.round(3).tolist(), widths.round(4).tolist()
        ([0.511, 0.0], [0.0002, 0.0])
    """
    hits = energies[energies > threshold].astype(np.float64)
    spectrum = FineSpectrum(threshold)
    spectrum.add(hits)
    places, widths, exact = np.full(count, NOWHERE), np.full(count, SMALLEST_WIDTH), np.zeros(count)
    for number, line in enumerate(spectrum.find_lines()[:count]):
        inside = hits[np.abs(hits - line.energy) < line.half_width]
        exact[number] = np.median(inside)
        places[number] = np.log(exact[number] / threshold)
        spread = np.median(np.abs(np.log(inside / exact[number]))) / MEDIAN_OF_NORMAL
        widths[number] = max(spread, SMALLEST_WIDTH)
    return places, widths, exact
