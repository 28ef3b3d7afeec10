"""Writing whole files or nothing, and finding out before the work where a file cannot be written."""

from __future__ import annotations

import csv
import errno
import importlib.util
import io
import json
import os
import re
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calokit.errors import OutputError

if TYPE_CHECKING:
    import h5py
    from _typeshed import ReadableBuffer, WriteableBuffer

_TRIAL_BYTES = 4096
"""Written to find out whether a folder takes files: a full disk lets an empty one be made."""

_LEFT_BEHIND_SECONDS = 24 * 3600
"""A temporary file that is so old belongs to a process that was killed."""

_REASONS = {
    errno.ENOSPC: "no space is left on the device",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would be larger than the system allows",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "no permission to write there",
    errno.EPERM: "no permission to write there",
    errno.ENAMETOOLONG: "the name is too long",
    errno.EIO: "the device failed (input/output error)",
}


@contextmanager
def write_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside a file; what is written there becomes the file when the block ends.

    A reader sees the old content or the new, never a part. If the block ends with an error, the temporary
    file is removed and the old file stays as it was. What a killed process left is removed a day later.

    Args:
        path: Where the file shall stand; a link is followed. Its folder must be there.

    Yields:
        The temporary name, in the same folder.

    Raises:
        OutputError: The file cannot be written there: no folder, no permission, no space.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "numbers.txt"
        >>> with write_whole(path) as partial:
        ...     _ = partial.write_text("1 2 3")
        >>> path.read_text(), list(path.parent.iterdir()) == [path]
        ('1 2 3', True)
    """
    target = Path(os.path.realpath(path))
    _check_place(path, target)
    partial = _partial_name(target)
    try:
        yield partial
        with partial.open("rb+") as written:
            os.fsync(written.fileno())
        partial.replace(target)
        _remove_left_behind(target)
    except OSError as error:
        reason = _find_reason(error, partial)
        if reason is None:
            raise
        raise OutputError(f"{path}: {reason}; nothing was left there.") from None
    finally:
        with suppress(OSError):  # of a folder that cannot be written, said above
            partial.unlink(missing_ok=True)


@contextmanager
def write_hdf5(path: Path) -> Iterator[tuple[h5py.File, Callable[[], None]]]:
    """Yield an empty HDF5 file that stands under its name, complete, when the block ends; else nothing does.

    Args:
        path: Where the file shall stand. Its folder must be there.

    Yields:
        The open file, and a function that raises once something could not be written (called at the end too).

    Raises:
        OutputError: The file cannot be written there: no folder, no permission, no space.
    """
    import h5py

    with write_whole(path) as partial, _PatientFile(partial, "w+b") as disk:
        try:
            with h5py.File(disk, "w") as file:
                yield file, disk.raise_error
        except (OSError, RuntimeError):
            disk.raise_error()  # what HDF5 says of a full disk may be about anything
            raise
        disk.raise_error()


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; its folder is made where it is missing.

    Raises:
        OutputError: The file cannot be written there.
    """
    make_folder(path.parent)
    with write_whole(path) as partial:
        partial.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a file as UTF-8, whole or not at all; its folder is made where it is missing.

    Raises:
        OutputError: The file cannot be written there.
    """
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Write plain data as indented JSON, whole or not at all; its folder is made where it is missing.

    Raises:
        OutputError: The file cannot be written there.
    """
    write_text(path, json.dumps(content, indent=1) + "\n")


def write_csv_columns(
    path: Path, numbered: str, columns: Mapping[str, Iterable[float]], first: int = 0
) -> None:
    """Write columns of numbers as CSV, whole or not at all: one line an item, seven digits.

    Args:
        path: The file.
        numbered: Header of the first column, which counts the items.
        columns: Equally many numbers each, by header.
        first: Number of the first item.

    Raises:
        OutputError: The file cannot be written.
    """
    with write_whole(path) as partial, partial.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow([numbered, *columns])
        for number, row in enumerate(zip(*columns.values(), strict=True), first):
            writer.writerow([number, *(f"{value:.7g}" for value in row)])


