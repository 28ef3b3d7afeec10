"""Opening a foreign HDF5 file, so that whatever is wrong with it becomes one error that names it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from calokit.errors import ShowerFileError, suggest_near_miss


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open a file for reading.

    Raises:
        ShowerFileError: The file is not readable HDF5, or damaged where it was read.
    """
    try:
        file = h5py.File(path, "r")
    except OSError:
        raise ShowerFileError(
            f"{path}: not a readable HDF5 file; it is truncated or damaged. Copy it again."
        ) from None
    try:
        with file:
            yield file
    except (OSError, KeyError, MemoryError, RuntimeError, TypeError, ValueError) as error:
        words = " ".join(str(error).split())
        raise ShowerFileError(f"{path}: the file is damaged ({words}). Copy it again.") from error


def list_datasets(file: h5py.File) -> dict[str, tuple[int, ...]]:
    """Return the shape of every dataset by its path in the file."""
    shapes: dict[str, tuple[int, ...]] = {}

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            shapes[name] = tuple(item.shape or ())

    file.visititems(note)
    return shapes


def require_dataset(file: h5py.File, path: Path, name: str) -> h5py.Dataset:
    """Return a dataset.

    Raises:
        ShowerFileError: The file has none of that name, or it holds no numbers.
    """
    if name not in file or not isinstance(file[name], h5py.Dataset):
        raise ShowerFileError(
            f"{path}: dataset {name!r} is missing. {suggest_near_miss(name, list_datasets(file))}"
        )
    if file[name].dtype.kind not in "iuf":
        raise ShowerFileError(f"{path}: dataset {name!r} holds no numbers ({file[name].dtype}).")
    return file[name]


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
