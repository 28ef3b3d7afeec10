"""Peak memory of training and evaluation, for shower files of about 1 GB and 10 GB uncompressed.

Each measurement is a process of its own (`calokit train`, `calokit evaluate`); its peak resident memory is
what the kernel counted for it. The files are made in a temporary folder from the given showers and deleted.
Target: less than 200 MiB more for the large file than for the small one.

    python -m benchmarks.speed.memory --data showers.h5                      # 1 and 10 GB
    python -m benchmarks.speed.memory --data showers.h5 --small              # 0.1 and 1 GB
    python -m benchmarks.speed.memory --data showers.h5 --only train --trace # also what grows, every second
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.record import Row, default_showers, describe_circumstances, print_rows, write_record
from benchmarks.speed.tiled_showers import write_tiled_file
from calokit.showers import ShowerFile, open_showers
from calokit.showers.writer import chunk_rows

TARGET_MIB = 200.0
POOL_BYTES = 64 * 2**20  # as calokit.training.data, which imports torch; this process stays small


@dataclass(frozen=True)
class Used:
    """What a process used: peak resident memory, its largest anonymous part, times, exit status."""

    peak_mib: float
    anonymous_mib: float
    seconds: float
    processor_seconds: float
    status: int
    trace: list[tuple[float, float]]


def run_measured(command: list[str], threads: int, log: Path, folder: Path | None = None) -> Used:
    """Run a command, in a folder where one is given, and return what it used.

    The kernel's peak of a child starts from what this process held when it forked, so that this process
    must stay smaller than what it measures; it never imports torch.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    started = time.monotonic()
    trace: list[tuple[float, float]] = []
    with log.open("wb") as stream:
        child = subprocess.Popen(
            command, stdout=stream, stderr=subprocess.STDOUT, env=environment, cwd=folder
        )
        ended = threading.Event()
        watcher = threading.Thread(target=_watch, args=(child.pid, started, trace, ended))
        watcher.start()
        _, status, usage = os.wait4(child.pid, 0)
        ended.set()
        watcher.join()
    child.returncode = os.waitstatus_to_exitcode(status)
    anonymous = max((value for _, value in trace), default=math.nan)
    seconds, processor = time.monotonic() - started, usage.ru_utime + usage.ru_stime
    return Used(usage.ru_maxrss / 1024, anonymous, seconds, processor, child.returncode, trace)


