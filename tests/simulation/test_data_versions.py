"""The versions of Geant4's data sets: checked, named, and what overrides what is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from calokit.detector import load_detector
from calokit.detector.elements import ATOMIC_NUMBERS
from calokit.errors import SimulationError
from calokit.simulation.data_sets import FoundDataSets, find_data_sets
from calokit.simulation.physics import Physics

NAMES = ("G4EMLOW8.8", "G4ENSDFSTATE3.0", "PhotonEvaporation6.1.2")


def make_tables(folder: Path, low_energy: str = NAMES[0], levels: str = NAMES[2]) -> Path:
    """Make folders as those of Geant4's data, with what is looked for and nothing in it."""
    for part in ("brem_SB", "epics2017/phot", "epics2017/rayl"):
        (folder / low_energy / part).mkdir(parents=True)
    for number in ATOMIC_NUMBERS.values():
        (folder / low_energy / "brem_SB" / f"br{number}").touch()
    for name in (NAMES[1], levels):
        (folder / name).mkdir()
    return folder


def find(**environment: Path) -> FoundDataSets:
    variables = {name: str(value) for name, value in environment.items()}
    return find_data_sets(Physics(), load_detector("zdc_ecal"), variables)


def test_what_was_found_is_named_with_its_version(tmp_path: Path) -> None:
    found = find(GEANT4_DATA_DIR=make_tables(tmp_path))
    assert found.names == NAMES
    assert found.notes == ()


@pytest.mark.parametrize("version", ["8.5", "8.80", "8.8.1", "7.13"])
def test_tables_of_another_version_are_refused(tmp_path: Path, version: str) -> None:
    good, other = make_tables(tmp_path / "good"), make_tables(tmp_path / "other", f"G4EMLOW{version}")
    with pytest.raises(SimulationError, match=rf"G4LEDATA points to .*G4EMLOW{version}, but .* G4EMLOW8\.8"):
        find(GEANT4_DATA_DIR=good, G4LEDATA=other / f"G4EMLOW{version}")


def test_a_link_does_not_hide_the_version_behind_it(tmp_path: Path) -> None:
    other = make_tables(tmp_path / "other", "G4EMLOW8.5")
    good = make_tables(tmp_path / "good", "unused")
    (good / "G4EMLOW8.8").symlink_to(other / "G4EMLOW8.5")
    with pytest.raises(SimulationError, match=r"there is .*G4EMLOW8\.5, but .* for G4EMLOW8\.8"):
        find(GEANT4_DATA_DIR=good)


def test_a_variable_that_overrides_the_folder_is_told(tmp_path: Path) -> None:
    one, two = make_tables(tmp_path / "one"), make_tables(tmp_path / "two")
    found = find(GEANT4_DATA_DIR=one, G4LEDATA=two / NAMES[0])
    assert found.environment["G4LEDATA"] == str(two / NAMES[0])
    (note,) = found.notes
    assert note.startswith("G4LEDATA overrides GEANT4_DATA_DIR")
    assert find(GEANT4_DATA_DIR=one, G4LEDATA=one / NAMES[0]).notes == ()
