"""Loops are kept on disk once they are compiled, and the user is told while they are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from calokit.models.cascade.compiled.availability import numba_compiles
from calokit.models.cascade.compiled.compiler import COMPILING

CALLS = """
import numpy as np
from calokit.models.cascade.compiled.functions import exponentials, logarithms

values = np.ones(3, np.float32)
exponentials(values)
logarithms(values)
print(values.round(4).tolist())
"""


def run(kept: Path) -> subprocess.CompletedProcess[str]:
    """Call two loops in a new process that keeps what it compiles in a folder."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(kept)}
    done = subprocess.run(
        [sys.executable, "-c", CALLS], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[1.0, 1.0, 1.0]\n"
    return done


@pytest.mark.skipif(not numba_compiles(), reason="numba is not installed")
def test_user_is_told_once_and_only_when_loops_are_compiled(tmp_path: Path) -> None:
    assert run(tmp_path).stderr == f"calokit: {COMPILING}\n"
    assert run(tmp_path).stderr == ""
