"""`calokit reconstruct`: energies, places and directions from showers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calokit.cli.options import (
    DetectorName,
    DeviceName,
    Output,
    SplitName,
    Threads,
    make_console,
    named_detector,
)


def reconstruct(
    bundle: Annotated[
        Path, typer.Argument(help="A trained reconstruction, or a surrogate with a likelihood.")
    ],
    showers: Annotated[Path, typer.Argument(help="The showers to reconstruct.")],
    output: Output,
    split: SplitName = "all",
    detector: DetectorName = None,
    csv: Annotated[Path | None, typer.Option(help="Write the estimates as CSV too.")] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Write a page about the errors into this folder; needs --train and known energies."
        ),
    ] = None,
    train: Annotated[
        Path | None,
        typer.Option(
            help="Showers that the report's classical methods are fitted on; to a likelihood they say "
            "whether directions follow from impacts, and how wide its uncertainties have to be."
        ),
    ] = None,
    threads: Threads = 1,
    device_name: DeviceName = "auto",
) -> None:
    """Reconstruct showers: energy, impact, direction or several particles, whichever the bundle gives."""
    from calokit.compute.device import Device
    from calokit.compute.threads import use_threads
    from calokit.errors import ConfigurationError
    from calokit.files import check_folder_writable, check_writable
    from calokit.inference import read_bundle
    from calokit.inference.reconstruct import (
        estimated_columns,
        reconstruct_showers,
        write_csv,
        write_reconstruction,
    )
    from calokit.showers import Split, open_showers

    if csv is not None and csv.absolute() == output.absolute():
        raise ConfigurationError(f"{csv}: estimates and CSV need names of their own.")
    for path in (output, csv):
        if path is not None:
            check_writable(path, bundle, showers, train)
    if report is not None:
        check_folder_writable(report)
    if report is not None and train is None:
        raise ConfigurationError("--report needs --train FILE, showers to fit the classical methods on.")
    threads, device = use_threads(threads), Device.of(device_name)
    model = read_bundle(bundle)
    view = open_showers(showers, split, named_detector(detector), model.detector)
    fitted = None if train is None else open_showers(train, Split.TRAIN, like=view.detector)
    if report is not None:
        from calokit.studies.judging.page import (
            check_reportable,
            describe_fit,
            describe_training,
            report_reconstruction,
        )

        assert fitted is not None
        check_reportable(estimated_columns(model, view, device), view, fitted)
    made = reconstruct_showers(model, view, device=device, known=fitted)
    write_reconstruction(output, made, model, view)
    if csv is not None:
        write_csv(csv, made, view)
    if report is not None:
        assert fitted is not None
        page = report_reconstruction(model, made, view, fitted, report)
        for words in (f"{model.name}: {describe_training(model, view)}", describe_fit(fitted, view)):
            make_console().print(words)
        make_console().print(f"report: {page}")
    if made.widening is not None:
        make_console().print(made.widening.describe())
    make_console().print(
        f"{len(made)} showers, {made.milliseconds_per_shower:.3g} ms a shower ({threads} threads): "
        f"{', '.join(made.columns)} in {output}",
    )
