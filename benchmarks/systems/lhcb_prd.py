"""PRD areas of shipped LHCb surrogates on a test file, in cells of 20, 40 and 60 mm.

    python -m benchmarks.systems.lhcb_prd BUNDLE [BUNDLE ...] --test TEST.h5 --floor TRUTH.h5

One shower is generated for each test particle. The study of the GANs measures its own runs
(studies/lhcb_system.yaml); this is for what is beside them. Writes benchmarks/results/lhcb_prd.json; rows of
other bundles stay there as they were.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch

from benchmarks.record import Row, describe_circumstances, print_rows, recorded_rows, write_record
from calokit.inference import generate_like, read_bundle
from calokit.inference.generate import need_surrogate
from calokit.showers import Split, open_showers
from calokit.studies.judging.prd_areas import ScoreByGroup

NAME = "lhcb_prd"
GROUPS = (1, 2, 3)


def main() -> None:
    """Generate, measure and keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundles", type=Path, nargs="+")
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--floor", type=Path, required=True, help="its train split is the floor")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    circumstances = describe_circumstances(1)
    test, floor = open_showers(arguments.test), open_showers(arguments.floor, Split.TRAIN)
    given = {path.stem for path in arguments.bundles}
    rows: list[Row] = [row for row in recorded_rows(NAME) if row["bundle"] not in given]
    with tempfile.TemporaryDirectory() as folder:
        for path in arguments.bundles:
            bundle = read_bundle(path)
            made = Path(folder) / f"{bundle.name}.h5"
            generate_like(bundle, test, made, 1)
            judge = ScoreByGroup.of(test, floor, need_surrogate(bundle).threshold_mev)
            rows.append({"bundle": path.stem, **judge.metrics(open_showers(made), GROUPS)})
    print_rows("PRD areas: value, error, floor, its error", rows, circumstances)
    write_record(NAME, rows, circumstances, test=test.path.name, test_showers=len(test))


if __name__ == "__main__":
    main()
