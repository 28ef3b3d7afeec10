"""Files appear whole or not at all; places that take none are found before the work."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from calokit.errors import OutputError
from calokit.files import (
    check_folder_writable,
    check_writable,
    write_bytes,
    write_hdf5,
    write_json,
    write_text,
    write_whole,
)

DISK = 300_000
NOISE = np.random.default_rng(1).integers(0, 256, 2 * DISK, dtype=np.uint8)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, of 300 kB; skipped where this user may not mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK // 1000}k", "none", str(disk)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except OSError:
        pytest.skip("no program to mount a disk")
    if done.returncode != 0:
        pytest.skip("this user may not mount a disk")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def write_parts(path: Path, parts: list[NDArray[np.uint8]]) -> None:
    with write_hdf5(path) as (file, check_disk):
        for number, part in enumerate(parts):
            file[str(number)] = part
        check_disk()


def fill_a_chunk_twice(path: Path) -> None:
    """Write half of a packed chunk, more than the disk holds, and then the rest of the chunk."""
    with write_hdf5(path) as (file, _):
        made = file.create_dataset("x", (8, NOISE.size), "u1", chunks=(8, NOISE.size), compression="gzip")
        for row in range(8):
            made[row] = np.roll(NOISE, row)
            file.flush()


def fail_with(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let every sync to disk fail, as it does on network file systems that are full."""

    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)


def test_content_and_links_are_kept(tmp_path: Path) -> None:
    write_text(tmp_path / "new" / "a.txt", "σ")
    assert (tmp_path / "new" / "a.txt").read_bytes() == "σ".encode()
    (tmp_path / "link").symlink_to(tmp_path / "new" / "a.txt")
    write_bytes(tmp_path / "link", b"through")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "new" / "a.txt").read_bytes() == b"through"
    write_json(tmp_path / "a.json", {"a": [1]})
    assert (tmp_path / "a.json").read_text() == '{\n "a": [\n  1\n ]\n}\n'


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), OSError(errno.ENOENT, "none", "b")])
def test_an_error_in_the_block_leaves_the_old_file_and_is_passed_on(
    tmp_path: Path, error: BaseException
) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def fail() -> None:
        with write_whole(path) as partial:
            partial.write_text("new")
            raise error

    with pytest.raises(type(error)) as raised:
        fail()
    assert raised.value is error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_removed_a_day_later(tmp_path: Path) -> None:
    path, old = tmp_path / "a.txt", time.time() - 25 * 3600
    names = (".a.txt.12.partial", ".a.txt.13.partial", ".b.txt.12.partial", "a.txt.12.partial")
    for name in names:
        (tmp_path / name).write_text("a part")
        if name != ".a.txt.13.partial":
            os.utime(tmp_path / name, (old, old))
    write_text(path, "whole")
    assert {one.name for one in tmp_path.iterdir()} == {"a.txt", *names[1:]}


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "no space is left"), (errno.EDQUOT, "quota"), (errno.EFBIG, "larger")],
)
def test_a_full_disk_is_one_line_and_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    path = tmp_path / "a.h5"
    write_text(path, "old")
    fail_with(monkeypatch, number)
    with pytest.raises(OutputError, match=words):
        write_bytes(path, b"new")
    with pytest.raises(OutputError, match=words), write_hdf5(path) as (file, _):
        file["x"] = [1]
    with pytest.raises(OutputError, match=words):
        check_writable(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_that_fills_up_leaves_the_old_file(small_disk: Path) -> None:
    path = small_disk / "a.h5"
    write_bytes(path, b"old")
    with pytest.raises(OutputError, match=r"a\.h5: it cannot be written: no space is left"):
        write_bytes(path, NOISE.tobytes())
    for parts in (40, 1):
        with pytest.raises(OutputError, match="no space is left"):
            write_parts(path, np.array_split(NOISE, parts))
    with pytest.raises(OutputError, match="no space is left"):
        fill_a_chunk_twice(path)
    assert path.read_bytes() == b"old"
    assert list(small_disk.iterdir()) == [path]
    with write_hdf5(path) as (file, _):
        file["x"] = [1]
    with h5py.File(path) as file:
        assert file["x"][0] == 1
    (small_disk / "filler").write_bytes(bytes(os.statvfs(small_disk).f_bavail * 4096))
    with pytest.raises(OutputError, match="no space is left"):
        check_writable(small_disk / "b.h5")
    with pytest.raises(OutputError, match="no space is left"):
        check_folder_writable(small_disk / "report")


def test_a_crash_at_the_end_of_a_program_on_a_full_disk_is_avoided(small_disk: Path) -> None:
    program = (
        "import sys, numpy as np; from pathlib import Path; from calokit.files import write_hdf5\n"
        "from calokit.errors import OutputError\n"
        "try:\n"
        "    with write_hdf5(Path(sys.argv[1])) as (file, check):\n"
        "        made = file.create_dataset('x', (0, 9999), 'f8', maxshape=(None, 9999), chunks=(1, 9999))\n"
        "        for k in range(20):\n"
        "            made.resize(k + 1, 0)\n"
        "            made[k] = np.random.default_rng(k).normal(size=9999)\n"
        "except OutputError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(small_disk / "a.h5")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "no space is left" in done.stdout
    assert list(small_disk.iterdir()) == []


def test_places_that_take_no_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    for path, words in (
        (tmp_path / "folder", "is a folder"),
        (tmp_path / "none" / "a.h5", "does not exist"),
        (tmp_path / "file" / "a.h5", "is a file, not a folder"),
        (Path("/dev/null"), "no ordinary file"),
        (tmp_path / ("x" * 300), "too long"),
    ):
        with pytest.raises(OutputError, match=words):
            check_writable(path)
    for path in (tmp_path / "file", tmp_path / "file" / "report"):
        with pytest.raises(OutputError, match="is a file"):
            check_folder_writable(path)
        with pytest.raises(OutputError, match="file"):
            write_text(path / "a.txt", "x")
    with pytest.raises(OutputError, match="is read by this command"):
        check_writable(tmp_path / "file", None, tmp_path / "folder" / ".." / "file")
    check_writable(tmp_path / "new", tmp_path / "file", tmp_path / "missing")
    check_folder_writable(tmp_path / "a" / "b" / "c")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_read_only_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    folder.chmod(0o555)
    if os.access(folder, os.W_OK):  # the administrator may write everywhere

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(OutputError, match="no permission"):
        check_writable(folder / "a.h5")
    with pytest.raises(OutputError, match="no permission"):
        check_folder_writable(folder / "report")
    assert list(folder.iterdir()) == []
