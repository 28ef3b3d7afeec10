"""How the core of a shower goes with its visible energy, in a cascade's showers and in Geant4's.

    python -m benchmarks.models.core_correlation BUNDLE --data TEST.h5 [--showers 4000] [--label before]

One shower is generated for each incident particle. Both the visible energy and the part of it within one cell
pitch of the shower's centre are measured from their trends in the incident energy; Spearman's correlation of
the two, and its error. A row takes the place of the one of its name in
benchmarks/results/core_correlation.json.
"""

from __future__ import annotations

import math

import torch
from scipy.stats import spearmanr

from benchmarks.models.bundle_on_file import ask_bundle_on_file
from benchmarks.record import Row, keep_row
from calokit.evaluation.samples.observables import ObservableCalculator
from calokit.inference import ShowerGenerator
from calokit.models.cascade.totals import Trend
from calokit.showers import Showers

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
    asked = ask_bundle_on_file(__doc__)
    truth = asked.view.read_all()
    generated = ShowerGenerator(asked.bundle, seed=1).draw(truth.incidents)
    row: Row = {"bundle": asked.name, "showers": len(truth)}
    for who, showers in (("Geant4", truth), ("generated", generated)):
        row[who], row[f"{who}, error"] = correlate(showers, asked.threshold)
    keep_row(NAME, "Correlation of visible energy and core", row)


if __name__ == "__main__":
    main()
