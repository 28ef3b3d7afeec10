"""Planted damages of topology: the hits of a shower lie wrongly beside each other, its spectrum stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from calokit.arrays import Float32, Integer
from calokit.errors import CalokitError
from calokit.evaluation.samples.observables import median_pitch
from calokit.evaluation.topology.columns import offsets_from_flight
from calokit.evaluation.topology.hit_pairs import find_hit_pairs
from calokit.evaluation.topology.lines import SpectralLine
from calokit.evaluation.topology.neighbours import CellPairs, surrounding_cells
from calokit.showers import Showers
from calokit.showers.hits import find_hits

NEAREST_IN_ENERGY = 20
"""A shower takes places and layers from one of so many next ones in incident energy."""
PLACES_TRIED = 30


def isolate_hits(showers: Showers, threshold: float, part: float, seed: int) -> Showers:
    """Return showers with more isolated hits, their numbers of hits and cell spectra kept.

    For each isolated hit (no hit beside it in its layer) with a chance of `part` one hit of the same shower
    that touches others moves away: one of the less energetic half, to a cell where another shower of much the
    same energy has an isolated hit, and where this one has no hit beside. Where no such place is found it
    stays.

    Args:
        showers: The showers; cells at or below the threshold are set to 0.
        threshold: MeV.
        part: 0.1 makes about 10 % more.
        seed: Of the choice.
    """
    random = np.random.default_rng(seed)
    energies = showers.with_threshold(threshold).energies
    hits = find_hits(showers, threshold)
    pairs = find_hit_pairs(hits, showers.detector)
    alone = pairs.count_neighbours(pairs.in_layer) == 0
    places = _cells_by_event(hits.event[alone], hits.cell[alone], len(showers))
    touching = _cells_by_event(hits.event[~alone], hits.cell[~alone], len(showers))
    lists = surrounding_cells(showers.detector)
    order = np.argsort(showers.incident_energies, kind="stable")
    for place, event in enumerate(order):
        shower = energies[event]
        for _ in range(random.binomial(len(places[event]), part)):
            if len(touching[event]) < 2:
                break
            own = touching[event]
            weak = own[shower[own] <= np.median(shower[own])]
            moved = random.choice(weak)
            near = order[max(place - NEAREST_IN_ENERGY, 0) : place + NEAREST_IN_ENERGY]
            target = _find_place(shower, [places[other] for other in near], lists, random)
            if target is not None:
                shower[target], shower[moved] = shower[moved], 0.0
                touching[event] = own[own != moved]
    return replace(showers, energies=energies)


def shuffle_neighbours(showers: Showers, threshold: float, seed: int) -> Showers:
    """Return showers whose hits have lost what neighbours know of each other, with all else kept.

    The energies of the hits of a shower are permuted among those in the same layer and the same ring of one
    pitch about the line of flight: masks, spectra, layers and the lateral profile stay.

    Args:
        showers: The showers; cells at or below the threshold are set to 0.
        threshold: MeV.
        seed: Of the permutations.
    """
    hits = find_hits(showers, threshold)
    offsets = offsets_from_flight(showers, hits)
    ring = (np.hypot(offsets.x, offsets.y) / median_pitch(showers.detector)).astype(np.int64)
    layer = showers.detector.cells.layer[hits.cell]
    keys = np.random.default_rng(seed).random(len(ring))
    there = np.lexsort([hits.cell, ring, layer, hits.event])
    shuffled = np.lexsort([keys, ring, layer, hits.event])
    energies = np.zeros_like(showers.energies)
    energies[hits.event[there], hits.cell[there]] = hits.energy[shuffled]
    return replace(showers, energies=energies)


def smear_line(showers: Showers, line: SpectralLine, spread_mev: float, seed: int) -> Showers:
    """Return showers in which the hits of a spectral line are spread by a normal law.

    Args:
        showers: The showers.
        line: The line.
        spread_mev: Standard deviation, MeV.
        seed: Of the spread.
    """
    energies = showers.energies.copy()
    inside = np.abs(energies - line.energy) < line.half_width
    spread = np.random.default_rng(seed).normal(0.0, spread_mev, int(inside.sum()))
    energies[inside] = np.maximum(energies[inside] + spread, 0.0).astype(np.float32)
    return replace(showers, energies=energies)


def swap_cells(showers: Showers, threshold: float, part: float, seed: int) -> Showers:
    """Return showers of which a part have the energies of two of their hits exchanged.

    Args:
        showers: The showers; cells at or below the threshold are set to 0.
        threshold: MeV.
        part: Fraction of the showers.
        seed: Of the choice.
    """
    random = np.random.default_rng(seed)
    energies = showers.with_threshold(threshold).energies
    for event in np.flatnonzero(random.random(len(showers)) < part):
        cells = np.flatnonzero(energies[event])
        if len(cells) > 1:
            pair = random.choice(cells, 2, replace=False)
            energies[event, pair] = energies[event, pair[::-1]]
    return replace(showers, energies=energies)


def mix_layers(showers: Showers, part: float, seed: int) -> Showers:
    """Return showers of which a part have the layers behind one taken from another shower.

    The other one is among the next in incident energy; the layers begin in the middle half of the depth, and
    their energies are scaled by the ratio of the incident energies.

    Args:
        showers: The showers.
        part: Fraction of the showers.
        seed: Of the choice.

    Raises:
        CalokitError: The detector has a single layer.
    """
    layers = showers.detector.number_of_layers
    if layers < 2:
        raise CalokitError(f"{showers.detector.name!r} has a single layer; there is nothing to take from.")
    random = np.random.default_rng(seed)
    incident = showers.incident_energies
    order = np.argsort(incident, kind="stable")
    energies = showers.energies.copy()
    depth = showers.detector.cells.layer
    for place in np.flatnonzero(random.random(len(order)) < part):
        near = np.r_[max(place - NEAREST_IN_ENERGY, 0) : min(place + NEAREST_IN_ENERGY, len(order))]
        event, other = order[place], order[random.choice(near[near != place])]
        behind = depth >= random.integers(max(layers // 4, 1), max(3 * layers // 4, 2))
        energies[event, behind] = showers.energies[other, behind] * (incident[event] / incident[other])
    return replace(showers, energies=energies)


def _cells_by_event(event: Integer, cell: Integer, events: int) -> list[Integer]:
    return np.split(cell, np.searchsorted(event, np.arange(1, events)))


def _find_place(
    shower: Float32, places: list[Integer], lists: CellPairs, random: np.random.Generator
) -> int | None:
    """Return a cell of some places that is empty as all cells about it are; None where none was found."""
    known = np.concatenate(places)
    for cell in random.choice(known, PLACES_TRIED) if len(known) else ():
        about = lists.partners[lists.starts[cell] : lists.starts[cell + 1]]
        if shower[cell] == 0.0 and not shower[about].any():
            return int(cell)
    return None
