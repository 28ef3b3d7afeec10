"""What is typed beside `--resume`: the same as the run's own, or refused, or more steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calokit.errors import RunError
from calokit.recipes import load_recipe
from calokit.recipes.recipe import Recipe
from calokit.showers.files import file_sha256
from calokit.training.run import read_run

STEPS = "training.steps"


@dataclass(frozen=True)
class Typed:
    """What stands beside `--resume` on the command line.

    Attributes:
        recipe: A recipe's name or YAML file, or None.
        changes: As `load_recipe` takes them.
        seconds: How long the training shall take, or None.
        start_from: The bundle whose weights it shall begin with, or None.
    """

    recipe: str | None
    changes: list[str]
    seconds: float | None
    start_from: Path | None


def settle_steps(folder: Path, typed: Typed) -> int | None:
    """Compare what is typed with the run in a folder.

    A shipped recipe's name stands for the run's own settings, with what `--set` changes; a YAML file for all
    that it says.

    Args:
        folder: The run folder.
        typed: What is typed.

    Returns:
        The number of steps that the run shall have, where another one is typed; None leaves it as it is.

    Raises:
        RunError: There is no run, or what is typed differs from it in something else than the steps.
        ConfigurationError: There is no such recipe, or no such key in it.
    """
    run = read_run(folder)
    own = Recipe.from_mapping(run["recipe"], f"{folder / 'run.json'}, recipe")
    _check_seconds(folder, run, own, typed)
    _check_start(folder, run, typed)
    wanted = load_recipe(typed.recipe or str(folder / "recipe.yaml"), typed.changes)
    differing = _find_differing(own, wanted, typed)
    if list(differing) == [STEPS] and typed.seconds is None:
        return int(differing[STEPS][1])
    differing.pop(STEPS, None)
    if differing:
        told = ", ".join(f"{key} is {mine!r}, not {other!r}" for key, (mine, other) in differing.items())
        raise RunError(
            f"the run in {folder} cannot go on with another recipe ({told}); leave that away, or start "
            "another run in another folder."
        )
    return None


def _check_seconds(folder: Path, run: Mapping[str, Any], own: Recipe, typed: Typed) -> None:
    if typed.seconds is not None and typed.seconds != run.get("seconds"):
        raise RunError(
            f"--minutes is for a new run; that in {folder} has {_told_length(run, own)}. "
            f"--set {STEPS}=N makes it longer."
        )


def _told_length(run: Mapping[str, Any], own: Recipe) -> str:
    seconds = run.get("seconds")
    return f"{own.training.steps} steps" if seconds is None else f"{seconds / 60:g} minutes"


def _check_start(folder: Path, run: Mapping[str, Any], typed: Typed) -> None:
    if typed.start_from is None:
        return
    start = run.get("start")
    if start is None or not typed.start_from.is_file() or start["sha256"] != file_sha256(typed.start_from):
        raise RunError(f"the run in {folder} did not start from {typed.start_from}; start another run.")


def _find_differing(own: Recipe, wanted: Recipe, typed: Typed) -> dict[str, tuple[Any, Any]]:
    """Return the run's value and the typed one of every typed key in which they differ."""
    mine, other = dict(_leaves(own.to_mapping())), dict(_leaves(wanted.to_mapping()))
    differing = {
        key: (mine.get(key), other.get(key))
        for key in dict.fromkeys([*mine, *other])
        if mine.get(key) != other.get(key)
    }
    if typed.recipe is None or typed.recipe.endswith((".yaml", ".yml")):
        return differing
    keys = {"name", *(change.split("=")[0].strip() for change in typed.changes)}
    return {
        key: pair for key, pair in differing.items() if any(f"{key}.".startswith(f"{one}.") for one in keys)
    }


def _leaves(content: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value that is no mapping, by dotted key."""
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value
