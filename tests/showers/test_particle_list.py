"""Lists of incident particles: what is read, and what is refused."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from calokit.errors import ShowerFileError
from calokit.showers import Incidents, ShowerFile
from calokit.showers.particle_list import open_particles
from made_up_runs import MakeFile


def read(path: Path) -> Incidents:
    found = open_particles(path)
    assert isinstance(found, Incidents)
    return found


def test_a_csv_of_everything(tmp_path: Path) -> None:
    path = tmp_path / "particles.csv"
    path.write_text(
        "Energy_GeV, position_y_mm, position_x_mm, direction_x, direction_y, direction_z\n"
        "20, -3, 1.5, 0, 0, 2\n\n50, 4, 2.5, 0.3, 0, 0.4\n"
    )
    particles = read(path)
    assert particles.positions is not None
    assert particles.directions is not None
    assert particles.energies.tolist() == [2e4, 5e4]
    assert particles.positions.tolist() == [[1.5, -3.0], [2.5, 4.0]]
    np.testing.assert_allclose(particles.directions, [[0, 0, 1], [0.6, 0, 0.8]], rtol=1e-6)


def test_energies_alone_in_mev(tmp_path: Path) -> None:
    path = tmp_path / "particles.csv"
    path.write_text("\ufeffenergy_mev\n250\n")
    particles = read(path)
    assert particles.energies.tolist() == [250.0]
    assert particles.positions is None
    assert particles.directions is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "one column of energy is needed"),
        ("energy_gev\n", "no particle stands below"),
        ("energy_gev,position_x_m,position_y_mm\n1,2,3\n", "Did you mean 'position_x_mm'"),
        ("energy_gev,position_x_mm\n1,2\n", "'position_y_mm' is missing"),
        ("energy_gev,direction_x,direction_y\n1,0,0\n", "'direction_z' is missing"),
        ("energy_gev,energy_mev\n1,1\n", "one column of energy is needed"),
        ("energy_gev,energy_gev\n1,1\n", "none twice"),
        ("energy_gev\n20\nmany\n", "line 3: 'many' are not all numbers"),
        ("energy_gev\n20,30\n", "line 2: 2 values for 1 columns"),
        ("energy_gev\n-20\n", "must be positive"),
        ("energy_gev\nnan\n", "must be positive"),
        ("energy_gev,direction_x,direction_y,direction_z\n20,0,0,-1\n", "z > 0"),
        ("energy_gev,direction_x,direction_y,direction_z\n20,0,0,0\n", "unit vectors"),
    ],
)
def test_what_is_no_list_is_refused_by_name(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "particles.csv"
    path.write_text(text)
    with pytest.raises(ShowerFileError, match=words) as caught:
        open_particles(path)
    assert "particles.csv" in str(caught.value)


def test_a_missing_csv_is_told(tmp_path: Path) -> None:
    with pytest.raises(ShowerFileError, match="no such file"):
        open_particles(tmp_path / "particles.csv")


def test_what_is_no_text_or_no_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "particles.csv"
    path.write_bytes(b"energy_gev\n\xff\xfe20\n")
    with pytest.raises(ShowerFileError, match="not readable as a table of text"):
        open_particles(path)
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    with pytest.raises(ShowerFileError, match="this is a folder"):
        open_particles(folder)


def test_energies_of_hdf5_may_be_flat_but_no_single_number(tmp_path: Path) -> None:
    path = tmp_path / "particles.h5"
    with h5py.File(path, "w") as file:
        file["incident_energies"] = [1e3, 2e3]
    assert read(path).energies.tolist() == [1e3, 2e3]
    with h5py.File(path, "w") as file:
        file["incident_energies"] = 1e3
    with pytest.raises(ShowerFileError, match="incident_energies have shape"):
        open_particles(path)


def test_hdf5_without_showers(tmp_path: Path) -> None:
    path = tmp_path / "particles.h5"
    with h5py.File(path, "w") as file:
        file["incident_energies"] = [[1e3], [2e3]]
        file["incident_positions"] = [[1.0, 2.0], [3.0, 4.0]]
    particles = read(path)
    assert particles.positions is not None
    assert particles.energies.tolist() == [1e3, 2e3]
    assert particles.positions.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    with h5py.File(path, "a") as file:
        file["incident_directions"] = [[0.0, 0.0]]
    with pytest.raises(ShowerFileError, match="incident_directions"):
        open_particles(path)


def test_showers_are_opened_as_showers(shower_file: MakeFile) -> None:
    assert isinstance(open_particles(shower_file(4)), ShowerFile)
