"""Generation times of the shipped ZDC bundles on one core, beside Geant4 on the same incident particles.

    python -m benchmarks.speed.zdc_speed SETS

SETS holds zdc_ecal_positrons_test.h5. Batches of 1, 100 and 10,000; docs/update_zdc.py lays out the outcome.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from benchmarks.record import REPOSITORY, Row, describe_circumstances, print_rows, write_record
from benchmarks.speed.generation_speed import geant4_obstacle, run_geant4, take_incidents, time_batch
from calokit.showers import open_showers

BUNDLES = ("zdc_regression", "zdc_gan", "zdc_flow")
BATCHES = (1, 100, 10_000)


def measure_speed(data: Path) -> list[Row]:
    """Time each shipped bundle at each batch, on one core."""
    view = open_showers(data)
    showers = view.read(0, min(len(view), max(BATCHES)))
    rows: list[Row] = []
    for name in BUNDLES:
        path = REPOSITORY / "zoo" / f"{name}.calokit"
        for batch in BATCHES:
            wall, processor = time_batch(path, "bfloat16", take_incidents(showers, batch), 1.0)
            rows.append({"bundle": name, "batch": batch, "ms/shower": wall, "processor ms/shower": processor})
    return rows


def main() -> None:
    """Time, print and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", type=Path)
    parser.add_argument("--geant4-showers", type=int, default=200)
    arguments = parser.parse_args()
    circumstances = describe_circumstances(1)
    torch.set_num_threads(1)
    data = arguments.sets / "zdc_ecal_positrons_test.h5"
    rows = measure_speed(data)
    obstacle = geant4_obstacle()
    if obstacle is not None:
        print(f"Geant4 left out: {obstacle}")
    geant4 = None if obstacle is not None else run_geant4(data, arguments.geant4_showers)
    print_rows("ZDC generation", rows, circumstances)
    write_record("zdc_speed", rows, circumstances, geant4=geant4)


if __name__ == "__main__":
    main()
