"""`calokit detectors`: what is described, as a table or as a drawing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from calokit.cli.options import lay_out, make_console
from calokit.errors import DetectorError

TABLE_WIDTH = 100
"""Columns that the table of detectors fits into."""


def detectors(
    name: Annotated[
        str | None, typer.Argument(help="A detector of the list, or the path of a detector's YAML file.")
    ] = None,
    draw: Annotated[
        Path | None, typer.Option(help="Draw the detector too, into this PNG file.", metavar="PNG")
    ] = None,
    as_yaml: Annotated[bool, typer.Option("--yaml", help="Print it as YAML, to edit.")] = False,
) -> None:
    """List the detectors, or describe one, print it as YAML, or draw it."""
    from calokit.detector import describe_detector, detector_yaml, load_detector
    from calokit.files import check_writable

    console = make_console()
    if name is None:
        if draw is not None or as_yaml:
            option = "--yaml" if as_yaml else "--draw"
            raise DetectorError(f"{option} needs the name of a detector; see calokit detectors for the list.")
        console.print(_tabulate(min(console.width, TABLE_WIDTH)))
        return
    if draw is not None and as_yaml:
        raise DetectorError("--yaml prints the description alone; give --draw in a call of its own.")
    if draw is not None:
        check_writable(draw)
    detector = load_detector(name)
    if as_yaml:
        typer.echo(detector_yaml(name), nl=False)
        return
    console.print(lay_out(describe_detector(detector)))
    if draw is not None:
        from calokit.report.figures.detector import draw_detector

        draw_detector(detector, draw)
        console.print(f"drawing: {draw}")


def _tabulate(width: int) -> Table:
    """Return the table of the detectors that come with calokit."""
    from calokit.detector import describe_shape, list_detectors, load_detector

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
