"""Where a particle entered and whereto it flew: log-weighted centroids and a straight line with errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from calokit.errors import CalokitError
from calokit.reconstruction.hits import Hits

Float64 = NDArray[np.float64]

SMALLEST_WIDTH_MM = 0.2
"""Least error of a layer's centroid, mm."""
CUTS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08)
"""Cuts that the tuning tries, as parts of the shower's whole deposit."""


@dataclass(frozen=True)
class FittedLines:
    """Straight lines through showers.

    Attributes:
        positions: (event, 2) x and y at the front face, mm.
        slopes: (event, 2) dx/dz and dy/dz.
        position_errors: (event, 2) mm.
        slope_errors: (event, 2).
    """

    positions: Float64
    slopes: Float64
    position_errors: Float64
    slope_errors: Float64

    @property
    def directions(self) -> Float64:
        """(event, 3) unit vectors, z into the calorimeter."""
        return slopes_to_directions(self.slopes)


@dataclass(frozen=True)
class LineFit:
    """A line through the log-weighted centroids of the layers.

    In each layer a cell of energy e weighs max(0, ln(e / (cut x E_shower))), which follows the exponential
    fall of a shower to the sides better than e does (Awes et al., Nucl. Instrum. Meth. A 311 (1992) 130); the
    cut is a part of the whole deposit and so rises with the energy. Each layer's centroid enters the line
    with an error measured on the training showers; a prior about the calibration sample's mean slope keeps
    the lines of small showers from tilting (width infinite: none).

    Attributes:
        cut: Part of the whole deposit below which a cell does not count.
        layer_errors: (energy class, layer, 2) mm, error of a centroid in x and y.
        deposits: (energy class,) mean deposits of the classes, MeV, rising.
        prior_slopes: (2,) mean slopes.
        prior_widths: (2,) their widths.

    """

    cut: float
    layer_errors: Float64
    deposits: Float64
    prior_slopes: Float64
    prior_widths: Float64

    @classmethod
    def fit(
        cls, hits: Hits, positions: Float64, slopes: Float64, cut: float | None = None, use_prior: bool = True
    ) -> Self:
        """Tune the cut and measure the centroids' errors on training showers.

        Args:
            hits: The showers.
            positions: (event, 2) true impacts, mm.
            slopes: (event, 2) true slopes.
            cut: The cut, or None to choose the one of the smallest mean squared error of the impact.
            use_prior: Whether lines are drawn to the mean slope within the sample's width.

        Raises:
            CalokitError: There are fewer than 100 showers.
        """
        if len(hits) < 100:
            raise CalokitError(f"a line fit is tuned on at least 100 showers; {len(hits)} are given.")
        wide = np.full(2, np.inf)
        width = np.maximum(slopes.std(axis=0), 1e-4) if use_prior else wide
        fits = []
        for tried in CUTS if cut is None else (cut,):
            errors, deposits = _centroid_errors(hits, tried, positions, slopes)
            fits.append(cls(tried, errors, deposits, slopes.mean(axis=0), width))
        if len(fits) == 1:
            return fits[0]
        scores = [float(((fit(hits).positions - positions) ** 2).mean()) for fit in fits]
        return fits[int(np.argmin(scores))]

    def __call__(self, hits: Hits) -> FittedLines:
        """Return the lines of showers; without a hit the line is the prior's through the axis."""
        centres, weights = layer_centroids(hits, self.cut)
        total = hits.sum_by_event(hits.energies)
        kind = np.abs(np.log(total.clip(1e-9))[:, None] - np.log(self.deposits)).argmin(axis=1)
        z = hits.grid.z_mm
        positions, slopes, position_errors, slope_errors = (np.zeros((len(hits), 2)) for _ in range(4))
        for axis in (0, 1):
            w = np.where(weights > 0, 1.0 / self.layer_errors[kind, :, axis] ** 2, 0.0)
            prior = 1.0 / self.prior_widths[axis] ** 2
            s0, s1, s2 = w.sum(axis=1), (w * z).sum(axis=1), (w * z**2).sum(axis=1) + prior
            t0 = (w * centres[..., axis]).sum(axis=1)
            t1 = (w * z * centres[..., axis]).sum(axis=1) + prior * self.prior_slopes[axis]
            determinant = s0 * s2 - s1**2
            known = determinant > 1e-9 * s0 * s2.clip(1e-30)
            safe = np.where(known, determinant, 1.0)
            positions[:, axis] = np.where(known, (s2 * t0 - s1 * t1) / safe, t0 / s0.clip(1e-30))
            slopes[:, axis] = np.where(known, (s0 * t1 - s1 * t0) / safe, 0.0)
            position_errors[:, axis] = np.sqrt(np.where(known, s2 / safe, np.inf))
            slope_errors[:, axis] = np.sqrt(np.where(known, s0 / safe, np.inf))
        return FittedLines(positions, slopes, position_errors, slope_errors)


def layer_centroids(hits: Hits, cut: float) -> tuple[Float64, Float64]:
    """Return log-weighted centroids of every layer.

    Args:
        hits: The showers.
        cut: Part of the whole deposit below which a cell has no weight.

    Returns:
        Centroids (event, layer, 2) in mm, 0 where a layer has no weight, and the weights (event, layer).
    """
    total = hits.sum_by_event(hits.energies)
    weight = np.log(hits.energies / (cut * total[hits.event])).clip(0.0)
    by_layer = hits.sum_by_layer(weight)
    safe = np.where(by_layer > 0, by_layer, 1.0)
    x = hits.sum_by_layer(weight * hits.grid.x_mm(hits.row)) / safe
    y = hits.sum_by_layer(weight * hits.grid.y_mm(hits.column)) / safe
    return np.stack([x, y], axis=-1), by_layer


def slopes_to_directions(slopes: Float64) -> Float64:
    """Return the unit vectors (event, 3) of slopes dx/dz and dy/dz (event, 2).

    Example:
        >>> slopes_to_directions(np.array([[0.75, 0.0]])).tolist()
        [[0.6, 0.0, 0.8]]
    """
    vectors = np.concatenate([slopes, np.ones((len(slopes), 1))], axis=1)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def directions_to_slopes(directions: NDArray[np.floating]) -> Float64:
    """Return dx/dz and dy/dz (event, 2) of unit vectors (event, 3)."""
    return np.asarray(directions[:, :2].astype(np.float64) / directions[:, 2:].astype(np.float64))


def _centroid_errors(hits: Hits, cut: float, positions: Float64, slopes: Float64) -> tuple[Float64, Float64]:
    """Measure the spread of centroids about the true line, in four classes of the deposit."""
    centres, weights = layer_centroids(hits, cut)
    true = positions[:, None] + slopes[:, None] * hits.grid.z_mm[:, None]
    total = hits.sum_by_event(hits.energies)
    classes = np.array_split(np.argsort(total, kind="stable"), 4)
    errors = np.full((len(classes), centres.shape[1], 2), 1e3)
    for number, members in enumerate(classes):
        off = np.where(weights[members, :, None] > 0, centres[members] - true[members], np.nan)
        enough = np.isfinite(off).sum(axis=0) >= 10
        with np.errstate(invalid="ignore"):
            spread = np.sqrt(np.nansum(off**2, axis=0) / np.isfinite(off).sum(axis=0).clip(1))
        errors[number][enough] = spread[enough].clip(SMALLEST_WIDTH_MM)
    return errors, np.array([max(float(total[members].mean()), 1e-9) for members in classes])
