"""Electromagnetic showers: gamma profiles in depth with correlated fluctuations, core and tail across.

All formulas and constants: G. Grindhammer and S. Peters, arXiv:hep-ex/0001020 (appendix A: homogeneous and
sampling calorimeters). Depth t is in radiation lengths, radii in Moliere radii, E in GeV, y = E / E_c.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainc

from calokit.arrays import Float64
from calokit.simulation.parametric.medium import Medium

CONVERSION_LENGTH = 9.0 / 7.0
"""Mean depth in radiation lengths at which a photon converts."""
LEAST_LOGARITHM = 1.5
"""ln(E / E_c) below which the formulas are not followed any further."""
LARGEST_SPREAD = 0.6


@dataclass(frozen=True, eq=False)
class GammaProfiles:
    """The profile in depth of each shower: a gamma distribution that begins at a depth of its own.

    Attributes:
        maximum: Depth T of the maximum from the start, in X0 (shower,).
        shape: Exponent alpha (shower,).
        start: Where the shower begins, in X0 (shower,).
    """

    maximum: Float64
    shape: Float64
    start: Float64

    def fractions(self, depths: Float64) -> Float64:
        """Return the part of the energy deposited before each depth.

        Args:
            depths: (shower, depth) radiation lengths along the flight path.

        Returns:
            (shower, depth) from 0 to 1.
        """
        rate = (self.shape - 1.0) / self.maximum
        passed = np.maximum(depths - self.start[:, None], 0.0)
        part: Float64 = gammainc(self.shape[:, None], rate[:, None] * passed)
        return part


def draw_profiles(
    energies_gev: Float64,
    photons: NDArray[np.bool_],
    start: Float64,
    medium: Medium,
    rng: np.random.Generator,
) -> GammaProfiles:
    """Draw the profile of each shower: ln T and ln alpha are normal and correlated.

    Args:
        energies_gev: Incident energies (shower,).
        photons: Which are photons; they convert first, and each of the pair makes half of the shower.
        start: Depth in X0 where each particle enters the material (shower,).
        medium: The material.
        rng: Where the draws come from.
    """
    share = np.where(photons, 0.5, 1.0)
    ln_y = np.maximum(np.log(energies_gev * share * 1e3 / medium.critical_energy_mev), LEAST_LOGARITHM)
    inverse, lacking = medium.inverse_frequency, 1.0 - medium.electron_to_mip
    per_number = 1.0 / medium.atomic_number
    if inverse == 0.0:
        spread_t, spread_shape = 1.0 / (-1.4 + 1.26 * ln_y), 1.0 / (-0.58 + 0.86 * ln_y)
        correlation = 0.705 - 0.023 * ln_y
    else:
        spread_t, spread_shape = 1.0 / (-2.5 + 1.25 * ln_y), 1.0 / (-0.82 + 0.79 * ln_y)
        correlation = 0.784 - 0.023 * ln_y
    mean_t = ln_y - 0.812 - 0.55 * inverse - 0.69 * lacking
    mean_shape = 0.81 + (0.458 + 2.26 * per_number) * ln_y - 0.476 * inverse
    spread_t = np.clip(np.where(spread_t > 0, spread_t, LARGEST_SPREAD), 0.0, LARGEST_SPREAD)
    spread_shape = np.clip(np.where(spread_shape > 0, spread_shape, LARGEST_SPREAD), 0.0, LARGEST_SPREAD)
    first, second = rng.standard_normal((2, len(energies_gev)))
    other = correlation * first + np.sqrt(1.0 - correlation**2) * second
    maximum = np.exp(np.log(np.maximum(mean_t, 0.3)) + spread_t * first)
    shape = np.exp(np.log(np.maximum(mean_shape, 1.2)) + spread_shape * other)
    converted = np.where(photons, rng.exponential(CONVERSION_LENGTH, len(energies_gev)), 0.0)
    return GammaProfiles(maximum, np.maximum(shape, 1.05), start + converted)


@dataclass(frozen=True, eq=False)
class RadialProfiles:
    """Density across the shower, p 2rC^2/(r^2+C^2)^2 + (1-p) 2rT^2/(r^2+T^2)^2, by shower and step in depth.

    Attributes:
        core_mm: C (shower, step).
        tail_mm: T (shower, step).
        core_weight: p (shower, step).
    """

    core_mm: Float64
    tail_mm: Float64
    core_weight: Float64


def spread_across(
    energies_gev: Float64, scaled_depth: Float64, medium: Medium, radius_mm: Float64
) -> RadialProfiles:
    """Return the radial profiles at depths in units of the maximum.

    Args:
        energies_gev: Incident energies (shower,).
        scaled_depth: tau = t / T (shower, step), 0 before the shower begins.
        medium: The material.
        radius_mm: Moliere radius of each step (step,).
    """
    tau = np.minimum(scaled_depth, 6.0)
    ln_e = np.log(np.clip(energies_gev, 0.4, 1e3))[:, None]
    number, inverse = medium.atomic_number, medium.inverse_frequency
    lacking = 1.0 - medium.electron_to_mip
    core = 0.0251 + 0.00319 * ln_e + (0.1162 - 0.000381 * number) * tau
    rising = np.exp(-2.59 * (tau - 0.645)) + np.exp((0.3585 + 0.0421 * ln_e) * (tau - 0.645))
    tail = (0.659 - 0.00309 * number) * rising
    place = (0.401 + 0.00187 * number - tau) / (1.313 - 0.0686 * ln_e)
    weight = (2.632 - 0.00094 * number) * np.exp(place - np.exp(place))
    if inverse > 0.0:
        fading = inverse * np.exp(-tau)
        core = core - 0.0203 * lacking + 0.0397 * fading
        tail = tail - 0.14 * lacking - 0.495 * fading
        weight = weight + lacking * (0.348 - 0.642 * fading)
    return RadialProfiles(
        np.maximum(core, 0.01) * radius_mm, np.maximum(tail, 0.05) * radius_mm, np.clip(weight, 0.0, 1.0)
    )


def count_spots(energies_gev: Float64, medium: Medium) -> Float64:
    """Return how many spots of energy make a shower (shower,)."""
    if medium.inverse_frequency == 0.0:
        return np.asarray(93.0 * np.log(medium.atomic_number) * energies_gev**0.876)
    return np.asarray(10.3 / medium.resolution * energies_gev**0.959)
