"""The energy dependence of a resolution: stochastic, noise and constant term."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares, nnls

from calokit.arrays import Float64
from calokit.errors import CalokitError


@dataclass(frozen=True)
class ResolutionLaw:
    """sigma / E = a / sqrt(E) (+) b / E (+) c, the three added in quadrature.

    Attributes:
        stochastic: a in sqrt(GeV).
        noise: b in GeV.
        constant: c, without unit.
        stochastic_error: Of a. Where a term is not above its reach, the reach itself: the square root of the
            error of its square. 0 for a noise that was given.
        noise_error: Of b.
        constant_error: Of c.
        chi_square: Sum of the squared pulls of the points.
        degrees_of_freedom: Points less terms fitted.
    """

    stochastic: float
    noise: float
    constant: float
    stochastic_error: float
    noise_error: float
    constant_error: float
    chi_square: float
    degrees_of_freedom: int

    def at(self, energies_gev: Float64) -> Float64:
        """Return sigma / E at energies (point,) in GeV.

        Example:
            >>> law = ResolutionLaw(0.2, 0.0, 0.01, 0.0, 0.0, 0.0, 0.0, 0)
            >>> law.at(np.array([4.0])).round(4).tolist()
            [0.1005]
        """
        squares = np.array([self.stochastic, self.noise, self.constant]) ** 2
        resolution: Float64 = np.sqrt(_inverse_powers(energies_gev) @ squares)
        return resolution

    def __str__(self) -> str:
        return (
            f"{100 * self.stochastic:.2f} % / sqrt(E/GeV) (+) {1e3 * self.noise:.1f} MeV / E "
            f"(+) {100 * self.constant:.2f} %"
        )


def fit_resolution_law(
    energies_gev: Float64, resolutions: Float64, errors: Float64, noise_gev: float | None = None
) -> ResolutionLaw:
    """Fit stochastic, noise and constant term to resolutions at several energies.

    Least squares in sigma / E, weighted by the errors, over the squares of the terms, none below 0; that is
    convex enough to have one minimum, and starts from the solution linear in the squares. Points with a
    resolution or error that is not finite are left out, as those of bins with too few showers.

    Noise and stochastic term are hard to tell apart where no point lies below (b / a)^2; give the noise from
    pedestals then, or 0.

    Args:
        energies_gev: (point,) incident energies in GeV, above 0.
        resolutions: (point,) sigma / E.
        errors: (point,) of the resolutions, above 0.
        noise_gev: Noise in GeV to keep fixed; None fits it.

    Raises:
        CalokitError: The arrays differ in length, an energy or error is not above 0, or there are fewer
            points than terms.

    Example:
        >>> energies = np.array([5.0, 10.0, 20.0, 50.0, 100.0])
        >>> resolutions = np.hypot(0.2 / np.sqrt(energies), 0.01)
        >>> law = fit_resolution_law(energies, resolutions, 0.001 * np.ones(5), noise_gev=0.0)
        >>> round(law.stochastic, 6), round(law.constant, 6)
        (0.2, 0.01)
    """
    energies, values, spread = _checked(energies_gev, resolutions, errors)
    fitted = [0, 2] if noise_gev is not None else [0, 1, 2]
    if len(energies) < len(fitted):
        raise CalokitError(
            f"{len(energies)} points with a known resolution cannot fix {len(fitted)} terms; give more "
            "energies, or the noise."
        )
    powers = _inverse_powers(energies)
    known = powers[:, 1] * (0.0 if noise_gev is None else noise_gev) ** 2
    design = powers[:, fitted]
    # columns of size 1, so that no term is small only for its unit
    scale = design.max(axis=0)
    weight = 1.0 / (2.0 * values * spread)
    start, _ = nnls((design / scale) * weight[:, None], np.maximum(values**2 - known, 0.0) * weight)

    def pulls(squares: Float64) -> Float64:
        found: Float64 = (np.sqrt(design / scale @ squares + known) - values) / spread
        return found

    def slopes(squares: Float64) -> Float64:
        law = np.sqrt(design / scale @ squares + known)
        found: Float64 = design / scale / (2.0 * law * spread)[:, None]
        return found

    small = 1e-12 * float((values**2).max())
    start = np.maximum(start, small)
    best = least_squares(pulls, start, slopes, bounds=(0.0, np.inf), xtol=1e-14, ftol=1e-14)
    covariance = np.linalg.pinv(best.jac.T @ best.jac)
    terms, term_errors = np.zeros(3), np.zeros(3)
    terms[1] = noise_gev or 0.0
    for place, term in enumerate(fitted):
        square = max(float(best.x[place]) / scale[place], 0.0)
        error = math.sqrt(max(float(covariance[place, place]), 0.0)) / scale[place]
        terms[term] = math.sqrt(square)
        term_errors[term] = error / (2.0 * terms[term]) if square > error else math.sqrt(error)
    chi_square = float((best.fun**2).sum())
    a, b, c = (float(term) for term in terms)
    a_error, b_error, c_error = (float(error) for error in term_errors)
    return ResolutionLaw(a, b, c, a_error, b_error, c_error, chi_square, len(energies) - len(fitted))


def _checked(energies: Float64, values: Float64, errors: Float64) -> tuple[Float64, Float64, Float64]:
    """Return the points that are known, or refuse them."""
    if not energies.shape == values.shape == errors.shape or energies.ndim != 1:
        raise CalokitError(
            f"resolution fit: {energies.shape} energies, {values.shape} resolutions and {errors.shape} "
            "errors; give one of each a point."
        )
    used = np.isfinite(values) & np.isfinite(errors)
    if (energies[used] <= 0).any() or (errors[used] <= 0).any() or (values[used] <= 0).any():
        raise CalokitError(
            "resolution fit: energies, resolutions and their errors must all be above 0; leave out points "
            "without showers or without an error."
        )
    return energies[used], values[used], errors[used]


def _inverse_powers(energies: Float64) -> Float64:
    """Return 1 / E, 1 / E^2 and 1, (point, 3)."""
    return np.stack([1.0 / energies, 1.0 / energies**2, np.ones_like(energies)], axis=1)
