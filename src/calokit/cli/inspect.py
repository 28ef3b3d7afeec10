"""`calokit inspect`: what a shower file holds and whether it is sane."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from calokit.cli.options import DetectorName, SplitName, make_console, named_detector


def inspect(
    file: Annotated[Path, typer.Argument(help="A shower file.")],
    split: SplitName = "all",
    detector: DetectorName = None,
    threshold: Annotated[float, typer.Option(min=0.0, help="A cell above it counts as hit, in MeV.")] = 0.0,
) -> None:
    """Say what is inside a shower file and whether it is sane."""
    from calokit.showers import open_showers
    from calokit.showers.inspection import inspect_showers

    view = open_showers(file, split, named_detector(detector))
    inspection = inspect_showers(view, threshold)
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in inspection.rows:
        table.add_row(label, text)
    console = make_console()
    console.print(table)
    for finding in inspection.findings:
        console.print(f"! {finding}", style="yellow")
    console.print(
        "sane" if not inspection.findings else f"{len(inspection.findings)} finding(s)", style="bold"
    )
    if inspection.findings:
        raise typer.Exit(code=1)
