"""Number format and memory layout of a training: measured on this machine where the recipe leaves it open."""

from __future__ import annotations

import copy
import time
from typing import Any

import torch

from calokit.compute.draws import Draws, Purpose, draw_generator
from calokit.compute.precision import Precision
from calokit.models.protocols import Trainable
from calokit.recipes.recipe import TrainingSettings


def choose_precision(
    model: Trainable[Any], batch: Any, settings: TrainingSettings, repeats: int = 3
) -> Precision:
    """Time a few training steps in each open format and return the fastest.

    Args:
        model: The model, left as it is.
        batch: Real showers of the training batch size, on the model's device.
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
    copied, device = copy.deepcopy(model), model.device
    precision.lay_out(copied)
    draws = Draws(draw_generator(0, Purpose.TIMING, 0, device), device)
    times = []
    for _ in range(repeats + 1):
        device.synchronise()
        start = time.perf_counter()
        with precision.autocast(device):
            losses = copied.losses(batch, draws)
        total: torch.Tensor = torch.stack(list(losses.values())).sum()
        total.backward()  # type: ignore[no-untyped-call]
        device.synchronise()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times[1:])
