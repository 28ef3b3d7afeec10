"""Hits alone and beside each other: isolated hits, neighbour pairs, their energies, and holes."""

from __future__ import annotations

import numpy as np

from calokit.arrays import Float64, Integer
from calokit.detector import Detector
from calokit.evaluation.topology.columns import Columns, count_by_event, ratio
from calokit.evaluation.topology.hit_pairs import HitPairs, Pairs, expand_partners
from calokit.evaluation.topology.neighbours import DEPTH, surrounding_cells
from calokit.showers.hits import Hits

MOST_NEIGHBOURS = 8
HOLE_NEIGHBOURS = (4, 6)
"""Hits among the 8 neighbours that make an empty cell a hole; in proportion where it has fewer."""


def measure_touching(pairs: HitPairs, detector: Detector) -> Columns:
    """Return isolated hits, pairs of touching hits and holes of each shower.

    Columns: `isolated_hits` (no hit beside them in their layer, corners counted), `isolated_energy` (part of
    the visible energy), `isolated_hits_in_space` (nor in the layers before and behind; with several layers),
    `hits_with_K_neighbours` in the layer, `pairs_AXIS` (pairs of touching hits along each axis),
    `pair_correlation_AXIS` (Moran's I of the logarithms of the energies: mean product over pairs of the
    deviations from the shower's mean, over the variance of all hits; Moran, Biometrika 37 (1950) 17; 0
    without pairs), `pair_energy_AXIS` (sum over pairs of the root of the product of energies / visible
    energy), `holes` and `deep_holes` (empty cells with 4 and with 6 hits about them in the layer).

    Args:
        pairs: Touching hits.
        detector: Whose cells they are of.
    """
    hits = pairs.hits
    visible = hits.sum_by_event(hits.energy)
    beside = pairs.count_neighbours(pairs.in_layer)
    alone = (beside == 0).astype(np.float64)
    columns: Columns = {
        "isolated_hits": hits.sum_by_event(alone),
        "isolated_energy": ratio(hits.sum_by_event(alone * hits.energy), visible),
    }
    if DEPTH in pairs.by_axis:
        in_space = pairs.count_neighbours(pairs.in_space) == 0
        columns["isolated_hits_in_space"] = hits.sum_by_event(in_space.astype(np.float64))
    numbers = count_by_event(hits, np.minimum(beside, MOST_NEIGHBOURS), MOST_NEIGHBOURS + 1)
    columns |= {f"hits_with_{k}_neighbours": numbers[:, k] for k in range(1, MOST_NEIGHBOURS + 1)}
    for axis, found in pairs.by_axis.items():
        columns |= _measure_axis(hits, axis, found, visible)
    holes = _count_holes(hits, detector)
    return columns | {"holes": holes[0], "deep_holes": holes[1]}


def _measure_axis(hits: Hits, axis: str, pairs: Pairs, visible: Float64) -> Columns:
    one, two = pairs
    event = hits.event[one]
    number = np.bincount(event, minlength=hits.events).astype(np.float64)
    logarithm = np.log(hits.energy)
    count = hits.sum_by_event()
    away = logarithm - ratio(hits.sum_by_event(logarithm), count)[hits.event]
    variance = ratio(hits.sum_by_event(away**2), count)
    product = _sum(event, away[one] * away[two], hits.events)
    # of showers whose hits all have one energy nothing but rounding is left
    variance = np.where(variance > 1e-12, variance, 0.0)
    root = np.sqrt(hits.energy[one] * hits.energy[two])
    together = _sum(event, root, hits.events)
    return {
        f"pairs_{axis}": number,
        f"pair_correlation_{axis}": ratio(ratio(product, number), variance),
        f"pair_energy_{axis}": ratio(together, visible),
    }


def _count_holes(hits: Hits, detector: Detector) -> list[Float64]:
    """Return the number of empty cells with many hits about them, for each of two meanings of many."""
    size = detector.number_of_cells
    lists = surrounding_cells(detector)
    position, cell = expand_partners(hits.cell, lists)
    about, counts = np.unique(hits.event[position] * size + cell, return_counts=True)
    possible = np.minimum(np.diff(lists.starts)[about % size], MOST_NEIGHBOURS)
    full = counts * MOST_NEIGHBOURS >= min(HOLE_NEIGHBOURS) * possible
    about, counts, possible = about[full], counts[full], possible[full]
    empty = ~np.isin(about, hits.event * size + hits.cell, assume_unique=True)
    about, counts, possible = about[empty], counts[empty], possible[empty]
    return [
        np.bincount(
            (about // size)[counts * MOST_NEIGHBOURS >= least * possible], minlength=hits.events
        ).astype(np.float64)
        for least in HOLE_NEIGHBOURS
    ]


def _sum(event: Integer, weights: Float64, events: int) -> Float64:
    total: Float64 = np.bincount(event, weights=weights, minlength=events).astype(np.float64)
    return total
