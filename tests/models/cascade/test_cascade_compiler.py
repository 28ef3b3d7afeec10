"""Loops are kept on disk once they are compiled, and the user is told while they are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from calokit.models.cascade.compiled import compiler
from calokit.models.cascade.compiled.availability import numba_compiles
from calokit.models.cascade.compiled.compiler import COMPILING, source_digest

CALLS = """
import numpy as np
from calokit.models.cascade.compiled.functions import exponentials, logarithms

values = np.ones(3, np.float32)
exponentials(values)
logarithms(values)
print(values.round(4).tolist())
"""


def run(kept: Path, calls: str = CALLS) -> subprocess.CompletedProcess[str]:
    """Call two loops in a new process that keeps what it compiles in a folder."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(kept)}
    done = subprocess.run(
        [sys.executable, "-c", calls], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[1.0, 1.0, 1.0]\n"
    return done


@pytest.mark.skipif(not numba_compiles(), reason="numba is not installed")
def test_user_is_told_once_and_only_when_loops_are_compiled(tmp_path: Path) -> None:
    assert run(tmp_path).stderr == f"calokit: {COMPILING}\n"
    assert run(tmp_path).stderr == ""


BEFORE = "calokit.models.cascade.compiled.compiler"
CHANGED = f"import {BEFORE} as compiler\ncompiler.SOURCES = 'others'\n{CALLS}"


@pytest.mark.skipif(not numba_compiles(), reason="numba is not installed")
def test_loops_are_compiled_anew_where_another_file_has_changed(tmp_path: Path) -> None:
    run(tmp_path)
    assert run(tmp_path, CHANGED).stderr == f"calokit: {COMPILING}\n"
    assert run(tmp_path, CHANGED).stderr == ""


def test_every_source_file_counts(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    digests = set()
    for name, text in (("one.py", "1"), ("below/two.py", "1"), ("below/two.py", "2"), ("three.txt", "3")):
        (tmp_path / name).write_text(text)
        digests.add(source_digest(tmp_path))
    assert len(digests) == 3


@pytest.mark.skipif(not numba_compiles(), reason="numba is not installed")
def test_without_a_folder_to_keep_them_in_loops_are_compiled_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    njit = compiler.njit

    def refuse(cache: bool = False, **how: object) -> object:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(**how)

    monkeypatch.setattr(compiler, "njit", refuse)
    assert compiler.compiled(lambda value: value + 1)(2) == 3
