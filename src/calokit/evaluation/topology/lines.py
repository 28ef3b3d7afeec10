"""Spectral lines of cell energies, such as the 511 keV of absorbed annihilation photons, found from truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import median_filter

from calokit.arrays import Float32, Float64
from calokit.errors import CalokitError

STEP = 5e-4
"""Width of a bin in ln(energy): 0.26 keV at 511 keV."""
DECADES = 4.0
"""The search goes so many powers of ten up from the threshold."""
SURROUNDINGS = 0.02
"""Half the width in ln(energy) of the surroundings whose median is what a line stands above."""
LEAST_DEVIATIONS = 8.0
LEAST_EXCESS = 3.0
"""A line's highest bin holds so many times what its surroundings hold, beside them."""
LEAST_PART = 1e-3
"""Part of all hits that lies in a line, at least."""
EDGE_PART = 0.1
"""A line ends where the excess falls below this part of its highest."""
MOST_LINES = 3


@dataclass(frozen=True)
class SpectralLine:
    """A narrow excess in the spectrum of cells.

    Attributes:
        energy: Of its highest bin, MeV.
        half_width: Half of what holds the line, MeV.
    """

    energy: float
    half_width: float

    @property
    def words(self) -> str:
        """Short name, such as `511 keV`."""
        return f"{1e3 * self.energy:.3g} keV" if self.energy < 1.0 else f"{self.energy:.4g} MeV"


class FineSpectrum:
    """Counts hits in bins of 0.05 % of their energy, in bounded memory.

    Args:
        threshold: MeV; where the bins begin (1 keV for a threshold of 0).

    Example:
        >>> generator = np.random.default_rng(1)
        >>> spectrum = FineSpectrum(0.1)
        >>> spectrum.add(np.concatenate([generator.exponential(1.0, 50_000), np.full(1000, 0.511)]))
        >>> [line.words for line in spectrum.find_lines()]
        ['511 keV']
    """

    def __init__(self, threshold: float) -> None:
        self.lowest = np.log(threshold or 1e-3)
        self.counts: Float64 = np.zeros(int(DECADES * np.log(10.0) / STEP))

    def add(self, energies: Float32 | Float64) -> None:
        """Add hits; (hit,) MeV."""
        place = ((np.log(energies, dtype=np.float64) - self.lowest) / STEP).astype(np.int64)
        inside = place[(place >= 0) & (place < len(self.counts))]
        self.counts += np.bincount(inside, minlength=len(self.counts))

    def merge(self, other: FineSpectrum) -> None:
        """Add the counts of other hits.

        Raises:
            CalokitError: The thresholds differ.
        """
        if self.lowest != other.lowest:
            raise CalokitError("spectra from different thresholds cannot be added.")
        self.counts += other.counts

    def find_lines(self) -> tuple[SpectralLine, ...]:
        """Return the lines, the one with most hits first; at most three.

        A line's highest bin stands 8 standard deviations and three times above the median of the bins within
        2 %, the line reaches as far as its excess is a tenth of the highest, is narrower than its
        surroundings, and holds a thousandth of all hits.
        """
        half = int(SURROUNDINGS / STEP)
        around = median_filter(self.counts, size=2 * half + 1, mode="nearest")
        excess = self.counts - around
        found: list[tuple[float, SpectralLine]] = []
        taken = np.zeros(len(excess), bool)
        strong = (excess > LEAST_DEVIATIONS * np.sqrt(around + 1.0)) & (excess > LEAST_EXCESS * around)
        for peak in sorted(np.flatnonzero(strong), key=lambda place: -float(excess[place])):
            if taken[peak]:
                continue
            low = high = int(peak)
            while low > 0 and excess[low - 1] > EDGE_PART * excess[peak]:
                low -= 1
            while high < len(excess) - 1 and excess[high + 1] > EDGE_PART * excess[peak]:
                high += 1
            taken[max(low - half, 0) : high + half + 1] = True
            held = float(excess[low : high + 1].sum())
            if high - low < half and held > LEAST_PART * float(self.counts.sum()):
                found.append((held, self._line(int(peak), low, high)))
        found.sort(key=lambda pair: -pair[0])
        return tuple(line for _, line in found[:MOST_LINES])

    def _line(self, peak: int, low: int, high: int) -> SpectralLine:
        energy = float(np.exp(self.lowest + (peak + 0.5) * STEP))
        # half a bin more on each side, for a line that lies on an edge
        return SpectralLine(energy, energy * STEP * (max(peak - low, high - peak) + 1.0))
