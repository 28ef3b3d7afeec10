"""From a foreign file to a native one, piece by piece, with an account of the energy."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calokit.detector import Detector
from calokit.errors import ShowerFileError
from calokit.progress import Progress, show_progress
from calokit.showers.checks import check_sanity
from calokit.showers.formats.containers.contents import look_inside
from calokit.showers.formats.mapping.incidents import name_particles
from calokit.showers.formats.pieces import Piece
from calokit.showers.formats.registry import find_format, recognise_format
from calokit.showers.formats.source import Choices, ForeignShowers
from calokit.showers.splits import parse_split
from calokit.showers.units_check import LARGEST_RESPONSE, EnergyScale, find_unit_mistakes
from calokit.showers.writer import ShowerWriter
from calokit.units import MEV_PER_GEV

LOSS_WORTH_A_WARNING = 1e-6
"""Fraction of the energy outside the cells above which a conversion warns; rounding stays below."""

ENOUGH_SHOWERS = 1000
"""After so many showers a response that cannot be ends a conversion."""

LARGEST_OFFSET = 0.1
"""Mean distance of the showers from their impacts, in parts of the detector's extent, that warns."""


@dataclass(frozen=True)
class Conversion:
    """What was converted.

    Attributes:
        foreign: The foreign file, opened.
        target: The native file.
        showers: Number of showers.
        source_energy_mev: Energy in the foreign file, of all showers together.
        cell_energy_mev: Energy on the cells of the native file.
        section_energies_mev: The same by section of the detector.
        sources_mev: Energy in the foreign file by collection, where it has several.
        incident_energies_mev: Smallest and largest incident energy.
        particle: The incident particle.
        warnings: What the user should look at, a sentence each.
    """

    foreign: ForeignShowers
    target: Path
    showers: int
    source_energy_mev: float
    cell_energy_mev: float
    incident_energies_mev: tuple[float, float]
    particle: str
    warnings: tuple[str, ...]
    section_energies_mev: dict[str, float] = field(default_factory=dict)
    sources_mev: dict[str, float] = field(default_factory=dict)

    @property
    def lost_fraction(self) -> float:
        """Part of the energy in the foreign file that lies outside the cells."""
        if self.source_energy_mev == 0:
            return 0.0
        return 1.0 - self.cell_energy_mev / self.source_energy_mev

    def rows(self) -> list[tuple[str, str]]:
        """Return the account as pairs of label and text, for a table."""
        low, high = (energy / MEV_PER_GEV for energy in self.incident_energies_mev)
        lost = max(self.lost_fraction, 0.0)
        return [
            ("from", f"{self.foreign.path} ({self.foreign.format})"),
            ("to", str(self.target)),
            ("detector", f"{self.foreign.detector.name}, {self.foreign.detector.number_of_cells} cells"),
            ("showers", str(self.showers)),
            ("particle", self.particle),
            ("incident energy", f"{low:.4g} to {high:.4g} GeV" if low < high else f"{low:.4g} GeV"),
            ("conversion", self.foreign.conversion),
            ("energy in the file", f"{self.source_energy_mev / MEV_PER_GEV:.6g} GeV"),
            ("energy on the cells", f"{self.cell_energy_mev / MEV_PER_GEV:.6g} GeV"),
            *_rows_of("in the file", self.sources_mev),
            *_rows_of("on the cells", self.section_energies_mev),
            ("outside the cells", f"{100 * lost:.3g} %" if lost > LOSS_WORTH_A_WARNING else "nothing"),
            *(("assumed", text) for text in self.foreign.assumptions),
        ]


def _rows_of(where: str, energies_mev: dict[str, float]) -> list[tuple[str, str]]:
    """Return the energy of each part as a row, where there are several."""
    if len(energies_mev) < 2:
        return []
    return [(f"  {where}, {name}", f"{mev / MEV_PER_GEV:.6g} GeV") for name, mev in energies_mev.items()]


