"""A device that is not there: tensors on the processor whose memory counts as elsewhere.

`torch.device("cpu", 0)` stands for it. While `Pretended` is entered, every call of torch is looked at: what
meets a tensor of the host without being moved, or leaves without `cpu()`, is written down with the line of
calokit that did it. It finds on a processor what a graphics card would refuse, and slow comings and goings.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from calokit.compute.device import Device

PRETENDED = Device("cpu:0")
PLACE = PRETENDED.place
LEAVES = {"numpy", "__array__"}
WAITS = {"item", "tolist", "__bool__", "__int__", "__float__", "__index__", "cpu"}
"""Legal, but the host has to wait for the device."""
MAY_MEET = {"copy_", "__set__", "new_tensor", "to", "_has_compatible_shallow_copy_type"}
ONE_PLACE_ONLY = {"stack", "cat", "concat", "index_add", "index_add_", "searchsorted", "bucketize"}
"""Calls that take not even a single number of the host."""


class Pretended(TorchFunctionMode):
    """Watches torch while it is entered.

    Attributes:
        faults: Calls that a real device would refuse or that copy silently, and how often.
        waits: Calls for which the host waits, and how often.
    """

    def __init__(self) -> None:
        super().__init__()
        self.faults: Counter[str] = Counter()
        self.waits: Counter[str] = Counter()
        self._there: dict[int, torch.UntypedStorage] = {}  # kept alive, so that no place is used twice
        self._empty: dict[int, torch.Tensor] = {}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", str(func))
        given = _tensors(args[0] if name == "__deepcopy__" else (args, kwargs))
        places = [self._is_there(one) for one in given]
        there = any(places)
        if there:
            if getattr(func, "__self__", None) is torch.Tensor.device:
                return PLACE
            self._judge(name, [one for one, known in zip(given, places, strict=True) if not known])
        result = func(*args, **kwargs)
        goes = torch.device("cpu") if name == "cpu" else _asked_place(args, kwargs)
        if goes is None:
            if there and name not in LEAVES | WAITS:
                self._mark(result)
        elif goes == PLACE:
            return self._mark(_moved(result) if given and not there else result)
        elif there:
            return _moved(result)
        return result

    def _is_there(self, tensor: torch.Tensor) -> bool:
        place = _memory(tensor).data_ptr()
        return place in self._there if place else id(tensor) in self._empty

    def _judge(self, name: str, others: list[torch.Tensor]) -> None:
        """Look at a call that meets tensors of the device, and these others."""
        if name in WAITS:
            self.waits[_where(name)] += 1
            return
        least = 0 if name in ONE_PLACE_ONLY else 1
        here = [one for one in others if one.dim() >= least and one.numel()]
        if name in LEAVES or (here and name not in MAY_MEET):
            place = _where(name)
            if place:
                self.faults[place] += 1

    def _mark(self, what: Any) -> Any:
        for one in _tensors(what):
            memory = _memory(one)
            if memory.data_ptr():
                self._there[memory.data_ptr()] = memory
            else:
                self._empty[id(one)] = one
        return what


def _memory(tensor: torch.Tensor) -> torch.UntypedStorage:
    """Return where a tensor lies; asked by the watch alone, which does not watch itself."""
    return tensor.untyped_storage()


SEVERAL = (list, tuple)


def _tensors(what: Any) -> list[torch.Tensor]:
    found: list[torch.Tensor] = []
    _collect(what, found)
    return found


def _collect(what: Any, found: list[torch.Tensor]) -> None:
    if isinstance(what, torch.Tensor):
        found.append(what)
    elif isinstance(what, SEVERAL):
        for one in what:
            _collect(one, found)
    elif isinstance(what, dict):
        for one in what.values():
            _collect(one, found)


def _asked_place(args: tuple[Any, ...], kwargs: dict[str, Any]) -> torch.device | None:
    """Return where a call asks its result to be, if it does."""
    for one in (kwargs.get("device"), *args[:2]):
        if isinstance(one, torch.device):
            return one
        if isinstance(one, str) and one.startswith("cpu"):
            return torch.device(one)
    return None


def _moved(what: Any) -> Any:
    """Return the same numbers in other memory, as a move to another device does."""
    with torch._C.DisableTorchFunction():
        return what.clone() if isinstance(what, torch.Tensor) else what


def _where(name: str) -> str:
    """Return the line of calokit that called, or nothing where it writes a file."""
    frames = traceback.extract_stack()
    if any("/safetensors/" in frame.filename for frame in frames):
        return ""
    for frame in reversed(frames):
        if "/calokit/" in frame.filename and "/tests/" not in frame.filename:
            inside = frame.filename.split("/calokit/")[-1]
            return f"{inside}:{frame.lineno} [{name}] {(frame.line or '').strip()}"
    return f"? [{name}]"
