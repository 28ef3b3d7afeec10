"""Classical energies: the calibrated sum of the deposits, and the sum with a weight for each layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from calokit.arrays import Float64
from calokit.errors import CalokitError


@dataclass(frozen=True)
class CalibratedSum:
    """Energy = slope x sum of the deposits + offset.

    The line is fitted the way a calorimeter is calibrated: the mean deposit as a line in the true energy,
    weighted by 1 / E (the variance of a sampling calorimeter), then turned round. So the energy is unbiased
    at every true energy; a fit of the true energy to the deposits would shrink towards the sample's mean.

    Attributes:
        slope: Energy over deposit.
        offset_mev: Energy of no deposit.

    Example:
        >>> deposits = np.array([10.0, 20.0, 40.0])
        >>> line = CalibratedSum.fit(deposits, 100 * deposits + 50)
        >>> line(np.array([30.0])).round(6).tolist()
        [3050.0]
    """

    slope: float
    offset_mev: float

    @classmethod
    def fit(cls, deposits: Float64, energies: Float64) -> Self:
        """Fit to deposits (event,) and true energies (event,), both MeV.

        Raises:
            CalokitError: There are not two different energies.
        """
        if len(energies) == 0 or np.ptp(energies) == 0:
            raise CalokitError("a calibration needs showers of at least two energies.")
        design = np.stack([energies, np.ones_like(energies)], axis=1) / np.sqrt(energies)[:, None]
        (rise, start), *_ = np.linalg.lstsq(design, deposits / np.sqrt(energies), rcond=None)
        return cls(float(1.0 / rise), float(-start / rise))

    def __call__(self, deposits: Float64) -> Float64:
        """Return the energies (event,) of deposits (event,), MeV."""
        return np.asarray(self.slope * deposits + self.offset_mev)


@dataclass(frozen=True)
class LayerWeightedSum:
    """Energy = offset + sum over layers of weight x deposit, by least squares of (dE)^2 / E.

    The fit minimises the relative spread and therefore shrinks a little towards the sample's mean;
    a second fit turns the mean at each true energy back onto the line.

    Attributes:
        weights: (layer,) energy over deposit.
        offset_mev: Energy of no deposit.
    """

    weights: Float64
    offset_mev: float

    @classmethod
    def fit(cls, layer_deposits: Float64, energies: Float64) -> Self:
        """Fit to deposits (event, layer) and true energies (event,), both MeV.

        Raises:
            CalokitError: There are fewer showers than layers, or only one energy.
        """
        if len(energies) <= layer_deposits.shape[1] or np.ptp(energies) == 0:
            raise CalokitError("layer weights need more showers than layers, of at least two energies.")
        ones = np.ones((len(energies), 1))
        design = np.concatenate([layer_deposits, ones], axis=1) / np.sqrt(energies)[:, None]
        found, *_ = np.linalg.lstsq(design, np.sqrt(energies), rcond=None)
        solution = np.asarray(found, np.float64)
        raw = layer_deposits @ solution[:-1] + solution[-1]
        line = CalibratedSum.fit(raw, energies)
        return cls(line.slope * solution[:-1], float(line(solution[-1:])[0]))

    def __call__(self, layer_deposits: Float64) -> Float64:
        """Return the energies (event,) of deposits (event, layer), MeV."""
        return np.asarray(layer_deposits @ self.weights + self.offset_mev)


@dataclass(frozen=True)
class BiasCorrection:
    """Removes the mean error of an energy estimate as a function of the estimate alone.

    The corrected estimate is the estimate x (1 + polynomial in its logarithm), and the polynomial is the one
    whose mean at each true energy of a calibration sample is closest to that energy, in units of its
    statistical error: linear least squares. Its degree is the one with the least chi^2 + 2 x degree (Akaike's
    criterion). It is kept as a table, read linearly; beyond the estimates of the calibration sample the outer
    piece goes on.

    Attributes:
        estimated: (knot,) estimates, rising, MeV.
        corrected: (knot,) corrected estimates, rising, MeV.

    Example:
        >>> true = np.repeat([1e3, 2e3, 4e3, 8e3], 50)
        >>> correction = BiasCorrection.fit(0.9 * true, true)
        >>> correction(np.array([1800.0, 9000.0])).round(1).tolist()
        [2000.0, 10000.0]
    """

    estimated: Float64
    corrected: Float64

    DEGREE = 8
    """Highest degree of the polynomial; degrees whose corrected estimate does not rise are left out."""
    KNOTS = 64

    @classmethod
    def fit(cls, estimates: Float64, energies: Float64) -> Self:
        """Fit to estimates and true energies (event,), MeV, of a calibration sample.

        Raises:
            CalokitError: There are not two energies, or the corrected estimate does not rise.
        """
        grid, kind, counts = np.unique(energies, return_inverse=True, return_counts=True)
        if len(grid) < 2:
            raise CalokitError("a bias correction needs showers of at least two energies.")
        low, high = (float(one) for one in np.log(np.quantile(estimates.clip(1e-3), [0.001, 0.999])))
        centre, reach = 0.5 * (low + high), max(0.5 * (high - low), 1e-6)

        def basis(values: Float64, degree: int) -> Float64:
            place = ((np.log(values.clip(1e-3)) - centre) / reach).clip(-1.0, 1.0)
            return np.polynomial.legendre.legvander(place, degree)

        def mean_of(values: Float64) -> Float64:
            return np.asarray(np.bincount(kind, weights=values) / counts)

        mean = mean_of(estimates)
        error = np.sqrt((mean_of(estimates**2) - mean**2).clip((1e-3 * grid) ** 2) / counts)
        knots = np.geomspace(np.exp(low), np.exp(high), cls.KNOTS)
        wanted = (grid - mean) / error
        best: tuple[float, Float64] | None = None
        for degree in range(1, min(cls.DEGREE, len(grid) - 1) + 1):
            columns = estimates[:, None] * basis(estimates, degree)
            design = np.stack([mean_of(column) for column in columns.T], axis=1) / error[:, None]
            solution, *_ = np.linalg.lstsq(design, wanted, rcond=None)
            score = float(((design @ solution - wanted) ** 2).sum()) + 2.0 * degree
            corrected = knots * (1.0 + basis(knots, degree) @ solution)
            if (np.diff(corrected) > 0).all() and (best is None or score < best[0]):
                best = (score, corrected)
        if best is None:
            raise CalokitError("the corrected energy does not rise with the estimate: no correction.")
        return cls(knots, best[1])

    def __call__(self, estimates: Float64) -> Float64:
        """Return the corrected energies (event,) of estimates (event,), MeV."""
        inside = np.interp(estimates, self.estimated, self.corrected)
        low = (self.corrected[1] - self.corrected[0]) / (self.estimated[1] - self.estimated[0])
        high = (self.corrected[-1] - self.corrected[-2]) / (self.estimated[-1] - self.estimated[-2])
        below = self.corrected[0] + low * (estimates - self.estimated[0])
        above = self.corrected[-1] + high * (estimates - self.estimated[-1])
        inside = np.where(estimates < self.estimated[0], below, inside)
        return np.asarray(np.where(estimates > self.estimated[-1], above, inside))
