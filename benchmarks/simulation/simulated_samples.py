"""The shipped samples against Geant4 showers of the same laws made by another program, figure by figure.

A folder holds the reference sets (NAME.h5, made by a separate Geant4 program), another one the files of
`calokit simulate NAME -o NAME.h5`. The first showers of a reference set are the truth, the next ones its
floor; where a set is small, its files are joined first.

    python -m benchmarks.simulation.simulated_samples REFERENCES SIMULATED
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks.record import Row, describe_circumstances, print_rows, write_record
from calokit.evaluation import EvaluationSettings, Scorecard, evaluate_showers
from calokit.showers import ShowerFile, ShowerWriter, open_showers

SAMPLES = (
    "zdc_ecal_positrons",
    "luxe_positrons_a",
    "luxe_positrons_b",
    "lhcb_electrons",
    "par04_electrons",
    "clic_electrons",
)
THRESHOLD_MEV = 1e-3
SHOWN = (
    "classifier.auc_low",
    "classifier.auc_high",
    "response.mean_deviation",
    "resolution.mean_deviation",
    "hits.mean_ratio",
    "separation.width",
    "separation.depth",
    "separation.length",
)


def join_files(paths: list[Path], target: Path) -> ShowerFile:
    """Write the showers of several files into one."""
    views = [open_showers(path) for path in paths]
    first = views[0]
    with ShowerWriter(target, first.detector, first.particle, first.generator) as writer:
        for view in views:
            for showers in view.chunks():
                writer.write(showers)
    return open_showers(target)


def compare(name: str, references: Path, simulated: Path, scratch: Path) -> Scorecard:
    """Judge the simulated file by the reference set."""
    made = open_showers(simulated / f"{name}.h5")
    files = [path for path in (references / f"{name}.h5",) if path.is_file()]
    files = files or sorted(references.glob(f"{name}_*.h5"))
    reference = open_showers(files[0]) if len(files) == 1 else join_files(files, scratch / f"{name}.h5")
    size = min(len(made), len(reference) // 2)
    truth, floor = reference.head(size), replace(reference, first=size, last=2 * size)
    settings = EvaluationSettings(threshold_mev=THRESHOLD_MEV)
    return evaluate_showers(truth, made.head(size), floor=floor, settings=settings)


def main() -> None:
    """Compare all samples that are there, and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("references", type=Path)
    parser.add_argument("simulated", type=Path)
    arguments = parser.parse_args()
    circumstances = describe_circumstances(1)
    rows: list[Row] = []
    beyond: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in SAMPLES:
            if not (arguments.simulated / f"{name}.h5").is_file():
                print(f"{name}: not simulated yet")
                continue
            card = compare(name, arguments.references, arguments.simulated, Path(scratch))
            for one in card.measurements:
                row: Row = {
                    "sample": name,
                    "figure": one.name,
                    "value": one.value,
                    "error": one.error,
                    "floor": one.floor,
                    "floor error": one.floor_error,
                    "sigma from floor": one.deviation,
                    "showers": one.showers_per_class,
                }
                rows.append(row)
                if abs(one.deviation) > 3.0:
                    beyond.append(row)
    print_rows("simulated samples", [row for row in rows if row["figure"] in SHOWN], circumstances)
    print(f"{len(rows)} figures; {len(beyond)} more than three standard errors from their floor")
    for row in beyond:
        print("  ", row)
    write_record("simulated_samples", rows, circumstances, threshold_mev=THRESHOLD_MEV)


if __name__ == "__main__":
    main()
