"""How loops are compiled: once, kept on disk beside the source; one thread each, others may run meanwhile."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from calokit.progress import tell_user

try:
    from numba import config, njit
    from numba.core.event import Event, Listener, register

    COMPILES = not getattr(config, "DISABLE_JIT", 0)
except ImportError:  # not installed, or of another numpy
    COMPILES = False

COMPILING = "compiling the cascade's loops, once for this installation (half a minute)"

START = cast("int", np.int64(0))
"""Where a count begins: for the literal 0, what is called with it would be compiled once more."""

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


def source_digest(folder: Path) -> str:
    """Return the SHA-256 of all source files of a folder and those below."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


SOURCES = source_digest(Path(__file__).parent.parent) if COMPILES else ""
"""Of the cascade: loops hold what they call, and numbers of other files."""


def _compile(function: AnyFunction, **how: Any) -> AnyFunction:
    """Compile a function and keep it on disk; what is kept counts while no file of the cascade changes.

    Numba alone looks at the function's own file, so that a loop would go on calling what another file held
    before. Where no folder can be written, every process compiles for itself. One whose name begins with
    an underscore can be called by compiled functions only: no entry from Python is compiled.
    """
    if function.__name__.startswith("_"):
        how |= {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    try:
        dispatcher = njit(cache=True, nogil=True, error_model="numpy", **how)(function)
    except RuntimeError:  # no folder to keep it in
        return cast("AnyFunction", njit(nogil=True, error_model="numpy", **how)(function))
    index = dispatcher._cache._cache_file
    index._source_stamp = (index._source_stamp, SOURCES)
    return cast("AnyFunction", dispatcher)


def compiled(function: AnyFunction) -> AnyFunction:
    """Compile a function that makes no arrays, where numba is there; a number by zero is infinity.

    It does not count that it holds the arrays it is handed: its caller does, and each is an atomic addition.
    """
    if not COMPILES:
        return function
    return _compile(function, _nrt=False)


def compiled_with_arrays(function: AnyFunction) -> AnyFunction:
    """Compile a function that makes arrays of its own."""
    if not COMPILES:
        return function
    return _compile(function)


def compiled_for_vectors(function: AnyFunction) -> AnyFunction:
    """Compile a function of finite numbers so that the processor's vectors are used."""
    if not COMPILES:
        return function
    return _compile(function, fastmath=FINITE, _nrt=False)


def compiled_into_loops(function: AnyFunction) -> AnyFunction:
    """Compile a function of single finite numbers into each loop that calls it."""
    if not COMPILES:
        return function
    return _compile(function, fastmath=FINITE, forceinline=True)
