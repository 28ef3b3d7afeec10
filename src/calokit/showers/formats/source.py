"""What every reader of a foreign format hands over: showers piece by piece, and what was assumed."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from calokit.detector import Detector, load_detector
from calokit.errors import ConfigurationError, DetectorError, suggest_near_miss
from calokit.showers.formats.containers.contents import Contents
from calokit.showers.formats.mapping.hit_mapping import HitMapping
from calokit.showers.formats.mapping.mapping import OwnMapping
from calokit.showers.formats.mapping.quantities import ENERGY_UNITS
from calokit.showers.formats.pieces import Piece


@dataclass(frozen=True)
class Choices:
    """What the user says about a foreign file; None where nothing is said.

    Attributes:
        detector: The detector whose cells the showers get.
        mapping: What the datasets of a file mean, or how hits are put onto cells.
        energy_gev: The incident energy, for files that do not hold it.
        mev_per_mip: Energy in MeV that a file means by one MIP.
        tilt_deg: Nominal angle of the beam in the plane of x and z, in degrees.
        cell_unit: Unit of the energies of cells or hits, instead of the format's.
        energy_unit: Unit of the incident energies, instead of the format's.

    Raises:
        ConfigurationError: A unit is unknown.
    """

    detector: Detector | None = None
    mapping: OwnMapping | HitMapping | None = None
    energy_gev: float | None = None
    mev_per_mip: float | None = None
    tilt_deg: float | None = None
    cell_unit: str | None = None
    energy_unit: str | None = None

    def __post_init__(self) -> None:
        for unit in (self.cell_unit, self.energy_unit):
            if unit is not None and unit not in ENERGY_UNITS:
                hint = suggest_near_miss(unit, ENERGY_UNITS)
                raise ConfigurationError(f"unknown unit of energy {unit!r}. {hint}")

    def cell_factor(self, format_unit: str) -> float:
        """Return the MeV that the file means by 1 in a cell: in the unit said, or the format's own."""
        return ENERGY_UNITS[self.cell_unit or format_unit]

    def energy_factor(self, format_unit: str) -> float:
        """Return the MeV that the file means by 1 of incident energy."""
        return ENERGY_UNITS[self.energy_unit or format_unit]

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
        options = {
            "energy_gev": "energy",
            "mev_per_mip": "mev-per-mip",
            "tilt_deg": "tilt",
            "cell_unit": "unit",
            "energy_unit": "energy-unit",
        }
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


UNITS = frozenset({"cell_unit", "energy_unit"})
"""The choices of a format that does not say its units in the file."""
