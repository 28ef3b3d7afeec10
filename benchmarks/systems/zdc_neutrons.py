"""Neutrons in ECAL and HCAL: showers joined, the small recipe trained on them, judged on others, shipped.

    python -m benchmarks.systems.zdc_neutrons FOLDER [--train] [--ship]

FOLDER holds zdc_neutrons_1.h5, zdc_neutrons_2.h5 and zdc_neutrons_test.h5, made by the commands that are
printed where one is missing. With --train the recipe zdc_neutrons_small is trained in FOLDER (it goes on
where it was stopped) and judged: as many showers as the test file holds, on its incident particles; the
floor is the validation split of the training file. With --ship the bundle goes to zoo/ with its scorecard.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from benchmarks.record import REPOSITORY, RESULTS, describe_circumstances, write_record
from benchmarks.systems.scorecard import summarise
from calokit.evaluation import EvaluationSettings, Scorecard, evaluate_showers
from calokit.inference import generate_like, read_bundle, write_bundle
from calokit.recipes import load_recipe
from calokit.report.compared import ComparedCards
from calokit.report.pages.comparison import write_report
from calokit.showers import Split, open_showers
from calokit.showers.joining import join_files
from calokit.training.run import continue_training, start_training

FILES = {"zdc_neutrons_1": (3_200, 510), "zdc_neutrons_2": (400, 511), "zdc_neutrons_test": (608, 512)}
"""Showers and seed of each file."""
RECIPE = "zdc_neutrons_small"


def missing(folder: Path) -> bool:
    """Print the commands that simulate what is not there, and tell whether there are any."""
    absent = [name for name in FILES if not (folder / f"{name}.h5").is_file()]
    for name in absent:
        showers, seed = FILES[name]
        split = "test" if name.endswith("_test") else "train"
        made = f"-o {folder / name}.h5 -n {showers} --seed {seed} --split {split}"
        print(f"calokit simulate zdc_neutrons {made}")
    return bool(absent)


def train(folder: Path, changes: list[str]) -> Path:
    """Train the small recipe, or go on, and return its bundle."""
    data, runs = folder / "zdc_neutrons.h5", folder / "run"
    sources = [open_showers(folder / f"zdc_neutrons_{number}.h5") for number in (1, 2)]
    join_files(sources, data, Split.TRAIN, compression=1)
    recipe = load_recipe(RECIPE, changes)
    bundle = runs / f"{recipe.name}.calokit"
    if bundle.is_file():
        return bundle
    if (runs / "run.json").is_file():
        return continue_training(runs).bundle_path
    return start_training(recipe, data, runs).bundle_path


def judge(bundle_path: Path, folder: Path) -> Scorecard:
    """Generate on the test incidents and evaluate; leaves a report in FOLDER/report."""
    bundle, test = read_bundle(bundle_path), open_showers(folder / "zdc_neutrons_test.h5")
    generated = folder / "generated.h5"
    generate_like(bundle, test, generated, 1)
    model: Any = bundle.recipe.model
    settings = EvaluationSettings(threshold_mev=model.threshold_mev, classifier_seeds=3, seed=1)
    floor = open_showers(folder / "zdc_neutrons.h5", "validation")
    card = evaluate_showers(test, open_showers(generated), floor=floor, settings=settings)
    write_report(ComparedCards.of(card), folder / "report")
    return card


def main() -> None:
    """Say what is missing, or train, judge and ship."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--ship", action="store_true")
    parser.add_argument("--set", nargs="*", default=[], help="changes to the recipe, KEY=VALUE")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if missing(arguments.folder) or not arguments.train:
        return
    path = train(arguments.folder, arguments.set)
    card = judge(path, arguments.folder)
    rows = [
        {"metric": m.name, "value": m.value, "error": m.error, "floor": m.floor, "its error": m.floor_error}
        for m in card.measurements
    ]
    write_record("zdc_neutrons", rows, describe_circumstances(1), **summarise(card))
    for row in rows:
        print(f"{row['metric']:32} {row['value']:.5f} +- {row['error']:.5f}   floor {row['floor']:.5f}")
    if arguments.ship:
        bundle = read_bundle(path).with_scorecard(json.loads(json.dumps(summarise(card), default=float)))
        write_bundle(REPOSITORY / "zoo" / "zdc_neutrons.calokit", bundle)
        print(f"zoo/zdc_neutrons.calokit and {RESULTS / 'zdc_neutrons.json'}")


if __name__ == "__main__":
    main()
