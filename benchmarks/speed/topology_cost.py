"""What the observables of topology and the boosted trees cost in an evaluation.

Parametric showers of the 6,480 cells of Par04, three seeds (reference, generated, floor), are made in a
folder and kept there. One evaluation without neural classifiers judges them, on one thread; the processor
time within each kind of work is added up as it runs, so that what it costs with topology and without comes
from the same run. Targets: less than 2 GiB, and at most twice the time of the observables without topology.
Topology is computed for at most 10,000 showers of each sample, all else for every shower.

    python -m benchmarks.speed.topology_cost FOLDER [--showers 10000]
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.record import Row, describe_circumstances, print_rows, write_record
from benchmarks.speed.evaluation_cost import CELLS, SEEDS, TARGET_MIB, THRESHOLDS_MEV, make_showers
from calokit.evaluation import EvaluationSettings, evaluate_showers
from calokit.evaluation.classifiers.judgement import TreeJudge
from calokit.evaluation.samples.observables import ObservableCalculator
from calokit.evaluation.topology.calculator import TopologyCalculator
from calokit.showers import open_showers

NAME = "topology_cost"
SAMPLE = "par04_electrons"
TIMED: tuple[tuple[str, type, str], ...] = (
    ("observables without topology", ObservableCalculator, "__call__"),
    ("topology", TopologyCalculator, "__call__"),
    ("boosted trees", TreeJudge, "judge"),
)


class Stopwatch:
    """Adds up calls, showers and processor seconds of a method."""

    def __init__(self, owner: type, method: str) -> None:
        self.showers, self.seconds = 0, 0.0
        inner: Callable[..., Any] = getattr(owner, method)

        def timed(this: Any, first: Any, *others: Any) -> Any:
            started = time.process_time()
            try:
                return inner(this, first, *others)
            finally:
                self.seconds += time.process_time() - started
                self.showers += len(first) if hasattr(first, "__len__") else len(first.reference.values)

        setattr(owner, method, timed)


def main() -> None:
    """Judge once, print and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--showers", type=int, default=10_000)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    size = arguments.showers
    files = [open_showers(make_showers(arguments.folder, SAMPLE, size, seed)) for seed in SEEDS]
    circumstances = describe_circumstances(1)
    watches = {words: Stopwatch(owner, method) for words, owner, method in TIMED}
    settings = EvaluationSettings(classifier_seeds=0, gallery_events=0, threshold_mev=THRESHOLDS_MEV[SAMPLE])
    started = time.process_time()
    evaluate_showers(files[0], files[1], floor=files[2], settings=settings)
    whole = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    newer = sum(watches[words].seconds for words in ("topology", "boosted trees"))
    works = [(words, one.showers, one.seconds) for words, one in watches.items()]
    works += [("all but topology and trees", 3 * size, whole - newer), ("all", 3 * size, whole)]
    rows: list[Row] = [
        {"work": words, "showers": showers, "processor seconds": round(seconds, 1)}
        for words, showers, seconds in works
    ]
    print_rows("one evaluation of three samples", rows, circumstances)
    print(f"peak {peak:.0f} MiB; target {TARGET_MIB:.0f}")
    write_record(
        NAME, rows, circumstances, cells=CELLS[SAMPLE], showers=size, peak_mib=round(peak, 1),
        target_mib=TARGET_MIB,
    )  # fmt: skip


if __name__ == "__main__":
    main()