def make_folder(folder: Path) -> None:
    """Make a folder, with those above it, where it is missing.

    Raises:
        OutputError: It cannot be made there, or a file has its name.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise OutputError(f"{folder} is a file, not a folder; give another name.") from None
    except NotADirectoryError:
        raise OutputError(f"{folder}: a file stands where a folder is needed; give another name.") from None
    except OSError as error:
        raise OutputError(f"the folder {folder} cannot be made: {_describe(error)}.") from None


@contextmanager
def hold_folder(folder: Path) -> Iterator[None]:
    """Keep a folder for this process until the block ends, or the process does.

    Where the file system knows no locks, nobody is kept out.

    Args:
        folder: It must be there.

    Raises:
        OutputError: Another process holds it.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with hold_folder(folder), hold_folder(folder):
        ...     pass  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        calokit.errors.OutputError: another process is at work in ...; wait until it is done, or stop it.
    """
    if importlib.util.find_spec("fcntl") is None:  # Windows
        yield
        return
    import fcntl

    held = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(
                f"another process is at work in {folder}; wait until it is done, or stop it."
            ) from None
        except OSError:  # no locks here
            pass
        yield
    finally:
        os.close(held)


def check_writable(path: Path, *inputs: Path | None) -> None:
    """Find out before the work whether a file can be written; a small one is written there and removed.

    Args:
        path: Where the file shall stand.
        inputs: Files that the work reads, which the new one must not replace.

    Raises:
        OutputError: It cannot: its folder is missing or takes no files, a folder has its name, no space is
            left, or it is one of the inputs.

    Example:
        >>> check_writable(Path("no such folder/showers.h5"))
        Traceback (most recent call last):
        ...
        calokit.errors.OutputError: no such folder/showers.h5: the folder no such folder does not exist.
    """
    target = Path(os.path.realpath(path))
    _check_place(path, target)
    if target.exists() and any(one is not None and one.exists() and target.samefile(one) for one in inputs):
        raise OutputError(f"{path} is read by this command; give the output another name.")
    _try_to_write(target, path)


def check_folder_writable(folder: Path) -> None:
    """Find out before the work whether a folder takes files, or can be made; it is not made.

    Raises:
        OutputError: It takes none.
    """
    place = Path(os.path.realpath(folder))
    while not place.exists():
        place = place.parent
    if not place.is_dir():
        raise OutputError(f"{folder}: {place} is a file, not a folder; give another name.")
    _try_to_write(place / "trial", folder)


def say_no_file(path: Path) -> str:
    """Return why a path is no file to read: it is a folder, or it is not there.

    Example:
        >>> say_no_file(Path("nowhere.h5"))
        'nowhere.h5: no such file.'
    """
    why = "this is a folder, not a file; name a file in it" if path.is_dir() else "no such file"
    return f"{path}: {why}."


def file_word(label: str) -> str:
    """Return a label with everything but letters, digits, `-` and `_` replaced, for a file name.

    Example:
        >>> file_word("classifier.auc low")
        'classifier_auc_low'
    """
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in label)


class _PatientFile(io.FileIO):
    """A file that keeps the first error of writing for later: HDF5 crashes where a disk is full.

    From then on it forgets what is written and reads zeros.
    """

    error: OSError | None = None

    def write(self, content: ReadableBuffer, /) -> int:
        """Write all of the content, or forget it."""
        left = memoryview(content).cast("B")
        size = len(left)
        while len(left) and self.error is None:
            try:
                left = left[super().write(left) :]
            except OSError as error:
                self.error = error
        return size

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill the buffer, behind the end of the file with zeros."""
        wanted = memoryview(buffer).cast("B")
        found = 0 if self.error is not None else super().readinto(wanted) or 0
        wanted[found:] = bytes(len(wanted) - found)
        return len(wanted)

    def truncate(self, size: int | None = None, /) -> int:
        """Set the length of the file, unless writing failed before."""
        if self.error is None:
            try:
                return super().truncate(size)
            except OSError as error:
                self.error = error
        return size or 0

    def raise_error(self) -> None:
        """Raise what writing met, if anything."""
        if self.error is not None:
            raise self.error


def _partial_name(target: Path) -> Path:
    """Return a hidden name that no other process writes to."""
    name = os.fsencode(target.name)[:200].decode("utf-8", "ignore")  # names are limited in bytes
    return target.with_name(f".{name}.{os.getpid()}.partial")


def _remove_left_behind(target: Path) -> None:
    """Remove the temporary files of a target that nobody has written to for long."""
    mine = re.escape(_partial_name(target).name.removesuffix(f"{os.getpid()}.partial"))
    for path in _find_partials(target.parent):
        if re.fullmatch(rf"{mine}\d+\.partial", path.name):
            with suppress(OSError):  # another process was faster
                if time.time() - path.stat().st_mtime > _LEFT_BEHIND_SECONDS:
                    path.unlink()


@cache
def _find_partials(folder: Path) -> list[Path]:
    """Return a folder's temporary files as they were at first: listing a folder of many files is slow."""
    with suppress(OSError):  # it cannot be listed
        return list(folder.glob(".*.partial"))
    return []


def _check_place(path: Path, target: Path) -> None:
    """Refuse places where no file can stand."""
    try:
        target.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {_describe(error)}.") from None
    if target.is_dir():
        raise OutputError(f"{path} is a folder; give the name of a file.")
    if target.exists() and not stat.S_ISREG(target.stat().st_mode):
        raise OutputError(f"{path} is no ordinary file; give another name.")
    if target.parent.exists() and not target.parent.is_dir():
        raise OutputError(f"{path}: {path.parent} is a file, not a folder.")
    if not target.parent.is_dir():
        folder = path.parent if not path.parent.is_dir() else target.parent
        raise OutputError(f"{path}: the folder {folder} does not exist.")


def _try_to_write(target: Path, named: Path) -> None:
    """Write a small file beside the target and remove it."""
    trial = _partial_name(target)
    try:
        with trial.open("wb") as stream:
            stream.write(bytes(_TRIAL_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise OutputError(f"{named} cannot be written: {_describe(error)}.") from None
    finally:
        with suppress(OSError):
            trial.unlink(missing_ok=True)


def _find_reason(error: OSError, partial: Path) -> str | None:
    """Say why writing failed, or None where the error is about something else."""
    about_disk = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    of_this_file = error.filename in (str(partial), partial)
    return f"it cannot be written: {_describe(error)}" if about_disk or of_this_file else None


def _describe(error: OSError) -> str:
    return _REASONS.get(error.errno or 0, (error.strerror or str(error)).lower())
