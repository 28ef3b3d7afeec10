"""`calokit detectors`: what is described, as a table or as a drawing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from calokit.detector import describe_detector, describe_shape, list_detectors, load_detector
from calokit.errors import DetectorError
from calokit.report.figures.detector import draw_detector

TABLE_WIDTH = 100
"""Columns that the table of detectors fits into."""


def detectors(
    name: Annotated[
        str | None, typer.Argument(help="A detector of the list, or the path of a detector's YAML file.")
    ] = None,
    draw: Annotated[
        Path | None, typer.Option(help="Where to write the drawing (default: NAME.png in this folder).")
    ] = None,
) -> None:
    """List the detectors, or describe one and draw it.

    Args:
        name: A detector of the list, or the path of a YAML file; without it, the detectors are listed.
        draw: Where to write the drawing, a PNG; `NAME.png` in the current folder if not given.

    Raises:
        DetectorError: The detector is unknown or impossible, or the drawing has no folder to go to.
        ConfigurationError: The YAML file cannot be read as a detector.
    """
    console = Console()
    if name is None:
        if draw is not None:
            raise DetectorError("--draw needs the name of a detector; see calokit detectors for the list.")
        console.print(_tabulate(min(console.width, TABLE_WIDTH)))
        return
    detector = load_detector(name)
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in describe_detector(detector):
        table.add_row(label, text)
    console.print(table)
    path = draw if draw is not None else Path(f"{detector.name}.png")
    if not path.parent.is_dir():
        raise DetectorError(
            f"the drawing cannot be written to {path}: the folder {path.parent} does not exist."
        )
    draw_detector(detector, path)
    console.print(f"drawing: {path}", soft_wrap=True)


def _tabulate(width: int) -> Table:
    """Return the table of the detectors that come with calokit."""
    table = Table(width=width)
    table.add_column("name", no_wrap=True)
    table.add_column("title", overflow="fold", ratio=1)
    table.add_column("cells", justify="right", no_wrap=True)
    table.add_column("shape", overflow="fold", max_width=16)
    table.add_column("X0", justify="right", no_wrap=True)
    for name in list_detectors():
        detector = load_detector(name)
        try:
            depth = f"{detector.cumulated_radiation_lengths[-1]:.1f}"
        except DetectorError:
            depth = "-"
        table.add_row(name, detector.title, str(detector.number_of_cells), describe_shape(detector), depth)
    return table
