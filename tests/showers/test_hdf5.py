"""HDF5 files of any storage: parts in other files, filters, locks, chunks of any size."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from calokit.errors import ShowerFileError
from calokit.showers import open_showers
from calokit.showers.formats import convert_file
from calokit.showers.hdf5 import open_hdf5
from calokit.showers.hdf5_storage import chunk_bytes, require_stored_whole

EVENTS, CELLS = 40, 6480


def write_parts(folder: Path, rows: int = EVENTS // 2) -> None:
    for number in (0, 1):
        with h5py.File(folder / f"part_{number}.h5", "w") as file:
            file["showers"] = np.full((rows, CELLS), 9.0 + number, "f4")


def write_virtual(folder: Path, names: tuple[str, ...] = ("part_0.h5", "part_1.h5")) -> Path:
    half = EVENTS // 2
    layout = h5py.VirtualLayout((EVENTS, CELLS), "f4")
    for number, name in enumerate(names):
        source = h5py.VirtualSource(name, "showers", (half, CELLS))
        layout[number * half : (number + 1) * half] = source
    path = folder / "all.h5"
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("showers", layout)
        file["incident_energies"] = np.full((EVENTS, 1), 1e5, "f4")
    return path


def test_a_virtual_dataset_is_read_from_its_parts(tmp_path: Path) -> None:
    write_parts(tmp_path)
    convert_file(write_virtual(tmp_path), tmp_path / "native.h5")
    cells = open_showers(tmp_path / "native.h5").read_all().energies
    assert np.unique(cells[: EVENTS // 2]).tolist() == [9.0]
    assert np.unique(cells[EVENTS // 2 :]).tolist() == [10.0]


def lose_part(folder: Path) -> Path:
    path = write_virtual(folder)
    (folder / "part_1.h5").unlink()
    return path


def rename_dataset(folder: Path) -> Path:
    path = write_virtual(folder)
    with h5py.File(folder / "part_1.h5", "r+") as file:
        file.move("showers", "others")
    return path


def shorten_part(folder: Path) -> Path:
    path = write_virtual(folder)
    with h5py.File(folder / "part_1.h5", "w") as file:
        file["showers"] = np.ones((EVENTS // 2 - 1, CELLS), "f4")
    return path


HOLES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing file": (lose_part, r"part_1\.h5.*not there.*zeros"),
    "missing dataset": (rename_dataset, r"part_1\.h5: dataset 'showers' is missing.*zeros"),
    "short dataset": (shorten_part, r"part_1\.h5.*smaller than the part.*zeros"),
    "uncovered rows": (lambda folder: write_virtual(folder, ("part_0.h5",)), "129600 of its 259200 numbers"),
}


@pytest.mark.parametrize("case", HOLES)
def test_a_hole_in_a_virtual_dataset_is_never_read_as_zeros(tmp_path: Path, case: str) -> None:
    write_parts(tmp_path)
    make, words = HOLES[case]
    path = make(tmp_path)
    with pytest.raises(ShowerFileError, match=words):
        open_showers(path)
    with pytest.raises(ShowerFileError, match=words):
        convert_file(path, tmp_path / "native.h5")
    assert not list(tmp_path.glob("native*"))


def test_a_broken_link_says_where_it_points(tmp_path: Path) -> None:
    path = tmp_path / "linked.h5"
    with h5py.File(path, "w") as file:
        file["showers"] = h5py.ExternalLink("elsewhere.h5", "/showers")
        file["incident_energies"] = h5py.SoftLink("/energies")
    with pytest.raises(ShowerFileError, match=r"link to /?showers in file elsewhere\.h5, which is not there"):
        open_showers(path)
    with h5py.File(tmp_path / "elsewhere.h5", "w") as file:
        file["showers"] = np.ones((EVENTS, CELLS), "f4")
    with pytest.raises(ShowerFileError, match=r"'incident_energies' is a link to /?energies"):
        open_showers(path)
    with h5py.File(path, "r+") as file:
        file["energies"] = np.full((EVENTS, 1), 1e6, "f4")
    assert convert_file(path, tmp_path / "native.h5").showers == EVENTS


def test_external_storage_that_is_lost_is_named(tmp_path: Path) -> None:
    path = tmp_path / "raw.h5"
    with h5py.File(path, "w") as file:
        size = 4 * EVENTS * CELLS
        raw = [(str(tmp_path / "raw.bin"), 0, size)]
        file.create_dataset("showers", (EVENTS, CELLS), "f4", external=raw)[:] = 3.0
        file["incident_energies"] = np.full((EVENTS, 1), 1e6, "f4")
    (tmp_path / "raw.bin").unlink()
    with pytest.raises(ShowerFileError, match=r"raw\.bin, which is not there"):
        open_showers(path)


def write_packed(path: Path, number: int) -> Path:
    """Write showers that say they are packed by a filter."""
    with h5py.File(path, "w") as file:
        # An optional filter that is not there leaves the data as they are; what is read is its name.
        created = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        created.set_chunk((EVENTS, CELLS))
        created.set_filter(number, h5py.h5z.FLAG_OPTIONAL)
        space = h5py.h5s.create_simple((EVENTS, CELLS))
        h5py.h5d.create(file.id, b"showers", h5py.h5t.IEEE_F32LE, space, created)
        file["incident_energies"] = np.full((EVENTS, 1), 1e6, "f4")
    return path


FILTERS = [(32001, "Blosc"), (32015, "Zstd"), (32008, "Bitshuffle"), (32004, "LZ4"), (32026, "Blosc2")]


@pytest.mark.parametrize(("number", "name"), FILTERS)
def test_a_filter_that_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, name: str
) -> None:
    if h5py.h5z.filter_avail(number):
        pytest.skip(f"the filter {name} is installed")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    path = write_packed(tmp_path / "packed.h5", number)
    words = rf"filter {name} \(number {number}\).*not installed.*pip install hdf5plugin"
    with pytest.raises(ShowerFileError, match=words):
        open_showers(path)
    with pytest.raises(ShowerFileError, match=words):
        convert_file(path, tmp_path / "native.h5")
    assert not list(tmp_path.glob("native*"))


PLUGIN = """
import h5py.h5z as filters
known = filters.filter_avail
filters.filter_avail = lambda number: number == {number} or known(number)
"""


@pytest.mark.parametrize("brought", [32015, 32001])
def test_hdf5plugin_is_loaded_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, brought: int
) -> None:
    if h5py.h5z.filter_avail(32015):
        pytest.skip("the filter Zstd is installed")
    monkeypatch.setattr("h5py.h5z.filter_avail", h5py.h5z.filter_avail)
    (tmp_path / "hdf5plugin.py").write_text(PLUGIN.format(number=brought))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "hdf5plugin", raising=False)
    path = write_packed(tmp_path / "packed.h5", 32015)
    with h5py.File(path) as file:
        if brought == 32015:
            require_stored_whole(file["showers"], path)
        else:
            with pytest.raises(ShowerFileError, match=r"installed hdf5plugin does not bring.*--upgrade"):
                require_stored_whole(file["showers"], path)
    assert "hdf5plugin" in sys.modules


def test_a_locked_file_is_not_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "locked.h5"
    with h5py.File(path, "w") as file:
        file["showers"] = np.ones((5, CELLS), "f4")
        file["incident_energies"] = np.full((5, 1), 1e6, "f4")
    with h5py.File(path, "r+") as held:
        assert held
        code = f"from calokit.showers import open_showers; open_showers({str(path)!r})"
        read = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "locked" in read.stderr
    assert "truncated" not in read.stderr


def write_one_chunk(path: Path, events: int, rows: int) -> None:
    rng = np.random.default_rng(1)
    cells = np.where(rng.random((events, CELLS)) < 0.1, rng.exponential(5, (events, CELLS)), 0).astype("f4")
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "showers", data=cells, chunks=(rows, CELLS), compression="gzip", compression_opts=1
        )
        file["incident_energies"] = np.full((events, 1), 1e6, "f4")


def test_one_chunk_for_all_showers_is_unpacked_once(tmp_path: Path) -> None:
    write_one_chunk(tmp_path / "one.h5", 4000, 4000)
    with h5py.File(tmp_path / "one.h5") as file:
        assert chunk_bytes(file["showers"]) == 4 * 4000 * CELLS
        started = time.perf_counter()
        whole = file["showers"][:]
        once = time.perf_counter() - started
    started = time.perf_counter()
    with open_hdf5(tmp_path / "one.h5") as file:
        pieces = [file["showers"][start : start + 100] for start in range(0, 4000, 100)]
    assert np.array_equal(np.concatenate(pieces), whole)
    assert time.perf_counter() - started < 10 * once
    view = open_showers(tmp_path / "one.h5")
    started = time.perf_counter()
    for start in range(3900, -1, -100):
        assert np.array_equal(view.read(start, start + 100).energies, whole[start : start + 100])
    assert time.perf_counter() - started < 15 * once
