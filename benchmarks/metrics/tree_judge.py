"""The strong judge on generated files, raw and behind a readout: areas of all observables and of each group.

    python -m benchmarks.metrics.tree_judge REFERENCE FLOOR GENERATED [GENERATED ...] [--threshold 0.1]

REFERENCE and FLOOR are truth of different seeds (of the floor's file its train split is taken, where it has
one). Rows are kept by the file's name, so that samples judged on other days stay beside each other; --only
takes one of the two, raw or read out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.record import Row, describe_circumstances, print_rows, recorded_rows, write_record
from calokit.evaluation.classifiers.judgement import TreeJudge
from calokit.evaluation.samples.readout_tables import ReadOutSamples
from calokit.evaluation.samples.streams import plan_comparison
from calokit.evaluation.samples.truth_memory import TruthMemory
from calokit.showers import open_showers
from calokit.showers.digitisation import Digitisation

NAME = "tree_judge"
SEED = 1


def judge_file(reference: Path, floor: Path, generated: Path, readouts: dict[str, Digitisation]) -> list[Row]:
    """Return a row for each readout."""
    other = open_showers(floor)
    floor_file = open_showers(floor, "train") if str(other.meant_for) == "train" else other
    comparison = plan_comparison(open_showers(reference), open_showers(generated), floor_file)
    rows = []
    for words, readout in readouts.items():
        samples = ReadOutSamples(comparison, np.arange(comparison.showers), readout, SEED)
        measurements, telling = TreeJudge(SEED).judge(
            samples.tabulate(lambda _: None), TruthMemory(), "classifier", ""
        )
        rows.append(
            {
                "sample": generated.stem,
                "readout": words,
                "showers": comparison.showers,
                "areas": {
                    m.name.split(".")[1]: [
                        round(number, 4) for number in (m.value, m.error, m.floor, m.floor_error)
                    ]
                    for m in measurements
                },
                "telling": list(telling),
            }
        )
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Judge the files and keep the rows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("reference", type=Path)
    parser.add_argument("floor", type=Path)
    parser.add_argument("generated", type=Path, nargs="+")
    parser.add_argument("--threshold", type=float, default=0.1)
    parser.add_argument("--noise", type=float, default=0.03)
    parser.add_argument("--spread", type=float, default=0.03)
    parser.add_argument("--cut", type=float, default=0.15)
    parser.add_argument("--only", choices=("raw", "read", "both"), default="both")
    arguments = parser.parse_args()
    every = {
        "raw": Digitisation(threshold=arguments.threshold),
        f"{100 * arguments.spread:g} % and {1e3 * arguments.noise:g} keV, cut at {arguments.cut:g} MeV": (
            Digitisation(noise=arguments.noise, spread=arguments.spread, threshold=arguments.cut)
        ),
    }
    kept = {"raw": list(every)[:1], "read": list(every)[1:], "both": list(every)}[arguments.only]
    readouts = {words: every[words] for words in kept}
    rows = recorded_rows(NAME)
    for generated in arguments.generated:
        rows = [row for row in rows if row["sample"] != generated.stem or row["readout"] not in readouts]
        rows += judge_file(arguments.reference, arguments.floor, generated, readouts)
        circumstances = describe_circumstances(1)
        write_record(NAME, rows, circumstances, seed=SEED)
    flat = [
        {
            "sample": row["sample"],
            "readout": row["readout"],
            **{group: f"{area[0]:.3f} ({area[2]:.3f})" for group, area in row["areas"].items()},
        }
        for row in rows
    ]
    print_rows("boosted trees", flat, circumstances)


if __name__ == "__main__":
    main()
