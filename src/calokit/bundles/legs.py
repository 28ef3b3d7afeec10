"""A training that started from another bundle's weights: all its parts, from the first weights on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Leg:
    """One part of a training, from its first step to its last.

    Attributes:
        recipe: Name of its recipe.
        seed: Its seed; None where an early bundle does not say.
        steps: Steps of the optimiser.
        presentations: Showers shown, steps times batch size.
        cpu_minutes: Processor time of the steps.
        settings: The complete recipe, as plain data; None where an early bundle does not say.
        note: What else the bundle says of it.
    """

    recipe: str
    seed: int | None
    steps: int
    presentations: int
    cpu_minutes: float
    settings: dict[str, Any] | None
    note: str = ""

    def to_mapping(self) -> dict[str, Any]:
        """Return the leg as plain data, without its complete recipe."""
        return {name: value for name, value in asdict(self).items() if name not in ("settings", "note")}


def legs_of(recipe: Mapping[str, Any], provenance: Mapping[str, Any]) -> list[Leg]:
    """Return the legs of a bundle's training, the first one first.

    Args:
        recipe: The bundle's recipe, as plain data.
        provenance: The bundle's provenance; `start` holds that of the bundle that it started from.

    Example:
        >>> first = {"recipe": "a", "steps": 2, "presentations": 64, "seconds": 60.0, "start": None}
        >>> recipe = {"name": "b", "training": {"seed": 3}}
        >>> made = {"steps": 1, "presentations": 32, "seconds": 6.0, "cpu_seconds": 6.0, "start": first}
        >>> [(leg.recipe, leg.seed, leg.presentations) for leg in legs_of(recipe, made)]
        [('a', None, 64), ('b', 3, 32)]
    """
    start = provenance.get("start")
    before = [] if start is None else legs_of(start.get("settings") or {"name": start["recipe"]}, start)
    seconds = provenance.get("cpu_seconds", provenance["seconds"])
    own = Leg(
        recipe=recipe["name"],
        seed=recipe.get("training", {}).get("seed"),
        steps=provenance["steps"],
        presentations=provenance["presentations"],
        cpu_minutes=round(seconds / 60, 2),
        settings=dict(recipe) if "training" in recipe else None,
        note=provenance.get("note", ""),
    )
    return [*before, own]


def presentations_in_all(legs: list[Leg]) -> int:
    """Return how many showers were shown from the first weights on."""
    return sum(leg.presentations for leg in legs)


def cpu_minutes_in_all(legs: list[Leg]) -> float:
    """Return the processor time from the first weights on."""
    return sum(leg.cpu_minutes for leg in legs)
