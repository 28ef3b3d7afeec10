"""How the core of a shower goes with its visible energy, in a cascade's showers and in Geant4's.

    python -m benchmarks.models.core_correlation BUNDLE --data TEST.h5 [--showers 4000] [--label before]

One shower is generated for each incident particle. Both the visible energy and the part of it within one cell
pitch of the shower's centre are measured from their trends in the incident energy; Spearman's correlation of
the two, and its error. A row takes the place of the one of its name in
benchmarks/results/core_correlation.json.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch
from scipy.stats import spearmanr

from benchmarks.record import Row, describe_circumstances, print_rows, rows_with, write_record
from calokit.evaluation.samples.observables import ObservableCalculator
from calokit.inference import ShowerGenerator, read_bundle
from calokit.inference.generate import need_surrogate
from calokit.models.cascade.totals import Trend
from calokit.showers import Showers, open_showers

NAME = "core_correlation"


def correlate(showers: Showers, threshold: float) -> tuple[float, float]:
    """Return the correlation at fixed incident energy, and its error."""
    observables = ObservableCalculator(showers.detector, threshold)(showers)
    logarithm = torch.log(torch.from_numpy(showers.incident_energies).double())
    away = []
    for name in ("visible_fraction", "within_1_pitches"):
        values, trend = torch.from_numpy(observables.column(name)), Trend()
        trend.fit(logarithm, values)
        centre, width = trend(logarithm)
        away.append(((values - centre) / width).numpy())
    found = float(spearmanr(*away).statistic)
    return found, (1 - found**2) / math.sqrt(len(showers))


def main() -> None:
    """Generate, correlate, print and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--showers", type=int, default=4000)
    parser.add_argument("--label", default="")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    bundle = read_bundle(arguments.bundle)
    threshold = need_surrogate(bundle).threshold_mev
    truth = open_showers(arguments.data).head(arguments.showers).read_all()
    generated = ShowerGenerator(bundle, seed=1).draw(truth.incidents)
    row: Row = {
        "bundle": f"{bundle.name}{arguments.label and ', '}{arguments.label}",
        "showers": len(truth),
    }
    for who, showers in (("Geant4", truth), ("generated", generated)):
        row[who], row[f"{who}, error"] = correlate(showers, threshold)
    circumstances = describe_circumstances(1)
    rows = rows_with(NAME, row)
    print_rows("Correlation of visible energy and core", rows, circumstances)
    write_record(NAME, rows, circumstances)


if __name__ == "__main__":
    main()
