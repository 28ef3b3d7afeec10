"""Energies in another unit are recognised wherever showers are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from calokit.detector import list_detectors, load_detector
from calokit.errors import CalokitError, ShowerFileError, UnitWarning
from calokit.evaluation.samples.streams import plan_comparison
from calokit.showers import open_showers
from calokit.showers.formats import Choices, convert_file
from calokit.showers.inspection import inspect_showers
from calokit.showers.units_check import EnergyScale, find_unit_mistakes, mass_sampled
from calokit.training.data import open_for_training
from made_up_runs import MakeShowers

RNG = np.random.default_rng(3)


def write_lcd(path: Path, cell_unit_mev: float = 1e3, energy_unit_mev: float = 1e3) -> float:
    """Write the form of the LCD files, ECAL and empty HCAL, with a response of 2 %; its energy in MeV."""
    energy = RNG.uniform(20e3, 400e3, 10)
    ecal = np.zeros((10, 24, 24, 25))
    ecal[:, 9, 9, 10] = 0.019 * energy
    with h5py.File(path, "w") as file:
        file["ECAL"], file["HCAL"] = ecal / cell_unit_mev, np.zeros((10, 4, 4, 60))
        file["target"] = np.stack([np.ones(10), energy / energy_unit_mev], axis=1)[:, None, :]
    return float(ecal.sum())


def test_cells_in_mev_are_never_read_as_gev(tmp_path: Path) -> None:
    source, target = tmp_path / "lcd.h5", tmp_path / "native.h5"
    total = write_lcd(source, cell_unit_mev=1.0)
    with pytest.raises(ShowerFileError, match=r"hold 19 times .* a thousand times too much.*--unit"):
        convert_file(source, target)
    assert not list(tmp_path.glob("native*"))
    done = convert_file(source, target, choices=Choices(cell_unit="MeV"))
    assert done.cell_energy_mev == pytest.approx(total)
    assert convert_file(source, target, insist=True).cell_energy_mev == pytest.approx(1e3 * total)
    write_lcd(source)
    assert not any("incident energy" in text for text in convert_file(source, target).warnings)


def test_incident_energies_may_be_in_another_unit(tmp_path: Path) -> None:
    source, target = tmp_path / "lcd.h5", tmp_path / "native.h5"
    total = write_lcd(source, energy_unit_mev=1.0)
    assert any("too little" in text for text in convert_file(source, target).warnings)
    done = convert_file(source, target, choices=Choices(energy_unit="MeV"))
    assert done.cell_energy_mev == pytest.approx(total)
    assert 20e3 <= done.incident_energies_mev[0] < done.incident_energies_mev[1] <= 400e3
    with pytest.raises(CalokitError, match=r"unknown unit of energy 'Gev'. Did you mean 'GeV'"):
        Choices(cell_unit="Gev")


def write_bare(path: Path, showers: Any, cells: float, energies: float) -> Path:
    with h5py.File(path, "w") as file:
        file["showers"] = showers.energies * cells
        file["incident_energies"] = showers.incident_energies[:, None] * energies
    return path


@pytest.mark.parametrize(
    ("cells", "energies", "words", "units"),
    [
        (1e-3, 1e-3, "whole file looks as if it were in GeV", {"cell_unit": "GeV", "energy_unit": "GeV"}),
        (1e-3, 1.0, "a thousand times too little", {"cell_unit": "GeV"}),
        (1.0, 1e-3, "a thousand times too much", {"energy_unit": "GeV"}),
    ],
)
def test_a_file_in_gev_is_recognised_everywhere(
    tmp_path: Path,
    make_showers: MakeShowers,
    cells: float,
    energies: float,
    words: str,
    units: dict[str, str],
) -> None:
    zdc = load_detector("zdc_ecal")
    bare = write_bare(tmp_path / "bare.hdf5", make_showers(100, 1), cells, energies)
    assert any(words in text for text in inspect_showers(open_showers(bare, detector=zdc)).findings)
    with pytest.warns(UnitWarning, match=words):
        open_for_training(open_showers(bare, "train", zdc))
    right = write_bare(tmp_path / "right.hdf5", make_showers(100, 2), 1.0, 1.0)
    with pytest.raises(ShowerFileError, match="one of the files is in GeV"):
        plan_comparison(open_showers(right, detector=zdc), open_showers(bare, detector=zdc), None)
    done = convert_file(bare, tmp_path / "native.h5", choices=Choices(zdc, **units))
    assert not done.warnings
    plan_comparison(open_showers(right, detector=zdc), open_showers(tmp_path / "native.h5"), None)
    assert not inspect_showers(open_showers(tmp_path / "native.h5")).findings


@pytest.mark.parametrize("name", list_detectors())
def test_a_thousand_is_told_from_any_honest_response(name: str) -> None:
    detector = load_detector(name)
    sampled = mass_sampled(detector) or 0.03
    for factor in (0.2, 0.5, 1.0, 1.2):
        honest = EnergyScale(*2 * [min(factor * sampled, 1.1)], 1e3, 1e5, 1e4)
        assert find_unit_mistakes(honest, detector) == []
    too_little = EnergyScale(*2 * [1e-3 * sampled], 1e3, 1e5, 1e4)
    assert "too little" in find_unit_mistakes(too_little, detector)[0]
    assert find_unit_mistakes(too_little, detector, "mu-") == []
    assert find_unit_mistakes(EnergyScale(*2 * [1e3 * sampled], 1e3, 1e5, 1e4), detector)
