"""A user's own file, read as its mapping says: cells or hits, and the incident particles."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calokit.arrays import Float64
from calokit.detector import Detector
from calokit.detector.locate import OUTSIDE, index_cells, locate_cells, locate_layers
from calokit.errors import ConfigurationError, ShowerFileError
from calokit.showers.formats.containers.contents import Contents
from calokit.showers.formats.containers.event_runs import EventRuns, find_runs
from calokit.showers.formats.containers.tables import Table, open_table
from calokit.showers.formats.mapping.deposits import sum_deposits
from calokit.showers.formats.mapping.incidents import kinetic_energies, masses_mev, unit_vectors
from calokit.showers.formats.mapping.mapping import HitColumns, Index, OwnMapping, Quantity
from calokit.showers.formats.pieces import (
    Piece,
    event_ranges,
    events_at_a_time,
    make_piece,
    require_same_rows,
)
from calokit.showers.formats.readers.cell_arrays import place_arrays, read_cells
from calokit.showers.formats.source import Choices, ForeignShowers, Format
from calokit.showers.incidents import Incidents

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class _Plan:
    """What is read, and how many events there are; `runs` for hits in long columns, by section."""

    contents: Contents
    mapping: OwnMapping
    detector: Detector
    total: int
    runs: tuple[EventRuns, ...]

    def describe(self, start: int, stop: int) -> str:
        """Return which events are read, for messages."""
        return f"{self.contents.path}, events {start} to {stop - 1}"


def open_file(contents: Contents, choices: Choices) -> ForeignShowers:
    """Open a file.

    Raises:
        ConfigurationError: No mapping is given, or it does not fit the file.
        ShowerFileError: A column is missing or has another number of rows.
        DetectorError: No detector is named, or one with other cells.
    """
    path, mapping = contents.path, choices.mapping
    if not isinstance(mapping, OwnMapping):
        raise ConfigurationError(f"{path}: say with --mapping FILE.yaml what the file's columns mean.")
    detector = choices.choose_detector(None, f"{path}: the mapping names no detector")
    with open_table(contents, mapping.tree) as table:
        total, runs = _count_events(table, mapping)
        if mapping.cells is not None and total:
            read_cells(table, place_arrays(table, mapping.cell_arrays, detector), detector, 0, 1)
    for hits in mapping.hit_columns:
        _check_hits(hits, detector, contents)
    plan = _Plan(contents, mapping, detector, total, runs)
    attributes = {} if mapping.particle is None else {"particle": mapping.particle}
    return ForeignShowers(
        "columns",
        path,
        detector,
        total,
        "units and axes as the mapping says",
        lambda: _read_pieces(plan),
        _describe(mapping, detector),
        attributes=attributes,
    )


def _describe(mapping: OwnMapping, detector: Detector) -> tuple[str, ...]:
    """Return what the mapping leaves open and is assumed."""
    assumed = []
    if any(array.axes is None for array in mapping.cell_arrays):
        assumed.append("The cells are in calokit's order (layer, row, column).")
    if mapping.momentum is not None and mapping.pdg is None:
        assumed.append("The incident particle has no mass (the mapping has no pdg).")
    for hits in mapping.hit_columns:
        if hits.layer is None and hits.depth is None:
            of = f"section {hits.section}'s" if hits.section else "the detector's"
            assumed.append(f"All hits are in {of} only layer.")
        elif hits.layer is not None and hits.section is None and len(detector.sections) > 1:
            assumed.append(
                "Layers are counted through all sections (where each counts for itself, give hits as a list, "
                "each with its section)."
            )
    return tuple(assumed)


def _count_events(table: Table, mapping: OwnMapping) -> tuple[int, tuple[EventRuns, ...]]:
    """Return the number of events, and where the hits of each stand in long columns."""
    incident = {q.name: table.count_rows(q.name) for q in mapping.incident_quantities().values() if q.name}
    if not mapping.hit_columns or mapping.hit_columns[0].event is None:
        parts: list[Quantity] = [one for hits in mapping.hit_columns for one in hits.quantities().values()]
        parts += mapping.cell_arrays
        named = {part.name: table.count_rows(part.name) for part in parts if part.name}
        if not named:
            raise ConfigurationError(f"{table.path}: the mapping names no column of energies.")
        return require_same_rows(table.path, named | incident), ()
    lengths = [_count_hits(table, hits) for hits in mapping.hit_columns]
    if len(lengths) == 1 and (not incident or set(incident.values()) == {lengths[0]}):
        # The particle stands beside every hit: the events are those that have hits.
        runs = _find_runs(table, mapping.hit_columns[0], lengths[0], None)
        return len(runs.starts), (runs,)
    if not incident:
        raise ConfigurationError(
            f"{table.path}: with hits by section the mapping must name a column with one row an event, such "
            "as that of the incident energy."
        )
    total = require_same_rows(table.path, incident)
    numbers = np.arange(total, dtype=np.int64)
    return total, tuple(
        _find_runs(table, hits, length, numbers)
        for hits, length in zip(mapping.hit_columns, lengths, strict=True)
    )


def _count_hits(table: Table, hits: HitColumns) -> int:
    """Return the number of hits in long columns."""
    if hits.event is None or hits.event.name is None:
        raise ConfigurationError(f"{table.path}: hits.event needs the name of a column.")
    columns = {one.name: table.count_rows(one.name) for one in hits.quantities().values() if one.name}
    return require_same_rows(table.path, columns | {hits.event.name: table.count_rows(hits.event.name)})


def _find_runs(table: Table, hits: HitColumns, length: int, numbers: Int64 | None) -> EventRuns:
    """Return where the hits of each event stand in long columns."""
    assert hits.event is not None
    event, first = hits.event, hits.event.first

    def read(start: int, stop: int) -> NDArray[Any]:
        found = _read_column(table, event, start, stop, str(table.path))
        return (found.astype(np.int64) if found.dtype.kind == "u" else found) - first

    return find_runs(read, length, str(table.path), numbers)


def _check_hits(hits: HitColumns, detector: Detector, contents: Contents) -> None:
    """Refuse hits of a section that is not there, or whose layer is not known."""
    first, last = detector.layers_of_section(hits.section)
    if hits.layer is None and hits.depth is None and last - first != 1:
        named = f"section {hits.section!r} of detector" if hits.section else "detector"
        raise ConfigurationError(
            f"{contents.path}: {named} {detector.name!r} has {last - first} layers; say in the "
            "mapping which layer a hit is in, with hits.layer or hits.depth."
        )


def _read_pieces(plan: _Plan) -> Generator[Piece, None, None]:
    """Go through the showers."""
    mapping = plan.mapping
    with open_table(plan.contents, mapping.tree) as table:
        if mapping.cells is not None:
            placed = place_arrays(table, mapping.cell_arrays, plan.detector)
            for start, stop in event_ranges(plan.total, plan.detector):
                cells, total = read_cells(table, placed, plan.detector, start, stop)
                yield make_piece(plan.detector, cells, _read_incidents(table, plan, start, stop), total)
            return
        ranges = event_ranges(plan.total, plan.detector)
        if plan.runs:
            longest = max(plan.runs, key=lambda runs: int((runs.stops - runs.starts).sum()))
            ranges = longest.pieces(events_at_a_time(plan.detector))
        for start, stop in ranges:
            yield _read_hits(table, plan, start, stop)


def _read_hits(table: Table, plan: _Plan, start: int, stop: int) -> Piece:
    """Return the showers of some events from their hits."""
    where = plan.describe(start, stop)
    found: list[tuple[Int64, Int64, Float64]] = []
    for place, hits in enumerate(plan.mapping.hit_columns):
        if plan.runs:
            first, last, events = plan.runs[place].members(start, stop)
            columns = {key: _take(table, one, first, last, where) for key, one in hits.quantities().items()}
        else:
            events, columns = _read_lists(table, hits, start, stop, where)
        for key in ("x", "y", "depth"):
            if key in columns and not np.isfinite(columns[key]).all():
                raise ShowerFileError(f"{where}: {key} of a hit is not finite.")
        found.append((events, _find_cells(columns, hits, plan.detector, where), columns["energy"]))
    events, cells = (np.concatenate([part[place] for part in found]) for place in (0, 1))
    energies = np.concatenate([part[2] for part in found])
    shape = (stop - start, plan.detector.number_of_cells)
    summed, total = sum_deposits(events, cells, energies, shape, where)
    return make_piece(plan.detector, summed, _read_incidents(table, plan, start, stop), total)


def _read_lists(
    table: Table, hits: HitColumns, start: int, stop: int, where: str
) -> tuple[Int64, dict[str, Float64]]:
    """Return the event and the columns of the hits of some events, from lists in each event."""
    columns: dict[str, Float64] = {}
    events = np.zeros(0, dtype=np.int64)
    counts: Int64 | None = None
    for key, one in hits.quantities().items():
        if one.index is not None:
            raise ConfigurationError(
                f"{table.path}: hits.{key} has an index, and lists of hits in each event have no columns; "
                "give the name of an array of its own, or the number of each hit's event with hits.event."
            )
        flat, given = table.read_lists(one.name or "", start, stop) if one.name else (None, counts)
        if counts is not None and given is not None and not np.array_equal(counts, given):
            raise ShowerFileError(f"{where}: {one.name!r} has not as many entries as the energies of hits.")
        counts = given if counts is None else counts
        if counts is None:
            raise ConfigurationError(f"{where}: hits.energy needs the name of a column.")
        events = np.repeat(np.arange(stop - start, dtype=np.int64), counts)
        values = np.full(len(events), one.value) if flat is None else flat.astype(np.float64)
        columns[key] = values * one.factor
    return events, columns


def _find_cells(columns: dict[str, Float64], hits: HitColumns, detector: Detector, where: str) -> Int64:
    """Return the cell of each hit; -1 outside the detector."""

    def index(key: str, described: Index) -> Int64:
        values = columns[key]
        if not (np.isfinite(values) & (values == np.round(values)) & (np.abs(values) < 2**53)).all():
            raise ShowerFileError(f"{where}: {key} of a hit is not a whole number.")
        return values.astype(np.int64) - described.first

    first, last = detector.layers_of_section(hits.section)
    if hits.layer is not None:
        layer = index("layer", hits.layer) + first
    elif hits.depth is not None:
        layer = locate_layers(detector, columns["depth"])
    else:
        layer = np.full(len(columns["energy"]), first, dtype=np.int64)
    layer = np.where((layer >= first) & (layer < last), layer, OUTSIDE)
    if hits.row is not None and hits.column is not None:
        return index_cells(detector, layer, index("row", hits.row), index("column", hits.column))
    return locate_cells(detector, layer, columns["x"], columns["y"])


def _take(table: Table, quantity: Quantity, start: int, stop: int, where: str) -> Float64:
    """Return a quantity of some rows (row,), in calokit's unit."""
    if quantity.name is None:
        return np.full(stop - start, (quantity.value or 0.0) * quantity.factor)
    values = _read_column(table, quantity, start, stop, where)
    return np.asarray(values.astype(np.float64) * quantity.factor)


