"""Finding Geant4's data sets, and saying what is missing before a run starts."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from calokit.detector import Detector
from calokit.detector.elements import ATOMIC_NUMBERS
from calokit.errors import SimulationError
from calokit.simulation.physics import Physics

GEANT4_VERSION = "11.4.1"
"""The Geant4 that geant4-pybind 0.1.3 holds; it opens the data sets below in these versions."""
DOWNLOAD_PAGE = "https://geant4.web.cern.ch/download"


@dataclass(frozen=True)
class DataSet:
    """One data set of Geant4 11.4.

    Attributes:
        folder: Name of its folder, with the version.
        variable: The environment variable that names the folder.
        needed: Subfolders without which the run aborts.
    """

    folder: str
    variable: str
    needed: tuple[str, ...] = ()


ELECTROMAGNETIC = DataSet("G4EMLOW8.8", "G4LEDATA", ("brem_SB", "epics2017/phot", "epics2017/rayl"))
FLUORESCENCE = DataSet("G4EMLOW8.8", "G4LEDATA", ("fluor", "auger"))
LOW_ENERGY = DataSet("G4EMLOW8.8", "G4LEDATA", ("fluor", "auger", "msc_GS", "epics2017/comp"))
NUCLIDES = DataSet("G4ENSDFSTATE3.0", "G4ENSDFSTATEDATA")
LEVELS = DataSet("PhotonEvaporation6.1.2", "G4LEVELGAMMADATA")
HADRON_CROSS_SECTIONS = DataSet("G4PARTICLEXS4.2", "G4PARTICLEXSDATA", ("neutron",))
NEUTRONS = DataSet("G4NDL4.7.1", "G4NEUTRONHPDATA", ("Inelastic", "Elastic", "Capture"))

_ELECTROMAGNETIC_LISTS = {"em3": (FLUORESCENCE,), "em4": (LOW_ENERGY,)}


def needed_data_sets(physics: Physics) -> tuple[DataSet, ...]:
    """Return the data sets that a physics list opens."""
    sets = [ELECTROMAGNETIC, *_ELECTROMAGNETIC_LISTS.get(physics.physics_list, ()), NUCLIDES, LEVELS]
    if physics.is_hadronic:
        sets.append(HADRON_CROSS_SECTIONS)
    if physics.physics_list == "FTFP_BERT_HP":
        sets.append(NEUTRONS)
    return tuple(sets)


@dataclass(frozen=True)
class FoundDataSets:
    """Where the data sets of a run stand, and what they lack.

    Attributes:
        environment: Value of each environment variable that Geant4 shall see.
        shortcomings: What is approximate because a data set is incomplete, in words.
        names: Name of each data set, with its version.
        notes: What else the user should know of where they were found, in words.
    """

    environment: dict[str, str]
    shortcomings: tuple[str, ...] = field(default=())
    names: tuple[str, ...] = field(default=())
    notes: tuple[str, ...] = field(default=())


def find_data_sets(
    physics: Physics, detector: Detector, environment: Mapping[str, str] | None = None
) -> FoundDataSets:
    """Find the data sets that a physics list needs, for the elements of a detector.

    A data set is looked for where its own variable points (such as G4LEDATA), then in the folder
    GEANT4_DATA_DIR, then in `~/.geant4_pybind`, where geant4-pybind stores its downloads. Tables of another
    version than Geant4 was built for are refused: it reads them without a word, and gives other showers.

    Args:
        physics: The physics list.
        detector: The detector, whose elements must be in the tables.
        environment: The environment variables; those of this process where not given.

    Raises:
        SimulationError: A data set is missing, of another version, or lacks what the run would abort
            without. The message says what is needed and how to get it.
    """
    variables = os.environ if environment is None else environment
    places = [Path.home() / ".geant4_pybind"]
    if variables.get("GEANT4_DATA_DIR"):
        places.insert(0, Path(variables["GEANT4_DATA_DIR"]))
    found: dict[str, Path] = {}
    missing: list[str] = []
    notes: list[str] = []
    for one in needed_data_sets(physics):
        folder = _find(one, variables, places)
        if folder is None:
            missing.append(f"{one.folder} ({one.variable})")
            continue
        _require_version(one, folder, variables)
        if one.variable not in found:
            notes += _overridden(one, folder, variables, places)
        absent = [name for name in one.needed if not (folder / name).is_dir()]
        if absent:
            missing.append(f"{one.folder}: its part {', '.join(absent)} is not in {folder}")
        found[one.variable] = folder
    if missing:
        raise SimulationError(_how_to_get(physics, missing, places))
    _check_elements(found, detector, physics)
    base = places[0] if places[0].is_dir() else Path(next(iter(found.values()))).parent
    paths = {variable: str(path.resolve()) for variable, path in found.items()}
    return FoundDataSets(
        {"GEANT4_DATA_DIR": str(base.resolve()), **paths},
        tuple(_shortcomings(found, physics)),
        tuple(folder.resolve().name for folder in found.values()),
        tuple(notes),
    )


def _find(one: DataSet, variables: Mapping[str, str], places: list[Path]) -> Path | None:
    """Return the folder of a data set."""
    if variables.get(one.variable):
        folder = Path(variables[one.variable])
        if not folder.is_dir():
            raise SimulationError(
                f"environment variable {one.variable} points to {folder}, which is no folder; correct or "
                "unset it."
            )
        return folder
    return next((place / one.folder for place in places if (place / one.folder).is_dir()), None)


def _require_version(one: DataSet, folder: Path, variables: Mapping[str, str]) -> None:
    """Refuse a folder whose name, links followed, is not that of the version Geant4 was built for."""
    name = folder.resolve().name
    if re.match(rf"{re.escape(one.folder)}(?![\d.]*\d)", name):
        return
    origin = f"environment variable {one.variable} points to" if variables.get(one.variable) else "there is"
    raise SimulationError(
        f"{origin} {folder.resolve()}, but Geant4 {GEANT4_VERSION} was built for {one.folder}: tables of "
        f"another version give other showers. Unset {one.variable} or let it point to {one.folder} (from "
        f"{DOWNLOAD_PAGE}, data files of Geant4 {GEANT4_VERSION})."
    )


def _overridden(one: DataSet, folder: Path, variables: Mapping[str, str], places: list[Path]) -> list[str]:
    """Say where a data set's own variable is followed although GEANT4_DATA_DIR holds the set too."""
    if not variables.get(one.variable) or not variables.get("GEANT4_DATA_DIR"):
        return []
    other = places[0] / one.folder
    if not other.is_dir() or other.resolve() == folder.resolve():
        return []
    return [f"{one.variable} overrides GEANT4_DATA_DIR: {folder} is read, not {other}"]


