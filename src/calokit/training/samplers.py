"""How often a training shower is drawn, by its incident energy (seeds document 000).

Weights are cut at their 99th percentile, as there, and only their ratios count; showers are drawn with
replacement. Validation and evaluation never use them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calokit.arrays import Float64
from calokit.recipes.recipe import Sampler

LARGEST_PERCENTILE = 99.0
"""Weights above it are cut to it."""
LEAST_MEV = 1e-5
"""Energies and distances below it count as it (1e-8 GeV)."""
ENERGY_BINS = 20
"""Bins of equal width in the incident energy that `even_over_energy` draws from equally."""


@dataclass(frozen=True)
class EnergyWeights:
    """Weights of showers by incident energy, fixed by the training showers.

    Attributes:
        sampler: Which law.
        mean_mev: Mean incident energy of the training showers.
        largest: Where weights are cut.
        edges: (bin + 1,) MeV.
        shares: (bin,) part of the training showers in each bin.
    """

    sampler: Sampler
    mean_mev: float
    largest: float
    edges: Float64
    shares: Float64

    @classmethod
    def measure(cls, sampler: Sampler, energies: Float64) -> EnergyWeights:
        """Return the weights for training showers of these incident energies (event,), MeV."""
        edges = np.linspace(float(energies.min()), float(energies.max()) * (1 + 1e-9), ENERGY_BINS + 1)
        counts, _ = np.histogram(energies, edges)
        uncut = cls(sampler, float(energies.mean()), np.inf, edges, counts / max(len(energies), 1))
        largest = float(np.percentile(uncut.of(energies), LARGEST_PERCENTILE))
        return cls(sampler, uncut.mean_mev, largest, edges, uncut.shares)

    def of(self, energies: Float64) -> Float64:
        """Return the weights (event,) of showers of these incident energies (event,), MeV.

        Example:
            >>> energies = np.array([1e3, 2e3, 4e3])
            >>> weights = EnergyWeights.measure("inverse_root_energy", energies).of(energies)
            >>> (weights / weights[-1]).round(2).tolist()
            [1.99, 1.41, 1.0]
        """
        clipped = np.maximum(energies, LEAST_MEV)
        match self.sampler:
            case "even":
                weights = np.ones(len(energies))
            case "inverse_energy":
                weights = 1.0 / clipped
            case "inverse_root_energy":
                weights = 1.0 / np.sqrt(clipped)
            case "inverse_distance_to_mean":
                weights = 1.0 / np.maximum(np.abs(energies - self.mean_mev), LEAST_MEV)
            case "even_over_energy":
                place = np.clip(np.searchsorted(self.edges, energies, side="right") - 1, 0, ENERGY_BINS - 1)
                weights = 1.0 / np.maximum(self.shares[place], 1e-12)
        return np.minimum(weights, self.largest)
