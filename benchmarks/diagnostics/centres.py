"""How far generated showers lie from the true ones of the same incident particles."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from calokit.arrays import Float64
from calokit.errors import CalokitError
from calokit.evaluation.metrics.binned import energy_edges
from calokit.evaluation.metrics.distances import Distance
from calokit.evaluation.samples.observables import ObservableCalculator, median_pitch
from calokit.evaluation.samples.pairing import match_incidents, same_incidents
from calokit.evaluation.samples.streams import block_size, require_same_detector
from calokit.showers import ShowerFile, Showers

MATCHING_BINS = 8
"""Energy bins in which the nearest incidents of two truth samples are paired."""


@dataclass(frozen=True)
class CentreDistances:
    """Distances between the centres of energy of two showers of each incident.

    Attributes:
        energies: (pair,) incident energies, MeV.
        distances: (pair,) mm; pairs with an empty shower are left out.
        empty: Part of the pairs that were left out.
    """

    energies: Float64
    distances: Float64
    empty: float

    def mean(self) -> Distance:
        """Return the mean distance in mm and its error."""
        error = float(self.distances.std(ddof=1)) / math.sqrt(len(self.distances))
        return Distance(float(self.distances.mean()), error)

    def quantile(self, part: float) -> float:
        """Return the distance in mm that a part (0 to 1) of the pairs does not exceed."""
        return float(np.quantile(self.distances, part))


def centre_distances(reference: ShowerFile, generated: ShowerFile, threshold_mev: float) -> CentreDistances:
    """Return the distances between true and generated centres of energy, shower by shower.

    Displaced centres were the reason for a GAN in the EIC ZDC report (seeds document 001).

    Args:
        reference: The truth.
        generated: Showers of the same incidents in the same order.
        threshold_mev: Cells at or below it count as empty.

    Raises:
        CalokitError: The files are of different detectors or incidents.
    """
    require_same_detector(reference, generated)
    size, count = block_size(reference.detector), min(len(reference), len(generated))
    parts = []
    for start in range(0, count, size):
        stop = min(start + size, count)
        true, made = reference.read(start, stop), generated.read(start, stop)
        if not same_incidents(true, made):
            raise CalokitError(
                f"{generated.path}: not of the incidents of {reference.path}; make it with "
                "`calokit generate --like`."
            )
        parts.append(_distances(true, made, threshold_mev))
    return _join(parts, count)


def true_centre_distances(one: Showers, other: Showers, threshold_mev: float) -> CentreDistances:
    """Return the same for two truth samples, paired by the nearest incidents: the floor, slightly too high.

    Args:
        one: Truth.
        other: Truth of other seeds.
        threshold_mev: Cells at or below it count as empty.
    """
    incident = one.incident_energies.astype(np.float64)
    edges = energy_edges(float(incident.min()), float(incident.max()), MATCHING_BINS)
    first, second = match_incidents(one.incidents, other.incidents, median_pitch(one.detector), edges)
    return _join([_distances(one[first], other[second], threshold_mev, relative=True)], len(first))


def _distances(
    true: Showers, made: Showers, threshold_mev: float, relative: bool = False
) -> tuple[Float64, Float64]:
    """Return energies and distances of the pairs without an empty shower, if asked from the impacts."""
    calculator = ObservableCalculator(true.detector, threshold_mev)
    samples = (true, made) if relative else (replace(true, positions=None), replace(made, positions=None))
    one, other = (calculator(showers) for showers in samples)
    full = (one.column("hits") > 0) & (other.column("hits") > 0)
    apart = [one.column(name) - other.column(name) for name in ("centre_x", "centre_y")]
    return true.incident_energies.astype(np.float64)[full], np.hypot(*apart)[full]


def _join(parts: list[tuple[Float64, Float64]], pairs: int) -> CentreDistances:
    energies, distances = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    if len(distances) < 2:
        raise CalokitError("fewer than two pairs of showers have hits; lower the threshold.")
    return CentreDistances(energies, distances, 1.0 - len(distances) / pairs)
