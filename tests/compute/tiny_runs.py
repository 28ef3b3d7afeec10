"""The recipe of every family in the smallest detector that it takes, and showers to train it on."""

from __future__ import annotations

from calokit.detector import list_detectors, load_detector
from calokit.recipes.recipe import Recipe, TrainingSettings
from calokit.showers import Showers
from tiny_families import FAMILIES, make_showers_in, tiny_settings

SHOWERS = 180


def families() -> list[str]:
    """Return the kinds of all families that a recipe can name."""
    return FAMILIES


def tiny_of(kind: str) -> Recipe:
    """Return a recipe of a family whose steps take milliseconds."""
    settings = tiny_settings(kind)
    fitting = [name for name in list_detectors() if settings.misfit(load_detector(name)) is None]
    training = TrainingSettings(
        steps=2,
        batch_size=16,
        validate_every=2,
        validation_showers=16,
        memory_format="channels_last",
        precision="float32",
    )
    smallest = min(fitting, key=lambda name: load_detector(name).number_of_cells)
    return Recipe(name=kind, title=kind, detector=smallest, model=settings, training=training)


def showers_for(recipe: Recipe) -> Showers:
    """Return made-up showers that a recipe can train on."""
    assert recipe.detector is not None
    return make_showers_in(load_detector(recipe.detector), SHOWERS)
