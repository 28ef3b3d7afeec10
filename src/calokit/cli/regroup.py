"""`calokit regroup`: cells summed in groups, as a coarser readout would give them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calokit.cli.options import DetectorName, Output, make_console, named_detector


def regroup(
    data: Annotated[Path, typer.Argument(help="Showers in cells of rows and columns.")],
    output: Output,
    rows: Annotated[int, typer.Option(min=1, help="Cells along x that make one.")] = 2,
    columns: Annotated[
        int | None, typer.Option(min=1, help="Cells along y that make one; as many as rows if not given.")
    ] = None,
    detector: DetectorName = None,
) -> None:
    """Sum the cells of any Cartesian detector in groups: 20 mm cells become 40 or 60 mm ones."""
    from calokit.detector.summary import describe_shape
    from calokit.showers import open_showers
    from calokit.showers.regrouping import regroup_file

    source = open_showers(data, detector=named_detector(detector))
    coarse = regroup_file(source, output, rows, rows if columns is None else columns)
    make_console().print(f"{len(source)} showers in {describe_shape(coarse)} cells: {output}")
