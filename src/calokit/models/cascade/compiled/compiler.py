"""How loops are compiled: once, kept on disk beside the source; one thread each, others may run meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from calokit.progress import tell_user

try:
    from numba import config, njit
    from numba.core.event import Event, Listener, register

    COMPILES = not getattr(config, "DISABLE_JIT", 0)
except ImportError:  # not installed, or of another numpy
    COMPILES = False

COMPILING = "compiling the loops that draw showers, once for this installation (half a minute)"

AnyFunction = TypeVar("AnyFunction", bound=Callable[..., object])

FINITE = {"contract", "arcp", "nsz", "nnan", "ninf"}
"""What a compiler may do with numbers that are finite, and whose order of adding is kept."""


if COMPILES:

    class Announcement(Listener):
        """Tells the user, once, that loops are being compiled: none of those kept on disk fits."""

        said = False

        def on_start(self, event: Event) -> None:
            """Say so at the first of our loops."""
            if not self.said and event.data["dispatcher"].py_func.__module__.startswith(__package__):
                self.said = True
                tell_user(COMPILING)

        def on_end(self, event: Event) -> None:
            """Say nothing: the showers come."""

    register("numba:compile", Announcement())  # type: ignore[no-untyped-call]


def compiled(function: AnyFunction) -> AnyFunction:
    """Compile a function, where numba is there; a division by zero gives infinity, as in numpy."""
    if not COMPILES:
        return function
    return cast("AnyFunction", njit(cache=True, nogil=True, error_model="numpy")(function))


def compiled_for_vectors(function: AnyFunction) -> AnyFunction:
    """Compile a function of finite numbers so that the processor's vectors are used."""
    if not COMPILES:
        return function
    vectors = njit(cache=True, nogil=True, error_model="numpy", fastmath=FINITE)
    return cast("AnyFunction", vectors(function))


def compiled_into_loops(function: AnyFunction) -> AnyFunction:
    """Compile a function of single finite numbers into each loop that calls it."""
    if not COMPILES:
        return function
    inside = njit(cache=True, nogil=True, error_model="numpy", fastmath=FINITE, forceinline=True)
    return cast("AnyFunction", inside(function))
