"""Work done ahead on a thread: the same things in the same order, only sooner."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TypeVar

from calokit.compute.device import Device

Item = TypeVar("Item")

STOP_SECONDS = 0.05
"""How often a thread that waits looks whether it is still wanted."""


def ahead_of(items: Iterator[Item], device: Device) -> AbstractContextManager[Iterator[Item]]:
    """Return items, read ahead while an accelerator computes; a processor has no time for both."""
    return nullcontext(items) if device.is_host else Prefetch(items)


class Prefetch(Iterator[Item]):
    """Reads an iterable on a thread, a few items ahead of whoever iterates.

    The order is that of the iterable. What it raises is raised where the item would have come. `close`, or
    the end of a `with` block, ends the thread, also in the middle of an endless iterable.

    Args:
        items: What to read; nobody else may.
        ahead: How many items may wait.

    Example:
        >>> with Prefetch(range(3)) as ahead:
        ...     list(ahead)
        [0, 1, 2]
    """

    def __init__(self, items: Iterable[Item], ahead: int = 2) -> None:
        self._waiting: queue.Queue[tuple[Item] | BaseException | None] = queue.Queue(max(1, ahead))
        self._unwanted = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(items,), name="prefetch", daemon=True)
        self._thread.start()

    def __enter__(self) -> Prefetch[Item]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __next__(self) -> Item:
        if self._unwanted.is_set():
            raise StopIteration
        found = self._waiting.get()
        if isinstance(found, tuple):
            return found[0]
        self.close()
        if found is None:
            raise StopIteration
        raise found

    def close(self) -> None:
        """End the thread; what it read ahead is dropped."""
        self._unwanted.set()
        with suppress(queue.Empty):
            while True:
                self._waiting.get_nowait()
        self._thread.join()

    def _read(self, items: Iterable[Item]) -> None:
        try:
            for item in items:
                if not self._offer((item,)):
                    return
            self._offer(None)
        except BaseException as error:  # noqa: BLE001 - raised where the item is asked for
            self._offer(error)

    def _offer(self, found: tuple[Item] | BaseException | None) -> bool:
        """Hand on one item as soon as there is room; return whether anybody still wants it."""
        while not self._unwanted.is_set():
            with suppress(queue.Full):
                self._waiting.put(found, timeout=STOP_SECONDS)
                return True
        return False
