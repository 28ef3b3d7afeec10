"""`calokit calibrate`: reconstructions of several seeds as one, corrected on showers that trained none."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calokit.cli.options import (
    DetectorName,
    Output,
    SplitName,
    Threads,
    make_console,
    named_detector,
)


def calibrate(
    bundles: Annotated[list[Path], typer.Argument(help="Trained reconstructions that differ by their seed.")],
    data: Annotated[Path, typer.Option("--data", help="Showers that trained none of them.")],
    output: Output,
    split: SplitName = "validation",
    detector: DetectorName = None,
    threads: Threads = 1,
) -> None:
    """Average reconstructions of several seeds, and correct bias and uncertainties on other showers."""
    from calokit.bundles.bundle import write_bundle
    from calokit.bundles.join import join_members
    from calokit.compute.threads import use_threads
    from calokit.files import check_writable
    from calokit.inference import read_bundle
    from calokit.showers import open_showers

    check_writable(output, *bundles, data)
    use_threads(threads)
    members = [read_bundle(path) for path in bundles]
    view = open_showers(data, split, named_detector(detector), members[0].detector)
    joined = join_members(members, view)
    write_bundle(output, joined)
    make_console().print(
        f"{output}: the mean of {len(joined.provenance['members'])} network(s), calibrated on {len(view)} "
        f"showers of {data.name}",
    )
