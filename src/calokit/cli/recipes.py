"""`calokit recipes`: what can be trained."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from calokit.cli.options import make_console


def recipes(
    name: Annotated[str | None, typer.Argument(help="Print this recipe as YAML, to edit and train.")] = None,
    for_detector: Annotated[
        str | None,
        typer.Option(
            "--for", help="List those whose model fits a detector, by name or YAML file.", metavar="DETECTOR"
        ),
    ] = None,
) -> None:
    """List the recipes, or print one as YAML."""
    from calokit.detector import load_detector
    from calokit.recipes import list_recipes, load_recipe, recipes_for

    if name is not None:
        typer.echo(load_recipe(name).to_yaml(), nl=False)
        return
    detector = None if for_detector is None else load_detector(for_detector)
    listed = list_recipes() if detector is None else recipes_for(detector)
    if detector is not None and not listed:
        typer.echo(f"no recipe fits detector {detector.name!r}.")
        return
    table = Table(width=min(make_console().width, 100))
    for column in ("name", "title", "detector", "steps"):
        table.add_column(column, overflow="fold")
    for recipe in listed:
        table.add_row(recipe.name, recipe.title, recipe.detector or "any", str(recipe.training.steps))
    make_console().print(table)
    if detector is not None and any(recipe.detector not in (None, detector.name) for recipe in listed):
        typer.echo("Those meant for another detector are trained with --set detector=null.")
