"""Shipped surrogates on a whole test file, judged by everything.

    python -m benchmarks.systems.scorecard BUNDLE [BUNDLE ...] --test TEST.h5 --floor TRUTH.h5 [--attach]

One shower is generated for each incident particle of the test file, or for the first --showers of them (one
thread, timed), and judged by all classifiers with every condition among their inputs: raw at the bundle's own
threshold, and read out (3 % of each cell and 0.3 thresholds of noise, cut at 1.5 thresholds). The floor is
truth of other seeds (the training split of its file), which the classifiers alone see. Writes
benchmarks/results/scorecard_NAME.json; with --attach the numbers are written into the bundle too.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from benchmarks.record import RESULTS
from calokit.bundles.bundle import Bundle
from calokit.bundles.legs import presentations_in_all
from calokit.evaluation import Evaluation, EvaluationSettings, Scorecard
from calokit.inference import generate_like, read_bundle, write_bundle
from calokit.inference.generate import need_surrogate
from calokit.report.compared import ComparedCards
from calokit.report.pages.comparison import write_report
from calokit.showers import ShowerFile, Split, open_showers
from calokit.showers.digitisation import Digitisation

SPREAD, NOISE, CUT = 0.03, 0.3, 1.5
"""The readout: relative spread of a cell, noise and cut in thresholds."""


def summarise(card: Scorecard) -> dict[str, object]:
    """Return the numbers of a scorecard that travel with a bundle."""
    return {
        "test_file": Path(card.reference.path).name,
        "test_sha256": card.reference.sha256,
        "test_showers": card.reference.showers,
        "threshold_mev": card.threshold_mev,
        "milliseconds_per_shower": card.generated.milliseconds_per_shower,
        "timing_note": card.generated.timing_note,
        "floor": card.floor_sample,
        "headline": card.headline,
        "headline_read_out": card.headline_read_out,
        "measurements": {m.name: [m.value, m.error, m.floor, m.floor_error] for m in card.measurements},
    }


def threshold_of(bundle: Bundle) -> float:
    """Return a surrogate's threshold in MeV as it was written: a cascade holds it in single precision."""
    return float(f"{need_surrogate(bundle).threshold_mev:.6g}")


def readout_at(threshold_mev: float) -> Digitisation:
    """Return the readout that showers above a threshold are judged behind."""
    return Digitisation(noise=NOISE * threshold_mev, spread=SPREAD, threshold=CUT * threshold_mev)


def settings_for(threshold_mev: float, seeds: int, fast: bool) -> EvaluationSettings:
    """Return how surrogates of a threshold are judged."""
    return EvaluationSettings(
        threshold_mev=threshold_mev,
        classifier_seeds=seeds,
        kept_metrics=not fast,
        readout=readout_at(threshold_mev),
        seed=1,
    )


def judge(bundle: Bundle, test: ShowerFile, evaluation: Evaluation, work: Path) -> Scorecard:
    """Generate a shower for each test particle, judge them and write a report into a folder."""
    path = work / f"{bundle.name}_on_{test.path.name}"
    torch.set_num_threads(1)
    generate_like(bundle, test, path, 1)
    card = evaluation.judge(open_showers(path))
    write_report(ComparedCards.of(card), work / f"report_{bundle.name}")
    return card


def main() -> None:
    """Generate, judge, print and keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundles", type=Path, nargs="+")
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--floor", type=Path, required=True, help="its train split is the floor")
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--showers", type=int, default=None, help="judge on the first so many")
    parser.add_argument("--fast", action="store_true", help="without the metrics that take longest")
    parser.add_argument("--attach", action="store_true")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    test = open_showers(arguments.test)
    test = test if arguments.showers is None else test.head(arguments.showers)
    floor = open_showers(arguments.floor, Split.TRAIN)
    work = arguments.output / "work"
    work.mkdir(parents=True, exist_ok=True)
    evaluations: dict[float, Evaluation] = {}
    for path in arguments.bundles:
        bundle = read_bundle(path)
        threshold = threshold_of(bundle)
        if threshold not in evaluations:
            settings = settings_for(threshold, arguments.seeds, arguments.fast)
            evaluations[threshold] = Evaluation(test, floor, settings)
        card = judge(bundle, test, evaluations[threshold], work)
        for one in card.measurements:
            print(
                f"{one.name:32} {one.value:.5f} +- {one.error:.5f}"
                f"   floor {one.floor:.5f} +- {one.floor_error:.5f}"
            )
        note = f"{card.generated.milliseconds_per_shower:.3f} ms a shower ({card.generated.timing_note})"
        print(f"{bundle.name}: {note}", flush=True)
        summary = summarise(card)
        if arguments.attach:
            write_bundle(path, bundle.with_scorecard(json.loads(json.dumps(summary))))
        target = arguments.output / f"scorecard_{bundle.name}.json"
        told = {"presentations": presentations_in_all(bundle.legs), **summary}
        target.write_text(json.dumps(told, indent=1, default=float) + "\n")


if __name__ == "__main__":
    main()
