"""Lines in the spectrum of hits (in crystals that of annihilation photons), found in the training showers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

BIN = 0.004
"""Width of a bin in ln(energy)."""
BINS_AROUND = 41
"""Bins whose median is the spectrum without the line."""
APART = 5
"""Lines nearer to each other than so many bins are one."""
SIGNIFICANCE = 8.0


def find_lines(hits: NDArray[np.float32], threshold: float, count: int) -> NDArray[np.float64]:
    """Return ln(energy / threshold) of at most `count` lines, the clearest first.

    A line is a bin that holds more hits than the median about it, by eight times its square root and by a
    tenth.

    Args:
        hits: Energies of single cells (hit,) above the threshold, MeV.
        threshold: MeV.
        count: How many are wanted.

    Example:
        >>> rng = np.random.default_rng(1)
        >>> hits = np.concatenate([np.exp(rng.normal(0, 1, 100_000)), np.full(2000, 0.511)])
        >>> lines = find_lines(hits[hits > 0.1].astype(np.float32), 0.1, 2)
        >>> np.exp(lines).round(2).tolist()
        [5.1]
    """
    logarithm = np.log(hits.astype(np.float64) / threshold)
    edges = np.arange(0.0, max(float(logarithm.max(initial=0.0)), BIN) + BIN, BIN)
    found, _ = np.histogram(logarithm, edges)
    smooth = np.maximum(median_filter(found.astype(np.float64), BINS_AROUND, mode="nearest"), 1.0)
    excess = (found - smooth) / np.sqrt(smooth)
    excess[(excess < SIGNIFICANCE) | (found < 1.1 * smooth)] = 0.0
    lines: list[float] = []
    while len(lines) < count and excess.max(initial=0.0) > 0:
        place = int(excess.argmax())
        inside = logarithm[(logarithm >= edges[place]) & (logarithm < edges[place + 1])]
        lines.append(float(np.median(inside)))
        excess[max(place - APART, 0) : place + APART + 1] = 0.0
    return np.array(lines)