@dataclass
class _Tally:
    """Sums over the showers converted so far."""

    detector: Detector
    showers: int = 0
    source: float = 0.0
    cells: float = 0.0
    responses: list[NDArray[np.float64]] = field(default_factory=list)
    energies: tuple[float, float] = (np.inf, -np.inf)
    pdg: set[int] = field(default_factory=set)
    offset: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    with_offset: int = 0
    sections: dict[str, float] = field(default_factory=dict)
    sources: dict[str, float] = field(default_factory=dict)

    def add(self, piece: Piece) -> None:
        showers = piece.showers
        visible = showers.visible_energies
        self.showers += len(showers)
        self.source += float(piece.source_energies.sum())
        self.cells += float(visible.sum())
        cells = showers.energies.sum(axis=0, dtype=np.float64)
        first = 0
        for section in self.detector.sections:
            last = first + section.number_of_cells
            energy = float(cells[first:last].sum())
            self.sections[section.name] = self.sections.get(section.name, 0.0) + energy
            first = last
        for name, energy in piece.sources_mev.items():
            self.sources[name] = self.sources.get(name, 0.0) + energy
        incident = showers.incident_energies.astype(np.float64)
        self.responses.append(piece.source_energies / incident)
        self.energies = (min(self.energies[0], incident.min()), max(self.energies[1], incident.max()))
        if showers.particles is not None:
            self.pdg |= set(np.unique(showers.particles.pdg).tolist())
        elif showers.pdg is not None:
            self.pdg |= set(np.unique(showers.pdg).tolist())
        if showers.positions is None:
            return
        hit = visible > 0
        places = np.column_stack([self.detector.cells.x, self.detector.cells.y])
        centres = showers.energies[hit] @ places / visible[hit, None]
        depth = np.nan_to_num(self.detector.cells.z)
        if showers.directions is not None:
            mean_depth = showers.energies[hit] @ depth / visible[hit]
            slopes = showers.directions[hit, :2] / showers.directions[hit, 2:]
            centres = centres - slopes * mean_depth[:, None]
        self.offset += (centres - showers.positions[hit]).sum(axis=0)
        self.with_offset += int(hit.sum())

    @property
    def scale(self) -> EnergyScale:
        """What the energies are like."""
        return EnergyScale.from_columns(np.concatenate(self.responses), np.array(self.energies))

    def require_possible(self, path: Path) -> None:
        """Refuse a file of which more is visible than came in.

        Raises:
            ShowerFileError: The median response is above 1.2.
        """
        if self.scale.typical > LARGEST_RESPONSE:
            (mistake, *_) = find_unit_mistakes(self.scale, self.detector)
            raise ShowerFileError(
                f"{path}: {mistake} Say the unit of the cells with --unit, or that of the incident energies "
                "with --energy-unit (MeV, GeV ...), where the format has none; if it is really so, --insist."
            )

    def judge(self) -> list[str]:
        """Return what looks wrong."""
        found = []
        lost = 1.0 - self.cells / self.source if self.source > 0 else 0.0
        if lost > LOSS_WORTH_A_WARNING:
            found.append(
                f"{100 * lost:.3g} % of the energy in the file lies outside the cells of detector "
                f"{self.detector.name}; check the detector, its front and the unit of length."
            )
        empty = [name for name, energy in self.sections.items() if energy == 0]
        if empty and self.cells > 0:
            found.append(
                f"no energy at all in section {', '.join(empty)}; check which collection or array is which "
                "section, and how it counts its layers."
            )
        found += find_unit_mistakes(self.scale, self.detector, name_particles(self.pdg))
        extent = np.max([section.readout.extent_mm for section in self.detector.sections], axis=0)
        offset = self.offset / max(self.with_offset, 1)
        if (np.abs(offset) > LARGEST_OFFSET * extent).any():
            found.append(
                f"the showers lie on average ({offset[0]:.3g}, {offset[1]:.3g}) mm from their impacts; check "
                "the unit and the origin of the impacts, and the axes of the cells."
            )
        return found


def open_foreign(
    source: str | Path, format_name: str | None = None, choices: Choices | None = None
) -> ForeignShowers:
    """Open a foreign file, without reading its showers.

    Args:
        source: The file.
        format_name: Its format (`registry.FORMATS`); recognised where not given.
        choices: What the user says about it.

    Raises:
        ShowerFileError: The file is missing, damaged, of no known format, or holds no showers.
        ConfigurationError: A choice that has no meaning for this format, or one that is missing.
        DetectorError: The detector is not known or has other cells.
    """
    said = choices if choices is not None else Choices()
    contents = look_inside(Path(source))
    chosen = recognise_format(contents, said) if format_name is None else find_format(format_name)
    chosen.check_choices(said)
    foreign = chosen.open(contents, said)
    if foreign.total == 0:
        raise ShowerFileError(f"{source}: the file holds no showers.")
    return foreign


