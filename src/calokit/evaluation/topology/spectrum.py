"""The energies of a shower's hits on a fine scale, and how sharp the spectral lines among them are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calokit.evaluation.topology.columns import Columns, count_by_event, ratio
from calokit.evaluation.topology.lines import SpectralLine
from calokit.showers.hits import Hits

BIN_RATIO = 1.25
FINE_BINS = 32
"""Bins of a quarter of their energy from the threshold; the last one is open."""
NEAR = 0.04
"""What lies within so much of a line's energy is its neighbourhood."""
LINE_BINS = (-0.04, -0.02, -0.01, -0.004, 0.004, 0.01, 0.02, 0.04)
"""Edges of the counts about a line, as parts of its energy."""


def measure_spectrum(hits: Hits, threshold: float) -> Columns:
    """Return the hits of each shower in fine bins, and moments of the logarithms of their energies.

    Columns: `hits_in_bin_K` (from threshold x 1.25^K to 1.25 times that; the last bin is open) and
    `log_energy_mean`, `log_energy_spread`, `log_energy_skewness` over the hits (0 where the spread is 0).

    Args:
        hits: The hits.
        threshold: MeV; 1 keV stands in for 0.
    """
    logarithm = np.log(hits.energy / (threshold or 1e-3))
    place = np.clip((logarithm / np.log(BIN_RATIO)).astype(np.int64), 0, FINE_BINS - 1)
    counts = count_by_event(hits, place, FINE_BINS)
    columns: Columns = {f"hits_in_bin_{k}": counts[:, k] for k in range(FINE_BINS)}
    number = hits.sum_by_event()
    mean = ratio(hits.sum_by_event(logarithm), number)
    away = logarithm - mean[hits.event]
    spread = np.sqrt(ratio(hits.sum_by_event(away**2), number))
    third = ratio(hits.sum_by_event(away**3), number)
    cube = np.where(spread > 1e-6, spread**3, 0.0)
    return columns | {
        "log_energy_mean": mean,
        "log_energy_spread": spread,
        "log_energy_skewness": ratio(third, cube),
    }


def measure_lines(hits: Hits, lines: Sequence[SpectralLine]) -> Columns:
    """Return how many hits lie in and about each spectral line, and how sharp it is.

    Columns, of a line at 511 keV: `line_511_keV_hits` (within its half width), `line_511_keV_sharpness` (of
    the hits within 4 % of its energy the part in the line; 0 where there is none), `line_511_keV_offset`
    (mean distance of those hits from the line / its energy, absolute) and `line_511_keV_bin_J` (hits in bins
    of parts of its energy).

    Args:
        hits: The hits.
        lines: As `FineSpectrum.find_lines` gives them.
    """
    columns: Columns = {}
    for line in lines:
        word = line.words.replace(" ", "_")
        away = hits.energy / line.energy - 1.0
        near = np.abs(away) < NEAR
        inside = near & (np.abs(away) < line.half_width / line.energy)
        about = hits.sum_by_event(near.astype(np.float64))
        held = hits.sum_by_event(inside.astype(np.float64))
        columns[f"line_{word}_hits"] = held
        columns[f"line_{word}_sharpness"] = ratio(held, about)
        columns[f"line_{word}_offset"] = ratio(hits.sum_by_event(np.abs(away) * near), about)
        kinds = len(LINE_BINS) - 1
        counts = count_by_event(hits, np.searchsorted(LINE_BINS, away, side="right") - 1, kinds)
        columns |= {f"line_{word}_bin_{k}": counts[:, k] for k in range(kinds)}
    return columns
