"""Memory and time of `calokit evaluate` without neural classifiers, by showers and by cells.

Parametric showers of three seeds (reference, generated, floor) are made in a folder and kept there. Each
evaluation is a process of its own, on one thread; its peak resident memory and its processor time are what
the kernel counted for it. Target: less than 2 GiB for 100,000 showers of 6,480 cells. Every finished row is
recorded; rows that stand in the record are not measured again without --again.

    python -m benchmarks.speed.evaluation_cost FOLDER
    python -m benchmarks.speed.evaluation_cost FOLDER --peer-python PYTHON --challenge CODE

The second form also runs CaloChallenge's own evaluate.py (mode `hist`, no classifier) on the same showers of
6,480 cells, deposits over 0.033: PYTHON has torch, scikit-learn and matplotlib, CODE is the folder `code` of
CaloChallenge/homepage. Its figures are drawn without LaTeX.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np

from benchmarks.record import (
    REPOSITORY,
    Row,
    describe_circumstances,
    print_rows,
    recorded_rows,
    write_record,
)
from benchmarks.speed.memory import Used, run_measured

NAME = "evaluation_cost"
TARGET_MIB = 2048.0
SEEDS = (1, 2, 3)
THRESHOLDS_MEV = {"zdc_ecal_positrons": 0.1, "par04_electrons": 0.0005, "clic_electrons": 0.0005}
CELLS = {"zdc_ecal_positrons": 400, "par04_electrons": 6480, "clic_electrons": 15625}
SIZES = (
    ("par04_electrons", 10_000),
    ("par04_electrons", 30_000),
    ("par04_electrons", 100_000),
    ("zdc_ecal_positrons", 10_000),
    ("clic_electrons", 10_000),
)
SAMPLING_FRACTION = 0.033


def make_showers(folder: Path, sample: str, showers: int, seed: int) -> Path:
    """Return a file of parametric showers, made now where it is not there."""
    path = folder / f"{sample}_{seed}_{showers}.h5"
    if not path.exists():
        command = [
            sys.executable, "-m", "calokit", "simulate", sample, "-o", str(path), "-n", str(showers),
            "--seed", str(seed), "--backend", "parametric", "--workers", "1",
        ]  # fmt: skip
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return path


def make_challenge_file(source: Path) -> Path:
    """Return the same showers as CaloChallenge has them, made now where they are not there."""
    path = source.with_name(f"challenge_{source.name}")
    if path.exists():
        return path
    partial = path.with_suffix(".partial")
    with h5py.File(source) as native, h5py.File(partial, "w") as file:
        shape = native["showers"].shape
        showers = file.create_dataset("showers", shape, "f4", chunks=(256, shape[1]), compression=1)
        for start in range(0, shape[0], 1024):
            rows = slice(start, min(start + 1024, shape[0]))
            showers[rows] = native["showers"][rows] / np.float32(SAMPLING_FRACTION)
        file["incident_energies"] = native["incident_energies"][:].reshape(-1, 1)
    partial.rename(path)
    return path


def evaluate(folder: Path, sample: str, showers: int) -> Used:
    """Run calokit's evaluation."""
    reference, generated, floor = (str(make_showers(folder, sample, showers, seed)) for seed in SEEDS)
    command = [
        sys.executable, "-m", "calokit", "evaluate", reference, generated, "--floor", floor,
        "--classifiers", "0", "--threads", "1", "--threshold", str(THRESHOLDS_MEV[sample]),
        "-o", str(folder / f"report_{sample}_{showers}"),
    ]  # fmt: skip
    return run_measured(command, 1, folder / f"{sample}_{showers}.log")


def evaluate_as_challenge(folder: Path, showers: int, python: Path, code: Path) -> Used:
    """Run CaloChallenge's evaluation, histograms only, without what it kept from an earlier run."""
    native = [make_showers(folder, "par04_electrons", showers, seed) for seed in SEEDS[:2]]
    paths = [make_challenge_file(path) for path in native]
    paths[0].with_suffix(".pkl").unlink(missing_ok=True)
    program = REPOSITORY / "benchmarks" / "metrics" / "checks" / "peer_evaluate.py"
    command: list[str | Path] = [
        python, program, code / "evaluate.py", "-r", paths[0], "-i", paths[1], "-m", "hist", "-d", "2",
        "--no_cuda", "--output_dir", folder / f"challenge_{showers}",
    ]  # fmt: skip
    absolute = [str(Path(word).absolute()) if isinstance(word, Path) else word for word in command]
    return run_measured(absolute, 1, (folder / f"challenge_{showers}.log").absolute(), code)


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--peer-python", type=Path, default=None)
    parser.add_argument("--challenge", type=Path, default=None)
    parser.add_argument("--most", type=int, default=100_000, help="leave out samples of more showers")
    parser.add_argument("--again", action="store_true", help="measure recorded rows again")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    circumstances = describe_circumstances(1)
    rows = recorded_rows(NAME)
    codes = ["calokit"] if arguments.peer_python is None else ["calokit", "CaloChallenge, hist"]
    for code in codes:
        for sample, showers in SIZES:
            if showers > arguments.most or (code != "calokit" and sample != "par04_electrons"):
                continue
            what = {"code": code, "sample": sample, "showers": showers}
            known = [row for row in rows if what.items() <= row.items()]
            if known and not arguments.again:
                continue
            rows = [row for row in rows if row not in known]
            if code == "calokit":
                used = evaluate(arguments.folder, sample, showers)
            else:
                used = evaluate_as_challenge(
                    arguments.folder, showers, arguments.peer_python, arguments.challenge
                )
            rows.append(as_row(code, sample, showers, used))
            print(rows[-1], flush=True)
            write_record(NAME, rows, circumstances, seeds=SEEDS, thresholds_mev=THRESHOLDS_MEV)
    print_rows("evaluation without neural classifiers", rows, circumstances)
    largest = max((row["peak MiB"] for row in rows if row["code"] == "calokit"), default=0.0)
    print(f"largest peak {largest:.0f} MiB; target {TARGET_MIB:.0f}")


def as_row(code: str, sample: str, showers: int, used: Used) -> Row:
    """Return what an evaluation used."""
    return {
        "code": code,
        "sample": sample,
        "cells": CELLS[sample],
        "showers": showers,
        "peak MiB": round(used.peak_mib, 1),
        "processor seconds": round(used.processor_seconds, 1),
        "wall seconds": round(used.seconds, 1),
        "load": round(os.getloadavg()[0], 1),
        "ended well": "yes" if used.status == 0 else "no",
    }


if __name__ == "__main__":
    main()