def _read_column(table: Table, quantity: Quantity, start: int, stop: int, where: str) -> NDArray[Any]:
    """Return what stands in the file of a quantity that has a name (row,)."""
    values = table.read(quantity.name or "", start, stop)
    if quantity.index is not None:
        values = _pick(values, quantity.index, f"{where}: {quantity.name!r}")
    elif values.size != len(values):
        raise ShowerFileError(
            f"{where}: {quantity.name!r} has shape {values.shape}; say which column with the key index."
        )
    return values.reshape(len(values))


def _pick(values: NDArray[Any], index: int | tuple[int, ...], where: str) -> NDArray[Any]:
    """Return one number of each row (row,): a column, or a place on several axes."""
    places = (index,) if isinstance(index, int) else index
    if len(places) == 1 and values.ndim > 2:
        # Axes of one element, as in (event, 1, column), need no number.
        values = values.reshape(len(values), *(length for length in values.shape[1:] if length > 1))
    shape = values.shape[1:]
    if len(shape) != len(places) or any(k >= length for k, length in zip(places, shape, strict=True)):
        raise ShowerFileError(f"{where} has no column {index}; behind the rows it has shape {shape}.")
    picked: NDArray[Any] = values.reshape(len(values), -1)[:, np.ravel_multi_index(places, shape)]
    return picked


