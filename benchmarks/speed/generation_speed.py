"""Time of a generated shower by batch size and number format, beside Geant4 on the same particles.

The surrogate draws showers for the incident particles of a file (energies, positions, directions); Geant4
(`geant4_same_particles.py`, a child process) makes showers of the first few hundred of the same particles in
the same run, and its mean visible energy must agree with the file's. Geant4 is left out, with a line that
says so, where geant4-pybind is not installed or GEANT4_DATA_DIR does not name the tables. The ratio of the
two is one of processor times, which other programs on the machine hardly touch.

    GEANT4_DATA_DIR=tables python -m benchmarks.speed.generation_speed --data showers.h5 --bundle NAME.calokit

Writes benchmarks/results/generation_speed_NAME.json.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.record import (
    REPOSITORY,
    Row,
    default_showers,
    describe_circumstances,
    print_rows,
    write_record,
)
from calokit.compute.precision import Precision
from calokit.errors import ConditionWarning
from calokit.inference import ShowerGenerator, read_bundle
from calokit.inference.generate import BLOCK
from calokit.processors import usable_processors
from calokit.showers import Incidents, Showers, open_showers

BATCHES = (1, 100, 10_000)
LARGEST_PULL = 4.0
"""Geant4's mean visible energy and fraction may differ from the file's by so many standard errors."""


def take_incidents(showers: Showers, count: int) -> Incidents:
    """Return the first `count` incident particles, repeated from the start where there are too few."""
    index = np.arange(count) % len(showers)
    picked = showers[index]
    return picked.incidents


def time_batch(
    bundle_path: Path, number_format: str, incidents: Incidents, least: float
) -> tuple[float, float]:
    """Return wall and processor milliseconds a shower of drawing one batch.

    Repeats for `least` seconds; the fastest wall time counts, and the mean processor time of all threads.
    What the generator does around the model (range check, noise) counts too, and emptying the memory that
    the showers take, which was in use before: a virtual machine may take longer to be given a gigabyte than
    to fill it.
    """
    precision = Precision(number_format, "channels_last")
    generator = ShowerGenerator(read_bundle(bundle_path), seed=1, precision=precision)
    events = len(incidents.energies)
    energies = np.empty((events, generator.bundle.detector.number_of_cells), np.float32)
    generator.draw(incidents[:BLOCK], out=energies[:BLOCK])  # warm up
    energies.fill(1.0)
    times: list[float] = []
    used = time.process_time()
    while sum(times) < least and len(times) < 200:
        started = time.perf_counter()
        generator.draw(incidents, out=energies)
        times.append(time.perf_counter() - started)
    used = time.process_time() - used
    return 1e3 * min(times) / events, 1e3 * used / (events * len(times))


def geant4_obstacle() -> str | None:
    """Return why Geant4 cannot run here, or None."""
    if importlib.util.find_spec("geant4_pybind") is None:
        return "geant4-pybind is not installed (pip install geant4-pybind==0.1.3)"
    tables = os.environ.get("GEANT4_DATA_DIR")
    if tables is None or not any(Path(tables).glob("G4EMLOW*")):
        return "GEANT4_DATA_DIR does not name a folder with Geant4's tables (G4EMLOW...)"
    return None


def run_geant4(data: Path, count: int) -> Row | None:
    """Run Geant4 on the first particles of the file and compare its visible energies; None if it failed."""
    with tempfile.TemporaryDirectory(prefix="calokit-geant4-") as folder:
        made = Path(folder) / "geant4.h5"
        script = Path(__file__).with_name("geant4_same_particles.py")
        command = [sys.executable, str(script), str(data), "--count", str(count), "--write", str(made)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(f"Geant4 ended with status {done.returncode}:\n{(done.stdout + done.stderr)[-1500:]}")
            return None
        told: Row = json.loads(done.stdout.strip().splitlines()[-1])
        simulated = open_showers(made).read_all()
    reference = open_showers(data).read(0, len(simulated))
    difference = simulated.visible_energies - reference.visible_energies
    mean, error = mean_and_error(difference)
    fraction, fraction_error = mean_and_error(difference / reference.incident_energies)
    return {
        **told,
        "file_mean_visible_mev": float(reference.visible_energies.mean()),
        "difference_mev": mean,
        "difference_error_mev": error,
        "fraction_difference": fraction,
        "fraction_difference_error": fraction_error,
        "pulls": [mean / error, fraction / fraction_error],
    }


def mean_and_error(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the mean of values (event,) and its standard error."""
    return float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values))


