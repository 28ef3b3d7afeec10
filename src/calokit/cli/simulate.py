"""`calokit simulate` and `calokit samples`: showers from a description of the incident particles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from calokit.cli.options import Output, Seed, make_console
from calokit.engine.tasks import Executor
from calokit.simulation.backend_names import BackendName


def samples(
    name: Annotated[str | None, typer.Argument(help="Print this sample as YAML to edit.")] = None,
) -> None:
    """List the samples that come with calokit, or print one as YAML."""
    from calokit.simulation.sample import list_samples, load_sample

    console = make_console()
    if name is not None:
        console.print(load_sample(name).to_yaml(), markup=False, end="")
        return
    table = Table("sample", "what", box=None, pad_edge=False)
    for one in list_samples():
        table.add_row(one, load_sample(one).title)
    console.print(table)


def simulate(
    sample: Annotated[str, typer.Argument(help="A sample's name (see calokit samples) or its YAML file.")],
    output: Output,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many showers.")],
    seed: Seed = 1,
    backend: Annotated[BackendName, typer.Option(help="What makes the showers.")] = "geant4",
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0 takes one a processor.")] = 0,
    dask: Annotated[
        str | None, typer.Option(help="Run on a Dask cluster: the scheduler's address, or local.")
    ] = None,
    physics_list: Annotated[
        str | None, typer.Option(help="em0 to em4, FTFP_BERT or FTFP_BERT_HP, instead of the sample's.")
    ] = None,
    cut: Annotated[float | None, typer.Option(help="Production cut in mm, instead of the sample's.")] = None,
    entries: Annotated[
        bool, typer.Option("--entries", help="Also count the charged particles that enter each cell.")
    ] = False,
    twins: Annotated[
        Path | None,
        typer.Option(help="Shoot the incident particles of this file again: other showers of each."),
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="What the file is meant for: train, validation or test.")
    ] = None,
) -> None:
    """Simulate showers with Geant4 or by formulas; run again, it goes on where it stopped."""
    from calokit.errors import ConfigurationError
    from calokit.simulation.production import prepare_production, produce_file
    from calokit.simulation.sample import load_sample

    if backend == "parametric" and (physics_list is not None or cut is not None):
        raise ConfigurationError(
            "--physics-list and --cut are for Geant4; leave them out, or take --backend geant4."
        )
    described = load_sample(sample, physics_list, cut)
    if entries:
        described = described.counting_entries()
    production = prepare_production(described, backend, seed, split, twins)
    executor = _choose_executor(workers, dask)
    made = produce_file(production, output, count, executor)
    how = "made before" if made.made_now == 0 else f"{made.made_now} made now"
    make_console().print(
        f"{made.showers} showers ({how}), {made.milliseconds_per_shower:.3g} ms a shower and process, "
        f"by {production.backend.generator}: {output}"
    )


def _choose_executor(workers: int, dask: str | None) -> Executor:
    """Return what runs the blocks."""
    from calokit.engine.local import LocalExecutor

    if dask is None:
        return LocalExecutor(workers)
    from calokit.engine.dask import DaskExecutor

    return DaskExecutor(dask, workers)