def convert_file(
    source: str | Path,
    target: str | Path,
    format_name: str | None = None,
    choices: Choices | None = None,
    particle: str | None = None,
    split: str | None = None,
    insist: bool = False,
) -> Conversion:
    """Convert a foreign file to a native one.

    Args:
        source: The foreign file.
        target: The native file; it appears only when complete.
        format_name: The foreign format (`registry.FORMATS`); recognised where not given.
        choices: What the user says about the file.
        particle: The incident particle, for files that do not say it.
        split: What the file is meant for: train, validation or test.
        insist: Convert even if more is visible than came in.

    Returns:
        The account: showers, energy in the file and on the cells, what was assumed, warnings.

    Raises:
        CalokitError: See `open_foreign` and `write_native`.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> image = np.zeros((2, 30, 30))
        >>> image[:, 3, 4] = 500.0
        >>> np.savez(
        ...     folder / "showers.npz",
        ...     EnergyDeposit=image,
        ...     ParticlePoint=np.array([[-23.0, -21.0, 0.0]] * 2),
        ...     ParticleMomentum=np.array([[0.0, 0.0, 10.0]] * 2),
        ...     ParticlePDG=np.array([22, 22]),
        ... )
        >>> conversion = convert_file(folder / "showers.npz", folder / "showers.h5")
        >>> conversion.showers, conversion.particle, conversion.cell_energy_mev, conversion.lost_fraction
        (2, 'gamma', 1000.0, 0.0)
    """
    return write_native(open_foreign(source, format_name, choices), target, particle, split, insist=insist)


def write_native(
    foreign: ForeignShowers,
    target: str | Path,
    particle: str | None = None,
    split: str | None = None,
    progress: Progress = show_progress,
    insist: bool = False,
) -> Conversion:
    """Write an opened foreign file as a native one, piece by piece.

    Args:
        foreign: The file.
        target: The native file; it appears only when complete.
        particle: The incident particle, for files that do not say it.
        split: What the file is meant for: train, validation or test.
        progress: Shows how far it is; see `calokit.progress`.
        insist: Write them even if more is visible than came in.

    Raises:
        ShowerFileError: The showers hold values that no shower has, the file is damaged, or the target
            cannot be written.
    """
    target = Path(target)
    if target.exists() and target.samefile(foreign.path):
        raise ShowerFileError(f"{target}: the native file must not replace the foreign one; name another.")
    attributes = _describe(foreign) | ({} if split is None else {"split": str(parse_split(split))})
    named = particle or str(foreign.attributes.get("particle", "unknown"))
    generator = str(foreign.attributes.get("generator", f"unknown (converted from {foreign.format})"))
    tally = _Tally(foreign.detector)
    try:
        with (
            ShowerWriter(target, foreign.detector, named, generator, attributes) as writer,
            closing(foreign.pieces()) as pieces,
            progress(foreign.total, f"converting {foreign.path.name}", "showers") as advance,
        ):
            for piece in pieces:
                _check(piece, foreign.path, tally.showers)
                tally.add(piece)
                writer.write(piece.showers)
                if tally.showers >= ENOUGH_SHOWERS and not insist:
                    tally.require_possible(foreign.path)
                advance(len(piece.showers))
            if not insist:
                tally.require_possible(foreign.path)
            warnings = (*foreign.warnings, *tally.judge())
            named = particle or (named if named != "unknown" else name_particles(tally.pdg))
            writer.set_attributes(_account(tally, named, warnings))
    except OSError as error:
        words = " ".join(str(error).split())
        raise ShowerFileError(f"{target}: the native file cannot be written ({words}).") from None
    return Conversion(
        foreign,
        target,
        tally.showers,
        tally.source,
        tally.cells,
        tally.energies,
        named,
        warnings,
        tally.sections,
        tally.sources,
    )


def _check(piece: Piece, path: Path, first: int) -> None:
    """Refuse showers that cannot be, by the name of the foreign file."""
    with np.errstate(invalid="ignore", over="ignore"):
        check_sanity(piece.showers, f"{path}, showers {first} to {first + len(piece.showers) - 1}")


def _describe(foreign: ForeignShowers) -> dict[str, Any]:
    """Return the attributes that say where the showers come from."""
    return {
        **{
            name: value for name, value in foreign.attributes.items() if name not in ("particle", "generator")
        },
        "converted_from": foreign.path.name,
        "source_format": foreign.format,
        "conversion": foreign.conversion,
        "assumptions": json.dumps(foreign.assumptions),
    }


def _account(tally: _Tally, particle: str, warnings: tuple[str, ...]) -> dict[str, Any]:
    """Return the attributes that are known at the end."""
    return {
        "particle": particle,
        "source_energy_mev": tally.source,
        "cell_energy_mev": tally.cells,
        "conversion_warnings": json.dumps(warnings),
    }
