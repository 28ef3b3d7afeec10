"""Roughness of the profile in depth, and how front, middle and back of a shower go together."""

from __future__ import annotations

import itertools

import numpy as np

from calokit.arrays import Float64, Integer
from calokit.detector import Detector
from calokit.evaluation.topology.columns import (
    Columns,
    FlightOffsets,
    count_by_event,
    ratio,
    sum_by_event,
)
from calokit.showers.hits import Hits

PARTS = ("front", "middle", "back")
LEAST_LAYERS = 3


def measure_layers(hits: Hits, detector: Detector, offsets: FlightOffsets, pitch: float) -> Columns:
    """Return the profile's roughness and moments of three parts in depth with as many layers each.

    Columns: `profile_roughness` and `hit_profile_roughness` (sum of |e(l-1) - 2 e(l) + e(l+1)| over layers /
    sum of e, e the energy or the hits of a layer), `hits_in_layer_L`, `empty_layers`, and for each part
    `PART_energy` (of the visible energy), `PART_hits`, `PART_radius` (energy-weighted, about the line of
    flight, in pitches), `PART_centre` (distance of its centre from the line of flight, in pitches), and
    between parts `PART_PART_centres` (product of the vectors from the line of flight to the centres, in
    pitches squared). None where there are fewer than three layers.

    Args:
        hits: The hits.
        detector: Whose cells they are of.
        offsets: Where they lie about the line of flight.
        pitch: Median pitch, mm.
    """
    layers = detector.number_of_layers
    if layers < LEAST_LAYERS:
        return {}
    layer = detector.cells.layer[hits.cell]
    energies, counts = sum_by_event(hits, layer, layers), count_by_event(hits, layer, layers)
    columns: Columns = {
        "profile_roughness": _roughness(energies),
        "hit_profile_roughness": _roughness(counts),
        "empty_layers": (counts == 0).sum(axis=1).astype(np.float64),
    }
    columns |= {f"hits_in_layer_{number}": counts[:, number] for number in range(layers)}
    return columns | _parts(hits, layer * len(PARTS) // layers, offsets, pitch)


def _parts(hits: Hits, part: Integer, offsets: FlightOffsets, pitch: float) -> Columns:
    kinds = len(PARTS)
    energies, counts = sum_by_event(hits, part, kinds), count_by_event(hits, part, kinds)
    visible = energies.sum(axis=1)

    def mean(values: Float64) -> Float64:
        place = hits.event * kinds + part
        sums = np.bincount(place, weights=hits.energy * values, minlength=hits.events * kinds)
        return ratio(sums.reshape(hits.events, kinds).astype(np.float64), energies)

    radius = mean(np.hypot(offsets.x, offsets.y) / pitch)
    x, y = mean(offsets.x / pitch), mean(offsets.y / pitch)
    columns: Columns = {}
    for k, name in enumerate(PARTS):
        columns[f"{name}_energy"] = ratio(energies[:, k], visible)
        columns[f"{name}_hits"] = counts[:, k]
        columns[f"{name}_radius"] = radius[:, k]
        columns[f"{name}_centre"] = np.hypot(x[:, k], y[:, k])
    for one, two in itertools.combinations(range(kinds), 2):
        product = x[:, one] * x[:, two] + y[:, one] * y[:, two]
        columns[f"{PARTS[one]}_{PARTS[two]}_centres"] = product
    return columns


def _roughness(profile: Float64) -> Float64:
    bends = np.abs(np.diff(profile, n=2, axis=1)).sum(axis=1)
    return ratio(bends, profile.sum(axis=1))
