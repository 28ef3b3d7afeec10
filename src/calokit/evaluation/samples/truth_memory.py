"""What only truth decides, found once for all samples that are judged by it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Found = TypeVar("Found")


class TruthMemory:
    """Keeps what was found of reference and floor.

    Args:
        circumstances: What decides how reference and floor compare, whatever was generated.

    Example:
        >>> memory = TruthMemory()
        >>> memory.recall("floor", lambda: 0.5), memory.recall("floor", lambda: 0.7)
        (0.5, 0.5)
        >>> memory.within(100).recall("floor", lambda: 0.7)
        0.7
    """

    def __init__(self, circumstances: tuple[object, ...] = ()) -> None:
        self._circumstances = circumstances
        self._known: dict[tuple[object, ...], Any] = {}

    def within(self, *circumstances: object) -> TruthMemory:
        """Return the same memory for what holds in these circumstances only."""
        memory = TruthMemory((*self._circumstances, *circumstances))
        memory._known = self._known
        return memory

    def recall(self, name: str, find: Callable[[], Found]) -> Found:
        """Return what is kept under a name, found first where nothing is."""
        key = (*self._circumstances, name)
        if key not in self._known:
            self._known[key] = find()
        found: Found = self._known[key]
        return found
