"""How long work says how far it is: one signature, and the display that is its default."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import ProgressColumn, Task

SECONDS_BETWEEN_LINES = 10.0
"""Where no bar can be shown: the shortest time between two lines; shorter work says nothing."""

TellPart = Callable[[str, float], None]
"""What a step of larger work calls with words and the part of it that is done, 0 to 1."""


class Advance(Protocol):
    """Tells that more items are done."""

    def __call__(self, n: int = 1, note: str = "", total: int | None = None) -> None:
        """Add `n` done items; `note` (such as a loss), where given, replaces the words at the end.

        `total` is given where their number in all has changed.
        """


class Progress(Protocol):
    """What library functions that take long accept: `show_progress`, `no_progress`, or the user's own."""

    def __call__(
        self, total: int | None, description: str, unit: str, done: int = 0
    ) -> AbstractContextManager[Advance]:
        """Begin work that ends with the block.

        Args:
            total: Number of items; None where it is not known.
            description: What is being done, such as `generating`.
            unit: Name of the items, such as `showers`.
            done: How many of them were done before, by an earlier call that was interrupted.

        Returns:
            What gives `advance(n, note="")`, to be called as items get done.
        """


@contextmanager
def no_progress(
    total: int | None,  # noqa: ARG001
    description: str,  # noqa: ARG001
    unit: str,  # noqa: ARG001
    done: int = 0,  # noqa: ARG001
) -> Iterator[Advance]:
    """Say nothing; see `Progress`."""

    def advance(n: int = 1, note: str = "", total: int | None = None) -> None:
        pass

    yield advance


@contextmanager
def show_progress(
    total: int | None, description: str, unit: str, done: int = 0, console: Console | None = None
) -> Iterator[Advance]:
    """Show a live bar with count, rate and time left; where that cannot be, a line every ten seconds.

    The bar of work that ended well is full. Rates are of what this call does.

    Args:
        total: Number of items; None where it is not known.
        description: What is being done, such as `generating`.
        unit: Name of the items, such as `showers`.
        done: How many of them were done before.
        console: Where to; standard error where not given, a notebook's cell in notebooks.

    Yields:
        `advance(n, note="")`, to be called as items get done.

    Example:
        >>> with show_progress(3, "reading", "showers") as advance:
        ...     advance(3)
    """
    from rich.console import Console

    screen = console if console is not None else Console(stderr=True)
    if not (screen.is_terminal or (screen.is_jupyter and find_spec("ipywidgets"))):

        def write(line: str) -> None:
            screen.print(line, markup=False, highlight=False, soft_wrap=True)

        plain = PlainProgress(total, description, unit, write, done=done)
        try:
            yield plain.advance
        finally:
            plain.finish()
        return
    from rich.progress import Progress as Display

    with Display(*_columns(), console=screen, refresh_per_second=5.0) as display:
        task = display.add_task(description, total=total, completed=done, unit=unit, note="")

        def advance(n: int = 1, note: str = "", total: int | None = None) -> None:
            changed: dict[str, Any] = {"note": note} if note else {}
            changed |= {} if total is None else {"total": total}
            display.update(task, advance=n, **changed)

        yield advance
        display.update(task, total=display.tasks[0].completed)


def tell_user(text: str) -> None:
    """Write one line to standard error, above a live bar where there is one, on why nothing is seen yet."""
    from rich.console import Console

    Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(f"calokit: {text}")


def add_up(advance: Advance, total: int = 1000) -> TellPart:
    """Return what takes words and the part done, and advances a display of so many items to it."""
    done = 0

    def tell(text: str, part: float) -> None:
        nonlocal done
        reached = max(done, round(total * part))
        advance(reached - done, text)
        done = reached

    return tell


class PlainProgress:
    """Progress as plain lines, for logs and pipes: one every ten seconds, and one at the end of such work."""

    def __init__(
        self,
        total: int | None,
        description: str,
        unit: str,
        write: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        done: int = 0,
    ) -> None:
        """Start counting.

        Args:
            total: Number of items; None where it is not known.
            description: What is being done.
            unit: Name of the items, such as `showers`.
            write: Takes each line.
            clock: Seconds, rising.
            done: How many were done before.
        """
        self._total, self._description, self._unit = total, description, unit
        self._write, self._clock = write, clock
        self._start = self._last_line = clock()
        self._before = self._done = done
        self._note = ""

    def advance(self, n: int = 1, note: str = "", total: int | None = None) -> None:
        """Add `n` done items and write a line where ten seconds have passed since the last."""
        self._done += n
        self._total = self._total if total is None else total
        self._note = note or self._note
        if self._clock() - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = self._clock()
            self._write(self._line())

    def finish(self) -> None:
        """Write the last line, with what was done in all, after work of ten seconds or more."""
        if self._clock() - self._start >= SECONDS_BETWEEN_LINES:
            self._write(self._line())

    def _line(self) -> str:
        elapsed = self._clock() - self._start
        rate = (self._done - self._before) / elapsed if elapsed > 0.0 else 0.0
        of_total = f"/{self._total}" if self._total is not None else ""
        parts = [f"{self._done}{of_total} {self._unit}"]
        if rate > 0.0:
            parts.append(format_rate(rate, self._unit))
        parts.append(f"{_format_seconds(elapsed)} elapsed")
        if self._total is not None and rate > 0.0 and self._done < self._total:
            parts.append(f"{_format_seconds((self._total - self._done) / rate)} left")
        if self._note:
            parts.append(self._note)
        return f"{self._description}: " + ", ".join(parts)


def format_rate(rate: float, unit: str) -> str:
    """Return items per second as text; below one a second, seconds per item.

    Example:
        >>> format_rate(1234.5, "showers"), format_rate(0.25, "epochs")
        ('1234 showers/s', '4.00 s per epoch')
    """
    if rate >= 1.0:
        return f"{_three_digits(rate)} {unit}/s"
    return f"{_three_digits(1.0 / rate)} s per {unit.removesuffix('s')}"


def _three_digits(value: float) -> str:
    return f"{value:.{max(0, 2 - math.floor(math.log10(value)))}f}"


def _format_seconds(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))


def _columns() -> tuple[ProgressColumn, ...]:
    from rich.progress import BarColumn, ProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.text import Text

    class CountColumn(ProgressColumn):
        """Done and total number of items."""

        def render(self, task: Task) -> Text:
            of_total = f"/{int(task.total)}" if task.total is not None else ""
            return Text(f"{int(task.completed)}{of_total} {task.fields['unit']}")

    class RateColumn(ProgressColumn):
        """Items per second."""

        def render(self, task: Task) -> Text:
            rate = task.finished_speed or task.speed
            return Text(format_rate(rate, task.fields["unit"]) if rate else "", style="cyan")

    return (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        CountColumn(),
        RateColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False, style="dim"),
    )
