"""Number format and memory layout of a training: measured on this machine where the recipe leaves it open."""

from __future__ import annotations

import copy
import time
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any

import torch

from calokit.errors import ConfigurationError
from calokit.models.protocols import Trainable
from calokit.training.recipe import TrainingSettings


@dataclass(frozen=True)
class Precision:
    """How the convolutions and matrix products of a model are computed.

    Attributes:
        number_format: `float32` or `bfloat16` (autocast; weights stay float32).
        memory_format: `contiguous` or `channels_last` (for images).
        milliseconds: Measured time of one training step, 0 where not measured.
    """

    number_format: str
    memory_format: str
    milliseconds: float = 0.0

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which losses and velocities are computed."""
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.number_format == "bfloat16")

    def lay_out(self, model: torch.nn.Module) -> None:
        """Put the image weights of a model into this memory format, in place."""
        last = self.memory_format == "channels_last"
        layouts = {4: torch.channels_last, 5: torch.channels_last_3d}
        for parameter in model.parameters():
            if parameter.dim() in layouts:
                layout = layouts[parameter.dim()] if last else torch.contiguous_format
                parameter.data = parameter.data.contiguous(memory_format=layout)

    def to_mapping(self) -> dict[str, object]:
        """Return the fields as plain data."""
        return asdict(self)


def native_precision() -> Precision:
    """Return the format this processor computes fastest in, told by what it offers (no measurement)."""
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return Precision("bfloat16" if fast else "float32", "channels_last")


def parse_precision(name: str) -> Precision | None:
    """Return the precision of that name, None for `auto`.

    Raises:
        ConfigurationError: The name is none of auto, float32, bfloat16.
    """
    if name == "auto":
        return None
    if name not in ("float32", "bfloat16"):
        raise ConfigurationError(f"no precision {name!r}; write auto, float32 or bfloat16.")
    return Precision(name, "channels_last")


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
