"""Showers in memory behind the face of a shower file, so that they can be judged like one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from calokit.errors import ShowerFileError
from calokit.showers.batch import Showers
from calokit.showers.checks import check_sanity
from calokit.showers.files import ShowerFile
from calokit.showers.incidents import Incidents
from calokit.showers.splits import Split


@dataclass(frozen=True)
class ShowersInMemory(ShowerFile):
    """Showers in memory, read as a file is; `path` is the name they go by.

    Attributes:
        showers: All of them; the view holds those from `first` to `last`.
    """

    showers: Showers | None = None

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the showers' energies and incident particles, hexadecimal."""
        part = self._part(self.first, self.last)
        digest = hashlib.sha256(part.energies.tobytes())
        for name, column in sorted(part.incidents.columns().items()):
            digest.update(name.encode() + column.tobytes())
        return digest.hexdigest()

    def read(self, start: int, stop: int) -> Showers:
        """Return the showers from `start` up to (not including) `stop`, counted within the view.

        Raises:
            ShowerFileError: The range is empty or outside the view.
        """
        if not 0 <= start < stop <= len(self):
            raise ShowerFileError(f"{self.path}: showers {start} to {stop} asked for, it has {len(self)}.")
        return self._part(start + self.first, stop + self.first)

    def chunks(self, size: int | None = None) -> Iterator[Showers]:
        """Go through the view, `size` showers at a time (default: 4096)."""
        step = size or 4096
        for start in range(self.first, self.last, step):
            yield self._part(start, min(start + step, self.last))

    def incident_chunks(self, size: int = 65536) -> Iterator[Incidents]:
        """Go through the incident particles alone."""
        for start in range(self.first, self.last, size):
            yield self._part(start, min(start + size, self.last)).incidents

    def _part(self, start: int, stop: int) -> Showers:
        assert self.showers is not None
        return self.showers[start:stop]


def as_view(showers: ShowerFile | Showers, name: str = "showers in memory") -> ShowerFile:
    """Return showers as a view that can be read like a file; a file as it is.

    Args:
        showers: A file, or showers in memory.
        name: What showers in memory go by, in messages and tables.

    Raises:
        ShowerFileError: There are none, or they hold values that no shower has.

    Example:
        >>> import numpy as np
        >>> from calokit.detector import load_detector
        >>> zdc = load_detector("zdc_ecal")
        >>> showers = Showers.of(np.ones((2, 400), np.float32), zdc, Incidents.of(np.array([1e3, 2e3])))
        >>> len(as_view(showers)), len(as_view(showers).read(1, 2))
        (2, 1)
    """
    if isinstance(showers, ShowerFile):
        return showers
    if not isinstance(showers, Showers):
        raise ShowerFileError(
            f"{name}: a path, an open file or calokit.Showers is needed, not {type(showers).__name__}; "
            "calokit.Showers.of(energies, detector, calokit.Incidents.of(...)) makes them of arrays."
        )
    if not len(showers):
        raise ShowerFileError(f"{name}: there are no showers.")
    check_sanity(showers, name)
    incident = set(showers.incidents.columns())
    columns = frozenset({"showers", *incident, *(() if showers.entries is None else ("entries",))})
    attributes = {"generator": name, "energy_unit": "MeV"}
    view = ShowersInMemory(
        Path(name), Split.ALL, None, 0, len(showers), showers.detector, attributes, columns
    )
    return replace(view, showers=showers)
