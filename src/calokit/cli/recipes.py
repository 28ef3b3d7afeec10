"""`calokit recipes`: what can be trained."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from calokit.cli.options import make_console


def recipes(
    name: Annotated[str | None, typer.Argument(help="Print this recipe as YAML, to edit and train.")] = None,
) -> None:
    """List the recipes, or print one as YAML."""
    from calokit.recipes import list_recipes, load_recipe

    if name is not None:
        typer.echo(load_recipe(name).to_yaml(), nl=False)
        return
    table = Table(width=min(make_console().width, 100))
    for column in ("name", "title", "detector", "steps"):
        table.add_column(column, overflow="fold")
    for recipe in list_recipes():
        table.add_row(recipe.name, recipe.title, recipe.detector or "any", str(recipe.training.steps))
    make_console().print(table)
