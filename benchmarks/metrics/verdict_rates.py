"""How often the verdict flags truth against truth, and at which size it finds planted damages.

Truth: from each reference set, random disjoint samples of one size stand for reference, generated and floor,
over and over; the part of the comparisons in which anything is flagged must not exceed the verdict's 5 %.
Damages: the generated sample is held-out truth made wrong by a known amount; the smallest size at which the
verdict flags it, and by what. Without neural classifiers, which would take most of the time. Finished rows
stand in a JSON-lines file; run again, it goes on.

    python -m benchmarks.metrics.verdict_rates SHOWERS_FOLDER --rows rates.jsonl
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.record import Row, describe_circumstances, print_rows, write_record
from calokit.evaluation import EvaluationSettings, Scorecard, evaluate_showers
from calokit.showers import Showers, ShowerWriter, open_showers
from calokit.showers.damages import (
    collapse_showers,
    kill_cell,
    scale_energies,
    shuffle_conditions,
    smear_layer,
    widen_showers,
)

SETS = {
    "zdc_ecal_positrons": (200, 1500),
    "lhcb_electrons": (10, 1000),
    "luxe_positrons_a": (10, 1000),
    "par04_electrons": (10, 1000),
    "clic_electrons": (10, 1000),
    "luxe_positrons_b_test": (10, 700),
}
"""Splits and showers a sample of each reference set."""
SIZES = {
    "zdc_ecal_positrons": (500, 1000, 2000, 4000, 12_000, 30_000),
    "luxe_positrons_a": (1000, 4000),
    "par04_electrons": (1000, 2500),
}
OTHER_SIZES = (1000,)
DAMAGES: dict[str, Callable[[Showers], Showers]] = {
    "2 % energy scale": lambda showers: scale_energies(showers, 1.02),
    "5 % wider": lambda showers: widen_showers(showers, 1.05),
    "one dead cell (the one with most energy)": lambda showers: kill_cell(
        showers, int(showers.energies.sum(axis=0, dtype=np.float64).argmax())
    ),
    "a layer smeared by 20 %": lambda showers: smear_layer(
        showers, showers.detector.number_of_layers // 3, 0.2, 7
    ),
    "10 % collapsed": lambda showers: collapse_showers(showers, 0.1, 7),
    "conditions shuffled": lambda showers: shuffle_conditions(showers, 7),
}


def read_pool(path: Path) -> Showers:
    """Read the first showers of a reference set."""
    file = open_showers(path)
    largest = 3 * max([*OTHER_SIZES, *SIZES.get(path.stem, ())])
    return file.read(0, min(len(file), largest))


def judge(samples: list[Showers]) -> Scorecard:
    """Compare three samples, reference, generated and floor, by way of files."""
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for name, showers in zip(("reference", "generated", "floor"), samples, strict=True):
            path = Path(folder) / f"{name}.h5"
            with ShowerWriter(path, showers.detector, "e-", name, {}, compression=1) as writer:
                writer.write(showers)
            files.append(open_showers(path))
        settings = EvaluationSettings(threshold_mev=0.01, classifier_seeds=0, gallery_events=0)
        return evaluate_showers(files[0], files[1], floor=files[2], settings=settings)


def draw(pool: Showers, size: int, seed: int) -> list[Showers]:
    """Return three disjoint samples of a pool."""
    order = np.random.default_rng([seed, size]).permutation(len(pool))
    return [pool[np.sort(order[start * size : (start + 1) * size])] for start in range(3)]


def judge_truth(folder: Path) -> Iterator[tuple[str, Callable[[], Row]]]:
    """Yield the key and the work of every comparison of truth with truth."""
    for name, (splits, size) in SETS.items():
        pool: list[Showers] = []

        def work(split: int, name: str = name, size: int = size, pool: list[Showers] = pool) -> Row:
            if not pool:
                pool.append(read_pool(folder / f"{name}.h5"))
            card = judge(draw(pool[0], size, split))
            assert card.verdict is not None
            return {
                "set": name,
                "showers": size,
                "flagged": card.verdict.flagged,
                "tested": card.verdict.tested,
                "deviations": {m.name: round(m.deviation, 3) for m in card.measurements},
            }

        for split in range(splits):
            yield f"truth {name} {split}", partial(work, split)
        pool.clear()


def judge_damages(folder: Path) -> Iterator[tuple[str, Callable[[], Row]]]:
    """Yield the key and the work of every damage, set and size."""
    for name in SETS:
        if name == "luxe_positrons_b_test":
            continue
        pool: list[Showers] = []

        def work(damage: str, size: int, name: str = name, pool: list[Showers] = pool) -> Row:
            if not pool:
                pool.append(read_pool(folder / f"{name}.h5"))
            reference, held_out, floor = draw(pool[0], size, 1000)
            card = judge([reference, DAMAGES[damage](held_out), floor])
            assert card.verdict is not None
            return {"set": name, "showers": size, "damage": damage, "flagged": card.verdict.flagged}

        for size in SIZES.get(name, OTHER_SIZES):
            for damage in DAMAGES:
                yield f"damage {name} {size} {damage}", partial(work, damage, size)
        pool.clear()


def summarise_truth(found: list[Row]) -> list[Row]:
    """Return, for each set and for all, how often anything was flagged, with the binomial error."""
    rows = []
    for name in [*SETS, "all"]:
        own = [row for row in found if name in (row["set"], "all")]
        if not own:
            continue
        alarms = [row for row in own if row["flagged"]]
        part = len(alarms) / len(own)
        rows.append(
            {
                "set": name,
                "splits": len(own),
                "showers a sample": own[0]["showers"] if name != "all" else None,
                "measurements tested": own[0]["tested"] if name != "all" else None,
                "flagged (%)": 100 * part,
                "error": 100 * float(np.sqrt(max(part, 1 / len(own)) * (1 - part) / len(own))),
                "by": ", ".join(sorted({one for row in alarms for one in row["flagged"]})) or "-",
            }
        )
    return rows


def summarise_damages(found: list[Row]) -> list[Row]:
    """Return the smallest size at which each damage is flagged (at it and all larger ones), and by what."""
    rows: list[Row] = []
    for name in SETS:
        for damage in DAMAGES:
            own = sorted(
                (row for row in found if row["set"] == name and row["damage"] == damage),
                key=lambda row: int(row["showers"]),
            )
            if not own:
                continue
            first = len(own)
            while first > 0 and own[first - 1]["flagged"]:
                first -= 1
            seen = own[first:]
            rows.append(
                {
                    "set": name,
                    "damage": damage,
                    "flagged from showers": seen[0]["showers"] if seen else f"not at {own[-1]['showers']}",
                    "first by": ", ".join(seen[0]["flagged"][:3]) if seen else "-",
                    "flagged then": len(seen[0]["flagged"]) if seen else 0,
                }
            )
    return rows


def main() -> None:
    """Do what is missing, then print and write both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=Path, default=Path("verdict_rates.jsonl"))
    parser.add_argument("--only", default="", help="do only what begins so, such as 'truth zdc'")
    arguments = parser.parse_args()
    finished: dict[str, Row] = {}
    if arguments.rows.is_file():
        for line in arguments.rows.read_text().splitlines():
            row = json.loads(line)
            finished[row["key"]] = row
    for key, work in itertools.chain(judge_truth(arguments.folder), judge_damages(arguments.folder)):
        if key in finished or not key.startswith(arguments.only):
            continue
        finished[key] = {"key": key, **work()}
        with arguments.rows.open("a") as rows:
            rows.write(json.dumps(finished[key]) + "\n")
        print(key, finished[key]["flagged"], flush=True)
    circumstances = describe_circumstances(1)
    for kind, summarise in (("truth", summarise_truth), ("damage", summarise_damages)):
        table = summarise([row for key, row in finished.items() if key.startswith(kind)])
        if table:
            print_rows(kind, table, circumstances)
            write_record(f"verdict_{kind}", table, circumstances)


if __name__ == "__main__":
    main()
