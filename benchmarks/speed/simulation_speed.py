"""What scoring costs Geant4, milliseconds a GeV, how two processes share the work, and the parametric speed.

Scoring: the same events (the same seeds) without any scorer, with the deposits summed in C++ (what calokit
does), and with a Python function called at every step in sensitive material (the usual way from Python); each
in a process of its own, in turns, processor time of the event loop. Scaling: `calokit simulate` with one and
with two processes, wall time, start-up included. Parametric: processor time of the simulation alone, and with
the drawing of particles. Geant4's data sets must be found; nothing else should run on the machine.

    python -m benchmarks.speed.simulation_speed --rounds 3
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.record import Row, describe_circumstances, print_rows, write_record
from calokit.detector import CartesianReadout
from calokit.engine.local import LocalExecutor
from calokit.progress import no_progress
from calokit.simulation.backends import prepare_geant4
from calokit.simulation.parametric import ParametricSimulator
from calokit.simulation.production import Production, produce_file
from calokit.simulation.sample import Sample, load_sample

SCORING = ("none", "C++ scorer", "Python steps")
SAMPLES = {"zdc_ecal_positrons": 150, "luxe_positrons_a": 60, "par04_electrons": 25}
"""Events of each round."""
PARAMETRIC_SAMPLES = (
    "zdc_ecal_positrons",
    "lhcb_electrons",
    "par04_electrons",
    "clic_electrons",
    "luxe_positrons_a",
    "zdc_neutrons",
)
CHUNK = 128


def run_once(name: str, scoring: str, events: int) -> None:
    """Simulate in this process and print processor seconds and energy as JSON (the child's part)."""
    from calokit.simulation.backends import event_seed
    from calokit.simulation.geant4.run import Event, Geant4Run, NoDeposits
    from calokit.simulation.geant4.scoring import ScorerDeposits, StepDeposits

    sample = load_sample(name)
    detector = sample.load_detector()
    environment = prepare_geant4(sample, detector).environment
    made: dict[str, Callable[[], NoDeposits | ScorerDeposits | StepDeposits]] = {
        "none": NoDeposits,
        "C++ scorer": ScorerDeposits,
        "Python steps": lambda: StepDeposits(None),
    }
    run = Geant4Run(detector, sample.physics, environment, made[scoring]())
    particles = sample.draw(1, 0, events + 2, detector)
    queue = [Event(particles[row : row + 1], event_seed(1, row)) for row in range(events + 2)]
    run.simulate(queue[:2])
    started = time.process_time()
    run.simulate(queue[2:])
    seconds = time.process_time() - started
    print(json.dumps({"seconds": seconds, "gev": float(particles.total_energies[2:].sum()) / 1e3}))


def time_scoring(rounds: int) -> list[Row]:
    """Return the cost of each way of scoring beside no scoring at all."""
    rows: list[Row] = []
    for name, events in SAMPLES.items():
        sections = load_sample(name).load_detector().sections
        boxes = all(isinstance(section.readout, CartesianReadout) for section in sections)
        ways = [scoring for scoring in SCORING if boxes or scoring != "C++ scorer"]
        seconds: dict[str, list[float]] = {scoring: [] for scoring in ways}
        gev = 1.0
        for _ in range(rounds):
            for scoring in ways:
                command = [
                    sys.executable,
                    "-m",
                    "benchmarks.speed.simulation_speed",
                    "--once",
                    name,
                    scoring,
                    str(events),
                ]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                result = json.loads(done.stdout.splitlines()[-1])
                seconds[scoring].append(result["seconds"])
                gev = result["gev"]
        for scoring in ways:
            ratios = np.array(seconds[scoring]) / np.array(seconds["none"])
            rows.append(
                {
                    "sample": name,
                    "scoring": scoring,
                    "ms a GeV": 1e3 * min(seconds[scoring]) / gev,
                    "ms a shower": 1e3 * min(seconds[scoring]) / events,
                    "beside none (best of each)": min(seconds[scoring]) / min(seconds["none"]),
                    "beside none (median of rounds)": float(np.median(ratios)),
                    "rounds": rounds,
                }
            )
    return rows


def time_workers(rounds: int, events: int) -> list[Row]:
    """Return wall times of one and of two processes on the same events."""
    sample = load_sample("zdc_ecal_positrons")
    walls: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for workers, times in walls.items():
            with tempfile.TemporaryDirectory() as folder:
                started = time.perf_counter()
                produce_file(
                    _production(sample), Path(folder) / "a.h5", events, LocalExecutor(workers), no_progress
                )
                times.append(time.perf_counter() - started)
    return [
        {
            "processes": workers,
            "showers": events,
            "wall seconds (best)": min(times),
            "times as fast as one": min(walls[1]) / min(times),
            "rounds": rounds,
        }
        for workers, times in walls.items()
    ]


def time_parametric(events: int) -> list[Row]:
    """Return showers a second and core of the parametric simulation."""
    rows: list[Row] = []
    for name in PARAMETRIC_SAMPLES:
        sample = load_sample(name)
        detector = sample.load_detector()
        simulator = ParametricSimulator(detector)
        rng = np.random.default_rng(1)
        simulator.simulate(sample.draw(1, 0, CHUNK, detector), rng)
        started = time.process_time()
        particles = sample.draw(1, 0, events, detector)
        drawn = time.process_time() - started
        for first in range(0, events, CHUNK):
            simulator.simulate(particles[first : first + CHUNK], rng)
        seconds = time.process_time() - started
        rows.append(
            {
                "sample": name,
                "cells": detector.number_of_cells,
                "showers a second and core": events / seconds,
                "of which drawing particles (%)": 100 * drawn / seconds,
            }
        )
    return rows


def _production(sample: Sample) -> Production:
    detector = sample.load_detector()
    return Production(sample, detector, prepare_geant4(sample, detector), 1, {})


def main() -> None:
    """Measure everything and write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("scoring", "workers", "parametric"))
    parser.add_argument("--events", type=int, default=6144, help="events of the two-process comparison")
    parser.add_argument("--once", nargs=3, metavar=("SAMPLE", "SCORING", "EVENTS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        run_once(arguments.once[0], arguments.once[1], int(arguments.once[2]))
        return
    circumstances = describe_circumstances(1)
    tables: dict[str, Callable[[], list[Row]]] = {
        "scoring": lambda: time_scoring(arguments.rounds),
        "workers": lambda: time_workers(arguments.rounds, arguments.events),
        "parametric": lambda: time_parametric(8 * CHUNK),
    }
    for title, measure in tables.items():
        if arguments.only not in (None, title):
            continue
        rows = measure()
        print_rows(title, rows, circumstances)
        write_record(f"simulation_speed_{title}", rows, circumstances, rounds=arguments.rounds)


if __name__ == "__main__":
    main()
