"""Number format and memory layout of a computation."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass

import torch

from calokit.compute.device import Device
from calokit.errors import ConfigurationError


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

    def autocast(self, device: Device) -> AbstractContextManager[object]:
        """Return the context in which losses and velocities are computed on a device."""
        return device.autocast(self.number_format)

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


PLAIN = Precision("float32", "contiguous")
"""Nothing rounded, nothing rearranged."""


def native_precision(device: Device) -> Precision:
    """Return the format a device computes fastest in, told by what it offers (no measurement)."""
    return Precision("bfloat16" if device.computes_bfloat16() else "float32", "channels_last")


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
