"""`calokit digitise`: noise, threshold, rounding and saturation of the readout, on simulated deposits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calokit.cli.options import DetectorName, Output, Seed, make_console, named_detector


def digitise(
    data: Annotated[Path, typer.Argument(help="Simulated showers.")],
    output: Output,
    detector: DetectorName = None,
    noise: Annotated[float, typer.Option(min=0.0, help="Standard deviation of the noise of a cell.")] = 0.0,
    spread: Annotated[
        float, typer.Option(min=0.0, help="Relative spread of each cell's reading: 0.03 is 3 %.")
    ] = 0.0,
    threshold: Annotated[float, typer.Option(min=0.0, help="Cells below it read nothing.")] = 0.0,
    step: Annotated[float, typer.Option(min=0.0, help="Step of the converter; 0 does not round.")] = 0.0,
    saturation: Annotated[float | None, typer.Option(help="Largest energy that is read.")] = None,
    mip: Annotated[
        float | None, typer.Option(help="MeV of one MIP: the other energies are then in MIP, else in MeV.")
    ] = None,
    seed: Seed = 1,
) -> None:
    """Write showers as a readout would give them: a step of its own behind the simulation."""
    from calokit.showers import open_showers
    from calokit.showers.digitisation import Digitisation, digitise_file

    settings = Digitisation.from_mapping(
        {
            "noise": noise,
            "spread": spread,
            "threshold": threshold,
            "step": step,
            "saturation": saturation,
            "mip_mev": mip,
        },
        "digitise",
    )
    source = open_showers(data, detector=named_detector(detector))
    kept = digitise_file(source, output, settings, seed)
    make_console().print(
        f"{len(source)} showers, {100 * kept:.4g} % of the deposited energy is read: {output}"
    )
