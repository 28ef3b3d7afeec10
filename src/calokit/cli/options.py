"""Options that several commands share, and the console that they write to."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from calokit.report.plain_text import ERRORS

if TYPE_CHECKING:
    from calokit.detector import Detector

Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Decides every random draw.")]


def parse_threads(text: str) -> int:
    """Return the number of threads that an option, or OMP_NUM_THREADS in its longer form, asks for."""
    first = str(text).split(",")[0].strip()
    if not first.isdecimal():
        raise typer.BadParameter(f"{text!r} is no number of threads; write 0, 1, 2, ...")
    return int(first)


Threads = Annotated[
    int,
    typer.Option(
        parser=parse_threads,
        metavar="NUMBER",
        envvar="OMP_NUM_THREADS",
        help="Processor threads to compute with; 0 takes those that nobody else uses now.",
    ),
]
DeviceName = Annotated[
    str,
    typer.Option(
        "--device", metavar="DEVICE", help="What computes: auto (a GPU if there is one), cpu, cuda, cuda:1."
    ),
]
SplitName = Annotated[
    str, typer.Option(help="Which showers of the file: train, validation, test or all.", metavar="SPLIT")
]
DetectorName = Annotated[
    str | None,
    typer.Option(
        "--detector", help="The detector (name or YAML file), for showers that name none.", metavar="NAME"
    ),
]
Output = Annotated[Path, typer.Option("--output", "-o", help="Where to write.")]

WIDTH_OF_FILES = 100
"""Columns of tables where the output is no terminal."""


def make_console() -> Console:
    """Return the console; where the output is no terminal, tables get 100 columns.

    Brackets in names and texts are no markup.
    """
    console = Console(highlight=False, soft_wrap=True, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, soft_wrap=True, markup=False, width=WIDTH_OF_FILES)
    return console


def lay_out(rows: Sequence[tuple[str, str]]) -> Table:
    """Return labels and texts as a table without lines."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def accept_any_encoding() -> None:
    """Let standard output and error replace what their encoding cannot write, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ERRORS)


def named_detector(name: str | None) -> Detector | None:
    """Return the detector that an option names, if it does."""
    from calokit.detector import load_detector

    return None if name is None else load_detector(name)
