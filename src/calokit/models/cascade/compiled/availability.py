"""Whether compiled loops can draw a cascade's showers here."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from calokit.models.cascade.compiled.arrays import PARTS
from calokit.models.cascade.stage import Stage

if TYPE_CHECKING:
    from calokit.models.cascade.compiled.generation import CompiledDrawing
    from calokit.models.cascade.surrogate import CascadeSurrogate

_known: WeakKeyDictionary[CascadeSurrogate, tuple[object, CompiledDrawing]] = WeakKeyDictionary()
"""The last drawing of each cascade, and the state of the weights that it was made of."""


def compiled_drawing(model: CascadeSurrogate) -> CompiledDrawing | None:
    """Return the compiled drawing of a cascade with its weights as they are now.

    Returns:
        None where numba is not installed, does not fit the installed numpy or is told not to compile
        (NUMBA_DISABLE_JIT=1), where the cascade is not on the processor, and where a box may look at
        something that the loops do not know.
    """
    if not model.device.is_host or not numba_compiles():
        return None
    stages = [one for one in (model.depth, *model.stages) if isinstance(one, Stage)]
    if any(type(part) not in PARTS for stage in stages for part in stage.parts):
        return None
    if not all(len(stage.networks) for stage in stages):
        return None
    from calokit.models.cascade.compiled.generation import CompiledDrawing

    state = tuple((one.data_ptr(), one._version) for one in model.state_dict().values())
    found = _known.get(model)
    if found is None or found[0] != state:
        found = _known[model] = (state, CompiledDrawing(model))
    return found[1]


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
