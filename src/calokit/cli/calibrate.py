"""`calokit calibrate`: reconstructions of several seeds as one, corrected on showers that trained none."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from calokit.cli.options import Output, SplitName, Threads, use_threads


def calibrate(
    bundles: Annotated[list[Path], typer.Argument(help="Trained reconstructions that differ by their seed.")],
    data: Annotated[Path, typer.Option("--data", help="Showers that trained none of them.")],
    output: Output,
    split: SplitName = "validation",
    threads: Threads = 1,
) -> None:
    """Average reconstructions of several seeds, and correct bias and uncertainties on other showers."""
    from calokit.bundles.bundle import write_bundle
    from calokit.bundles.join import join_members
    from calokit.inference import read_bundle
    from calokit.showers import open_showers

    use_threads(threads)
    view = open_showers(data, split)
    joined = join_members([read_bundle(path) for path in bundles], view)
    write_bundle(output, joined)
    Console().print(
        f"{output}: the mean of {len(joined.provenance['members'])} network(s), calibrated on {len(view)} "
        f"showers of {data.name}",
        soft_wrap=True,
        highlight=False,
    )
