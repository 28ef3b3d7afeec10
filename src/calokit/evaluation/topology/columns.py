"""Named columns of observables in groups, and the sums by event that they are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calokit.arrays import Float64, Integer
from calokit.showers import Showers
from calokit.showers.hits import Hits

Columns = dict[str, Float64]


@dataclass(frozen=True)
class FlightOffsets:
    """Where each hit lies about the particle's line of flight, in mm, at the depth of its layer.

    Attributes:
        x: (hit,) along x.
        y: (hit,) along y.
        known: Whether impacts are known; else the detector's axis stands in for the line.
    """

    x: Float64
    y: Float64
    known: bool


def offsets_from_flight(showers: Showers, hits: Hits) -> FlightOffsets:
    """Return the hits' places about the line of flight.

    Without directions the line is parallel to the axis, without impacts it is the axis; a layer of unknown
    depth counts as at the front face.

    Args:
        showers: The showers.
        hits: Their hits.
    """
    cells = showers.detector.cells
    x, y = cells.x[hits.cell], cells.y[hits.cell]
    if showers.positions is None:
        return FlightOffsets(x, y, known=False)
    impact = showers.positions.astype(np.float64)[hits.event]
    x, y = x - impact[:, 0], y - impact[:, 1]
    if showers.directions is not None:
        direction = showers.directions.astype(np.float64)
        slopes = direction[:, :2] / np.maximum(direction[:, 2:], 1e-9)
        depth = np.nan_to_num(cells.z, nan=0.0)[hits.cell]
        x, y = x - slopes[hits.event, 0] * depth, y - slopes[hits.event, 1] * depth
    return FlightOffsets(x, y, known=True)


def ratio(numerator: Float64, denominator: Float64) -> Float64:
    """Divide, with 0 where the denominator is not above 0."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)


def count_by_event(hits: Hits, kind: Integer, kinds: int) -> Float64:
    """Return how many hits of each kind a shower has; (event, kind).

    Args:
        hits: The hits.
        kind: (hit,) from 0; hits of a kind outside are not counted.
        kinds: How many kinds there are.
    """
    inside = (kind >= 0) & (kind < kinds)
    place = hits.event[inside] * kinds + kind[inside]
    counts = np.bincount(place, minlength=hits.events * kinds)
    return counts.reshape(hits.events, kinds).astype(np.float64)


def sum_by_event(hits: Hits, kind: Integer, kinds: int) -> Float64:
    """Return the energy of the hits of each kind; (event, kind) MeV. Arguments as `count_by_event`."""
    inside = (kind >= 0) & (kind < kinds)
    place = hits.event[inside] * kinds + kind[inside]
    sums = np.bincount(place, weights=hits.energy[inside], minlength=hits.events * kinds)
    return sums.reshape(hits.events, kinds).astype(np.float64)
