"""Hits of energies near the threshold, generated over Geant4's, on showers that trained nothing.

    python -m benchmarks.models.hit_spectrum BUNDLE --data SHOWERS.h5 [--split validation] [--showers 1500]

One shower is generated for each incident particle. Hits of 1 to 5 thresholds are counted in 32 bins of equal
width in ln(energy); the floor compares as many showers of the file's training split. A row takes the place of
the bundle's in benchmarks/results/hit_spectrum.json.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from benchmarks.record import Row, keep_row
from calokit.arrays import Float64
from calokit.inference import ShowerGenerator, read_bundle
from calokit.inference.generate import need_surrogate
from calokit.showers import ShowerFile, Split, open_showers
from calokit.showers.hits import find_hits
from calokit.showers.splits import parse_split

NAME = "hit_spectrum"
EDGES = np.linspace(0.0, np.log(5.0), 33)
BLOCK = 500


def count_hits(view: ShowerFile, threshold: float, generator: ShowerGenerator | None) -> Float64:
    """Return the hits in each bin: Geant4's, or those of generated showers."""
    counts: Float64 = np.zeros(len(EDGES) - 1)
    for start in range(0, len(view), BLOCK):
        showers = view.read(start, min(start + BLOCK, len(view)))
        if generator is not None:
            showers = generator.draw(showers.incidents, start)
        found = np.log(find_hits(showers, threshold).energy / threshold, dtype=np.float64)
        counts += np.histogram(found, EDGES)[0]
    return counts


def compare(generated: Float64, truth: Float64) -> Row:
    """Return the largest deviation of a bin's ratio from 1, its error, and chi-square over the bins.

    Args:
        generated: Hits in each bin.
        truth: Of true showers; the shapes are compared, not the numbers.
    """
    ratio = generated / truth * truth.sum() / generated.sum() - 1.0
    error = (1.0 + ratio) * np.sqrt(1.0 / generated + 1.0 / truth)
    worst = int(np.abs(ratio).argmax())
    return {
        "worst, from": float(np.exp(EDGES[worst])),
        "worst (%)": 100 * float(ratio[worst]),
        "its error (%)": 100 * float(error[worst]),
        "chi-square / bin": float(np.mean((ratio / error) ** 2)),
    }


def main() -> None:
    """Generate, count, print and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="validation")
    parser.add_argument("--showers", type=int, default=1500)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    bundle = read_bundle(arguments.bundle)
    threshold = need_surrogate(bundle).threshold_mev
    view = open_showers(arguments.data, parse_split(arguments.split)).head(arguments.showers)
    other = open_showers(arguments.data, Split.TRAIN if arguments.split != "train" else Split.VALIDATION)
    truth = count_hits(view, threshold, None)
    made = count_hits(view, threshold, ShowerGenerator(bundle, seed=1))
    floor = count_hits(other.head(len(view)), threshold, None)
    row: Row = {
        "bundle": bundle.name,
        "showers": len(view),
        "threshold_mev": threshold,
        **compare(made, truth),
    }
    row["chi-square / bin, floor"] = compare(floor, truth)["chi-square / bin"]
    keep_row(NAME, "Hits of 1 to 5 thresholds, generated over Geant4's", row)


if __name__ == "__main__":
    main()
