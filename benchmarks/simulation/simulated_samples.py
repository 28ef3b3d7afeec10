"""The shipped samples against Geant4 showers of the same laws made by another program, figure by figure.

A folder holds the reference sets (NAME.h5 and NAME_test.h5, made by a separate Geant4 program), another one
the files of `calokit simulate NAME -o NAME.h5` (NAME_*.h5 of further seeds). The files of a set are joined;
of the references the first showers are the truth, the next ones its floor. The reference sets are stored with
12 bits of mantissa, so all samples are rounded to that: no classifier sees how a file was stored.

    python -m benchmarks.simulation.simulated_samples REFERENCES SIMULATED [--only NAME [--words WORDS]]

Rows of samples that are not simulated now stay as they were recorded. WORDS tell of a sample that was
simulated in another way, whose rows stand beside those of NAME.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks.mantissas import round_mantissas
from benchmarks.record import Row, describe_circumstances, print_rows, recorded_rows, write_record
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
NAME = "simulated_samples"
THRESHOLD_MEV = 1e-3
MANTISSA_BITS = 12
"""Kept of the energies, as in the reference sets."""
SHOWN = (
    "classifier.auc_boosted",
    "classifier.auc_low",
    "classifier.auc_high",
    "response.mean_deviation",
    "resolution.mean_deviation",
    "hits.mean_ratio",
    "separation.width",
    "separation.depth",
    "separation.length",
)


def join_rounded(paths: list[Path], target: Path) -> ShowerFile:
    """Write the showers of several files into one, all at one precision."""
    views = [open_showers(path) for path in paths]
    first = views[0]
    with ShowerWriter(target, first.detector, first.particle, first.generator) as writer:
        for view in views:
            for showers in view.chunks():
                writer.write(replace(showers, energies=round_mantissas(showers.energies, MANTISSA_BITS)))
    return open_showers(target)


def files_of(name: str, folder: Path) -> list[Path]:
    """Return the files of a sample in a folder, NAME.h5 first."""
    whole = folder / f"{name}.h5"
    return [whole] * whole.is_file() + sorted(folder.glob(f"{name}_*.h5"))


def compare(name: str, references: Path, simulated: Path, scratch: Path) -> Scorecard:
    """Judge the simulated files by the reference set."""
    made = join_rounded(files_of(name, simulated), scratch / f"{name}_made.h5")
    reference = join_rounded(files_of(name, references), scratch / f"{name}.h5")
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
    parser.add_argument("--only", choices=SAMPLES, default=None)
    parser.add_argument("--words", default=None)
    arguments = parser.parse_args()
    if arguments.words and not arguments.only:
        parser.error("--words tell of one sample: name it with --only.")
    circumstances = describe_circumstances(1)
    rows = recorded_rows(NAME)
    beyond: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in SAMPLES:
            if not (arguments.simulated / f"{name}.h5").is_file() or arguments.only not in (None, name):
                print(f"{name}: not simulated now")
                continue
            card = compare(name, arguments.references, arguments.simulated, Path(scratch))
            called = arguments.words or name
            rows = [row for row in rows if row["sample"] != called]
            for one in card.measurements:
                row: Row = {
                    "sample": called,
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
    write_record(NAME, rows, circumstances, threshold_mev=THRESHOLD_MEV, mantissa_bits=MANTISSA_BITS)


if __name__ == "__main__":
    main()
