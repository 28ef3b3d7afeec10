"""How long the commands that compute nothing take, and how much memory.

Run as `python -m benchmarks.speed.start_up`; with `--note WORDS` the rows are added to those of earlier runs,
so that before and after stand side by side.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from benchmarks.record import (
    Row,
    default_showers,
    describe_circumstances,
    print_rows,
    recorded_rows,
    write_record,
)

REPEATS = 5
START = (
    "import sys; sys.argv[0] = 'calokit'\n"
    "from calokit.cli import main\n"
    "try:\n    main()\n"
    "finally:\n    print('torch' in sys.modules, 'matplotlib' in sys.modules, file=sys.stderr)\n"
)


def measure_command(words: list[str]) -> Row:
    """Run a command several times in processes of their own."""
    seconds, processor, peaks, imported = [], [], [], ""
    for _ in range(REPEATS):
        started = time.perf_counter()
        command = [sys.executable, "-c", START, *words]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        imported = process.stderr.read().splitlines()[-1]
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise SystemExit(f"calokit {' '.join(words)} failed.")
        seconds.append(time.perf_counter() - started)
        processor.append(usage.ru_utime + usage.ru_stime)
        peaks.append(usage.ru_maxrss / 1024)
    torch, matplotlib = imported.split()
    return {
        "median_s": round(median(seconds), 2),
        "smallest_s": round(min(seconds), 2),
        "smallest_cpu_s": round(min(processor), 2),
        "peak_mb": round(max(peaks), 1),
        "imports_torch": torch == "True",
        "imports_matplotlib": matplotlib == "True",
    }


def measure_start_up(showers: Path, note: str) -> list[Row]:
    """Return one row for each command that computes nothing."""
    commands = {
        "--help": ["--help"],
        "recipes": ["recipes"],
        "detectors": ["detectors"],
        "inspect": ["inspect", str(showers)],
    }
    return [{"note": note, "command": name, **measure_command(words)} for name, words in commands.items()]


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--showers", type=Path, default=None, help="the file that is inspected")
    parser.add_argument("--note", default="now", help="what is measured, in a word")
    given = parser.parse_args()
    showers = given.showers or default_showers("_test")
    circumstances = describe_circumstances(1)
    rows = measure_start_up(showers, given.note)
    print_rows("Starting", rows, circumstances)
    before = recorded_rows("start_up")
    kept = [row for row in before if row["note"] != given.note]
    write_record("start_up", [*kept, *rows], circumstances, showers=showers.name, repeats=REPEATS)


if __name__ == "__main__":
    main()
