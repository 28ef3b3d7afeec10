"""One core against all of them: time of a batch of showers, in turns.

Every bundle draws the same incident particles with one thread and with as many as there are processors; the
smallest wall time of each counts. To be run where nothing else runs.

    python -m benchmarks.speed.generation_threads zoo/luxe_cascade.calokit=showers.h5 ...

Writes benchmarks/results/generation_threads.json.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

import torch

from benchmarks.record import Row, describe_circumstances, print_rows, write_record
from benchmarks.speed.generation_speed import take_incidents
from calokit.errors import ConditionWarning
from calokit.inference import ShowerGenerator, read_bundle
from calokit.processors import usable_processors
from calokit.showers import open_showers


def compare(bundle: Path, data: Path, batch: int, threads: int, turns: int) -> Row:
    """Draw with one thread and with all, in turns."""
    generator = ShowerGenerator(read_bundle(bundle), seed=1)
    view = open_showers(data)
    incidents = take_incidents(view.read(0, min(len(view), batch)), batch)
    energies = generator.draw(incidents).energies  # loops are compiled, and memory was in use before
    walls: dict[int, list[float]] = {1: [], threads: []}
    for _ in range(turns):
        for count, known in walls.items():
            torch.set_num_threads(count)
            started = time.perf_counter()
            generator.draw(incidents, out=energies)
            known.append(1e3 * (time.perf_counter() - started) / batch)
    one, every = min(walls[1]), min(walls[threads])
    times = {"ms, one core": one, "ms, all cores": every, "one / all": one / every}
    return {"bundle": bundle.stem, "batch": batch, "cores": threads, **times}


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pairs", nargs="+", help="BUNDLE=SHOWERS, whose incident particles are taken")
    parser.add_argument("--batch", type=int, default=10_000)
    parser.add_argument("--turns", type=int, default=2)
    arguments = parser.parse_args()
    threads = usable_processors()
    if threads < 2:
        raise SystemExit("there is one processor only.")
    circumstances = describe_circumstances(threads)
    warnings.simplefilter("ignore", ConditionWarning)
    rows = []
    for pair in arguments.pairs:
        bundle, data = pair.split("=")
        rows.append(compare(Path(bundle), Path(data), arguments.batch, threads, arguments.turns))
    print_rows("One core against all", rows, circumstances)
    write_record("generation_threads", rows, circumstances)


if __name__ == "__main__":
    main()
