"""`calokit train`: from a recipe and showers to a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calokit.cli.options import (
    DetectorName,
    DeviceName,
    Threads,
    make_console,
)
from calokit.errors import ConfigurationError


def train(
    recipe: Annotated[
        str | None,
        typer.Argument(help="A recipe's name (see `calokit recipes`) or a YAML file; --resume needs none."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Showers: the train split trains, the validation split validates.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The run folder.")] = Path("run"),
    detector: DetectorName = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="Change a key of the recipe: training.steps=500.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Instead of the recipe's training.seed.")] = None,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.05, help="Train for so long by the clock, instead of the recipe's steps."),
    ] = None,
    start_from: Annotated[
        Path | None, typer.Option(help="Begin with the weights of this bundle instead of random ones.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in the folder.")] = False,
    threads: Threads = 0,
    device_name: DeviceName = "auto",
) -> None:
    """Train a recipe on showers; can be interrupted at any moment and continued with --resume."""
    from calokit.compute.device import Device
    from calokit.compute.threads import use_threads
    from calokit.recipes import load_recipe
    from calokit.training.run import continue_training, start_training
    from calokit.training.typed import Typed, settle_steps

    console = make_console()
    changes = list(changes or []) + ([] if seed is None else [f"training.seed={seed}"])
    changes += [] if detector is None else [f"detector={detector}"]
    seconds = None if minutes is None else 60 * minutes
    if resume:
        device = None if device_name == "auto" else Device.of(device_name)
        steps = settle_steps(output, Typed(recipe, changes, seconds, start_from))
        if steps is not None:
            console.print(f"{output}: the run goes on to {steps} steps.")
        use_threads(threads)
        run = continue_training(output, data=data, steps=steps, device=device)
    else:
        if recipe is None:
            raise ConfigurationError("which recipe? `calokit recipes` lists them; --resume needs none.")
        if data is None:
            raise ConfigurationError("--data FILE is missing: the showers to train on.")
        chosen = load_recipe(recipe, changes)
        use_threads(threads)
        run = start_training(
            chosen,
            data,
            output,
            seconds=seconds,
            start_from=start_from,
            device=Device.of(device_name),
        )
    made = run.bundle.provenance
    console.print(
        f"{made['steps']} steps on {made['data_showers']} showers in {run.seconds / 60:.1f} min "
        f"({made['precision']['number_format']}, {made['precision']['memory_format']}, {made['threads']} "
        f"threads); bundle: {run.bundle_path}"
    )
