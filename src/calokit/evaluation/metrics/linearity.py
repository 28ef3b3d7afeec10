"""Sampling fraction in bins of equal width, and how far the response is from a straight line."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from calokit.arrays import Float64
from calokit.errors import CalokitError
from calokit.evaluation.metrics.binned import BinnedMoments, BinnedValues
from calokit.evaluation.metrics.distances import Distance
from calokit.units import MEV_PER_GEV

SAMPLING_BIN_GEV = 10.0
"""Width of the bins in which the sampling fraction of the CLIC studies is given (seeds document 002)."""
MOST_BINS = 100


@dataclass(frozen=True)
class Linearity:
    """The straight line visible = offset + slope * incident, and what is left.

    Attributes:
        slope: Visible over incident energy.
        slope_error: Its error.
        offset: MeV.
        offset_error: Its error; 0 for a line through the origin.
        deviations: visible / line - 1 in each bin; the errors are those of residuals, smaller than those of
            the points, since the points fix the line.
        chi_square: Sum over bins.
        degrees_of_freedom: Bins with two showers or more, less the parameters of the line.
    """

    slope: float
    slope_error: float
    offset: float
    offset_error: float
    deviations: BinnedValues
    chi_square: float
    degrees_of_freedom: int


class EnergyResponse:
    """Sums visible / incident energy and the incident energy in bins, in bounded memory.

    Args:
        energy_edges: (bin + 1,) MeV, as of `equal_width_edges`; showers beyond the outer edges count in the
            outer bins.

    Example:
        >>> response = EnergyResponse(equal_width_edges(10e3, 40e3))
        >>> incident = np.array([12e3, 14e3, 31e3, 38e3])
        >>> response.add(incident, 0.02 * incident)
        >>> response.sampling_fraction().values.round(3).tolist()
        [0.02, nan, 0.02]
    """

    def __init__(self, energy_edges: Float64) -> None:
        self.edges = energy_edges
        self.fraction = BinnedMoments(energy_edges)
        self.incident = BinnedMoments(energy_edges)

    def add(self, incident_energies: Float64, visible_energies: Float64) -> None:
        """Add showers: incident and visible energies (event,) in MeV."""
        self.fraction.add(incident_energies, visible_energies / incident_energies)
        self.incident.add(incident_energies, incident_energies)

    def merge(self, other: EnergyResponse) -> None:
        """Add the sums of other showers.

        Raises:
            CalokitError: The bins differ.
        """
        self.fraction.merge(other.fraction)
        self.incident.merge(other.incident)

    def sampling_fraction(self) -> BinnedValues:
        """Return the mean over the showers of visible / incident energy; its ratio is `ratio_of`."""
        return self.fraction.mean()

    def linearity(self, offset: bool = True) -> Linearity:
        """Fit a straight line to the visible energy against the incident energy.

        The visible energy of a bin is its mean visible / incident times its mean incident energy, so that the
        spread of the incident energies does not enter its error.

        Args:
            offset: Fit an offset; else the line goes through the origin.

        Raises:
            CalokitError: Too few bins hold two showers that differ.
        """
        fraction, energy = self.fraction.mean(), self.incident.mean().values
        used = np.isfinite(fraction.values) & (fraction.errors > 0)
        parameters = 2 if offset else 1
        if int(used.sum()) < parameters:
            raise CalokitError(
                f"a line through {int(used.sum())} energy bins with two showers or more is not fixed; give "
                "more showers or narrower bins."
            )
        x, y, error = energy[used], (fraction.values * energy)[used], (fraction.errors * energy)[used]
        design = np.stack([x, np.ones_like(x)], axis=1)[:, :parameters] / error[:, None]
        covariance = np.linalg.inv(design.T @ design)
        best = covariance @ design.T @ (y / error)
        line = design @ best * error
        leverage = np.einsum("ip,pq,iq->i", design, covariance, design)
        values, errors = np.full(len(energy), np.nan), np.full(len(energy), np.nan)
        values[used] = y / line - 1.0
        errors[used] = error * np.sqrt(np.maximum(1.0 - leverage, 0.0)) / np.abs(line)
        return Linearity(
            float(best[0]),
            math.sqrt(covariance[0, 0]),
            float(best[1]) if offset else 0.0,
            math.sqrt(covariance[1, 1]) if offset else 0.0,
            BinnedValues(values, errors, fraction.showers),
            float((((y - line) / error) ** 2).sum()),
            int(used.sum()) - parameters,
        )


def equal_width_edges(low_mev: float, high_mev: float, width_gev: float = SAMPLING_BIN_GEV) -> Float64:
    """Return edges at whole multiples of a width that hold two energies, in MeV.

    Where that makes more than 100 bins, the width is doubled until it does not.

    Args:
        low_mev: The lowest incident energy.
        high_mev: The highest.
        width_gev: Of a bin.

    Example:
        >>> equal_width_edges(12e3, 40e3).tolist()
        [10000.0, 20000.0, 30000.0, 40000.0]
    """
    width = width_gev * MEV_PER_GEV
    while (high_mev - low_mev) / width > MOST_BINS:
        width *= 2.0
    first = math.floor(low_mev / width * (1.0 + 1e-6))
    last = max(math.ceil(high_mev / width * (1.0 - 1e-6)), first + 1)
    return width * np.arange(first, last + 1, dtype=np.float64)


def linearity_difference(first: Linearity, second: Linearity) -> Distance:
    """Return the largest difference of the deviations from each one's own line over the bins, and its error.

    A wrong scale moves the slope and leaves this at 0; a wrong leakage at high energies does not.

    Raises:
        CalokitError: No bin is known in both.
    """
    difference = np.abs(first.deviations.values - second.deviations.values)
    known = np.isfinite(difference)
    if not known.any():
        raise CalokitError("no energy bin holds two showers of both samples; give more showers.")
    worst = int(np.argmax(np.where(known, difference, -1.0)))
    error = math.hypot(first.deviations.errors[worst], second.deviations.errors[worst])
    return Distance(float(difference[worst]), error)
