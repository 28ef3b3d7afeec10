"""`calokit reconstruct`: energies, places and directions from showers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from calokit.cli.options import Output, SplitName, Threads, use_threads


def reconstruct(
    bundle: Annotated[Path, typer.Argument(help="A trained reconstruction, NAME.calokit.")],
    showers: Annotated[Path, typer.Argument(help="The showers to reconstruct.")],
    output: Output,
    split: SplitName = "all",
    csv: Annotated[Path | None, typer.Option(help="Write the estimates as CSV too.")] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Write a page about the errors into this folder; needs --train and known energies."
        ),
    ] = None,
    train: Annotated[
        Path | None, typer.Option(help="Showers that the report's classical methods are fitted on.")
    ] = None,
    threads: Threads = 1,
) -> None:
    """Reconstruct showers: energy, impact, direction or several particles, whichever the bundle gives."""
    from calokit.errors import ConfigurationError, ShowerFileError
    from calokit.inference import read_bundle
    from calokit.inference.reconstruct import reconstruct_showers, write_csv, write_reconstruction
    from calokit.report.progress import track
    from calokit.showers import Split, open_showers

    for path in (output, csv):
        if path is not None and not path.absolute().parent.is_dir():
            raise ShowerFileError(f"{path}: the folder {path.parent} does not exist.")
    if report is not None and train is None:
        raise ConfigurationError("--report needs --train FILE, showers to fit the classical methods on.")
    use_threads(threads)
    model = read_bundle(bundle)
    view = open_showers(showers, split)
    with track(len(view), f"reconstructing with {model.name}", "showers") as advance:
        made = reconstruct_showers(model, view, advance)
    write_reconstruction(output, made, model, view)
    if csv is not None:
        write_csv(csv, made)
    if report is not None:
        from calokit.studies.judging.page import report_reconstruction

        assert train is not None
        page = report_reconstruction(model, made, view, open_showers(train, Split.TRAIN), report)
        Console().print(f"report: {page}", soft_wrap=True, highlight=False)
    Console().print(
        f"{len(made)} showers, {made.milliseconds_per_shower:.3g} ms a shower ({threads or 'all'} threads): "
        f"{', '.join(made.columns)} in {output}",
        soft_wrap=True,
        highlight=False,
    )
