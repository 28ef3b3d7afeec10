"""`calokit join`: shower files of one detector as one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calokit.cli.options import DetectorName, Output, make_console, named_detector
from calokit.errors import ConfigurationError


def join(
    data: Annotated[list[Path], typer.Argument(help="Files of one detector, particle and readout.")],
    output: Output,
    split: Annotated[
        str | None,
        typer.Option(
            help="What the new file is meant for: train, validation or test (default: as the files)."
        ),
    ] = None,
    detector: DetectorName = None,
) -> None:
    """Join shower files of other seeds into one, evenly mixed."""
    if len(data) < 2:
        raise ConfigurationError("one file is joined already; name two or more.")
    from calokit.showers import open_showers
    from calokit.showers.joining import join_files, left_out
    from calokit.showers.splits import parse_split

    sources = [open_showers(path, detector=named_detector(detector)) for path in data]
    showers = join_files(sources, output, None if split is None else parse_split(split))
    console = make_console()
    missing = left_out(sources)
    if missing:
        console.print(f"! left out, as not every file has it: {', '.join(missing)}", style="yellow")
    console.print(f"{showers} showers of {len(sources)} files: {output}")