def _how_to_get(physics: Physics, missing: list[str], places: list[Path]) -> str:
    """Say what is missing and how to get it."""
    looked = ", ".join(map(str, places))
    return (
        f"physics list {physics.physics_list} needs Geant4 data that is missing: {'; '.join(missing)}. "
        f"Looked in: {looked}. Download the archives from {DOWNLOAD_PAGE} (data files of Geant4 11.4) into "
        "one folder and set GEANT4_DATA_DIR to it, or take --backend parametric, which needs none."
    )


def _check_elements(found: dict[str, Path], detector: Detector, physics: Physics) -> None:
    """Refuse tables that lack an element of the detector."""
    symbols = {"C", "N", "O", "Ar"}  # air around it
    for section in detector.sections:
        for slab in (*section.slabs, *section.back_plates):
            symbols |= set(detector.material(slab.material).weights)
    bremsstrahlung = found["G4LEDATA"] / "brem_SB"
    lacking = [s for s in sorted(symbols) if not (bremsstrahlung / f"br{ATOMIC_NUMBERS[s]}").is_file()]
    if physics.is_hadronic:
        neutron = found["G4PARTICLEXSDATA"] / "neutron"
        lacking += [s for s in sorted(symbols) if not (neutron / f"inel{ATOMIC_NUMBERS[s]}").is_file()]
    if lacking:
        raise SimulationError(
            f"the Geant4 tables under {found['G4LEDATA'].parent} lack the elements {', '.join(lacking)} of "
            f"detector {detector.name!r}; install the full data sets from {DOWNLOAD_PAGE}."
        )


def has_gamma_nuclear_tables(environment: Mapping[str, str]) -> bool:
    """Tell whether the cross sections of reactions of photons with nuclei are there."""
    return (Path(environment.get("G4PARTICLEXSDATA", "-")) / "gamma").is_dir()


def _shortcomings(found: dict[str, Path], physics: Physics) -> list[str]:
    """Say in words what incomplete data sets make approximate."""
    if not physics.is_hadronic:
        return []
    words = []
    cross_sections = found["G4PARTICLEXSDATA"]
    lacking = [name for name in ("gamma", "proton", "deuteron") if not (cross_sections / name).is_dir()]
    if lacking:
        words.append(
            f"{cross_sections.name} is incomplete (no {', '.join(lacking)}): "
            "approximate neutron cross sections, not validated"
        )
    if not any(found["G4LEVELGAMMADATA"].glob("z*")):
        words.append(f"{found['G4LEVELGAMMADATA'].name} is empty: no nuclear levels")
    return words
