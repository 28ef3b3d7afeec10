"""Write the README's results and picture from what the benchmarks measured: `python docs/update_readme.py`.

Reads benchmarks/results/*.json, and for the picture generates a few showers with the shipped bundle.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from calokit.progress import no_progress
from calokit.report.rounding import round_to_error

HOME = Path(__file__).resolve().parent.parent
RESULTS = HOME / "benchmarks" / "results"
BEGIN, END = "<!-- results:begin (docs/update_readme.py writes what stands here) -->", "<!-- results:end -->"


def read(name: str) -> dict[str, Any]:
    """Read one result."""
    content: dict[str, Any] = json.loads((RESULTS / name).read_text())
    return content


def auc(pair: list[float]) -> str:
    """Write a value with its error."""
    return round_to_error(pair[0], pair[1]).plain()


def row(
    name: str,
    showers: int,
    low: list[float],
    high: list[float],
    milliseconds: str,
    trees: tuple[str, str] = ("", ""),
) -> str:
    """Write one row of the table."""
    return f"| {name} | {showers:,} | {auc(low)} | {auc(high)} | {trees[0]} | {trees[1]} | {milliseconds} |"


def tree_areas(sample: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return the areas of boosted trees of a sample, raw and read out, and of its floor; empty if unknown."""
    rows = {
        row["readout"] == "raw": row for row in read("tree_judge.json")["rows"] if row["sample"] == sample
    }
    areas = [rows[raw]["areas"]["auc_boosted"] if raw in rows else None for raw in (True, False)]
    value, floor = (
        ["" if area is None else auc(area[part]) for area in areas] for part in (slice(0, 2), slice(2, 4))
    )
    return (value[0], value[1]), (floor[0], floor[1])


def results_text() -> str:
    """Return the results as Markdown tables."""
    shipped, demo, speed = read("scorecard_zdc_flow.json"), read("demo.json"), read("generation_speed.json")
    low, high = (shipped["measurements"][f"classifier.auc_{kind}"] for kind in ("low", "high"))
    demo_low, demo_high = (demo["measurements"][f"classifier.auc_{kind}"] for kind in ("low", "high"))
    geant4 = f"{speed['settings']['geant4']['processor_ms_per_shower']:.1f}"
    count = shipped["test_showers"]
    trained = f"`make demo`, {demo['training_minutes']:.0f} min of training"
    trees, floor_trees = tree_areas("zdc_flow")
    rows = [
        "Area under the ROC curve of classifiers that tell generated from Geant4 showers, with energy,",
        "impact and direction of the incident particle among their inputs (0.5: they cannot): a network of",
        "two layers of 512, mean of three trainings, and boosted trees on all observables, neighbours and",
        "spectral lines among them, raw and read out (3 % and 30 keV of noise, cut at 0.15 MeV). The largest",
        "is the headline of a scorecard. Times are for one core, the model alone.",
        "",
        "| showers | a class | AUC, cells | AUC, observables | trees | trees, read out | ms a shower |",
        "|---|---|---|---|---|---|---|",
        row("Geant4 (the floor: other seeds)", count, low[2:], high[2:], geant4, floor_trees),
        row("`zoo/zdc_flow.calokit`", count, low, high, f"{shipped['milliseconds_per_shower']:.2f}", trees),
        row(trained, demo["test_showers"], demo_low, demo_high, "the same network"),
    ]
    for name, found in read("zdc_damages.json")["damages"].items():
        rows.append(row(f"Geant4, damaged: {name}", count, found["auc_low"], found["auc_high"], ""))
    rows += [
        "",
        "The damaged rows show what these classifiers can see at this size. Measured by the programs",
        "`zdc_scorecard.py`, `tree_judge.py`, `zdc_damages.py`, `demo_result.py` (after `make demo`),",
        f"`generation_speed.py` of `benchmarks/`; processor: {speed['processor']}.",
    ]
    return "\n".join([*rows, "", *reconstruction_rows()])


def reconstruction_rows() -> list[str]:
    """Return what the shipped energy reconstruction reaches, beside the best classical method."""
    rows = [
        "Energy of positrons in the LUXE ECAL-P: RMS error over that of the calibrated sum, averaged over",
        "the energies; largest bias at one energy (`luxe_reconstruction.py --judge`, [docs](docs/luxe.md)).",
        "",
        "| set, energies | showers | `zoo/luxe_energy.calokit` | best classical | below it | largest bias |",
        "|---|---|---|---|---|---|",
    ]
    sets = {
        "fresh_test": "A, 3 to 20 GeV, fresh showers",
        "reference_b_test": "B, 2.5 to 15 GeV, half of them unseen",
    }
    for name, title in sets.items():
        found = read(f"luxe_reconstruction_{name}.json")
        facts, showers = found["settings"], sum(one["showers"] for one in found["rows"])
        cells = [auc(facts[key]) for key in ("rms_ratio", "best_classical")]
        sigma, bias = f"{facts['significance']:.0f} σ", f"{facts['largest_bias_percent']:.2f} %"
        rows.append(f"| {title} | {showers:,} | {' | '.join(cells)} | {sigma} | {bias} |")
    return rows


def draw_picture() -> None:
    """Draw Geant4 beside generated showers with the score of the full test."""
    from calokit.evaluation import EvaluationSettings, evaluate_showers
    from calokit.inference import generate_file, incidents_like, read_bundle
    from calokit.report.figures.catalogue import draw_hero, save_figure
    from calokit.showers import open_showers

    bundle = read_bundle(HOME / "zoo" / "zdc_flow.calokit")
    truth = open_showers(HOME / "samples" / "zdc_ecal_positrons_test.h5").head(2000)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "zdc_flow.h5"
        generate_file(bundle, incidents_like(truth), path, 1, no_progress, like=truth)
        card = evaluate_showers(
            truth, open_showers(path), settings=EvaluationSettings(classifier_seeds=0, gallery_events=6)
        )
    full = read("scorecard_zdc_flow.json")["measurements"]["classifier.auc_low"]
    score = {"name": "classifier.auc_low", "title": "classifier AUC, cells"} | dict(
        zip(("value", "error", "floor", "floor_error"), full, strict=True)
    )
    content = card.to_mapping()
    content["measurements"].append(score)
    hero = draw_hero(type(card).from_mapping(content, "picture"))
    save_figure(hero, HOME / "docs" / "images" / "hero.png")


def main() -> None:
    """Write results and picture."""
    readme = HOME / "README.md"
    text = readme.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    readme.write_text(f"{before}{BEGIN}\n{results_text()}\n{END}{after}")
    draw_picture()


if __name__ == "__main__":
    main()
