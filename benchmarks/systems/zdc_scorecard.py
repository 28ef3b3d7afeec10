"""A shipped ZDC surrogate on the whole test set.

    python -m benchmarks.systems.zdc_scorecard REFERENCE_SETS [--bundle zoo/zdc_flow.calokit] [--attach]

REFERENCE_SETS holds zdc_ecal_positrons.h5 and zdc_ecal_positrons_test.h5 (or what --test and --floor name).
One shower is generated for each of the 54,000 test incidents, or the first --showers of them (one thread,
timed), and judged by the classifiers with every condition among their inputs, at the bundle's own threshold;
the floor is truth of other seeds (as many of the training file, which the classifiers alone see). With
--attach the scorecard's numbers are written into the bundle.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import torch

from calokit.evaluation import EvaluationSettings, Scorecard, evaluate_showers
from calokit.inference import generate_file, incidents_like, read_bundle, write_bundle
from calokit.report.compared import ComparedCards
from calokit.report.pages.comparison import write_report
from calokit.showers import open_showers
from calokit.showers.digitisation import Digitisation


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
        "measurements": {m.name: [m.value, m.error, m.floor, m.floor_error] for m in card.measurements},
    }


def main() -> None:
    """Generate, judge, print and keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", type=Path)
    parser.add_argument("--bundle", type=Path, default=Path("zoo/zdc_flow.calokit"))
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--test", default="zdc_ecal_positrons_test.h5")
    parser.add_argument("--floor", default="zdc_ecal_positrons.h5", help="its train split is the floor")
    parser.add_argument("--showers", type=int, default=None, help="judge on the first so many")
    parser.add_argument("--fast", action="store_true", help="without the metrics that take longest")
    parser.add_argument("--attach", action="store_true")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    test = open_showers(arguments.sets / arguments.test)
    test = test if arguments.showers is None else test.head(arguments.showers)
    floor = open_showers(arguments.sets / arguments.floor, "train")
    bundle = read_bundle(arguments.bundle)
    work = arguments.output / "work"
    work.mkdir(parents=True, exist_ok=True)
    path = work / f"{bundle.name}.h5"
    generate_file(bundle, incidents_like(test), path, 1, like=test, expected=len(test))
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    settings = EvaluationSettings(
        threshold_mev=bundle.recipe.model.threshold_mev,
        classifier_seeds=arguments.seeds,
        kept_metrics=not arguments.fast,
        readout=Digitisation(noise=0.03, spread=0.03, threshold=0.15),
        seed=1,
    )
    card = evaluate_showers(test, open_showers(path), floor=floor, settings=settings)
    for one in card.measurements:
        print(
            f"{one.name:32} {one.value:.5f} +- {one.error:.5f}"
            f"   floor {one.floor:.5f} +- {one.floor_error:.5f}"
        )
    print(
        f"{card.generated.milliseconds_per_shower:.3f} ms a shower ({card.generated.timing_note})", flush=True
    )
    write_report(ComparedCards.of(card), work / f"report_{bundle.name}")
    summary = summarise(card)
    if arguments.attach:
        write_bundle(arguments.bundle, bundle.with_scorecard(json.loads(json.dumps(summary))))
    target = arguments.output / f"scorecard_{bundle.name}.json"
    target.write_text(json.dumps(summary, indent=1, default=float) + "\n")


if __name__ == "__main__":
    main()
