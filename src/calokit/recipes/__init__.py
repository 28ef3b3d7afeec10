"""Complete recipes by name, and recipes read from YAML."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

import yaml

from calokit.config import read_yaml
from calokit.detector import Detector
from calokit.detector.library import detector_beside
from calokit.errors import ConfigurationError, suggest_near_miss
from calokit.models.settings import load_families
from calokit.recipes.recipe import Recipe

RecipeMaker = Callable[[], Recipe]


def _makers_in(modules: Iterable[ModuleType]) -> dict[str, RecipeMaker]:
    """Return what the `RECIPES` of modules make, by name."""
    return {make.__name__: make for module in modules for make in getattr(module, "RECIPES", ())}


_SHIPPED = _makers_in(
    import_module(f"{__name__}.{one.name}") for one in iter_modules(__path__) if one.name != "recipe"
)


def _all_makers() -> dict[str, RecipeMaker]:
    return {**_SHIPPED, **_makers_in(load_families())}


def list_recipes() -> list[Recipe]:
    """Return every recipe that calokit ships or that is installed beside it."""
    return [make() for make in _all_makers().values()]


def recipes_for(detector: Detector) -> list[Recipe]:
    """Return every recipe whose model fits a detector: those meant for it, for any, for another.

    Example:
        >>> from calokit.detector import load_detector
        >>> [recipe.detector for recipe in recipes_for(load_detector("luxe_ecal"))][0]
        'luxe_ecal'
    """
    fitting = [recipe for recipe in list_recipes() if recipe.model.misfit(detector) is None]
    return sorted(fitting, key=lambda recipe: (recipe.detector != detector.name, recipe.detector is not None))


def load_recipe(name_or_path: str, changes: list[str] | None = None) -> Recipe:
    """Return a recipe by its name or from a YAML file, with changes applied.

    Args:
        name_or_path: A shipped recipe's name, or the path of a YAML file; a detector's file that it names is
            looked for beside it.
        changes: `key=value` texts, keys dotted (`training.steps=500`), values as YAML.

    Raises:
        ConfigurationError: Unknown name or key, missing file, or a value that does not fit.

    Example:
        >>> load_recipe("zdc_flow", ["training.steps=500"]).training.steps
        500
    """
    if name_or_path.endswith((".yaml", ".yml")):
        content = read_yaml(Path(name_or_path))
    elif make := _SHIPPED.get(name_or_path) or _all_makers().get(name_or_path):
        content = make().to_mapping()
    else:
        raise ConfigurationError(
            f"no recipe {name_or_path!r}. {suggest_near_miss(name_or_path, _all_makers())} "
            "A recipe of your own is a file ending in .yaml."
        )
    where = Path(name_or_path).parent
    if isinstance(content, dict) and isinstance(content.get("detector"), str):
        content["detector"] = detector_beside(content["detector"], where)
    for change in changes or []:
        _apply_change(content, change)
    return Recipe.from_mapping(content, name_or_path)


def _apply_change(content: Any, change: str) -> None:
    key, found, text = change.partition("=")
    if not found:
        raise ConfigurationError(f"--set {change!r}: write key=value, such as training.steps=500.")
    parts = key.strip().split(".")
    place = content
    for part in parts[:-1]:
        if not isinstance(place, dict) or not isinstance(place.setdefault(part, {}), dict):
            raise ConfigurationError(f"--set {key!r}: {part!r} holds no further keys.")
        place = place[part]
    if not isinstance(place, dict):
        raise ConfigurationError(f"--set {key!r}: the recipe is no set of keys and values.")
    try:
        place[parts[-1]] = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigurationError(f"--set {change!r}: the value is not readable as YAML.") from None
