from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from calokit.detector import Detector
from calokit.errors import ShowerFileError
from calokit.showers import Showers, ShowerWriter, open_showers
from calokit.showers.inspection import Inspection, inspect_showers
from made_up_runs import MakeFile, MakeShowers, calling


@pytest.fixture
def four(zdc: Detector) -> Showers:
    """Four showers whose summary can be worked out by hand."""
    energies = np.zeros((4, 400), np.float32)
    energies[0, :2] = [500.0, 300.0]
    energies[1, 5] = 1600.0
    energies[2, :4] = [100.0, 100.0, 0.5, 0.25]
    incident = np.array([1000.0, 2000.0, 500.0, 4000.0], np.float32)
    positions = np.array([[0, 1], [-2, 3], [4, -5], [0, 0]], np.float32)
    return Showers(energies, incident, zdc, positions, np.tile(np.array([0, 0, 1], np.float32), (4, 1)))


def inspect(path: Path, threshold: float = 0.0) -> Inspection:
    return inspect_showers(open_showers(path), threshold)


def test_known_numbers(shower_file: MakeFile, four: Showers) -> None:
    path = shower_file(showers=four, split="train")
    found = inspect(path, threshold=0.3)
    rows = dict(found.rows)
    assert rows["detector"].startswith("zdc_ecal: ")
    assert "1 x 20 x 20, 400 cells" in rows["detector"]
    assert rows["particle"] == "e+"
    assert rows["made by"] == "made up for a test"
    assert rows["split"] == "train"
    assert rows["showers"] == "4 in split all"
    assert rows["format"] == "version 1"
    assert rows["incident energy"] == "0.5 to 4 GeV"
    assert rows["impact x"] == "-2 to 4 mm"
    assert rows["impact y"] == "-5 to 3 mm"
    assert rows["theta cos phi"] == "0 rad"
    fractions = np.array([0.8, 0.8, 200.75 / 500, 0.0])
    assert rows["visible / incident"] == f"mean {fractions.mean():.4f}, spread {fractions.std():.4f}"
    assert rows["hits a shower"] == "1.5 above 0.3 MeV"
    assert rows["occupancy"] == "0.38 % of the cells"
    assert rows["hit energies"] == "0.5 to 1600 MeV"
    assert rows["empty showers"] == "1 (25.00 %)"
    assert rows["sha256"] == open_showers(path).sha256[:16] + " ..."
    assert found.findings == []


def test_summary_does_not_depend_on_the_chunks(
    shower_file: MakeFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shower_file(101)
    seen: list[int] = []
    whole = inspect_showers(open_showers(path), 0.1, calling(lambda n, _: seen.append(n)))
    assert seen == [101]
    monkeypatch.setattr("calokit.showers.files.READ_BYTES", 4 * 400 * 7)
    seen.clear()
    assert inspect_showers(open_showers(path), 0.1, calling(lambda n, _: seen.append(n))).rows == whole.rows
    assert seen == [7] * 14 + [3]


def test_split_alone_is_inspected(shower_file: MakeFile, four: Showers) -> None:
    rows = dict(inspect_showers(open_showers(shower_file(showers=four), "test")).rows)
    assert rows["showers"] == "1 in split test"
    assert rows["split"] == "none named; the first 60 % train, the next 20 % validate, the last 20 % test"
    assert rows["incident energy"] == "4 GeV"


def test_finds_empty_showers(shower_file: MakeFile, four: Showers) -> None:
    found = inspect(shower_file(showers=four), threshold=900.0)
    assert found.findings == ["3 of 4 showers are empty; check threshold and energy unit (MeV)."]


def test_finds_incident_energies_in_gev(
    shower_file: MakeFile, make_showers: MakeShowers, zdc: Detector
) -> None:
    showers = make_showers(20, 1)
    wrong = Showers(showers.energies, showers.incident_energies / 1e3, zdc)
    (finding,) = inspect(shower_file(showers=wrong)).findings
    assert "a thousand times too much" in finding


def test_finds_impacts_far_beside_the_detector(shower_file: MakeFile, four: Showers) -> None:
    assert four.positions is not None
    one, two = inspect(shower_file(showers=replace(four, positions=300 * four.positions))).findings
    assert one.startswith("impacts reach 1200 mm from the axis in x, and the cells")
    assert two.startswith("impacts reach 1500 mm from the axis in y")
    assert "another unit" in one


def test_finds_cells_in_gev(shower_file: MakeFile, make_showers: MakeShowers, zdc: Detector) -> None:
    showers = make_showers(20, 1)
    wrong = Showers(showers.energies * 1e-3, showers.incident_energies, zdc)
    (finding,) = inspect(shower_file(showers=wrong)).findings
    assert "the cells are in GeV" in finding


def test_all_empty_file_has_no_hit_energies(shower_file: MakeFile, zdc: Detector) -> None:
    showers = Showers(np.zeros((3, 400), np.float32), np.ones(3, np.float32), zdc)
    found = inspect(shower_file(showers=showers))
    assert dict(found.rows)["hit energies"] == "-"
    assert len(found.findings) == 1


def test_bad_value_deep_in_the_file_is_found(tmp_path: Path, make_showers: MakeShowers) -> None:
    path = tmp_path / "showers.h5"
    with ShowerWriter(path, make_showers(1, 1).detector, "e+", "test") as writer:
        writer.write(make_showers(150, 1))
    with h5py.File(path, "r+") as file:
        file["showers"][149, 399] = np.nan
    with pytest.raises(ShowerFileError, match="NaN"):
        inspect(path)
