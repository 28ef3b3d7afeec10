"""Pieces of a foreign file: some showers in the form of their file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calokit.detector import Detector
from calokit.errors import ShowerFileError
from calokit.showers.batch import Showers
from calokit.showers.files import READ_BYTES
from calokit.showers.incidents import Incidents

MOST_EVENTS = 4096
"""Most events that a reader takes at a time, however small the detector."""


@dataclass(frozen=True)
class Piece:
    """Some showers of a foreign file.

    Attributes:
        showers: The showers, in calokit's units and order of cells.
        source_energies: Energy in the file of each event, inside the detector or not (event,), MeV.
        sources_mev: Energy in the file by collection, of all events, where it has several.
    """

    showers: Showers
    source_energies: NDArray[np.float64]
    sources_mev: dict[str, float] = field(default_factory=dict)


def events_at_a_time(detector: Detector) -> int:
    """Return how many events of a detector a reader takes at a time (about 16 MB of cells)."""
    return int(np.clip(READ_BYTES // (4 * detector.number_of_cells), 1, MOST_EVENTS))


def event_ranges(total: int, detector: Detector) -> Iterator[tuple[int, int]]:
    """Go through the events of a file: first event of each piece, and the one behind its last."""
    size = events_at_a_time(detector)
    for start in range(0, total, size):
        yield start, min(start + size, total)


def require_same_rows(path: Path, rows: dict[str, int]) -> int:
    """Return how many events the datasets of a file have.

    Raises:
        ShowerFileError: They differ in their number of events.
    """
    if len(set(rows.values())) > 1:
        given = ", ".join(f"{name} has {count}" for name, count in rows.items())
        raise ShowerFileError(f"{path}: the datasets differ in their number of events: {given}.")
    return next(iter(rows.values()))


def make_piece(
    detector: Detector,
    cells_mev: NDArray[Any],
    incidents: Incidents,
    source_energies: NDArray[np.float64] | None = None,
) -> Piece:
    """Return a piece from arrays of any kind of number.

    Args:
        detector: The detector.
        cells_mev: Energies of the cells (event, cell) in MeV, in file order.
        incidents: The incident particles of the events.
        source_energies: Energy in the file (event,) in MeV; the sum of the cells where not given.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if source_energies is None:
            source_energies = cells_mev.sum(axis=1, dtype=np.float64)
        cells = np.ascontiguousarray(cells_mev, dtype=np.float32)
    showers = Showers.of(cells, detector, incidents)
    return Piece(showers, source_energies)
