"""Opening an HDF5 file of any origin, so that whatever is wrong with it becomes one error that names it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from calokit.errors import ShowerFileError, suggest_near_miss
from calokit.files import say_no_file
from calokit.showers.hdf5_storage import keep_chunks, require_stored_whole


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open a file for reading.

    Datasets of large chunks keep the last one in memory while the file is open, so that reading them piece by
    piece unpacks each chunk once.

    Raises:
        ShowerFileError: The file is missing, locked, not readable HDF5, or damaged where it was read.
    """
    with name_damage(path), open_to_keep(path) as file:
        kept = keep_chunks(file)
        yield file
        del kept


@contextmanager
def name_damage(path: Path) -> Iterator[None]:
    """Turn whatever h5py stumbles over while a file is read into one error that names the file.

    Raises:
        ShowerFileError: The file is damaged.
    """
    try:
        yield
    except MemoryError as error:
        raise ShowerFileError(
            f"{path}: more memory is needed than there is ({error}), or the file is damaged; read a part."
        ) from error
    except (OSError, KeyError, IndexError, RuntimeError, TypeError, ValueError) as error:
        words = " ".join(str(error).split())
        raise ShowerFileError(f"{path}: the file is damaged ({words}). Copy it again.") from error


def open_to_keep(path: Path) -> h5py.File:
    """Open a file for reading, for as long as the caller wants.

    Raises:
        ShowerFileError: The file is missing, locked or not readable HDF5.
    """
    if not path.is_file():
        raise ShowerFileError(say_no_file(path))
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise ShowerFileError(f"{path}: {_why_not_open(error)}") from None


def _why_not_open(error: OSError) -> str:
    """Return why HDF5 does not open a file, and what to do."""
    if error.errno == errno.EACCES:
        return "this user may not read the file."
    if error.errno == errno.EAGAIN or "unable to lock file" in str(error):
        return (
            "another process holds the file open for writing (it is locked). Close it there, or read a copy; "
            "where nobody writes and the file system only cannot lock, set HDF5_USE_FILE_LOCKING=FALSE."
        )
    if "already open" in str(error):
        return "this process holds the file open for writing; close it first."
    return (
        "not a readable HDF5 file; it is truncated or of another format. "
        "Copy it again, or convert it to the native form."
    )


def list_datasets(file: h5py.File) -> dict[str, tuple[int, ...]]:
    """Return the shape of every dataset by its path in the file."""
    shapes: dict[str, tuple[int, ...]] = {}

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            shapes[name] = tuple(item.shape or ())

    file.visititems(note)
    # Links to other files are not visited; those at the top are followed here.
    for name in file:
        if name not in shapes and isinstance(file.get(name), h5py.Dataset):
            shapes[name] = tuple(file[name].shape or ())
    return shapes


def require_dataset(file: h5py.File, path: Path, name: str) -> h5py.Dataset:
    """Return a dataset of numbers, all of which can be read.

    Raises:
        ShowerFileError: The file has none of that name, or it holds no numbers, or what it is stored in is
            missing: another file, or the filter that unpacks it.
    """
    found = file.get(name)
    if not isinstance(found, h5py.Dataset):
        raise ShowerFileError(f"{path}: {_why_missing(file, name)}")
    require_stored_whole(found, path)
    if found.dtype.kind not in "iuf":
        raise ShowerFileError(f"{path}: dataset {name!r} holds no numbers ({found.dtype}).")
    return found


def _why_missing(file: h5py.File, name: str) -> str:
    """Return why a file has no dataset of a name."""
    try:
        link = file.get(name, getlink=True)
    except KeyError:
        link = None
    if isinstance(link, h5py.ExternalLink):
        return (
            f"dataset {name!r} is a link to {link.path} in file {link.filename}, which is not there. Put "
            "that file beside this one, or copy the data into one file (h5copy)."
        )
    if isinstance(link, h5py.SoftLink):
        return f"dataset {name!r} is a link to {link.path}, which this file does not have."
    if name in file:
        return f"dataset {name!r} is missing; the name is that of a group."
    held = list_datasets(file)
    names = ", ".join(sorted(held)[:12]) or "nothing"
    return f"dataset {name!r} is missing (it holds: {names}). {suggest_near_miss(name, held)}"


def require_shape(dataset: h5py.Dataset, path: Path, expected: tuple[int | None, ...]) -> None:
    """Refuse a dataset of another shape; None in the expected shape stands for any length.

    Raises:
        ShowerFileError: The shape differs.
    """
    shape = tuple(dataset.shape or ())
    fits = len(shape) == len(expected) and all(
        wanted in (None, given) for given, wanted in zip(shape, expected, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if length is None else str(length) for length in expected)
        raise ShowerFileError(
            f"{path}: dataset {dataset.name.lstrip('/')!r} has shape {shape}, expected ({wanted})."
        )
