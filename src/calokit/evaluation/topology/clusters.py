"""Clusters of touching hits, local maxima, and the hottest cells."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from calokit.arrays import Flags, Float64, Integer
from calokit.detector import Detector
from calokit.evaluation.samples.observables import median_pitch
from calokit.evaluation.topology.columns import Columns, FlightOffsets, ratio
from calokit.evaluation.topology.hit_pairs import HitPairs
from calokit.showers.hits import Hits

SIZES = (2, 3, 4)
"""Clusters of so many hits are counted each; larger ones together."""
MAXIMA = 3
HOTTEST = 10


def measure_clusters(pairs: HitPairs) -> Columns:
    """Return clusters of hits that touch in a layer or in depth, and local maxima, of each shower.

    Columns: `clusters`, `clusters_of_N_hits`, `clusters_of_more_hits`, `largest_cluster_hits`,
    `second_cluster_hits`, `largest_cluster_energy` (part of the visible energy in the cluster with most
    hits), `local_maxima` (hits above all hits that touch them, at least one), `local_maxima_energy` and
    `local_maximum_K` (energy of all and of the K-th of them / visible energy).

    Args:
        pairs: Touching hits.
    """
    hits = pairs.hits
    visible = hits.sum_by_event(hits.energy)
    one, two = pairs.in_space
    number = len(hits.event)
    graph = csr_array((np.ones(len(one), np.int8), (one, two)), shape=(number, number))
    clusters, label = connected_components(graph, directed=False)
    size = np.bincount(label, minlength=clusters).astype(np.float64)
    energy = np.bincount(label, weights=hits.energy, minlength=clusters).astype(np.float64)
    event = np.zeros(clusters, np.int64)
    event[label] = hits.event
    columns: Columns = {"clusters": _count(event, hits.events)}
    columns |= {f"clusters_of_{n}_hits": _count(event[size == n], hits.events) for n in SIZES}
    columns["clusters_of_more_hits"] = _count(event[size > SIZES[-1]], hits.events)
    ranked = rank_by_event(event, [energy, size])
    for place, name in enumerate(("largest", "second")):
        columns[f"{name}_cluster_hits"] = _pick(event, ranked == place, size, hits.events)
    largest = _pick(event, ranked == 0, energy, hits.events)
    columns["largest_cluster_energy"] = ratio(largest, visible)
    return columns | _local_maxima(hits, pairs, visible)


def _local_maxima(hits: Hits, pairs: HitPairs, visible: Float64) -> Columns:
    one, two = pairs.in_space
    touches = pairs.count_neighbours((one, two)) > 0
    highest = touches.copy()
    highest[one[hits.energy[one] < hits.energy[two]]] = False
    highest[two[hits.energy[two] < hits.energy[one]]] = False
    event, energy = hits.event[highest], hits.energy[highest]
    ranked = rank_by_event(event, [energy])
    columns: Columns = {
        "local_maxima": _count(event, hits.events),
        "local_maxima_energy": ratio(_pick(event, np.ones(len(event), bool), energy, hits.events), visible),
    }
    for place in range(MAXIMA):
        value = _pick(event, ranked == place, energy, hits.events)
        columns[f"local_maximum_{place + 1}"] = ratio(value, visible)
    return columns


def measure_hot_cells(hits: Hits, detector: Detector, offsets: FlightOffsets) -> Columns:
    """Return the hottest cells of each shower.

    Columns: `hot_cell_K` (ln of the energy of the K-th hottest cell in MeV, 1e-3 in its place where there is
    none), `hot_cell_K_from_flight` (its distance from the line of flight in median pitches) and
    `hot_cells_apart` (distance of the two hottest, in pitches), 0 where there is none.

    Args:
        hits: The hits.
        detector: Whose cells they are of.
        offsets: Where they lie about the line of flight.
    """
    pitch = median_pitch(detector)
    ranked = rank_by_event(hits.event, [hits.energy])
    columns: Columns = {}
    for place in range(HOTTEST):
        energy = _pick(hits.event, ranked == place, hits.energy, hits.events)
        columns[f"hot_cell_{place + 1}"] = np.log(np.maximum(energy, 1e-3))
    distance = np.hypot(offsets.x, offsets.y) / pitch
    for place in range(3):
        columns[f"hot_cell_{place + 1}_from_flight"] = _pick(
            hits.event, ranked == place, distance, hits.events
        )
    apart = [
        _pick(hits.event, ranked == 0, axis, hits.events) - _pick(hits.event, ranked == 1, axis, hits.events)
        for axis in (offsets.x, offsets.y)
    ]
    several = hits.sum_by_event() > 1
    return columns | {"hot_cells_apart": np.where(several, np.hypot(*apart) / pitch, 0.0)}


def rank_by_event(event: Integer, keys: list[Float64]) -> Integer:
    """Return the place of each entry within its event, the largest first; (entry,) from 0.

    Args:
        event: (entry,) in any order.
        keys: (entry,) each, the last one decides first.
    """
    order = np.lexsort([*(-key for key in keys), event])
    ordered = event[order]
    new = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(order) else np.zeros(0, np.int64)
    first = np.repeat(new, np.diff(np.r_[new, len(order)]))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order)) - first
    return rank


def _count(event: Integer, events: int) -> Float64:
    return np.bincount(event, minlength=events).astype(np.float64)


def _pick(event: Integer, chosen: Flags, values: Float64, events: int) -> Float64:
    """Return the sum of the chosen entries of each event; (event,)."""
    picked: Float64 = np.bincount(event[chosen], weights=values[chosen], minlength=events).astype(np.float64)
    return picked
