"""Recipes so small that a test can train them, and the types of the fixtures that make showers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from calokit.compute.draws import Draws
from calokit.progress import Advance, Progress, no_progress
from calokit.recipes import load_recipe
from calokit.recipes.recipe import Recipe
from calokit.showers import Showers

MakeShowers = Callable[[int, int], Showers]
MakeFile = Callable[..., Path]

TINY_TRAINING = [
    "training.batch_size=32",
    "training.warmup_steps=2",
    "training.validation_showers=32",
    "training.validate_every=10",
    "training.precision=float32",
    "training.memory_format=channels_last",
]
TINY_MODELS = {
    "zdc_flow": ["model.channels=4", "model.blocks=1", "model.totals_width=8", "model.totals_layers=1"],
    "zdc_regression": ["model.hidden_dim=4"],
}


def tiny_recipe(name: str, *changes: str) -> Recipe:
    """A shipped recipe made so small that a step takes milliseconds."""
    return load_recipe(name, [*TINY_MODELS[name], *TINY_TRAINING, *changes])


silent = no_progress
"""Progress that nobody watches."""


def calling(told: Callable[[int, str], object]) -> Progress:
    """Return progress that calls one function with the number of done items and the words."""

    @contextmanager
    def progress(total: int | None, description: str, unit: str, done: int = 0) -> Iterator[Advance]:
        yield lambda n=1, note="", total=None: told(n, note)  # type: ignore[misc]

    return progress


def seeded(seed: int = 1) -> torch.Generator:
    """Random numbers for `generate`."""
    return torch.Generator().manual_seed(seed)


def draws(seed: int = 1) -> Draws:
    """Random numbers for losses and transforms."""
    return Draws(seeded(seed))
