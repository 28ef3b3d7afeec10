"""Reading trees of ROOT files through uproot, which comes with the extra `root`."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calokit.errors import ConfigurationError, ShowerFileError, suggest_near_miss

_DAMAGES = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    NotImplementedError,
    RuntimeError,
    struct.error,
    zlib.error,
)


def import_uproot() -> ModuleType:
    """Return the module uproot.

    Raises:
        ConfigurationError: It is not installed.
    """
    try:
        import awkward  # type: ignore[import-untyped]  # noqa: F401
        import uproot  # type: ignore[import-untyped]
    except ImportError:
        raise ConfigurationError(
            "ROOT files are read with uproot, which is not installed; say: pip install uproot awkward"
        ) from None
    module: ModuleType = uproot
    return module


_TREES = ("TTree", "ROOT::RNTuple")


@contextmanager
def open_root(path: Path) -> Iterator[Any]:
    """Open a ROOT file for reading.

    Raises:
        ConfigurationError: uproot is not installed.
        ShowerFileError: The file is damaged where it was read.
    """
    uproot = import_uproot()
    try:
        with uproot.open(path) as file:
            expected, found = int(file.file.fEND), path.stat().st_size
            if found < expected:
                raise ShowerFileError(
                    f"{path}: the file is truncated ({found} of {expected} bytes). Copy it again."
                )
            yield file
    except (*_DAMAGES, uproot.deserialization.DeserializationError) as error:
        words = " ".join(str(error).split())[:200]
        raise ShowerFileError(
            f"{path}: not readable as a ROOT file ({words}); it is truncated, damaged, or of a kind that "
            "uproot does not read."
        ) from error


def list_trees(file: Any) -> list[str]:
    """Return the names of the trees and RNTuples, each once, without cycle numbers."""
    return sorted({name.split(";")[0] for name, kind in file.classnames().items() if kind in _TREES})


def choose_tree(file: Any, path: Path, name: str | None) -> Any:
    """Return the tree of that name, or the only one of the file.

    Raises:
        ShowerFileError: The file has no such tree, or several and none was named.
    """
    trees = list_trees(file)
    if name is None:
        if len(trees) != 1:
            raise ShowerFileError(
                f"{path}: the file has {len(trees)} trees ({', '.join(trees)}); name one with the mapping's "
                "key tree."
            )
        name = trees[0]
    if name not in trees:
        raise ShowerFileError(f"{path}: no tree {name!r}. {suggest_near_miss(name, trees)}")
    return file[name]


def read_branch(tree: Any, path: Path, name: str, start: int, stop: int) -> Any:
    """Return the entries of a branch as an awkward array.

    Raises:
        ShowerFileError: The tree has no such branch.
    """
    if name not in tree:
        known = {str(branch) for branch in tree.keys()}  # noqa: SIM118 (uproot's trees iterate otherwise)
        raise ShowerFileError(f"{path}: branch {name!r} is missing. {suggest_near_miss(name, known)}")
    return tree[name].array(entry_start=start, entry_stop=stop, library="ak")


def is_ragged(values: Any) -> bool:
    """Tell whether an awkward array has lists of different lengths."""
    return "var" in str(values.type)


def flatten_lists(values: Any, path: Path, name: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the elements of lists one after the other (element,), and how many each list had (list,).

    Raises:
        ShowerFileError: The elements are lists again, or no numbers.
    """
    import awkward

    if values.ndim != 2:
        raise ShowerFileError(f"{path}: branch {name!r} is not a list of numbers in every event.")
    counts = np.asarray(awkward.to_numpy(awkward.num(values, axis=1)), dtype=np.int64)
    return np.asarray(awkward.to_numpy(awkward.flatten(values, axis=1))), counts
