"""Hits and true particles of several events in the file's coordinates, put onto a detector's cells."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calokit.arrays import Float64
from calokit.detector import Detector
from calokit.detector.locate import OUTSIDE, index_cells, locate_cells, locate_layers
from calokit.errors import ConfigurationError, ShowerFileError
from calokit.showers.formats.mapping.cell_ids import CellIdEncoding
from calokit.showers.formats.mapping.deposits import sum_deposits
from calokit.showers.formats.mapping.frames import PlacedFrame, check_inward, place_frame
from calokit.showers.formats.mapping.hit_mapping import CellRule, HitMapping, SectionHits
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


PlacingRule = tuple[CellRule, CellIdEncoding | None]
"""A rule with the fields of the cell numbers, where it takes them apart."""


@dataclass(frozen=True)
class Deposits:
    """Some deposits of some events, not yet in cells.

    Attributes:
        events: Event of each deposit, from 0 (deposit,).
        energies_mev: Its energy (deposit,).
        points_mm: Where it is (deposit, 3).
        cell_ids: Its cell number (deposit,); None where not read.
        rules: How they are put onto cells; each rule for the deposits that are its own.
        collection: The collection (sub-detector) they are from.
    """

    events: Int64
    energies_mev: Float64
    points_mm: Float64
    cell_ids: NDArray[np.uint64] | None = None
    rules: tuple[PlacingRule, ...] = ((CellRule(), None),)
    collection: str = "hits"


def place_events(
    detector: Detector,
    mapping: HitMapping,
    primaries: Primaries,
    hits: list[Deposits],
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
    cells = np.concatenate([_place_hits(one, detector, placed, where) for one in hits])
    energies = np.concatenate([one.energies_mev for one in hits])
    summed, total = sum_deposits(events, cells, energies, shape, where)
    sources: dict[str, float] = {}
    for one in hits:
        sources[one.collection] = sources.get(one.collection, 0.0) + float(one.energies_mev.sum())
    return replace(make_piece(detector, summed, incidents, total), sources_mev=sources)


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


def _place_hits(hits: Deposits, detector: Detector, placed: PlacedFrame, where: str) -> Int64:
    """Return the cell of each hit; -1 outside the detector and where no rule means the hit."""
    points = placed.turn_points(hits.events, hits.points_mm)
    cells = np.full(len(hits.events), OUTSIDE, dtype=np.int64)
    for rule, encoding in hits.rules:
        chosen = np.ones(len(cells), dtype=bool)
        if isinstance(rule, SectionHits):
            for field, value in rule.only.items():
                chosen &= _field_of(hits, encoding, field) == value
        elif rule.layer is not None:
            _refuse_several_systems(hits, encoding, detector, where)
        placing = _place_by_rule(hits, rule, encoding, detector, points)
        chosen &= placing != OUTSIDE  # one collection may lie in several sections
        cells[chosen] = placing[chosen]
    return cells


def _place_by_rule(
    hits: Deposits, rule: CellRule, encoding: CellIdEncoding | None, detector: Detector, points: Float64
) -> Int64:
    """Return the cell of each hit by one rule; -1 outside the detector, or outside the rule's section."""
    named = rule.section if isinstance(rule, SectionHits) else None
    first, last = detector.layers_of_section(named)
    if rule.layer is None:
        layer = locate_layers(detector, points[:, 2])
    else:
        layer = _field_of(hits, encoding, rule.layer.field) - rule.layer.first + first
    layer = np.where((layer >= first) & (layer < last), layer, OUTSIDE)
    if rule.row is None or rule.column is None:
        return locate_cells(detector, layer, points[:, 0], points[:, 1])
    row, column = (_field_of(hits, encoding, index.field) - index.first for index in (rule.row, rule.column))
    return index_cells(detector, layer, row, column)


def _refuse_several_systems(
    hits: Deposits, encoding: CellIdEncoding | None, detector: Detector, where: str
) -> None:
    """Refuse cell numbers of several sub-detectors where the detector has several sections too.

    Raises:
        ConfigurationError: Nothing says which sub-detector is which section.
    """
    if len(detector.sections) == 1 or encoding is None or "system" not in encoding.fields:
        return
    systems = np.unique(_field_of(hits, encoding, "system")).tolist()
    if len(systems) > 1:
        names = ", ".join(section.name for section in detector.sections)
        raise ConfigurationError(
            f"{where}: {hits.collection} has hits of the sub-detectors {', '.join(map(str, systems))} (field "
            f"system), each counting its layers for itself, and detector {detector.name!r} has the sections "
            f"{names}. Say in the mapping which is which: sections: [{{section: {detector.sections[0].name}, "
            f"collections: [{hits.collection}], only: {{system: {systems[0]}}}, layer: ...}}, ...]."
        )


def _field_of(hits: Deposits, encoding: CellIdEncoding | None, field: str) -> Int64:
    """Return a field of the cell numbers."""
    if encoding is None or hits.cell_ids is None:
        raise ConfigurationError("the file does not hold the encoding of its cell numbers; give encoding.")
    return encoding.decode(hits.cell_ids, field)