def _watch(process: int, started: float, trace: list[tuple[float, float]], ended: threading.Event) -> None:
    """Note the anonymous resident memory (MiB) of a process four times a second until it ends."""
    while not ended.wait(0.25):
        try:
            lines = Path(f"/proc/{process}/status").read_text().splitlines()
        except OSError:
            return
        held = [int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon:")]
        trace.extend((time.monotonic() - started, mib) for mib in held)


def training_command(data: Path, folder: Path, steps: int, threads: int) -> list[str]:
    """Return the command line of a training of zdc_flow."""
    return [
        sys.executable, "-m", "calokit", "train", "zdc_flow", "--data", str(data), "-o", str(folder),
        "--set", f"training.steps={steps}", "--set", "training.precision=float32",
        "--set", "training.memory_format=channels_last", "--threads", str(threads),
    ]  # fmt: skip


def evaluation_command(
    reference: Path, generated: Path, folder: Path, threads: int, classifiers: int
) -> list[str]:
    """Return the command line of an evaluation of one file against another."""
    return [
        sys.executable, "-m", "calokit", "evaluate", str(reference), str(generated), "-o", str(folder),
        "--seed", "1", "--threads", str(threads), "--classifiers", str(classifiers),
    ]  # fmt: skip


def steps_for_pools(view: ShowerFile, pools: float, batch_size: int = 256) -> int:
    """Return how many training steps draw from so many shuffling pools."""
    cells = view.detector.number_of_cells
    blocks = max(1, POOL_BYTES // (4 * cells * chunk_rows(cells)))
    return math.ceil(pools * blocks * chunk_rows(cells) / batch_size)


def measure(arguments: argparse.Namespace, folder: Path, gigabytes: float) -> list[Row]:
    """Make the files of one size, run what was asked for on them, and delete them."""
    source = open_showers(arguments.data)
    half = len(source) // 2
    reference, generated = folder / f"reference_{gigabytes:g}.h5", folder / f"generated_{gigabytes:g}.h5"
    commands: dict[str, list[str]] = {}
    showers = write_tiled_file(source, reference, gigabytes)
    if arguments.only in (None, "train"):
        steps = steps_for_pools(source, arguments.pools)
        commands["train"] = training_command(reference, folder / "run", steps, arguments.threads)
    if arguments.only in (None, "evaluate"):
        write_tiled_file(source, generated, gigabytes, first=half)
        commands["evaluate"] = evaluation_command(
            reference, generated, folder / "report", arguments.threads, arguments.classifiers
        )
    rows: list[Row] = []
    for name, command in commands.items():
        log = folder / f"{name}.log"
        used = run_measured(command, arguments.threads, log)
        if used.status != 0:
            print(f"{name} on {gigabytes:g} GB ended with status {used.status}:\n{log.read_text()[-1500:]}")
        if arguments.trace:
            told = [f"{when:.0f}s:{mib:.0f}" for when, mib in used.trace[::20]]
            print(f"{name} {gigabytes:g} GB, MiB:", *told)
        rows.append(
            {
                "task": name,
                "GB": gigabytes,
                "showers": showers,
                "peak MiB": round(used.peak_mib, 1),
                "anonymous MiB": round(used.anonymous_mib, 1),
                "seconds": round(used.seconds, 1),
                "ended well": "yes" if used.status == 0 else "no",
            }
        )
        (folder / "run" / "run.json").unlink(missing_ok=True)
    reference.unlink()
    generated.unlink(missing_ok=True)
    return rows


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=None, help="showers to tile (default: samples/)")
    parser.add_argument("--gigabytes", type=float, nargs=2, default=None, help="the two sizes")
    parser.add_argument("--small", action="store_true", help="0.1 and 1 GB instead of 1 and 10")
    parser.add_argument("--only", choices=["train", "evaluate"], default=None)
    parser.add_argument("--pools", type=float, default=3.2, help="shuffling pools that training goes through")
    parser.add_argument(
        "--classifiers", type=int, default=3, help="trainings of each, as of calokit evaluate"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--trace", action="store_true", help="print the memory every five seconds")
    parser.add_argument("--folder", type=Path, default=None, help="where the temporary files stand")
    arguments = parser.parse_args()
    arguments.data = arguments.data or default_showers()
    sizes = arguments.gigabytes or ([0.1, 1.0] if arguments.small else [1.0, 10.0])
    circumstances = describe_circumstances(arguments.threads)
    rows: list[Row] = []
    for gigabytes in sizes:
        with tempfile.TemporaryDirectory(prefix="calokit-memory-", dir=arguments.folder) as folder:
            rows += measure(arguments, Path(folder), gigabytes)
    for row in rows:
        small = next(other for other in rows if other["task"] == row["task"])
        row["growth MiB"] = round(row["peak MiB"] - small["peak MiB"], 1)
    print_rows(f"Peak resident memory (target: growth < {TARGET_MIB:g} MiB)", rows, circumstances)
    failed = [row["task"] for row in rows if row["growth MiB"] >= TARGET_MIB or row["ended well"] == "no"]
    print("target met" if not failed else f"target missed by: {', '.join(sorted(set(failed)))}")
    name = "memory" if arguments.only is None else f"memory_{arguments.only}"
    write_record(
        name,
        rows,
        circumstances,
        data=arguments.data.name,
        target_mib=TARGET_MIB,
        pools=arguments.pools,
        classifiers=arguments.classifiers,
    )


if __name__ == "__main__":
    main()
