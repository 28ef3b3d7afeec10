"""Rings and azimuthal moments about the line of flight, and the principal axes of the shower."""

from __future__ import annotations

import itertools

import numpy as np

from calokit.arrays import Float64
from calokit.evaluation.topology.columns import (
    Columns,
    FlightOffsets,
    count_by_event,
    ratio,
    sum_by_event,
)
from calokit.showers.hits import Hits

RING_EDGES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 9.0, np.inf)
"""In median pitches of the detector."""
ORDERS = (1, 2, 3, 4)


def measure_rings(hits: Hits, offsets: FlightOffsets, pitch: float) -> Columns:
    """Return energies and hits in rings about the line of flight, azimuthal moments and principal widths.

    Columns: `ring_A_to_B_energy` (part of the visible energy) and `ring_A_to_B_hits` between radii in median
    pitches, `mean_radius`, `mean_radius_of_hits`, `radius_spread` (pitches), `azimuth_M_energy` and
    `azimuth_M_hits` (|sum w exp(i M phi)| / sum w about the line of flight for M of 1 to 4, w the energy or
    1), `long_width`, `short_width` (energy-weighted deviations along the principal axes about the shower's
    own centre, in pitches) and `long_width_of_hits`, `short_width_of_hits`.

    Args:
        hits: The hits.
        offsets: Where they lie about the line of flight.
        pitch: Median pitch, mm.
    """
    x, y = offsets.x / pitch, offsets.y / pitch
    radius = np.hypot(x, y)
    visible, number = hits.sum_by_event(hits.energy), hits.sum_by_event()
    ring = np.searchsorted(RING_EDGES, radius, side="right") - 1
    kinds = len(RING_EDGES) - 1
    energies, counts = sum_by_event(hits, ring, kinds), count_by_event(hits, ring, kinds)
    columns: Columns = {}
    for k, (low, high) in enumerate(itertools.pairwise(RING_EDGES)):
        columns[f"ring_{low:g}_to_{high:g}_energy"] = ratio(energies[:, k], visible)
        columns[f"ring_{low:g}_to_{high:g}_hits"] = counts[:, k]
    mean = ratio(hits.sum_by_event(hits.energy * radius), visible)
    square = ratio(hits.sum_by_event(hits.energy * radius**2), visible)
    columns["mean_radius"] = mean
    columns["mean_radius_of_hits"] = ratio(hits.sum_by_event(radius), number)
    columns["radius_spread"] = np.sqrt(np.maximum(square - mean**2, 0.0))
    phi = np.arctan2(y, x)
    for name, weight, total in (("energy", hits.energy, visible), ("hits", np.ones(len(x)), number)):
        for order in ORDERS:
            real = hits.sum_by_event(weight * np.cos(order * phi))
            imaginary = hits.sum_by_event(weight * np.sin(order * phi))
            columns[f"azimuth_{order}_{name}"] = ratio(np.hypot(real, imaginary), total)
        ending = "" if name == "energy" else "_of_hits"
        widths = principal_widths(hits, weight, x, y)
        columns |= {f"long_width{ending}": widths[0], f"short_width{ending}": widths[1]}
    return columns


def principal_widths(hits: Hits, weight: Float64, x: Float64, y: Float64) -> tuple[Float64, Float64]:
    """Return the larger and the smaller standard deviation along the principal axes, about the own centre.

    Args:
        hits: The hits.
        weight: (hit,) of each hit.
        x: (hit,) place.
        y: (hit,) place.

    Returns:
        (event,) each, in the unit of the places; 0 for empty showers.
    """
    total = hits.sum_by_event(weight)
    from_x = x - ratio(hits.sum_by_event(weight * x), total)[hits.event]
    from_y = y - ratio(hits.sum_by_event(weight * y), total)[hits.event]
    xx = ratio(hits.sum_by_event(weight * from_x**2), total)
    yy = ratio(hits.sum_by_event(weight * from_y**2), total)
    xy = ratio(hits.sum_by_event(weight * from_x * from_y), total)
    middle, half = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    return np.sqrt(middle + half), np.sqrt(np.maximum(middle - half, 0.0))
