"""The processors of this machine: which this process may use, and which nobody uses."""

from __future__ import annotations

import os
import time
from pathlib import Path

PROCESSOR_TIMES = Path("/proc/stat")
LOOK_SECONDS = 0.15
"""How long the load of the processors is watched."""


def usable_processors() -> int:
    """Return how many processors this process may use."""
    return len(_usable())


def free_processors() -> int:
    """Return how many processors nobody else uses now, at least one.

    Each counts by the part of a short while in which it was idle.
    """
    usable = _usable()
    try:
        before = _idle_and_whole(usable)
        time.sleep(LOOK_SECONDS)
        after = _idle_and_whole(usable)
    except (OSError, ValueError, LookupError):
        idle = len(usable) - os.getloadavg()[0] if hasattr(os, "getloadavg") else float(len(usable))
        return min(len(usable), max(1, round(idle)))
    idle = sum(
        (i1 - i0) / (w1 - w0) if w1 > w0 else 1.0 for (i0, w0), (i1, w1) in zip(before, after, strict=True)
    )
    return min(len(usable), max(1, round(idle)))


def _usable() -> list[int]:
    """Return the numbers of the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))  # macOS


def _idle_and_whole(processors: list[int]) -> list[tuple[int, int]]:
    """Return time idle and in all of some processors, in ticks, as Linux counts them."""
    lines = [line.split() for line in PROCESSOR_TIMES.read_text().splitlines() if line.startswith("cpu")]
    ticks = {words[0]: [int(word) for word in words[1:9]] for words in lines}
    return [(sum(ticks[f"cpu{number}"][3:5]), sum(ticks[f"cpu{number}"])) for number in processors]