def _read_incidents(table: Table, plan: _Plan, start: int, stop: int) -> Incidents:
    """Return the incident particles of some events."""
    mapping, where = plan.mapping, plan.describe(start, stop)
    beside_hits = bool(plan.runs) and any(
        table.count_rows(one.name) != plan.total for one in mapping.incident_quantities().values() if one.name
    )
    values: dict[str, Float64] = {}
    for key, one in mapping.incident_quantities().items():
        if beside_hits:
            places = plan.runs[0].starts[start:stop]
            first, last = int(places[0]), int(places[-1]) + 1
            values[key] = _take(table, one, first, last, where)[places - first]
        else:
            values[key] = _take(table, one, start, stop, where)

    def vector(key: str, axes: str) -> Float64:
        return np.stack([values[f"{key}.{axis}"] for axis in axes], axis=1)

    pdg = None
    if "pdg" in values:
        numbers = values["pdg"]
        if not (np.isfinite(numbers) & (numbers == np.round(numbers)) & (np.abs(numbers) < 2**31)).all():
            raise ShowerFileError(f"{where}: pdg holds values that are no PDG numbers.")
        pdg = numbers.astype(np.int64)
    positions = vector("impact", "xy") if mapping.impact is not None else None
    if mapping.momentum is None:
        directions = None
        if mapping.direction is not None:
            directions = unit_vectors(vector("direction", "xyz"), where)
        return Incidents.of(values["incident_energy"], positions, directions, pdg)
    momenta = vector("momentum", "xyz")
    energies = kinetic_energies(momenta, 0.0 if pdg is None else masses_mev(pdg))
    return Incidents.of(energies, positions, unit_vectors(momenta, where), pdg)


FORMAT = Format(
    "columns",
    "Your own HDF5, npz or ROOT file, as --mapping says",
    lambda _: False,
    open_file,
    mapping=OwnMapping,
)
