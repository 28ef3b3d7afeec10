"""`calokit calibrate`: reconstructions of several seeds as one, corrected on showers that trained none."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from calokit.cli.options import Output, SplitName, Threads, use_threads


def calibrate(
    bundles: Annotated[list[Path], typer.Argument(help="Trained reconstructions.")],
    data: Annotated[Path, typer.Option("--data", help="Showers that trained none of them.")],
    output: Output,
    split: SplitName = "validation",
    mixed: Annotated[
        bool, typer.Option("--mixed", help="They differ in more than their seed: recipes, showers.")
    ] = False,
    threads: Threads = 1,
) -> None:
    """Average reconstructions, and correct bias and uncertainties on showers that trained none of them."""
    from calokit.inference import read_bundle
    from calokit.showers import open_showers
    from calokit.training.bundle import write_bundle
    from calokit.training.ensemble import join_members, mix_networks

    use_threads(threads)
    view = open_showers(data, split)
    join = mix_networks if mixed else join_members
    joined = join([read_bundle(path) for path in bundles], view)
    write_bundle(output, joined)
    Console().print(
        f"{output}: the mean of {len(bundles)} bundle(s), calibrated on {len(view)} showers of {data.name}",
        soft_wrap=True,
        highlight=False,
    )
