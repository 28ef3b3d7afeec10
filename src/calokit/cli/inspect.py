"""`calokit inspect`: what a shower file holds and whether it is sane, or what a trained model is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calokit.cli.options import DetectorName, SplitName, lay_out, make_console, named_detector

BUNDLE_SUFFIX = ".calokit"


def inspect(
    file: Annotated[Path, typer.Argument(help="A shower file, or a trained model (NAME.calokit).")],
    split: SplitName = "all",
    detector: DetectorName = None,
    threshold: Annotated[float, typer.Option(min=0.0, help="A cell above it counts as hit, in MeV.")] = 0.0,
) -> None:
    """Say what is inside a shower file and whether it is sane, or what a trained model is."""
    if file.suffix == BUNDLE_SUFFIX:
        from calokit.bundles.bundle import read_bundle
        from calokit.bundles.inspection import inspect_bundle

        make_console().print(lay_out(inspect_bundle(read_bundle(file))))
        return
    from calokit.showers import open_showers
    from calokit.showers.inspection import inspect_showers

    view = open_showers(file, split, named_detector(detector))
    inspection = inspect_showers(view, threshold)
    console = make_console()
    console.print(lay_out(inspection.rows))
    for finding in inspection.findings:
        console.print(f"! {finding}", style="yellow")
    console.print(
        "sane" if not inspection.findings else f"{len(inspection.findings)} finding(s)", style="bold"
    )
    if inspection.findings:
        raise typer.Exit(code=1)
