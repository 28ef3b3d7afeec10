"""Scales of uncertainties by energy, so that they cover what they say at every energy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from calokit.arrays import Float64

COVERED = math.erf(math.sqrt(0.5))
"""Part of a normal distribution within one standard deviation, 68.3 %."""
RELATIVE_ERROR = math.sqrt(COVERED * (1.0 - COVERED)) * math.sqrt(0.5 * math.pi * math.e)
"""Relative error of that quantile of |pull|, times the root of the number of normal pulls."""


@dataclass(frozen=True)
class WidthScales:
    """Factors of uncertainties as a function of an energy estimate.

    The logarithm of the factor is a polynomial in the logarithm of the estimate. It is the one with which
    68.3 % of the errors of a calibration sample lie within one uncertainty in groups of equal true energy, as
    closely as their statistics tell: weighted least squares, of the degree with the least chi^2 + 2 x degree
    (Akaike's criterion). A few failed estimates do not move it. It is kept as a table, read linearly, and
    constant beyond the groups.

    Attributes:
        energies: (knot,) estimates, rising, MeV.
        factors: (knot,) factors of the uncertainty.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> true = np.repeat([1e3, 2e3, 4e3, 8e3], 4000)
        >>> pulls = rng.normal(size=len(true)) * (true / 1e3) ** 0.5  # uncertainties that are too small
        >>> scales = WidthScales.fit(pulls, true, true)
        >>> scales(np.array([1e3, 4e3])).round(1).tolist()
        [1.0, 2.0]
    """

    energies: Float64
    factors: Float64

    KNOTS = 64
    DEGREE = 5
    """Highest degree of the polynomial."""
    GROUPS = 32
    """Groups of true energy at most."""
    LEAST = 100
    """Showers of a group at least; fewer calibrate one factor for all energies."""
    ROUNDS = 3
    """The groups' mixed estimates make the fit a step towards the answer; so many steps are made."""

    @classmethod
    def fit(cls, pulls: Float64, estimates: Float64, energies: Float64) -> Self:
        """Fit to a calibration sample.

        Args:
            pulls: (event,) (estimate - truth) / uncertainty.
            estimates: (event,) energies that the factors will be looked up by, MeV.
            energies: (event,) true energies, MeV.
        """
        group = _groups(energies, cls.GROUPS, cls.LEAST)
        counts = np.bincount(group)
        places = np.log(estimates.clip(1.0))
        middle = np.bincount(group, weights=places) / counts
        knots = np.linspace(middle.min(), middle.max() + 1e-6, cls.KNOTS)
        logarithm = np.zeros(cls.KNOTS)
        for _ in range(cls.ROUNDS):
            left = np.abs(pulls) / np.exp(np.interp(places, knots, logarithm))
            wanted = [np.quantile(left[group == one], COVERED) for one in range(len(counts))]
            off = np.log(np.maximum(wanted, 1e-6))
            logarithm = logarithm + _smooth(middle, off, RELATIVE_ERROR / np.sqrt(counts), cls.DEGREE)(knots)
        return cls(np.exp(knots), np.exp(logarithm))

    def __call__(self, estimates: Float64) -> Float64:
        """Return the factors (event,) at energy estimates (event,), MeV."""
        places = np.log(estimates.clip(1.0))
        return np.asarray(np.exp(np.interp(places, np.log(self.energies), np.log(self.factors))))


def _groups(energies: Float64, most: int, least: int) -> np.ndarray:
    """Return the number (event,) of each shower's group of true energy, equal energies together."""
    number = int(np.clip(len(energies) // least, 1, most))
    edges = np.quantile(energies, np.arange(1, number) / number, method="lower")
    return np.unique(np.searchsorted(np.unique(edges), energies, side="left"), return_inverse=True)[1]


def _smooth(places: Float64, values: Float64, errors: Float64, most: int) -> np.polynomial.Polynomial:
    """Return the polynomial through values with errors whose degree Akaike's criterion chooses."""
    best: tuple[float, np.polynomial.Polynomial] | None = None
    for degree in range(min(most, len(places) - 1) + 1):
        fitted = np.polynomial.Polynomial.fit(places, values, degree, w=1.0 / errors)
        score = float((((fitted(places) - values) / errors) ** 2).sum()) + 2.0 * degree
        if best is None or score < best[0]:
            best = (score, fitted)
    assert best is not None
    return best[1]
