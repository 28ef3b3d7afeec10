"""Several showers in one event, classically: peaks along x, cells shared among them, sums and centroids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from calokit.arrays import Float64
from calokit.classical.energy import CalibratedSum
from calokit.classical.hits import GridHits
from calokit.errors import CalokitError

CORE_MM = 8.0
"""Length of the exponential by which showers share a cell, mm."""
LOG_CUT = 0.01
"""Part of a cluster's deposit in its layer-summed rows below which a row does not count for the position."""
THRESHOLDS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4)
"""Heights of a peak that the tuning tries, as parts of the tallest."""
SEPARATIONS = (1, 2, 3, 4)
"""Distances within which a peak must be the tallest, in rows, that the tuning tries."""


@dataclass(frozen=True)
class FoundParticles:
    """The particles found in some events, the most energetic first.

    Attributes:
        energies: (event, particle) MeV, 0 where there is no further particle.
        positions: (event, particle, 2) x and y in mm.
    """

    energies: Float64
    positions: Float64

    @property
    def count(self) -> NDArray[np.int64]:
        """(event,) number of particles."""
        return np.asarray((self.energies > 0).sum(axis=1), np.int64)


@dataclass(frozen=True)
class PeakClusters:
    """Finds the showers of an event as peaks of the deposit along x and shares the cells among them.

    A row is a peak where its deposit, smoothed over three rows, is the largest within some rows and higher
    than a part of the tallest. Each row's deposit is shared by the peaks' deposits x exp(-distance / 8 mm)
    (three rounds), energies are calibrated sums, positions log-weighted centroids. It works along the rows,
    the long side of the readout.

    Attributes:
        threshold: Least height of a peak, as a part of the tallest.
        separation: Rows within which a peak is the tallest.
        calibration: Energy of a deposit.
        most: Most particles an event.
    """

    threshold: float
    separation: int
    calibration: CalibratedSum
    most: int

    @classmethod
    def fit(cls, hits: GridHits, energies: Float64, most: int) -> Self:
        """Tune threshold and separation on training events for the largest share of right counts.

        Args:
            hits: The events.
            energies: (event, particle) true energies, MeV, 0 where there is no further particle.
            most: Most particles an event.

        Raises:
            CalokitError: There are no events.
        """
        if hits.events == 0:
            raise CalokitError("clusters are tuned on events, and none are given.")
        deposits = hits.sum_by_event(hits.energy)
        calibration = CalibratedSum.fit(deposits, energies.sum(axis=1))
        # an event's sum has the offset once for each particle: calibrate through zero on the slope alone
        calibration = CalibratedSum(calibration.slope, 0.0)
        profile = _row_profile(hits)
        true = (energies > 0).sum(axis=1)
        best = (-1.0, THRESHOLDS[0], SEPARATIONS[0])
        for threshold in THRESHOLDS:
            for separation in SEPARATIONS:
                found = _find_peaks(profile, threshold, separation, most).any(axis=2).sum(axis=1)
                best = max(best, (float((found == true).mean()), threshold, separation))
        return cls(best[1], best[2], calibration, most)

    def __call__(self, hits: GridHits) -> FoundParticles:
        """Return the particles of events."""
        profile = _row_profile(hits)
        peaks = _find_peaks(profile, self.threshold, self.separation, self.most)
        x = hits.grid.x_mm(np.arange(hits.grid.shape[1]))
        present = peaks.any(axis=2)
        centre = (peaks * x).sum(axis=2)
        height = np.where(present, np.einsum("ekr,er->ek", peaks, profile), 0.0)
        share = np.zeros(peaks.shape)
        for _ in range(3):
            pull = height[..., None] * np.exp(-np.abs(x - centre[..., None]) / CORE_MM)
            share = pull / pull.sum(axis=1, keepdims=True).clip(1e-12)
            deposit = share * profile[:, None]
            height = np.where(present, deposit.sum(axis=2), 0.0)
            centre = np.where(present, _log_centroid(deposit, x), centre)
        y = self._heights_of(hits, share)
        energies = np.where(present, self.calibration(height), 0.0).clip(0.0)
        order = np.argsort(-energies, axis=1, kind="stable")
        positions = np.stack([centre, y], axis=2)
        return FoundParticles(
            np.take_along_axis(energies, order, axis=1),
            np.take_along_axis(positions, order[..., None], axis=1)
            * (energies.max(axis=1) > 0)[:, None, None],
        )

    @staticmethod
    def _heights_of(hits: GridHits, share: Float64) -> Float64:
        """Return the y (event, particle) of each cluster: log-weighted over the columns."""
        events, _, rows = share.shape
        columns = hits.grid.shape[2]
        place = (hits.event * rows + hits.row) * columns + hits.column
        plane = np.bincount(place, weights=hits.energy, minlength=events * rows * columns)
        by_column = np.einsum("ekr,erc->ekc", share, plane.reshape(events, rows, columns))
        return _log_centroid(by_column, hits.grid.y_mm(np.arange(columns)))


def _row_profile(hits: GridHits) -> Float64:
    """Return the deposits (event, row), summed over layers and columns, MeV."""
    rows = hits.grid.shape[1]
    summed = np.bincount(hits.event * rows + hits.row, weights=hits.energy, minlength=hits.events * rows)
    return np.asarray(summed.reshape(hits.events, rows), np.float64)


def _find_peaks(profile: Float64, threshold: float, separation: int, most: int) -> NDArray[np.bool_]:
    """Return (event, particle, row): the row of each peak, the tallest first; all False beyond the last."""
    padded = np.pad(profile, ((0, 0), (1, 1)))
    smooth = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4
    wide = np.pad(smooth, ((0, 0), (separation, separation)))
    around = np.lib.stride_tricks.sliding_window_view(wide, 2 * separation + 1, axis=1).max(axis=2)
    is_peak = (smooth >= around) & (smooth > threshold * smooth.max(axis=1, keepdims=True)) & (smooth > 0)
    height = np.where(is_peak, smooth, 0.0)
    order = np.argsort(-height, axis=1, kind="stable")[:, :most]
    chosen = np.take_along_axis(height, order, axis=1) > 0
    result = np.zeros((len(profile), most, profile.shape[1]), bool)
    np.put_along_axis(result, order[..., None], chosen[..., None], axis=2)
    return result


def _log_centroid(deposits: Float64, places: Float64) -> Float64:
    """Return the log-weighted centroids (event, particle) of deposits (event, particle, place)."""
    total = deposits.sum(axis=2, keepdims=True)
    part = deposits / np.where(total > 0, total, 1.0)
    weight = np.log(part.clip(1e-12) / LOG_CUT).clip(0.0)
    return np.asarray((weight * places).sum(axis=2) / weight.sum(axis=2).clip(1e-12))
