"""The datasets of a user's HDF5, npz or ROOT file behind one face: names, numbers of rows, rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np
from numpy.typing import NDArray

from calokit.errors import ConfigurationError, ShowerFileError
from calokit.showers.formats.containers.contents import Container, Contents
from calokit.showers.formats.containers.npz import NpzArrays, open_npz
from calokit.showers.formats.containers.root import (
    choose_tree,
    flatten_lists,
    is_ragged,
    open_root,
    read_branch,
)
from calokit.showers.hdf5 import open_hdf5, require_dataset


class Table(Protocol):
    """Named columns of numbers, read row by row."""

    path: Path

    def count_rows(self, name: str) -> int:
        """Return how many rows a column has."""

    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Return rows of a column, all of one shape."""

    def read_lists(self, name: str, start: int, stop: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Return the elements of lists one after the other, and how many each row has."""


class Hdf5Table:
    """The datasets of an HDF5 file."""

    def __init__(self, path: Path, file: h5py.File) -> None:
        """Keep the open file."""
        self.path = path
        self._file = file

    def count_rows(self, name: str) -> int:
        """Return the length of a dataset."""
        return _length(self.path, name, require_dataset(self._file, self.path, name).shape)

    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Return rows of a dataset."""
        return np.asarray(self._file[name][start:stop])

    def read_lists(self, name: str, start: int, stop: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Return the rows of a dataset with two axes as lists."""
        return _split_rows(self.path, name, self.read(name, start, stop))


class NpzTable:
    """The arrays of an npz file."""

    def __init__(self, path: Path, arrays: NpzArrays) -> None:
        """Keep the open file."""
        self.path = path
        self._arrays = arrays

    def count_rows(self, name: str) -> int:
        """Return the length of an array."""
        return _length(self.path, name, self._arrays.require(name))

    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Return rows of an array."""
        return self._arrays.read(name, start, stop)

    def read_lists(self, name: str, start: int, stop: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Return the rows of an array with two axes as lists."""
        return _split_rows(self.path, name, self.read(name, start, stop))


class RootTable:
    """The branches of a tree of a ROOT file."""

    def __init__(self, path: Path, tree: Any) -> None:
        """Keep the open tree."""
        self.path = path
        self._tree = tree

    def count_rows(self, name: str) -> int:
        """Return the number of entries of the tree; a missing branch is refused."""
        read_branch(self._tree, self.path, name, 0, 0)
        return int(self._tree.num_entries)

    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Return the entries of a branch whose arrays all have the same length."""
        values = read_branch(self._tree, self.path, name, start, stop)
        if is_ragged(values):
            flat, counts = flatten_lists(values, self.path, name)
            if len(set(counts.tolist())) != 1:
                raise ShowerFileError(
                    f"{self.path}: branch {name!r} has lists of different lengths; one number (or the same "
                    "number of cells) in every event is needed here."
                )
            return _numbers(self.path, name, flat.reshape(len(counts), -1))
        return _numbers(self.path, name, np.asarray(values))

    def read_lists(self, name: str, start: int, stop: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Return the elements of the lists of a branch, and how many each entry has."""
        flat, counts = flatten_lists(read_branch(self._tree, self.path, name, start, stop), self.path, name)
        return _numbers(self.path, name, flat), counts


@contextmanager
def open_table(contents: Contents, tree: str | None) -> Iterator[Table]:
    """Open a file's columns for reading.

    Args:
        contents: The file.
        tree: The tree of a ROOT file; None takes the only one.

    Raises:
        ShowerFileError: The file is damaged, or has no such tree.
        ConfigurationError: The file is neither HDF5 nor npz nor ROOT, or a tree is named where none can be.
    """
    path = contents.path
    if tree is not None and contents.container is not Container.ROOT:
        raise ConfigurationError(f"{path}: the mapping's key tree is for ROOT files; leave it out.")
    if contents.container is Container.HDF5:
        with open_hdf5(path) as file:
            yield Hdf5Table(path, file)
    elif contents.container is Container.NPZ:
        with open_npz(path) as arrays:
            yield NpzTable(path, arrays)
    elif contents.container is Container.ROOT:
        with open_root(path) as file:
            yield RootTable(path, choose_tree(file, path, tree))
    else:
        raise ConfigurationError(f"{path}: a mapping of columns is for HDF5, npz and ROOT files.")


def _length(path: Path, name: str, shape: tuple[int, ...]) -> int:
    """Return the length of the first axis."""
    if not shape:
        raise ShowerFileError(f"{path}: {name!r} is a single number; a row for each event or hit is needed.")
    return int(shape[0])


def _split_rows(path: Path, name: str, rows: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the elements of rows, and how many each row has."""
    if rows.ndim != 2:
        raise ShowerFileError(
            f"{path}: {name!r} has {rows.ndim} axes; hits without event need a list in each event (two "
            "axes), or give hits.event."
        )
    return rows.reshape(-1), np.full(len(rows), rows.shape[1], dtype=np.int64)


def _numbers(path: Path, name: str, values: NDArray[Any]) -> NDArray[Any]:
    """Refuse what holds no numbers."""
    if values.dtype.kind not in "iufb":
        raise ShowerFileError(f"{path}: branch {name!r} holds no numbers.")
    return values
