"""`calokit train`: from a recipe and showers to a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from calokit.cli.options import DetectorName, Threads, use_threads
from calokit.errors import ConfigurationError


def train(
    recipe: Annotated[str, typer.Argument(help="A recipe's name (see `calokit recipes`) or a YAML file.")],
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
        typer.Option(min=0.05, help="Choose the steps so that training takes about so long here."),
    ] = None,
    start_from: Annotated[
        Path | None, typer.Option(help="Begin with the weights of this bundle instead of random ones.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in the folder.")] = False,
    threads: Threads = 0,
) -> None:
    """Train a recipe on showers; can be interrupted at any moment and continued with --resume."""
    from calokit.recipes import load_recipe
    from calokit.report.progress import track
    from calokit.training.run import continue_training, planned_steps, start_training

    use_threads(threads)
    if resume:
        with track(planned_steps(output), f"continuing {output}", "steps") as advance:
            run = continue_training(output, advance, data)
    else:
        if data is None:
            raise ConfigurationError("--data FILE is missing: the showers to train on.")
        changes = list(changes or []) + ([] if seed is None else [f"training.seed={seed}"])
        changes += [] if detector is None else [f"detector={detector}"]
        chosen = load_recipe(recipe, changes)
        total = chosen.training.steps if minutes is None else None
        with track(total, f"training {chosen.name}", "steps") as advance:
            seconds = None if minutes is None else 60 * minutes
            run = start_training(chosen, data, output, advance, seconds, start_from)
    made = run.bundle.provenance
    Console().print(
        f"{made['steps']} steps on {made['data_showers']} showers in {run.seconds / 60:.1f} min "
        f"({made['precision']['number_format']}, {made['precision']['memory_format']}, {made['threads']} "
        f"threads); bundle: {run.bundle_path}",
        soft_wrap=True,
        highlight=False,
    )
