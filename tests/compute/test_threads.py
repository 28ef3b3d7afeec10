"""Threads: those that wait sleep, the environment and the option count, and none where others work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import typer

from calokit import processors
from calokit.cli.options import parse_threads
from calokit.compute import threads as threads_module
from calokit.compute.threads import sleep_while_waiting, use_threads


def stat(*idle: int) -> str:
    """What Linux would tell of processors of 1000 ticks each, so many of them idle."""
    lines = [f"cpu{number} {1000 - free} 0 0 {free} 0 0 0 0 0 0" for number, free in enumerate(idle)]
    return "\n".join(["cpu  0 0 0 0 0 0 0 0 0 0", *lines, "intr 5"])


@pytest.mark.parametrize(
    ("idle", "free"),
    [((1000, 1000, 1000, 1000), 4), ((0, 0, 0, 0), 1), ((1000, 0, 900, 300), 2), ((600, 600, 600, 0), 2)],
)
def test_free_processors_are_those_that_idle(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, idle: tuple[int, ...], free: int
) -> None:
    path = tmp_path / "stat"
    path.write_text(stat(0, 0, 0, 0).replace("1000", "0"))
    monkeypatch.setattr(processors, "PROCESSOR_TIMES", path)
    monkeypatch.setattr(processors, "_usable", lambda: [0, 1, 2, 3])
    monkeypatch.setattr(processors.time, "sleep", lambda _: path.write_text(stat(*idle)))
    assert processors.free_processors() == free


@pytest.mark.parametrize(("load", "free"), [(0.2, 4), (2.6, 1), (9.0, 1)])
def test_where_linux_tells_nothing_the_load_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, load: float, free: int
) -> None:
    monkeypatch.setattr(processors, "PROCESSOR_TIMES", tmp_path / "nothing")
    monkeypatch.setattr(processors, "_usable", lambda: [0, 1, 2, 3])
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    assert processors.free_processors() == free


def test_without_affinity_all_processors_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert processors.usable_processors() == os.cpu_count()


def test_threads_reach_torch_and_what_comes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setattr(threads_module, "free_processors", lambda: 1)
    assert use_threads(0) == torch.get_num_threads() == 1
    assert os.environ["OMP_NUM_THREADS"] == "1"


def test_waiting_threads_sleep_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    sleep_while_waiting()
    assert os.environ["OMP_WAIT_POLICY"] == "passive"
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    sleep_while_waiting()
    assert os.environ["OMP_WAIT_POLICY"] == "active"


@pytest.mark.parametrize(("text", "threads"), [("0", 0), ("3", 3), ("4,2", 4), (1, 1)])
def test_numbers_of_threads(text: str, threads: int) -> None:
    assert parse_threads(text) == threads


@pytest.mark.parametrize("text", ["all", "-1", "1.5", ""])
def test_no_number_of_threads(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="no number of threads"):
        parse_threads(text)


@pytest.mark.parametrize(
    ("environment", "words", "threads"),
    [({}, [], 1), ({"OMP_NUM_THREADS": "2"}, [], 2), ({"OMP_NUM_THREADS": "2"}, ["--threads", "3"], 3)],
)
def test_the_command_line_says_the_policy_before_torch_is_loaded(
    tmp_path: Path, environment: dict[str, str], words: list[str], threads: int
) -> None:
    """A bundle that is not there ends the command after the threads are set."""
    program = (
        "import sys, os, atexit\n"
        "assert 'torch' not in sys.modules\n"
        "def tell():\n"
        "    import torch\n"
        "    print(os.environ['OMP_WAIT_POLICY'], torch.get_num_threads())\n"
        "atexit.register(tell)\n"
        "from calokit.cli import main\n"
        "assert 'torch' not in sys.modules\n"
        "main()\n"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    command = ["generate", "none.calokit", "--energy", "20", "-n", "1", "-o", "made.h5", *words]
    done = subprocess.run(
        [sys.executable, "-c", program, *command],
        env={**kept, **environment},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout.split() == ["passive", str(threads)]
