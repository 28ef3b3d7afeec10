"""The one progress display that every command shares."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from calokit.report.rounding import round_plainly

SECONDS_BETWEEN_LINES = 10.0
"""Where the output is not a terminal: the shortest time between two lines."""


class Advance(Protocol):
    """Tells the display that more items are done."""

    def __call__(self, n: int = 1, note: str = "") -> None:
        """Add `n` done items; `note` (such as a loss), where given, replaces the words at the end."""


class PlainProgress:
    """Progress as plain lines, for logs and pipes: at most one every ten seconds, and one at the end."""

    def __init__(
        self,
        total: int | None,
        description: str,
        unit: str,
        write: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start counting.

        Args:
            total: Number of items; None where it is not known.
            description: What is being done.
            unit: Name of the items, such as `showers`.
            write: Takes each line.
            clock: Seconds, rising.
        """
        self._total, self._description, self._unit = total, description, unit
        self._write, self._clock = write, clock
        self._start = self._last_line = clock()
        self._done = 0
        self._note = ""

    def advance(self, n: int = 1, note: str = "") -> None:
        """Add `n` done items and write a line where ten seconds have passed since the last."""
        self._done += n
        self._note = note or self._note
        if self._clock() - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = self._clock()
            self._write(self._line())

    def finish(self) -> None:
        """Write the last line, with what was done in all (none where nothing was done)."""
        if self._done:
            self._write(self._line())

    def _line(self) -> str:
        elapsed = self._clock() - self._start
        rate = self._done / elapsed if elapsed > 0.0 else 0.0
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


@contextmanager
def track(
    total: int | None, description: str, unit: str, console: Console | None = None
) -> Iterator[Advance]:
    """Show the progress of long work while the block runs: bar, count, rate, elapsed and left time.

    Args:
        total: Number of items; None where it is not known.
        description: What is being done, such as `generating`.
        unit: Name of the items, such as `showers`.
        console: Where to; standard error where not given. Not a terminal: plain lines, rarely.

    Yields:
        `advance(n, note="")`, to be called as items get done.

    Example:
        >>> import io
        >>> output = io.StringIO()
        >>> with track(3, "reading", "showers", Console(file=output)) as advance:
        ...     advance(3)
        >>> output.getvalue().startswith("reading: 3/3 showers")
        True
    """
    screen = console if console is not None else Console(stderr=True)
    if not screen.is_terminal:

        def write(line: str) -> None:
            screen.print(line, markup=False, highlight=False, soft_wrap=True)

        plain = PlainProgress(total, description, unit, write)
        try:
            yield plain.advance
        finally:
            plain.finish()
        return
    with Progress(*_columns(), console=screen, refresh_per_second=5.0) as progress:
        task = progress.add_task(description, total=total, unit=unit, note="")

        def advance(n: int = 1, note: str = "") -> None:
            if note:
                progress.update(task, advance=n, note=note)
            else:
                progress.update(task, advance=n)

        yield advance


def format_rate(rate: float, unit: str) -> str:
    """Return items per second as text; below one a second, seconds per item.

    Example:
        >>> format_rate(1234.5, "showers"), format_rate(0.25, "epochs")
        ('1234 showers/s', '4.00 s per epoch')
    """
    if rate >= 1.0:
        return f"{round_plainly(rate)} {unit}/s"
    return f"{round_plainly(1.0 / rate)} s per {unit.removesuffix('s')}"


class _CountColumn(ProgressColumn):
    """Done and total number of items."""

    def render(self, task: Task) -> Text:
        of_total = f"/{int(task.total)}" if task.total is not None else ""
        return Text(f"{int(task.completed)}{of_total} {task.fields['unit']}")


class _RateColumn(ProgressColumn):
    """Items per second."""

    def render(self, task: Task) -> Text:
        rate = task.finished_speed or task.speed
        return Text(format_rate(rate, task.fields["unit"]) if rate else "", style="cyan")


def _columns() -> tuple[ProgressColumn, ...]:
    return (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        _CountColumn(),
        _RateColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False, style="dim"),
    )


def _format_seconds(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
