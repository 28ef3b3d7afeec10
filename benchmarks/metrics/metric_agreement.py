"""Every metric beside an independent implementation or a known answer, with the largest difference.

    python -m benchmarks.metrics.metric_agreement SETS
    python -m benchmarks.metrics.metric_agreement SETS --peer-python PYTHON --challenge CODE --prd FOLDER

SETS holds zdc_ecal_positrons_test.h5 and par04_electrons_test.h5. The second form also runs the published
codes on the same showers: PYTHON has jetnet, prdc, torch and matplotlib; CODE is the folder `code` of
CaloChallenge/homepage, FOLDER has prd_score.py of msmsajjadi/precision-recall-distributions. Without them the
comparisons with published codes that were recorded before stay. docs/update_metrics.py makes the table.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from benchmarks.metrics.checks.agreement import Agreement, Truth
from benchmarks.metrics.checks.classifiers import check_classifiers
from benchmarks.metrics.checks.distances import check_distances
from benchmarks.metrics.checks.energies import check_energies
from benchmarks.metrics.checks.published_codes import PublishedCodes, check_published_codes
from benchmarks.metrics.checks.shapes import check_shapes
from benchmarks.record import Row, describe_circumstances, print_rows, recorded_rows, write_record
from calokit.evaluation.metrics.frechet import OutlierWarning
from calokit.showers import Showers, open_showers

ZDC_SHOWERS = 4000
PAR04_SHOWERS = 1500
NAME = "metric_agreement"


def read_truth(folder: Path) -> Truth:
    """Read the Geant4 showers, the first of each test file."""

    def read(name: str, number: int) -> Showers:
        return open_showers(folder / f"{name}_test.h5").head(number).read_all()

    return Truth(read("zdc_ecal_positrons", ZDC_SHOWERS), read("par04_electrons", PAR04_SHOWERS))


def recorded(group: str) -> list[Row]:
    """Return the rows of a group that stand in the record."""
    rows = recorded_rows(NAME)
    return [row for row in rows if row["group"] == group]


def as_rows(group: str, found: list[Agreement]) -> list[Row]:
    """Return comparisons as plain rows."""
    return [{"group": group, **asdict(each)} for each in found]


def main() -> None:
    """Compare, print and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", type=Path)
    parser.add_argument("--only", nargs="*", default=None, help="groups to compare again; others stay")
    parser.add_argument("--peer-python", type=Path, default=None)
    parser.add_argument("--challenge", type=Path, default=None)
    parser.add_argument("--prd", type=Path, default=None)
    arguments = parser.parse_args()
    circumstances = describe_circumstances(1)
    warnings.simplefilter("ignore", OutlierWarning)
    truth = read_truth(arguments.sets)
    checks: dict[str, Callable[[], list[Agreement]]] = {
        "energies": lambda: check_energies(truth),
        "shapes": lambda: check_shapes(truth),
        "distances": lambda: check_distances(truth),
        "classifiers": check_classifiers,
        "published codes": lambda: check_published_codes(
            truth, PublishedCodes(arguments.peer_python, arguments.challenge, arguments.prd)
        ),
    }
    rows: list[Row] = []
    for group, check in checks.items():
        without_peers = group == "published codes" and arguments.peer_python is None
        left = without_peers or (arguments.only is not None and group not in arguments.only)
        rows += recorded(group) if left else as_rows(group, check())
        print(group, "recorded" if left else "done", flush=True)
    shown = [
        {
            "metric": row["metric"],
            "difference": row["difference"],
            "relative": "yes" if row["relative"] else "no",
            "error / spread": row["error_over_spread"] and "{:.2f}-{:.2f}".format(*row["error_over_spread"]),
            "floor": row["floor"] and "{value:.3g} +- {error:.2g}".format(**row["floor"]),
        }
        for row in rows
    ]
    print_rows("metrics against independent answers", shown, circumstances)
    write_record(NAME, rows, circumstances, zdc=ZDC_SHOWERS, par04=PAR04_SHOWERS)


if __name__ == "__main__":
    main()
