"""What every reader of a foreign format hands over: showers piece by piece, and what was assumed."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calokit.detector import Detector, load_detector
from calokit.errors import ConfigurationError, DetectorError, ShowerFileError
from calokit.showers.batch import Showers
from calokit.showers.files import READ_BYTES
from calokit.showers.formats.contents import Contents
from calokit.showers.formats.hit_mapping import HitMapping
from calokit.showers.formats.incidents import Incidents
from calokit.showers.formats.mapping import OwnMapping

MOST_EVENTS = 4096
"""Most events that a reader takes at a time, however small the detector."""


@dataclass(frozen=True)
class Piece:
    """Some showers of a foreign file.

    Attributes:
        showers: The showers, in calokit's units and order of cells.
        source_energies: Energy in the file of each event, inside the detector or not (event,), MeV.
    """

    showers: Showers
    source_energies: NDArray[np.float64]


@dataclass(frozen=True)
class Choices:
    """What the user says about a foreign file; None where nothing is said.

    Attributes:
        detector: The detector whose cells the showers get.
        mapping: What the datasets of a file mean, or how hits are put onto cells.
        energy_gev: The incident energy, for files that do not hold it.
        mev_per_mip: Energy in MeV that a file means by one MIP.
        tilt_deg: Nominal angle of the beam in the plane of x and z, in degrees.
    """

    detector: Detector | None = None
    mapping: OwnMapping | HitMapping | None = None
    energy_gev: float | None = None
    mev_per_mip: float | None = None
    tilt_deg: float | None = None

    def choose_detector(self, default: str | None, why: str = "") -> Detector:
        """Return the detector that the user names, or else the mapping, or else the default.

        Args:
            default: Name of the detector that the format means; None where it means none.
            why: For a format without one: what in the file leaves it open, a clause.

        Raises:
            DetectorError: There is none.
        """
        if self.detector is not None:
            return self.detector
        named = None if self.mapping is None else self.mapping.detector
        if named is None and default is None:
            raise DetectorError(
                f"{why}; say whose cells the showers get with --detector NAME or FILE.yaml "
                "(calokit detectors lists the names)."
            )
        return load_detector(named or default or "")


@dataclass(frozen=True)
class ForeignShowers:
    """A foreign file, opened: its showers can be gone through, as often as needed.

    Attributes:
        format: Name of the format.
        path: The file.
        detector: The detector whose cells the showers get.
        total: Number of showers.
        conversion: How the file's energies and axes become calokit's, in words.
        pieces: Starts going through the showers, in the file's order.
        assumptions: What the file does not say and was assumed, a sentence each.
        warnings: What the user should look at, a sentence each.
        attributes: Attributes for the native file, such as `particle` and `generator`.
    """

    format: str
    path: Path
    detector: Detector
    total: int
    conversion: str
    pieces: Callable[[], Generator[Piece, None, None]]
    assumptions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Format:
    """A foreign format.

    Attributes:
        name: Its name at the command line.
        title: What it is, in a line.
        recognises: Tells from what a file holds whether it is of this format.
        open: Opens a file.
        accepts: Names of the `Choices` that the format can use, besides detector and mapping.
        mapping: The kind of mapping that the format can use.
    """

    name: str
    title: str
    recognises: Callable[[Contents], bool]
    open: Callable[[Contents, Choices], ForeignShowers]
    accepts: frozenset[str] = frozenset()
    mapping: type[OwnMapping | HitMapping] | None = None

    def check_choices(self, choices: Choices) -> None:
        """Refuse what the user says and this format cannot use.

        Raises:
            ConfigurationError: A choice that has no meaning here.
        """
        options = {"energy_gev": "energy", "mev_per_mip": "mev-per-mip", "tilt_deg": "tilt"}
        for name, option in options.items():
            if getattr(choices, name) is not None and name not in self.accepts:
                raise ConfigurationError(f"--{option} means nothing to format {self.name!r}; leave it out.")
        if choices.mapping is not None and (
            self.mapping is None or not isinstance(choices.mapping, self.mapping)
        ):
            raise ConfigurationError(
                f"format {self.name!r} cannot use a mapping of kind {choices.mapping.kind!r}; "
                + ("leave --mapping out." if self.mapping is None else "give one of the other kind.")
            )


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
        showers = Showers(
            np.ascontiguousarray(cells_mev, dtype=np.float32),
            _as32(incidents.energies),
            detector,
            None if incidents.positions is None else _as32(incidents.positions),
            None if incidents.directions is None else _as32(incidents.directions),
            None if incidents.pdg is None else np.ascontiguousarray(incidents.pdg, dtype=np.int32),
            incidents.particles,
        )
    return Piece(showers, source_energies)


def _as32(values: NDArray[Any]) -> NDArray[np.float32]:
    """Return the values as float32."""
    return np.ascontiguousarray(values, dtype=np.float32)
