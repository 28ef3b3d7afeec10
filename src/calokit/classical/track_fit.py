"""Where a particle entered and whereto it flew: log-weighted centroids and a straight line with errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calokit.arrays import Float64
from calokit.classical.hits import GridHits
from calokit.errors import CalokitError

SMALLEST_WIDTH_MM = 0.2
"""Least error of a layer's centroid, mm."""
CUTS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01)
"""Cuts that the tuning tries, as parts of the shower's whole deposit."""
REACHES_MM = (6.0, 7.5, 9.0, 14.0, 1e4)
"""Distances from a first line within which cells count, that the tuning tries."""
CHI_SQUARE_MEDIAN = 0.4549
"""Median of the square of a normal number; by it the errors are scaled, since layers are not independent."""
TUNING_SHOWERS = 6_000
"""Showers that cut and reach are tuned on, at most."""


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
    cut is a part of the whole deposit and so rises with the energy. A second line is fitted to the cells near
    the first one, so that stray cells do not pull at it. Each layer's centroid enters the line with an error
    measured on the training showers and scaled so that the impacts' pulls have the width one; a prior about
    the calibration sample's mean slope keeps the lines of small showers from tilting (width infinite: none).

    Attributes:
        cut: Part of the whole deposit below which a cell does not count.
        reach_mm: Distance in x or y from the first line beyond which a cell does not count in the second.
        layer_errors: (energy class, layer, 2) mm, error of a centroid in x and y.
        deposits: (energy class,) mean deposits of the classes, MeV, rising.
        prior_slopes: (2,) mean slopes.
        prior_widths: (2,) their widths.
        narrowing: Passes after the first one; each but the last lets in cells three times as far as the next.

    """

    cut: float
    reach_mm: float
    layer_errors: Float64
    deposits: Float64
    prior_slopes: Float64
    prior_widths: Float64
    narrowing: int = 1

    @classmethod
    def fit(
        cls,
        hits: GridHits,
        positions: Float64,
        slopes: Float64,
        cut: float | None = None,
        use_prior: bool = True,
    ) -> LineFit:
        """Tune cut and reach, and measure the centroids' errors, on training showers.

        Args:
            hits: The showers.
            positions: (event, 2) true impacts, mm.
            slopes: (event, 2) true slopes.
            cut: The cut, or None to choose cut and reach of the smallest mean squared error of the impact.
            use_prior: Whether lines are drawn to the mean slope within the sample's width.

        Raises:
            CalokitError: There are fewer than 100 showers.
        """
        if hits.events < 100:
            raise CalokitError(f"a line fit is tuned on at least 100 showers; {hits.events} are given.")
        width = np.maximum(slopes.std(axis=0), 1e-4) if use_prior else np.full(2, np.inf)
        mean = slopes.mean(axis=0)

        def measure(some: GridHits, count: int, tried: float, reach: float) -> LineFit:
            """Measure the errors of all cells' centroids, then of those near the lines these give."""
            true = positions[:count, None] + slopes[:count, None] * hits.grid.z_mm[:, None]
            errors, deposits = _centroid_errors(some, *layer_centroids(some, tried), true)
            fitted = LineFit(tried, reach, errors, deposits, mean, width)
            if reach < REACHES_MM[-1]:
                near = layer_centroids(some, tried, fitted._fit_line(some, None), reach)
                errors, deposits = _centroid_errors(some, *near, true)
                fitted = LineFit(tried, reach, errors, deposits, mean, width)
            lines = fitted(some)
            pulls = (lines.positions - positions[:count]) / lines.position_errors
            pulls = pulls[np.isfinite(lines.position_errors)]  # a line through one layer has no error
            scale = float(np.sqrt(np.median(pulls**2) / CHI_SQUARE_MEDIAN)) if pulls.size else 1.0
            return LineFit(tried, reach, scale * errors, deposits, mean, width)

        if cut is not None:
            return measure(hits, hits.events, cut, REACHES_MM[-1])
        count = min(hits.events, TUNING_SHOWERS)
        some = hits.head(count)
        best = (np.inf, CUTS[0], REACHES_MM[-1])
        for reach in REACHES_MM:
            for tried in CUTS:
                found = measure(some, count, tried, reach)(some).positions
                best = min(best, (float(((found - positions[:count]) ** 2).mean()), tried, reach))
        return measure(hits, hits.events, best[1], best[2])

    def __call__(self, hits: GridHits) -> FittedLines:
        """Return the lines of showers; without a hit the line is the prior's through the axis."""
        line = self._fit_line(hits, None)
        if self.reach_mm < REACHES_MM[-1]:
            for step in range(self.narrowing):
                line = self._fit_line(hits, line, 3.0 ** (self.narrowing - 1 - step))
        return line

    def _fit_line(self, hits: GridHits, near: FittedLines | None, wider: float = 1.0) -> FittedLines:
        """Fit lines to all cells, or to those near other lines."""
        centres, weights = layer_centroids(hits, self.cut, near, wider * self.reach_mm)
        total = hits.sum_by_event(hits.energy)
        kind = np.abs(np.log(total.clip(1e-9))[:, None] - np.log(self.deposits)).argmin(axis=1)
        z = hits.grid.z_mm
        positions, slopes, position_errors, slope_errors = (np.zeros((hits.events, 2)) for _ in range(4))
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


def layer_centroids(
    hits: GridHits, cut: float, near: FittedLines | None = None, reach_mm: float = np.inf
) -> tuple[Float64, Float64]:
    """Return log-weighted centroids of every layer.

    Args:
        hits: The showers.
        cut: Part of the whole deposit below which a cell has no weight.
        near: Lines that a cell must be near to; None takes every cell.
        reach_mm: How near, in x and in y.

    Returns:
        Centroids (event, layer, 2) in mm, 0 where a layer has no weight, and the weights (event, layer).
    """
    total = hits.sum_by_event(hits.energy)
    weight = np.log(hits.energy / (cut * total[hits.event])).clip(0.0)
    x, y = hits.grid.x_mm(hits.row), hits.grid.y_mm(hits.column)
    if near is not None:
        line = near.positions[hits.event] + near.slopes[hits.event] * hits.grid.z_mm[hits.layer][:, None]
        weight = weight * (np.maximum(np.abs(x - line[:, 0]), np.abs(y - line[:, 1])) < reach_mm)
    by_layer = hits.sum_by_layer(weight)
    safe = np.where(by_layer > 0, by_layer, 1.0)
    centres = [hits.sum_by_layer(weight * x) / safe, hits.sum_by_layer(weight * y) / safe]
    return np.stack(centres, axis=-1), by_layer


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


def _centroid_errors(
    hits: GridHits, centres: Float64, weights: Float64, true: Float64
) -> tuple[Float64, Float64]:
    """Measure the spread of centroids about true lines (event, layer, 2), in four classes of the deposit."""
    total = hits.sum_by_event(hits.energy)
    classes = np.array_split(np.argsort(total, kind="stable"), 4)
    errors = np.full((len(classes), centres.shape[1], 2), 1e3)
    for number, members in enumerate(classes):
        off = np.where(weights[members, :, None] > 0, centres[members] - true[members], np.nan)
        enough = np.isfinite(off).sum(axis=0) >= 10
        with np.errstate(invalid="ignore"):
            spread = np.sqrt(np.nansum(off**2, axis=0) / np.isfinite(off).sum(axis=0).clip(1))
        errors[number][enough] = spread[enough].clip(SMALLEST_WIDTH_MM)
    return errors, np.array([max(float(total[members].mean()), 1e-9) for members in classes])
