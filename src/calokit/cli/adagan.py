"""`calokit adagan`: an ensemble of surrogates, each member trained on what those before it miss."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calokit.cli.options import DeviceName, Threads, make_console


def adagan(
    recipe: Annotated[str, typer.Argument(help="The members' recipe: a name or a YAML file.")],
    data: Annotated[
        Path, typer.Option(help="Showers: the train split trains, the validation split validates.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The folder of members and ensemble.")
    ] = Path("adagan"),
    members: Annotated[int, typer.Option(min=1, help="How many; more than before go on from there.")] = 3,
    rule: Annotated[
        str, typer.Option(help="How showers are weighted: star, dagger, top, bagging, or even for none.")
    ] = "star",
    beta: Annotated[
        float | None, typer.Option(help="Share of each new member (default: all alike in the end).")
    ] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="Change a key of the recipe: training.steps=500.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.05, help="Train each member for so long by the clock.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the mixture's showers and their judge.")] = 1,
    threads: Threads = 0,
    device_name: DeviceName = "auto",
) -> None:
    """Train an ensemble of surrogates (AdaGAN); the same command goes on where it was stopped."""
    from calokit.compute.device import Device
    from calokit.compute.threads import use_threads
    from calokit.ensembles import AdaganSettings, train_adagan
    from calokit.recipes import load_recipe

    given = {"members": members, "rule": rule, "beta": beta, "seed": seed}
    settings = AdaganSettings.from_mapping(given, "the options of calokit adagan")
    chosen = load_recipe(recipe, list(changes or []))
    use_threads(threads)
    seconds = None if minutes is None else 60 * minutes
    run = train_adagan(chosen, data, output, settings, seconds=seconds, device=Device.of(device_name))
    shares = ", ".join(f"{share:.3f}" for share in run.bundle.provenance["shares"])
    make_console().print(f"{members} members with shares {shares}; bundle: {run.bundle_path}")
