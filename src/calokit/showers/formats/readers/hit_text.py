"""Hits as text: a table with the columns `event`, `col`, `row` and `e`, separated by commas."""

from __future__ import annotations

import csv
import math
from collections.abc import Generator, Iterator
from pathlib import Path

import numpy as np

from calokit.detector import Detector
from calokit.detector.locate import index_cells
from calokit.errors import ConfigurationError, DetectorError, ShowerFileError
from calokit.showers.formats.containers.contents import Container, Contents
from calokit.showers.formats.mapping.deposits import sum_deposits
from calokit.showers.formats.pieces import Piece, events_at_a_time, make_piece
from calokit.showers.formats.source import Choices, ForeignShowers, Format
from calokit.showers.incidents import Incidents
from calokit.units import MEV_PER_GEV

_COLUMNS = ("event", "col", "row", "e")

Hit = tuple[int, int, float]
"""Column of the file, row of the file, energy in GeV."""


def recognises(contents: Contents) -> bool:
    """Tell whether the first line names the columns of this form."""
    return contents.container is Container.TEXT and set(_COLUMNS) <= set(contents.shapes)


def open_file(contents: Contents, choices: Choices) -> ForeignShowers:
    """Open a file.

    `col` counts along x and becomes the row, `row` counts along y and becomes the column; both from 0.

    Raises:
        ShowerFileError: A line is not of this form, or the events are not sorted.
        ConfigurationError: The incident energy is not given.
        DetectorError: No detector is named, or one with several layers.
    """
    path = contents.path
    detector = choices.choose_detector(None, f"{path}: a table of hits does not describe a grid of cells")
    if detector.number_of_layers != 1:
        raise DetectorError(
            f"{path}: the hits have no layer, but detector {detector.name!r} has "
            f"{detector.number_of_layers} layers; name a detector with one."
        )
    if choices.energy_gev is None:
        raise ConfigurationError(f"{path}: the file holds no incident energy; give it in GeV with --energy.")
    energy_mev = choices.energy_gev * MEV_PER_GEV
    unit = choices.cell_factor("GeV")
    total = sum(1 for _ in _read_events(path))

    def pieces() -> Generator[Piece, None, None]:
        size = events_at_a_time(detector)
        block: list[list[Hit]] = []
        for _, hits in _read_events(path):
            block.append(hits)
            if len(block) == size:
                yield _make_piece(detector, block, energy_mev, unit, str(path))
                block = []
        if block:
            yield _make_piece(detector, block, energy_mev, unit, str(path))

    assumed = (
        "col is the number along x (calokit's row), row the number along y (its column), both from 0.",
        f"1 of e is {unit:g} MeV.",
        f"The incident energy is {choices.energy_gev:g} GeV, as given.",
    )
    return ForeignShowers("hit_text", path, detector, total, "hits to MeV", pieces, assumed)


def _read_events(path: Path) -> Iterator[tuple[int, list[Hit]]]:
    """Go through the events: number and hits of each."""
    number: int | None = None
    hits: list[Hit] = []
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream, skipinitialspace=True):
                event, hit = _read_hit(path, row)
                if number is not None and event != number:
                    if event < number:
                        raise ShowerFileError(
                            f"{path}: event {event} stands behind event {number}; sort the lines by event."
                        )
                    yield number, hits
                    hits = []
                number = event
                hits.append(hit)
    except (csv.Error, UnicodeDecodeError) as error:
        raise ShowerFileError(f"{path}: not readable as a table of text ({error}).") from None
    if number is not None:
        yield number, hits


def _read_hit(path: Path, row: dict[str, str]) -> tuple[int, Hit]:
    """Return the event and the hit of a line."""
    try:
        event, column, line = (int(row[name]) for name in _COLUMNS[:3])
        energy = float(row["e"])
    except (KeyError, TypeError, ValueError):
        shown = {name: row.get(name) for name in _COLUMNS}
        raise ShowerFileError(
            f"{path}: a line has {shown}, expected three whole numbers and an energy."
        ) from None
    if not math.isfinite(energy):
        raise ShowerFileError(f"{path}: energy {energy} in event {event} is not finite.")
    return event, (column, line, energy)


def _make_piece(
    detector: Detector, block: list[list[Hit]], energy_mev: float, unit: float, where: str
) -> Piece:
    """Return the showers of some events."""
    events = np.repeat(np.arange(len(block)), [len(hits) for hits in block])
    column, line, energies = (
        np.array(values) for values in zip(*(hit for hits in block for hit in hits), strict=True)
    )
    cells, total = sum_deposits(
        events,
        index_cells(detector, np.zeros(len(column), dtype=np.int64), column, line),
        energies * unit,
        (len(block), detector.number_of_cells),
        where,
    )
    return make_piece(detector, cells, Incidents.of(np.full(len(block), energy_mev)), total)


FORMAT = Format(
    "hit_text",
    "Hits as text: event,col,row,e with e in GeV",
    recognises,
    open_file,
    frozenset({"energy_gev", "cell_unit"}),
)
