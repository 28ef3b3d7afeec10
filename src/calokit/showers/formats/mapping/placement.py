"""Hits and true particles of several events in the file's coordinates, put onto a detector's cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calokit.arrays import Float64
from calokit.detector import Detector
from calokit.detector.locate import index_cells, locate_cells, locate_layers
from calokit.errors import ConfigurationError, ShowerFileError
from calokit.showers.formats.mapping.cell_ids import CellIdEncoding
from calokit.showers.formats.mapping.deposits import sum_deposits
from calokit.showers.formats.mapping.frames import PlacedFrame, check_inward, place_frame
from calokit.showers.formats.mapping.hit_mapping import CellIdIndex, HitMapping
from calokit.showers.formats.mapping.incidents import (
    kinetic_energies,
    project_to_plane,
    unit_vectors,
)
from calokit.showers.formats.pieces import Piece, make_piece
from calokit.showers.incidents import Incidents
from calokit.showers.particles import Particles

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Primaries:
    """The incident particles of some events, those of an event one after the other.

    Attributes:
        events: Event of each particle, from 0, not falling (particle,).
        vertices_mm: Where each starts (particle, 3).
        momenta_mev: Its momentum (particle, 3).
        masses_mev: Its mass (particle,).
        pdg: Its PDG number (particle,).
    """

    events: Int64
    vertices_mm: Float64
    momenta_mev: Float64
    masses_mev: Float64
    pdg: Int64


@dataclass(frozen=True)
class Hits:
    """Some hits of some events; `encoding` takes their cell numbers apart.

    Attributes:
        events: Event of each hit, from 0 (hit,).
        energies_mev: Its energy (hit,).
        points_mm: Where it is (hit, 3).
        cell_ids: Its cell number (hit,); None where not read.
        encoding: The fields of the cell numbers.
    """

    events: Int64
    energies_mev: Float64
    points_mm: Float64
    cell_ids: NDArray[np.uint64] | None = None
    encoding: CellIdEncoding | None = None


def place_events(
    detector: Detector,
    mapping: HitMapping,
    primaries: Primaries,
    hits: list[Hits],
    count: int,
    width: int,
    where: str,
) -> Piece:
    """Return the showers of some events.

    Args:
        detector: The detector that gets the hits.
        mapping: How they are put onto its cells.
        primaries: The incident particles.
        hits: The hits, of one collection or several.
        count: Number of events.
        width: Most incident particles that any event of the file has.
        where: What is read, for messages.

    Raises:
        ShowerFileError: An event has no incident particle, or one that does not fly into the calorimeter;
            or a hit's energy is negative or not finite.
        ConfigurationError: The frame or the encoding does not fit.
    """
    first = np.searchsorted(primaries.events, np.arange(count))
    lacking = np.flatnonzero(np.bincount(primaries.events, minlength=count) == 0)
    if len(lacking):
        raise ShowerFileError(f"{where}: event {lacking[0]} of these has no incident particle.")
    directions = unit_vectors(primaries.momenta_mev, where)
    placed = place_frame(mapping.frame, primaries.vertices_mm[first], directions[first], detector.front_mm)
    incidents = _place_primaries(primaries, directions, placed, first, width, where)
    shape = (count, detector.number_of_cells)
    events = np.concatenate([one.events for one in hits])
    cells = np.concatenate([_place_hits(one, mapping, detector, placed) for one in hits])
    energies = np.concatenate([one.energies_mev for one in hits])
    summed, total = sum_deposits(events, cells, energies, shape, where)
    return make_piece(detector, summed, incidents, total)


def _place_primaries(
    primaries: Primaries, directions: Float64, placed: PlacedFrame, first: Int64, width: int, where: str
) -> Incidents:
    """Return the incident particles in the shower's frame, at the front face."""
    events = primaries.events
    turned = placed.turn_directions(events, directions)
    check_inward(turned, events, where)
    points = placed.turn_points(events, primaries.vertices_mm)
    impacts = project_to_plane(points, turned, 0.0)
    energies = kinetic_energies(primaries.momenta_mev, primaries.masses_mev)
    if width == 1:
        return Incidents.of(energies, impacts, turned, primaries.pdg)
    place = (events, np.arange(len(events)) - first[events])
    shape = (len(first), width)
    particles = Particles(
        np.zeros(shape, dtype=np.float32),
        np.zeros(shape, dtype=np.int32),
        np.zeros((*shape, 2), dtype=np.float32),
        np.zeros((*shape, 3), dtype=np.float32),
    )
    particles.energies[place] = energies
    particles.pdg[place] = primaries.pdg
    particles.positions[place] = impacts
    particles.directions[place] = turned
    return Incidents.of(
        particles.total_energies, impacts[first], turned[first], primaries.pdg[first], particles
    )


def _place_hits(hits: Hits, mapping: HitMapping, detector: Detector, placed: PlacedFrame) -> Int64:
    """Return the cell of each hit; -1 outside the detector."""
    points = placed.turn_points(hits.events, hits.points_mm)
    layer = locate_layers(detector, points[:, 2]) if mapping.layer is None else _index_of(hits, mapping.layer)
    if mapping.row is None or mapping.column is None:
        return locate_cells(detector, layer, points[:, 0], points[:, 1])
    return index_cells(detector, layer, _index_of(hits, mapping.row), _index_of(hits, mapping.column))


def _index_of(hits: Hits, index: CellIdIndex) -> Int64:
    """Return an index that the cell numbers give."""
    if hits.encoding is None or hits.cell_ids is None:
        raise ConfigurationError("the file does not hold the encoding of its cell numbers; give encoding.")
    return hits.encoding.decode(hits.cell_ids, index.field) - index.first
