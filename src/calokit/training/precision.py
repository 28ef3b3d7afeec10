"""Number format and memory layout of a training: measured on this machine where the recipe leaves it open."""

from __future__ import annotations

import copy
import time
from typing import Any

import torch

from calokit.compute.precision import Precision
from calokit.models.protocols import Trainable
from calokit.recipes.recipe import TrainingSettings


def choose_precision(
    model: Trainable[Any], batch: Any, settings: TrainingSettings, repeats: int = 3
) -> Precision:
    """Time a few training steps in each open format and return the fastest.

    Args:
        model: The model, left as it is.
        batch: Real showers of the training batch size.
        settings: `precision` and `memory_format` other than `auto` are obeyed.
        repeats: Timed steps a format; the fastest counts.
    """
    numbers = ["float32", "bfloat16"] if settings.precision == "auto" else [settings.precision]
    layouts = (
        ["contiguous", "channels_last"] if settings.memory_format == "auto" else [settings.memory_format]
    )
    candidates = [
        Precision(number, layout, _time_step(model, batch, Precision(number, layout), repeats))
        for number in numbers
        for layout in layouts
    ]
    return min(candidates, key=lambda candidate: candidate.milliseconds)


def _time_step(model: Trainable[Any], batch: Any, precision: Precision, repeats: int) -> float:
    """Time forward and backward of one batch on a copy of the model, in milliseconds."""
    copied = copy.deepcopy(model)
    precision.lay_out(copied)
    generator = torch.Generator().manual_seed(0)
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        with precision.autocast():
            losses = copied.losses(batch, generator)
        total: torch.Tensor = torch.stack(list(losses.values())).sum()
        total.backward()  # type: ignore[no-untyped-call]
        times.append(time.perf_counter() - start)
    return 1e3 * min(times[1:])
