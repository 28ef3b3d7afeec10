"""Complete recipes by name, and recipes read from YAML."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from calokit.config import read_yaml
from calokit.errors import ConfigurationError, suggest_near_miss
from calokit.recipes import cascade, luxe, zdc
from calokit.training.recipe import Recipe

_RECIPES: dict[str, Callable[[], Recipe]] = {
    make.__name__: make
    for make in (
        cascade.cascade,
        cascade.zdc_cascade,
        cascade.lhcb_cascade,
        cascade.par04_cascade,
        cascade.clic_cascade,
        cascade.luxe_cascade,
        zdc.zdc_flow,
        zdc.zdc_regression,
        zdc.zdc_regression_report,
        zdc.zdc_regression_extended_2,
        zdc.zdc_regression_log,
        zdc.zdc_gan,
        zdc.zdc_gan_wgan_gp,
        zdc.zdc_gan_25,
        zdc.zdc_gan_26_lr4,
        zdc.zdc_gan_26_lr4_ns1,
        zdc.zdc_gan_26_lr6,
        zdc.zdc_gan_26_lr8,
        zdc.zdc_neutrons,
        zdc.zdc_neutrons_small,
        luxe.luxe_energy,
        luxe.luxe_energy_counting,
        luxe.luxe_energy_report,
        luxe.luxe_direction,
        luxe.luxe_direction_report,
        luxe.luxe_shared,
        luxe.luxe_particles,
    )
}


def list_recipes() -> list[Recipe]:
    """Return every recipe that calokit ships."""
    return [make() for make in _RECIPES.values()]


def load_recipe(name_or_path: str, changes: list[str] | None = None) -> Recipe:
    """Return a recipe by its name or from a YAML file, with changes applied.

    Args:
        name_or_path: A shipped recipe's name, or the path of a YAML file.
        changes: `key=value` texts, keys dotted (`training.steps=500`), values as YAML.

    Raises:
        ConfigurationError: Unknown name or key, missing file, or a value that does not fit.

    Example:
        >>> load_recipe("zdc_flow", ["training.steps=500"]).training.steps
        500
    """
    if name_or_path.endswith((".yaml", ".yml")):
        content = read_yaml(Path(name_or_path))
    elif name_or_path in _RECIPES:
        content = _RECIPES[name_or_path]().to_mapping()
    else:
        raise ConfigurationError(
            f"no recipe {name_or_path!r}. {suggest_near_miss(name_or_path, _RECIPES)} "
            "A recipe of your own is a file ending in .yaml."
        )
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
