"""What other programs on the machine cost: training, generating and judging alone and beside busy processes.

Each command runs in a process of its own, alone and beside as many endless loops as there are processors, in
three ways: `spinning` as OpenMP does by default, with a thread for each processor; `sleeping`, the same
threads with OMP_WAIT_POLICY=passive; and `as shipped`, where calokit itself lets waiting threads sleep and
counts the free processors (`--threads 0`). Beside its time stands the processor time of the whole command,
start included, which tells what threads that wait take from the neighbours. With p processors and as many
loops a fair share is half the machine: twice the time alone is fair.

    python -m benchmarks.speed.busy_machine
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py

from benchmarks.record import (
    REPOSITORY,
    Row,
    default_showers,
    describe_circumstances,
    print_rows,
    write_record,
)
from calokit.processors import usable_processors

LONGEST_SECONDS = 120
"""A command that takes longer is stopped; its time is told as at least that."""


@contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """Keep so many processes busy with nothing."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        time.sleep(1.0)
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


@dataclass(frozen=True)
class Ran:
    """What a command took.

    Attributes:
        seconds: Wall time.
        cpu: Processor time, all threads together, s.
        ended: Whether it came to its end.
    """

    seconds: float
    cpu: float
    ended: bool


def run(words: list[str], way: str, folder: Path) -> Ran:
    """Run a command of calokit in one of the ways."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    threads = 0
    if way != "as shipped":
        environment["OMP_WAIT_POLICY"] = "active" if way == "spinning" else "passive"
        threads = usable_processors()
    command = [sys.executable, "-m", "calokit", *words, "--threads", str(threads)]
    started, before = time.monotonic(), _children()
    ended = True
    try:
        done = subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, text=True, timeout=LONGEST_SECONDS
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}: {done.stderr}")
    except subprocess.TimeoutExpired:
        ended = False
    return Ran(time.monotonic() - started, _children() - before, ended)


def _children() -> float:
    """Return the processor time of the processes that were waited for, s."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def train(way: str, folder: Path, steps: int) -> tuple[float, float]:
    """Return the milliseconds of a training step of the flow, and the processor seconds of the command."""
    words = ["train", "zdc_flow", "--data", str(default_showers("positrons")), "--output", "run"]
    for change in (
        f"steps={steps}",
        "precision=float32",
        "memory_format=channels_last",
        "validate_every=1000000",
        "validation_showers=64",
    ):
        words += ["--set", f"training.{change}"]
    ran = run(words, way, folder)
    log = folder / "run" / "log.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()] if log.is_file() else []
    known = [line for line in lines if "seconds" in line]
    if not known:
        return 1e3 * ran.seconds / steps, ran.cpu
    return 1e3 * known[-1]["seconds"] / known[-1]["step"], ran.cpu


def generate(way: str, folder: Path, showers: int) -> tuple[float, float]:
    """Return the milliseconds of a generated shower (model alone), and the processor seconds."""
    bundle = str(REPOSITORY / "zoo" / "zdc_flow.calokit")
    words = ["generate", bundle, "--energy", "20", "-n", str(showers), "-o", "made.h5"]
    ran = run([*words, "--precision", "float32"], way, folder)
    if not ran.ended:
        return 1e3 * ran.seconds / showers, ran.cpu
    with h5py.File(folder / "made.h5") as file:
        return float(file.attrs["milliseconds_per_shower"]), ran.cpu


def evaluate(way: str, folder: Path, showers: int) -> tuple[float, float]:
    """Return the seconds of a whole evaluation with one classifier, and the processor seconds."""
    truth = str(default_showers("positrons"))
    words = ["evaluate", truth, str(default_showers("positrons_test")), "--output", "report"]
    ran = run([*words, "--classifiers", "1", "--showers", str(showers)], way, folder)
    return ran.seconds, ran.cpu


TASKS = {"train, ms a step": train, "generate, ms a shower": generate, "evaluate, s": evaluate}


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--showers", type=int, default=512)
    parser.add_argument("--ways", nargs="+", default=["spinning", "sleeping", "as shipped"])
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    arguments = parser.parse_args()
    circumstances = describe_circumstances(usable_processors())
    sizes = {"train, ms a step": arguments.steps, "generate, ms a shower": arguments.showers}
    rows: list[Row] = []
    for task in arguments.tasks:
        for way in arguments.ways:
            found = []
            for loops in (0, usable_processors()):
                with busy_processes(loops), tempfile.TemporaryDirectory(prefix="calokit-busy-") as folder:
                    found.append(TASKS[task](way, Path(folder), sizes.get(task, 1000)))
            (alone, alone_cpu), (busy, busy_cpu) = found
            row = {"task": task, "way": way, "alone": alone, "busy": busy, "ratio": busy / alone}
            rows.append({**row, "cpu s alone": alone_cpu, "cpu s busy": busy_cpu})
            print(rows[-1], flush=True)
    print_rows("Beside busy processes", rows, circumstances)
    write_record("busy_machine", rows, circumstances, steps=arguments.steps, showers=arguments.showers)


if __name__ == "__main__":
    main()
