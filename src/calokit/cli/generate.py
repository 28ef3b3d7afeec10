"""`calokit generate`: showers from a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calokit.cli.options import (
    DetectorName,
    DeviceName,
    Output,
    Seed,
    SplitName,
    Threads,
    make_console,
    named_detector,
)
from calokit.errors import ConfigurationError


def generate(
    bundle: Annotated[Path, typer.Argument(help="A trained model, NAME.calokit.")],
    output: Output,
    like: Annotated[
        Path | None,
        typer.Option(
            help="Take the incident particles, with every condition, from these showers, or from a list: CSV "
            "with columns energy_gev, position_x_mm, position_y_mm, direction_x, direction_y, direction_z."
        ),
    ] = None,
    split: SplitName = "all",
    detector: DetectorName = None,
    energy: Annotated[float | None, typer.Option(help="One incident energy, in GeV.")] = None,
    position: Annotated[
        tuple[float, float] | None,
        typer.Option(help="With --energy: impact x and y, in mm (0 0 where not said)."),
    ] = None,
    direction: Annotated[
        tuple[float, float, float] | None,
        typer.Option(help="With --energy: where it flies, x y z of any length, z forward (0 0 1)."),
    ] = None,
    count: Annotated[int | None, typer.Option("--count", "-n", min=1, help="How many showers.")] = None,
    seed: Seed = 1,
    threads: Threads = 1,
    device_name: DeviceName = "auto",
    precision: Annotated[
        str, typer.Option(help="auto, float32 or bfloat16; auto takes what the device is built for.")
    ] = "auto",
) -> None:
    """Generate showers, for the incident particles of a file or for one energy."""
    from calokit.files import check_writable

    if (like is None) == (energy is None):
        raise ConfigurationError("give either --like FILE or --energy GEV.")
    if like is not None and (position is not None or direction is not None):
        raise ConfigurationError("--position and --direction go with --energy; --like has its own.")
    if energy is not None and (split != "all" or detector is not None):
        raise ConfigurationError("--split and --detector go with --like, whose file they are of.")
    if energy is not None and count is None:
        raise ConfigurationError("--energy needs --count: how many showers.")
    check_writable(output, bundle, like)

    from calokit.compute.device import Device
    from calokit.compute.precision import parse_precision
    from calokit.compute.threads import use_threads
    from calokit.inference import generate_file, incidents_at, incidents_like, read_bundle
    from calokit.showers import Incidents
    from calokit.showers.particle_list import open_particles

    threads, device = use_threads(threads), Device.of(device_name)
    model = read_bundle(bundle)
    source = None if like is None else open_particles(like, split, named_detector(detector), model.detector)
    if source is not None:
        incidents, total = incidents_like(source, count), len(source) if count is None else count
    else:
        assert energy is not None
        assert count is not None
        incidents, total = (
            incidents_at(energy, count, position or (0.0, 0.0), direction or (0.0, 0.0, 1.0)),
            count,
        )
    done = generate_file(
        model,
        incidents,
        output,
        seed,
        precision=parse_precision(precision),
        like=like if isinstance(source, Incidents) else source,
        expected=total,
        device=device,
    )
    make_console().print(
        f"{done.showers} showers, {done.milliseconds_per_shower:.3g} ms a shower (model only, "
        f"{threads} threads, {device.model_name()}): {output}",
    )
