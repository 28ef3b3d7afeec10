"""What a foreign file holds, told from its first bytes and its table of contents."""

from __future__ import annotations

import csv
import zipfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import h5py

from calokit.errors import ShowerFileError
from calokit.files import say_no_file
from calokit.showers.formats.containers.npz import open_npz
from calokit.showers.formats.containers.root import list_trees, open_root
from calokit.showers.hdf5 import list_datasets, open_hdf5


class Container(StrEnum):
    """Kinds of files."""

    HDF5 = "HDF5"
    NPZ = "npz"
    ROOT = "ROOT"
    TEXT = "text"
    BINARY = "binary"


@dataclass(frozen=True)
class Contents:
    """What is inside a file.

    Attributes:
        path: The file.
        container: The kind of file.
        shapes: Shape of each dataset, array or column by its name; of a ROOT file, the trees and, with an
            empty shape, the branches of the tree `events`.
    """

    path: Path
    container: Container
    shapes: dict[str, tuple[int, ...]]

    def describe(self) -> str:
        """Return the kind of file and the names inside, for a message."""
        names = sorted(self.shapes)
        shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
        return f"{self.container} with {shown}" if names else f"{self.container}"


def look_inside(path: Path) -> Contents:
    """Return what a file holds.

    Raises:
        ShowerFileError: The file is missing or empty, or damaged.
        ConfigurationError: It is a ROOT file and uproot is not installed.
    """
    if not path.is_file():
        raise ShowerFileError(say_no_file(path))
    with path.open("rb") as stream:
        head = stream.read(4096)
    if not head:
        raise ShowerFileError(f"{path}: the file is empty.")
    if h5py.is_hdf5(path) or head.startswith(b"\x89HDF"):
        with open_hdf5(path) as file:
            return Contents(path, Container.HDF5, list_datasets(file))
    if head.startswith(b"PK") or zipfile.is_zipfile(path):
        with open_npz(path) as arrays:
            return Contents(path, Container.NPZ, arrays.shapes)
    if head.startswith(b"root"):
        return Contents(path, Container.ROOT, _list_root(path))
    if _is_text(head):
        names = next(csv.reader([head.decode("utf-8", "replace").splitlines()[0]]))
        return Contents(path, Container.TEXT, {name.strip(): () for name in names})
    return Contents(path, Container.BINARY, {})


def _list_root(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the names of the trees and of the branches of the tree `events`."""
    with open_root(path) as file:
        shapes: dict[str, tuple[int, ...]] = {}
        for name in list_trees(file):
            shapes[name] = (int(file[name].num_entries),)
        if "events" in shapes:
            shapes |= {str(name): () for name in file["events"].keys(recursive=True)}
        return shapes


def _is_text(head: bytes) -> bool:
    """Tell whether the first bytes are printable text."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:
            return False
        text = head[: error.start].decode("utf-8")
    return all(letter.isprintable() or letter in "\r\n\t" for letter in text)
