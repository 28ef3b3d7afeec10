"""Whether compiled loops can draw a cascade's showers here, and look at given ones."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch

from calokit.models.cascade.compiled.arrays import PARTS
from calokit.models.cascade.stage import Stage

if TYPE_CHECKING:
    from calokit.models.cascade.compiled.generation import CompiledDrawing
    from calokit.models.cascade.compiled.given import GivenShowers
    from calokit.models.cascade.surrogate import CascadeSurrogate


class _Kept:
    """The last drawing of a cascade, and the tensors that it was made of.

    Args:
        model: The cascade.
        drawing: Made of its weights as they are.
    """

    def __init__(self, model: CascadeSurrogate, drawing: CompiledDrawing) -> None:
        self.drawing = drawing
        self.tensors = [
            (owner, name, tensor)
            for module in model.modules()
            for owner in (module._parameters, module._buffers)
            for name, tensor in owner.items()
            if tensor is not None
        ]
        self.state = self._state()

    def holds(self) -> bool:
        """Return whether the cascade still has these tensors, and nobody has written into them.

        What is written into tensors of the inference mode is not told.
        """
        same = all(owner.get(name) is tensor for owner, name, tensor in self.tensors)
        return same and self._state() == self.state

    def _state(self) -> list[tuple[int, int]]:
        return [
            (tensor.data_ptr(), 0 if tensor.is_inference() else tensor._version)
            for _, _, tensor in self.tensors
        ]


_known: WeakKeyDictionary[CascadeSurrogate, _Kept] = WeakKeyDictionary()
_given: WeakKeyDictionary[CascadeSurrogate, GivenShowers] = WeakKeyDictionary()


def compiled_drawing(model: CascadeSurrogate) -> CompiledDrawing | None:
    """Return the compiled drawing of a cascade with its weights as they are now.

    Returns:
        None where numba is not installed, does not fit the installed numpy or is told not to compile
        (NUMBA_DISABLE_JIT=1), where the cascade is not on the processor, and where a box may look at
        something that the loops do not know.
    """
    if not _loops_know(model):
        return None
    from calokit.models.cascade.compiled.generation import CompiledDrawing

    kept = _known.get(model)
    if kept is None or not kept.holds():
        with model.device.full_precision():
            kept = _known[model] = _Kept(model, CompiledDrawing(model))
    return kept.drawing


def compiled_cuts(model: CascadeSurrogate) -> GivenShowers | None:
    """Return what finds how the boxes of given showers were cut by compiled loops.

    Returns:
        None where `compiled_drawing` would be None, and where others lie between layers of one
        kind, and in another precision than float32.
    """
    alike = [len(plane.layers) == plane.layers[-1] - plane.layers[0] + 1 for plane in model.tree.planes]
    if not all(alike) or model.threshold.dtype != torch.float32 or not _loops_know(model):
        return None
    from calokit.models.cascade.compiled.given import GivenShowers

    if model not in _given:
        _given[model] = GivenShowers(model)
    return _given[model]


def _loops_know(model: CascadeSurrogate) -> bool:
    """Return whether loops are compiled here and know all parts of a cascade."""
    if not model.device.is_host or not numba_compiles():
        return False
    stages = [one for one in (model.depth, *model.stages) if isinstance(one, Stage)]
    known = all(type(part) in PARTS for stage in stages for part in stage.parts)
    return known and all(len(stage.networks) for stage in stages)


@cache
def numba_compiles() -> bool:
    """Return whether numba is there and works."""
    from calokit.models.cascade.compiled.compiler import COMPILES

    if not COMPILES:
        return False
    try:
        import calokit.models.cascade.compiled.generation  # noqa: F401
    except RuntimeError:  # no folder in which compiled loops can be kept
        return False
    return True
