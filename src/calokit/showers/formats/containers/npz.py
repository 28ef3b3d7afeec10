"""Reading the arrays of an npz file row by row: nothing is unpickled, no array is held whole."""

from __future__ import annotations

import math
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from calokit.errors import ShowerFileError, suggest_near_miss

_DAMAGES = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    SyntaxError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True)
class _Header:
    """Shape and kind of an array."""

    shape: tuple[int, ...]
    kind: np.dtype[Any]


class NpzArrays:
    """The arrays of an npz file; rows are read forward from the compressed file.

    Attributes:
        path: The file.
        shapes: The shape of each array by its name.
    """

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        """Read the headers of all arrays."""
        self.path = path
        self._archive = archive
        self._streams: dict[str, tuple[IO[bytes], int]] = {}
        self._headers: dict[str, _Header] = {}
        for member in archive.namelist():
            if member.endswith(".npy"):
                stream, header = self._begin(member.removesuffix(".npy"))
                stream.close()
                self._headers[member.removesuffix(".npy")] = header
        self.shapes = {name: header.shape for name, header in self._headers.items()}

    def require(self, name: str) -> tuple[int, ...]:
        """Return the shape of an array.

        Raises:
            ShowerFileError: The file has none of that name, or it holds no numbers.
        """
        if name not in self._headers:
            raise ShowerFileError(
                f"{self.path}: array {name!r} is missing. {suggest_near_miss(name, self._headers)}"
            )
        if self._headers[name].kind.kind not in "iufb":
            raise ShowerFileError(f"{self.path}: array {name!r} holds no numbers.")
        return self._headers[name].shape

    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Return rows of an array from `start` up to (not including) `stop`.

        Raises:
            ShowerFileError: The array ends early or is damaged.
        """
        header = self._headers[name]
        row_bytes = math.prod(header.shape[1:]) * header.kind.itemsize
        stream, position = self._streams.get(name, (None, 0))
        if stream is None or position > start:
            if stream is not None:
                stream.close()
            stream, _ = self._begin(name)
            position = 0
            self._streams[name] = (stream, position)
        self._skip(stream, name, (start - position) * row_bytes)
        data = self._take(stream, name, (stop - start) * row_bytes)
        self._streams[name] = (stream, stop)
        return np.frombuffer(data, dtype=header.kind).reshape(stop - start, *header.shape[1:])

    def close(self) -> None:
        """Close the streams."""
        for stream, _ in self._streams.values():
            stream.close()
        self._streams.clear()

    def _begin(self, name: str) -> tuple[IO[bytes], _Header]:
        """Open an array's stream behind its header."""
        stream = self._archive.open(f"{name}.npy")
        try:
            return stream, self._read_header(stream, name)
        except BaseException:
            stream.close()
            raise

    def _read_header(self, stream: IO[bytes], name: str) -> _Header:
        """Read shape and kind of an array, and refuse what is not read here."""
        version = np.lib.format.read_magic(stream)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, fortran, kind = read(stream)
        if kind.hasobject:
            raise ShowerFileError(
                f"{self.path}: array {name!r} holds Python objects, which calokit does not unpickle; "
                "save it as numbers."
            )
        if fortran and len(shape) > 1:
            raise ShowerFileError(
                f"{self.path}: array {name!r} is in Fortran order; save it with numpy.ascontiguousarray."
            )
        return _Header(tuple(shape), kind)

    def _skip(self, stream: IO[bytes], name: str, size: int) -> None:
        """Pass over bytes, some megabytes at a time."""
        while size > 0:
            size -= len(self._take(stream, name, min(size, 2**24)))

    def _take(self, stream: IO[bytes], name: str, size: int) -> bytes:
        """Read exactly that many bytes."""
        data = stream.read(size)
        if len(data) < size:
            raise ShowerFileError(f"{self.path}: array {name!r} ends early; the file is damaged.")
        return data


@contextmanager
def open_npz(path: Path) -> Iterator[NpzArrays]:
    """Open an npz file for reading.

    Raises:
        ShowerFileError: The file is not readable, or an array holds Python objects.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = NpzArrays(path, archive)
            try:
                yield arrays
            finally:
                arrays.close()
    except _DAMAGES as error:
        words = " ".join(str(error).split())
        raise ShowerFileError(
            f"{path}: not a readable npz file ({words}); it is truncated or damaged. Copy it again."
        ) from error
