"""From how many showers on the strong judge sees planted damages of topology, and what tells it.

Of each reference set three disjoint parts stand for reference, damaged and floor; boosted trees on conditions
and all observables are trained to tell them apart at rising sizes. A damage counts as seen where its area
lies 3.3 standard errors above the floor's: what Holm's test asks of the first of a hundred measurements.
Finished rows stand in a JSON-lines file; run again, it goes on.

    python -m benchmarks.metrics.topology_damages SHOWERS_FOLDER --rows rows.jsonl
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.record import Row, describe_circumstances, print_rows, write_record
from calokit.evaluation.classifiers.boosted_judge import (
    Area,
    FeatureTable,
    areas_by_group,
    join_tables,
    judge_by_trees,
)
from calokit.evaluation.samples.observables import ObservableCalculator
from calokit.evaluation.topology.damages import (
    isolate_hits,
    mix_layers,
    shuffle_neighbours,
    smear_line,
    swap_cells,
)
from calokit.evaluation.topology.features import FeatureMaker
from calokit.evaluation.topology.lines import FineSpectrum, SpectralLine
from calokit.showers import Showers, open_showers
from calokit.showers.damages import bend_spectrum
from calokit.showers.hits import find_hits

NAME = "topology_damages"
SETS = {
    "zdc_ecal_positrons": (0.1, (1000, 3000, 10_000)),
    "lhcb_electrons": (0.1, (1000, 4000)),
    "par04_electrons": (0.01515, (1000, 2500)),
}
"""Threshold in MeV and showers of each sample, by reference set."""
SEEN = 3.3
SEED = 7
BLOCK = 2000
Damage = Callable[[Showers], Showers]
LINE, BACK = "line smeared by 3 keV", "back of every shower from another of the same energy"


def list_damages(threshold: float, lines: tuple[SpectralLine, ...], layers: int) -> dict[str, Damage]:
    """Return the damages that there are for a detector with so many layers and such lines."""
    damages: dict[str, Damage] = {
        "10 % more isolated hits": lambda showers: isolate_hits(showers, threshold, 0.1, SEED),
        "neighbours shuffled within rings": lambda showers: shuffle_neighbours(showers, threshold, SEED),
        "two hits swapped in a tenth of the showers": lambda showers: swap_cells(
            showers, threshold, 0.1, SEED
        ),
        "spectrum bent by 5 % near the cut": lambda showers: bend_spectrum(showers, threshold, 0.05),
    }
    damages["none"] = lambda showers: showers
    if lines:
        damages[LINE] = lambda showers: smear_line(showers, lines[0], 0.003, SEED)
    if layers > 1:
        damages[BACK] = lambda showers: mix_layers(showers, 1.0, SEED)
    return damages


def find_lines(showers: Showers, threshold: float) -> tuple[SpectralLine, ...]:
    """Return the spectral lines of showers."""
    spectrum = FineSpectrum(threshold)
    for start in range(0, len(showers), BLOCK):
        spectrum.add(find_hits(showers[start : start + BLOCK], threshold).energy)
    return spectrum.find_lines()


def tabulate(showers: Showers, maker: FeatureMaker) -> FeatureTable:
    """Return what the judge sees of showers."""
    table = join_tables([maker(showers[start : start + BLOCK]) for start in range(0, len(showers), BLOCK)])
    assert table is not None
    return table


def judge_set(
    name: str, folder: Path, finished: dict[str, Row], keep: Callable[[str, Row], None], only: str
) -> None:
    """Do what is missing of one reference set."""
    threshold, sizes = SETS[name]
    largest = max(sizes)
    file = open_showers(folder / f"{name}.h5")
    pool = file.read(0, min(len(file), 3 * largest))
    order = np.random.default_rng(SEED).permutation(len(pool))[: 3 * largest]
    parts = [pool[np.sort(part)] for part in np.array_split(order, 3)]
    del pool
    lines = find_lines(parts[0], threshold)
    maker = FeatureMaker(ObservableCalculator(file.detector, threshold), lines)
    reference, floor = tabulate(parts[0], maker), tabulate(parts[2], maker)
    floors: dict[int, Area] = {}
    for damage, make in list_damages(threshold, lines, file.detector.number_of_layers).items():
        keys = {size: f"{name} {damage} {size}" for size in sizes}
        missing = [size for size, key in keys.items() if key not in finished and key.startswith(only)]
        if not missing:
            continue
        table = tabulate(make(parts[1]), maker)
        for size in missing:
            chosen = np.arange(size) * len(reference.values) // size
            samples = [sample.at(chosen) for sample in (reference, table, floor)]
            if size not in floors:
                floors[size] = judge_by_trees(samples[0], samples[2], SEED)
            area, least = judge_by_trees(samples[0], samples[1], SEED), floors[size]
            deviation = (area.value - least.value) / float(np.hypot(area.error, least.error))
            groups = areas_by_group(samples[0], samples[1], SEED) if size == max(sizes) else {}
            row: Row = {
                "set": name,
                "damage": damage,
                "showers": size,
                "auc": round(area.value, 4),
                "error": round(area.error, 4),
                "floor": round(least.value, 4),
                "floor error": round(least.error, 4),
                "deviation": round(deviation, 2),
                "groups": {group: round(found.value, 3) for group, found in groups.items()},
            }
            keep(keys[size], row)


def summarise(found: list[Row]) -> list[Row]:
    """Return for each set and damage from which size on it is seen, and the area at the largest size."""
    rows = []
    for name in SETS:
        for damage in dict.fromkeys(row["damage"] for row in found):
            own = sorted(
                (row for row in found if (row["set"], row["damage"]) == (name, damage)),
                key=lambda row: int(row["showers"]),
            )
            if not own:
                continue
            first = len(own)
            while first > 0 and own[first - 1]["deviation"] > SEEN:
                first -= 1
            last = own[-1]
            best = max(last["groups"].items(), key=lambda group: group[1], default=("", 0.5))
            rows.append(
                {
                    "set": name,
                    "damage": damage,
                    "seen from showers": own[first]["showers"] if first < len(own) else None,
                    "largest size": last["showers"],
                    "auc": last["auc"],
                    "error": last["error"],
                    "floor": last["floor"],
                    "floor error": last["floor error"],
                    "best group": best[0],
                    "its auc": best[1],
                }
            )
    return rows


def main() -> None:
    """Do what is missing, then print and keep the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="do only what begins so, such as 'zdc_ecal'")
    parser.add_argument("--rows", type=Path, default=Path("topology_damages.jsonl"))
    arguments = parser.parse_args()
    finished: dict[str, Row] = {}
    if arguments.rows.is_file():
        for line in arguments.rows.read_text().splitlines():
            row = json.loads(line)
            finished[row.pop("key")] = row

    def keep(key: str, row: Row) -> None:
        finished[key] = row
        with arguments.rows.open("a") as rows:
            rows.write(json.dumps({"key": key, **row}) + "\n")
        print(key, row["auc"], row["error"], row["deviation"], flush=True)

    for name in SETS:
        if name.startswith(arguments.only) or arguments.only.startswith(name):
            judge_set(name, arguments.folder, finished, keep, arguments.only)
    circumstances = describe_circumstances(1)
    table = summarise(list(finished.values()))
    print_rows("damages of topology", table, circumstances)
    write_record(NAME, table, circumstances)


if __name__ == "__main__":
    main()
