"""What the classifiers can see: damages planted in the whole ZDC test set, against truth of other seeds.

    python -m benchmarks.metrics.zdc_damages REFERENCE_SETS

REFERENCE_SETS holds zdc_ecal_positrons.h5 and zdc_ecal_positrons_test.h5. The 54,000 test showers are made
5 % wider, or the spectrum of their cells is bent by 5 % near the cut, and the classifiers that judge the
surrogates are trained to tell them from 54,000 undamaged ones.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.record import RESULTS
from calokit.evaluation import high_level_features
from calokit.evaluation.classifiers.neural import classifier_auc
from calokit.evaluation.samples.observables import low_level_features
from calokit.showers import ShowerFile, Showers, open_showers
from calokit.showers.damages import bend_spectrum, widen_showers

THRESHOLD_MEV = 0.1
RESULT = RESULTS / "zdc_damages.json"


def judge_damages(test: ShowerFile, floor: ShowerFile, seeds: range) -> dict[str, dict[str, list[float]]]:
    """Give AUC and error of damaged truth against truth of other seeds, on cells and on observables."""
    truth = floor.head(len(test)).read_all().with_threshold(THRESHOLD_MEV)
    clean = test.head(len(truth)).read_all().with_threshold(THRESHOLD_MEV)
    damaged: dict[str, Showers] = {
        "5 % wider": widen_showers(clean, 1.05),
        "spectrum bent by 5 % near the cut": bend_spectrum(clean, THRESHOLD_MEV, 0.05),
    }
    found: dict[str, dict[str, list[float]]] = {}
    for name, showers in damaged.items():
        low = classifier_auc(
            low_level_features(truth, THRESHOLD_MEV), low_level_features(showers, THRESHOLD_MEV), seeds
        )
        high = classifier_auc(
            high_level_features(truth, THRESHOLD_MEV)[0],
            high_level_features(showers, THRESHOLD_MEV)[0],
            seeds,
        )
        found[name] = {"auc_low": [low.value, low.error], "auc_high": [high.value, high.error]}
        print(name, found[name], flush=True)
    return found


def main() -> None:
    """Judge the damages and keep the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    test = open_showers(arguments.sets / "zdc_ecal_positrons_test.h5")
    floor = open_showers(arguments.sets / "zdc_ecal_positrons.h5", "train")
    found = judge_damages(test, floor, range(1, 1 + arguments.seeds))
    RESULT.write_text(json.dumps({"showers": len(test), "damages": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