def compare(rows: list[Row], geant4: Row | None) -> str:
    """Put the ratio to Geant4 into the rows and return a sentence on Geant4."""
    for row in rows:
        row["Geant4 / surrogate"] = (
            None if geant4 is None else geant4["processor_ms_per_shower"] / row["processor ms/shower"]
        )
    if geant4 is None:
        return "Geant4 was not run."
    agrees = "agrees" if max(map(abs, geant4["pulls"])) < LARGEST_PULL else "DISAGREES"
    return (
        f"Geant4: {geant4['ms_per_shower']:.1f} ms a shower ({geant4['processor_ms_per_shower']:.1f} ms of "
        f"processor time, {geant4['processor_ms_per_gev']:.2f} ms/GeV; event loop, 1 thread, "
        f"{geant4['showers']} showers). Its mean visible energy {agrees} with the file's: "
        f"{geant4['mean_visible_mev']:.1f} against {geant4['file_mean_visible_mev']:.1f} MeV on the same "
        f"particles, difference {geant4['difference_mev']:+.1f} +- {geant4['difference_error_mev']:.1f} MeV; "
        f"of visible / incident energy {geant4['fraction_difference']:+.4f} +- "
        f"{geant4['fraction_difference_error']:.4f}."
    )


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bundle", type=Path, default=REPOSITORY / "zoo" / "zdc_flow.calokit")
    parser.add_argument("--data", type=Path, default=None, help="incident particles (default: samples/)")
    parser.add_argument("--geant4-showers", type=int, default=300, help="0 leaves Geant4 out")
    parser.add_argument("--batches", type=int, nargs="+", default=list(BATCHES))
    parser.add_argument("--formats", nargs="+", default=["float32"], help="float32, bfloat16")
    parser.add_argument("--all-threads", action="store_true", help="also with every processor thread")
    parser.add_argument("--seconds", type=float, default=2.0, help="time spent on a row, at least one batch")
    arguments = parser.parse_args()
    data: Path = arguments.data or default_showers("_test")
    available = usable_processors()
    threads = [1, available] if arguments.all_threads and available > 1 else [1]
    circumstances = describe_circumstances(threads[-1])
    warnings.simplefilter("ignore", ConditionWarning)
    view = open_showers(data)
    showers = view.read(0, min(len(view), max(arguments.batches)))
    rows: list[Row] = []
    for count in threads:
        torch.set_num_threads(count)
        for number_format in arguments.formats:
            for batch in arguments.batches:
                wall, processor = time_batch(
                    arguments.bundle, number_format, take_incidents(showers, batch), arguments.seconds
                )
                row = {"threads": count, "format": number_format, "batch": batch}
                rows.append({**row, "ms/shower": wall, "processor ms/shower": processor})
    obstacle = "--geant4-showers is 0" if arguments.geant4_showers < 1 else geant4_obstacle()
    if obstacle is not None:
        print(f"Geant4 left out: {obstacle}")
    geant4 = None if obstacle is not None else run_geant4(data, arguments.geant4_showers)
    sentence = compare(rows, geant4)
    print_rows(f"Generation, {arguments.bundle.name}, blocks of {BLOCK}", rows, circumstances)
    print(sentence)
    settings = {"bundle": arguments.bundle.name, "data": data.name, "geant4": geant4}
    write_record(f"generation_speed_{arguments.bundle.stem}", rows, circumstances, **settings)


if __name__ == "__main__":
    main()
