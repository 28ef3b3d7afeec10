"""Files of the library showerdata, in and out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from calokit.detector import load_detector
from calokit.errors import CalokitError, ShowerFileError
from calokit.progress import no_progress
from calokit.showers import Showers, open_showers
from calokit.showers.formats import Choices, convert_file, write_showerdata
from made_up_runs import MakeFile, MakeShowers

CLIC = load_detector("clic_ecal")


def write_foreign(path: Path, width: int = 4, **changed: Any) -> None:
    """Write two events as the library does: three points and one, energies in GeV, flat lists."""
    pitch = CLIC.sections[0].readout.extent_mm[0] / 25
    points = [
        [[0.0, 0.0, 0.0, 0.1, 1.0], [pitch, 0.0, 3.0, 0.2, 1.5], [pitch, 0.0, 2.95, 0.4, 1.5]],
        [[0.0, -pitch, 24.0, 2.0, 3.0]],
    ]
    lists = [np.array(one, np.float32)[:, :width].reshape(-1) for one in points]
    with h5py.File(path, "w") as file:
        showers = file.create_dataset("showers", (2,), h5py.vlen_dtype(np.float32))
        for place, one in enumerate(changed.pop("lists", lists)):
            showers[place] = one
        columns = {
            "energies": np.array([[40.0], [90.0]], np.float32),
            "directions": np.array([[0, 0, 1], [0, 0.6, 0.8]], np.float32),
            "pdg": np.array([22, 11], np.int32),
            "shower_ids": np.arange(2, dtype=np.int32),
            "shape": np.array([2, 3, width]),
            "num_points": np.array([3, 1], np.int32),
        }
        for name, values in (columns | changed).items():
            file[name] = values
        file.attrs["showerdata_version"] = "0.7.0"


@pytest.mark.parametrize("width", [4, 5])
def test_points_go_to_their_cells(tmp_path: Path, width: int) -> None:
    write_foreign(tmp_path / "cloud.h5", width)
    done = convert_file(tmp_path / "cloud.h5", tmp_path / "native.h5", choices=Choices(CLIC))
    assert done.foreign.format == "showerdata"
    showers = open_showers(tmp_path / "native.h5").read_all()
    images = showers.images
    middle = 12
    assert images[0, 0, middle, middle] == pytest.approx(100.0)
    assert images[0, 3, middle + 1, middle] == pytest.approx(600.0)
    assert images[1, 24, middle, middle - 1] == pytest.approx(2000.0)
    assert images.sum() == pytest.approx(2700.0)
    assert showers.incident_energies.tolist() == [4e4, 9e4]
    assert showers.pdg is not None
    assert showers.pdg.tolist() == [22, 11]
    assert showers.directions is not None
    np.testing.assert_allclose(showers.directions[1], [0, 0.6, 0.8], atol=1e-6)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"lists": [np.ones(8, np.float32), np.ones(7, np.float32)]}, "event 1 of these has 7 numbers"),
        ({"lists": [np.ones(4, np.float32), np.full(4, np.nan, np.float32)]}, "not finite"),
        ({"shape": np.array([2, 3, 6])}, "6 numbers"),
        ({"energies": np.ones((3, 1))}, "number of events"),
    ],
)
def test_files_that_are_wrong_are_refused(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    write_foreign(tmp_path / "cloud.h5", **changed)
    with pytest.raises(CalokitError, match=words):
        convert_file(tmp_path / "cloud.h5", tmp_path / "native.h5", choices=Choices(CLIC))


def test_native_readers_say_what_it_is(tmp_path: Path) -> None:
    write_foreign(tmp_path / "cloud.h5")
    with pytest.raises(ShowerFileError, match=r"a file of showerdata.*calokit convert"):
        open_showers(tmp_path / "cloud.h5")


def test_what_is_written_is_read_back(
    tmp_path: Path, shower_file: MakeFile, make_showers: MakeShowers
) -> None:
    showers = make_showers(30, 1)
    empty = replace(showers, energies=np.where(np.arange(30)[:, None] == 7, 0, showers.energies))
    native = open_showers(shower_file(showers=Showers.of(empty.energies, empty.detector, empty.incidents)))
    points = write_showerdata(native, tmp_path / "out.h5", progress=no_progress)
    assert points == int((empty.energies > 0).sum())
    with h5py.File(tmp_path / "out.h5") as file:
        counts = file["num_points"][:]
        assert file["shape"][:].tolist() == [30, int(counts.max()), 4]
        assert [len(one) for one in file["showers"][:]] == (4 * counts).tolist()
        assert counts[7] == 0
        assert file["energies"].shape == (30, 1)
        assert set(file["pdg"][:].tolist()) == {-11}
        assert file.attrs["showerdata_version"]
    zdc = load_detector("zdc_ecal")
    convert_file(tmp_path / "out.h5", tmp_path / "back.h5", choices=Choices(zdc))
    back = open_showers(tmp_path / "back.h5").read_all()
    np.testing.assert_allclose(back.energies, empty.energies, rtol=1e-5)
    np.testing.assert_allclose(back.incident_energies, empty.incident_energies, rtol=1e-6)


def test_the_command_writes_it(command: Callable[..., Any], shower_file: MakeFile, tmp_path: Path) -> None:
    done = command("convert", shower_file(10), tmp_path / "out.h5", "--to", "showerdata")
    assert done.code == 0, done.err
    assert "10 showers" in done.out
