"""Which part of long columns of hits belongs to which event."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calokit.errors import ShowerFileError

Int64 = NDArray[np.int64]

READ_HITS = 2**20
"""How many numbers are read at a time, and about how many hits a piece has."""


@dataclass(frozen=True)
class EventRuns:
    """Where the hits of each event stand.

    Attributes:
        starts: First hit of each event (event,).
        stops: The hit behind its last (event,); equal to the first (0) for an event without hits.
    """

    starts: Int64
    stops: Int64

    def pieces(self, most_events: int) -> Iterator[tuple[int, int]]:
        """Go through the events: first event of each piece and the one behind its last.

        A piece has at most `most_events` events, and about a million hits unless one event has more.
        """
        totals = np.cumsum(self.stops - self.starts)
        start = 0
        while start < len(self.starts):
            before = int(totals[start - 1]) if start else 0
            within = int(np.searchsorted(totals, before + READ_HITS, side="right"))
            stop = max(start + 1, min(within, start + most_events))
            yield start, min(stop, len(self.starts))
            start = stop

    def members(self, start: int, stop: int) -> tuple[int, int, Int64]:
        """Return first and last + 1 hit of events `start` up to `stop`, and each hit's event from 0."""
        counts = self.stops[start:stop] - self.starts[start:stop]
        filled = np.flatnonzero(counts)
        if not len(filled):
            return 0, 0, np.zeros(0, dtype=np.int64)
        first = int(self.starts[start + filled[0]])
        last = int(self.stops[start + filled[-1]])
        return first, last, np.repeat(np.arange(stop - start, dtype=np.int64), counts)


def find_runs(
    read: Callable[[int, int], NDArray[Any]], hits: int, where: str, numbers: Int64 | None = None
) -> EventRuns:
    """Return where the hits of each event stand.

    Args:
        read: Returns the event numbers of the hits from one place up to another.
        hits: How many hits there are.
        where: What is read, for messages.
        numbers: Number of each event, growing (event,); those that have hits where not given.

    Raises:
        ShowerFileError: The numbers fall along the file, are no whole numbers, or name an unknown event.

    Example:
        >>> ids = np.array([4, 4, 7])
        >>> runs = find_runs(lambda start, stop: ids[start:stop], 3, "here", np.array([4, 5, 7]))
        >>> runs.starts.tolist(), runs.stops.tolist()
        ([0, 0, 2], [2, 0, 3])
    """
    found: list[Int64] = []
    starts: list[Int64] = []
    last: int | None = None
    for begin in range(0, hits, READ_HITS):
        raw = np.asarray(read(begin, min(begin + READ_HITS, hits)))
        if raw.dtype.kind not in "iu" and not (np.isfinite(raw) & (raw == np.round(raw))).all():
            raise ShowerFileError(f"{where}: the numbers of the events must be whole numbers.")
        ids = raw.astype(np.int64)
        steps = np.diff(ids, prepend=ids[0] if last is None else last)
        if (steps < 0).any():
            place = begin + int(np.flatnonzero(steps < 0)[0])
            raise ShowerFileError(
                f"{where}: the number of the event falls at hit {place}; sort the hits by event."
            )
        new = steps != 0
        new[0] |= last is None
        found.append(ids[new])
        starts.append(begin + np.flatnonzero(new).astype(np.int64))
        last = int(ids[-1])
    with_hits = np.concatenate([np.zeros(0, dtype=np.int64), *found])
    edges = np.concatenate([np.zeros(0, dtype=np.int64), *starts, np.array([hits], dtype=np.int64)])
    if numbers is None:
        return EventRuns(edges[:-1], edges[1:])
    unknown = np.setdiff1d(with_hits, numbers)
    if len(unknown):
        raise ShowerFileError(
            f"{where}: hits of event {unknown[0]}, which has no incident particle in the file."
        )
    places = np.searchsorted(numbers, with_hits)
    runs = EventRuns(np.zeros(len(numbers), dtype=np.int64), np.zeros(len(numbers), dtype=np.int64))
    runs.starts[places], runs.stops[places] = edges[:-1], edges[1:]
    return runs
