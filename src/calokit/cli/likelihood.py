"""`calokit likelihood`: how likely showers are to a surrogate, and whether its draws are calibrated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calokit.cli.options import (
    DetectorName,
    DeviceName,
    Seed,
    SplitName,
    Threads,
    make_console,
    named_detector,
)


def likelihood(
    bundle: Annotated[Path, typer.Argument(help="A surrogate that knows its density, NAME.calokit.")],
    showers: Annotated[Path, typer.Argument(help="The showers.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the page and of likelihood.h5.")
    ] = Path("likelihood"),
    split: SplitName = "all",
    detector: DetectorName = None,
    csv: Annotated[bool, typer.Option(help="Write likelihood.csv too.")] = False,
    outliers: Annotated[int, typer.Option(min=0, help="How many unlikely showers to list.")] = 20,
    seed: Seed = 1,
    threads: Threads = 1,
    device_name: DeviceName = "auto",
) -> None:
    """Find the log-likelihood of every shower, the unlikely ones, and whether every draw is calibrated."""
    from calokit.compute.device import Device
    from calokit.compute.threads import use_threads
    from calokit.files import check_folder_writable, check_writable, make_folder
    from calokit.inference import measure_likelihood, read_bundle
    from calokit.inference.likelihood import (
        likelihood_content,
        need_likelihood,
        write_likelihood,
        write_likelihood_csv,
    )
    from calokit.report.likelihood_table import likelihood_tables
    from calokit.report.pages.likelihood import write_likelihood_page
    from calokit.showers import open_showers

    check_folder_writable(output)
    for there in (output / "likelihood.h5", output / "likelihood.csv"):
        if there.exists():
            check_writable(there, bundle, showers)
    threads, device = use_threads(threads), Device.of(device_name)
    model = read_bundle(bundle)
    need_likelihood(model)
    view = open_showers(showers, split, named_detector(detector), model.detector)
    found = measure_likelihood(model, view, seed, device=device)
    make_folder(output)
    write_likelihood(output / "likelihood.h5", found, model, view, seed)
    if csv:
        write_likelihood_csv(output / "likelihood.csv", found, view)
    content = likelihood_content(found, model, view, outliers)
    page = write_likelihood_page(content, output)
    console = make_console()
    for table in likelihood_tables(found.showers, found.calibration, content.outliers, console.encoding):
        console.print(table)
        console.print()
    console.print(
        f"{len(found)} showers, {found.milliseconds_per_shower:.3g} ms a shower ({threads} threads): "
        f"{output / 'likelihood.h5'}; report: {page}"
    )
