"""Where tensors live and are computed: the one place that says cpu, cuda or mps.

Bundles, checkpoints and files know no device. Whoever trains or generates chooses one, moves the model and
each batch there once, and asks it for number formats, clocks and random numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol, Self, TypeVar

import torch
from torch import Tensor, nn

from calokit.compute.machine import processor_flags, processor_name
from calokit.errors import ConfigurationError


class Movable(Protocol):
    """A batch, or anything else that can be had on another device."""

    def to(self, device: torch.device) -> Self:
        """Return it on a device."""
        ...


AnyMovable = TypeVar("AnyMovable", bound=Movable)


@dataclass(frozen=True)
class Device:
    """One processor that computes: the machine's own, or an accelerator.

    Attributes:
        name: `cpu`, `cuda:0`, `cuda:1`, ... or `mps`.

    Example:
        >>> Device.of("cpu").put(torch.ones(2)).sum().item()
        2.0
    """

    name: str

    @classmethod
    def of(cls, name: str) -> Device:
        """Return the device of that name; `auto` is the first GPU, or the processor where there is none.

        Args:
            name: auto, cpu, cuda, cuda:1 or mps.

        Raises:
            ConfigurationError: There is no such device here; the message names those that are there.
        """
        there = available_devices()
        if name == "auto":
            return cls(next((one for one in there if one.startswith("cuda")), "cpu"))
        wanted = "cuda:0" if name == "cuda" else name
        if wanted not in there:
            raise ConfigurationError(f"no device {name!r} here; there is {', '.join(there)} (or write auto).")
        return cls(wanted)

    @classmethod
    def holding(cls, what: Tensor | nn.Module) -> Device:
        """Return the device that a tensor, or the first tensor of a module, lives on."""
        if isinstance(what, nn.Module):
            first = next(chain(what.parameters(), what.buffers()), None)
            return cls("cpu") if first is None else cls(str(first.device))
        return cls(str(what.device))

    @property
    def place(self) -> torch.device:
        """The same, as torch names it."""
        return torch.device(self.name)

    @property
    def kind(self) -> str:
        """`cpu`, `cuda` or `mps`."""
        return self.name.partition(":")[0]

    @property
    def is_host(self) -> bool:
        """Whether it is the processor that also runs Python: nothing needs to be moved or waited for."""
        return self.kind == "cpu"

    def put(self, what: AnyMovable) -> AnyMovable:
        """Return a batch or module on this device; a module moves itself.

        Raises:
            ConfigurationError: The device cannot hold it (double precision on Apple's).
        """
        try:
            return what.to(self.place)
        except TypeError as error:
            if self.kind == "mps":
                raise ConfigurationError(
                    "this model computes in double precision, which mps lacks; use --device cpu."
                ) from error
            raise

    @contextmanager
    def autocast(self, number_format: str) -> Iterator[None]:
        """Compute convolutions and matrix products in a number format: bfloat16, or float32 as it is.

        Graphics cards round float32 convolutions to 10 bits unless told not to; here float32 means it.
        """
        with (
            _full_products(self.kind),
            torch.autocast(self.kind, dtype=torch.bfloat16, enabled=number_format == "bfloat16"),
        ):
            yield

    def full_precision(self) -> AbstractContextManager[object]:
        """Return the context of a part that must stay float32, whatever is around it."""
        return torch.autocast(self.kind, enabled=False)

    def synchronise(self) -> None:
        """Wait until everything that was asked for is computed; before a clock is read."""
        if self.kind == "cuda":
            torch.cuda.synchronize(self.place)
        elif self.kind == "mps":
            torch.mps.synchronize()

    def generator(self, seed: int) -> torch.Generator:
        """Return a source of random numbers that are made on this device."""
        return torch.Generator(self.place).manual_seed(seed)

    @contextmanager
    def own_layer_draws(self) -> Iterator[None]:
        """Put back, afterwards, the state of the generators that layers such as dropout draw from."""
        devices = [] if self.is_host else [self.place]
        kind = "cuda" if self.is_host else self.kind
        with torch.random.fork_rng(devices=devices, device_type=kind):
            yield

    def computes_bfloat16(self) -> bool:
        """Return whether bfloat16 is what it multiplies fastest, told by what it offers (no measurement)."""
        if self.kind == "cuda":
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
        return self.is_host and bool({"avx512_bf16", "amx_tile"} & processor_flags())

    def describe(self) -> dict[str, Any]:
        """Return kind and model of the device, for provenance."""
        return {"device": self.name, "accelerator": None if self.is_host else self.model_name()}

    def model_name(self) -> str:
        """Return what the manufacturer calls the processor or card."""
        return torch.cuda.get_device_name(self.place) if self.kind == "cuda" else processor_name()


CPU = Device("cpu")
"""The processor, which is always there."""


def available_devices() -> list[str]:
    """Return the names of the devices of this machine, `cpu` first."""
    cards = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    return ["cpu", *cards, *(["mps"] if torch.backends.mps.is_available() else [])]


@contextmanager
def _full_products(kind: str) -> Iterator[None]:
    """Compute float32 convolutions of a graphics card in float32."""
    if kind != "cuda":
        yield
        return
    convolutions: Any = torch.backends.cudnn.conv  # type: ignore[attr-defined]
    before = convolutions.fp32_precision
    convolutions.fp32_precision = "ieee"
    try:
        yield
    finally:
        convolutions.fp32_precision = before
