"""The EIC ZDC system as one table: every recipe of the studies, the reports' findings, and the speed.

    python -m benchmarks.systems.zdc_system SETS [--run STUDY ...] [--ship [NAME ...]] [--speed]

SETS holds zdc_ecal_positrons.h5 and zdc_ecal_positrons_test.h5. With --run the named studies are continued
(each can be killed and continued; finished rows stay in studies/NAME.jsonl); without it the finished rows are
read. With --speed the shipped bundles are timed at batches of 1, 100 and 10,000 on one core, beside Geant4 on
the same incident particles in the same run. The outcome is benchmarks/results/zdc_system.json, which
docs/update_zdc.py lays out.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats

from benchmarks.record import REPOSITORY, RESULTS, Row, describe_circumstances, print_rows, write_record
from benchmarks.speed.generation_speed import geant4_obstacle, run_geant4, take_incidents, time_batch
from calokit.inference import read_bundle, write_bundle
from calokit.showers import open_showers
from calokit.studies.description import RunFolders, StudyFile
from calokit.studies.study import run_study
from calokit.studies.table import read_table

STUDIES = ("zdc_screening", "zdc_system", "zdc_learning")
METRICS = (
    "mse.mean",
    "separation.cell_130",
    "separation.cell_210",
    "separation.cells_mean",
    "separation.cell_spectrum",
    "response.mean_deviation",
    "resolution.mean_deviation",
    "classifier.auc_low",
    "classifier.auc_high",
)
AUC_LOW, AUC_HIGH, CELLS = "classifier.auc_low", "classifier.auc_high", "separation.cells_mean"
BUNDLES = ("zdc_regression", "zdc_gan", "zdc_flow")
SHIPPED = {"zdc_regression": "regression-h16-128k", "zdc_gan": "gan-26-lr4-ns1-h16-128k"}
"""The entry of the system study that each shipped bundle is."""
SCALE = "_h16_128k"
BATCHES = (1, 100, 10_000)
ENOUGH_SEEDS = 3
CLEAR = 2.576
"""A difference of so many standard errors (a chance of 1 %) holds or does not; less decides nothing."""


@dataclass(frozen=True)
class Finding:
    """A statement of the reports as a comparison of two entries of a study.

    Attributes:
        statement: What the reports say.
        better: Label of the entry that is the better one if it holds.
        worse: Label of the other.
        metric: What is compared; smaller is better.
    """

    statement: str
    better: str
    worse: str
    metric: str = "mse.mean"


FINDINGS = (
    Finding("the sampler 1/|E - mean| beats 1/E", "sampler-distance", "sampler-inverse"),
    Finding("the sampler 1/sqrt(E) beats 1/E", "sampler-root", "sampler-inverse"),
    Finding("1/|E - mean| beats no sampler (not said)", "sampler-distance", "regression"),
    Finding("the value weight 200 beats 1", "regression", "weight-1"),
    Finding("the value weight 200 beats 500", "regression", "weight-500"),
    Finding("the value weight 200 beats 1000", "regression", "weight-1000"),
    Finding("normalised values beat none", "regression", "gev"),
    Finding("Default suffices: Extended 2 is no better", "regression", "extended-2"),
    Finding("the impact among the inputs beats the energy alone", "regression", "energy-only"),
    Finding("an energy penalty does not help", "regression", "energy-penalty"),
    Finding("the linear noise schedule beats the decay", "gan-26-lr4", "gan-decay", CELLS),
    Finding("noise always 1.0 is no better (not said)", "gan-26-lr4", "gan-26-lr4-ns1", CELLS),
    Finding("DIS:GEN = 1:5 (Test 25) beats 1:1 (LR4)", "gan-25", "gan-26-lr4", CELLS),
    Finding("the rates of LR6 beat those of LR4", "gan-26-lr6", "gan-26-lr4", CELLS),
    Finding(
        "our GAN (gentle) beats the regression in AUC (observables)", "gan-gentle", "regression", AUC_HIGH
    ),
    Finding("our GAN (gentle) beats the regression in AUC (cells)", "gan-gentle", "regression", AUC_LOW),
    Finding("our GAN (gentle) beats the regression in cell spectra", "gan-gentle", "regression", CELLS),
    Finding("Test 26 LR4 beats the regression in AUC (observables)", "gan-26-lr4", "regression", AUC_HIGH),
    Finding("Test 26 LR4 beats the regression in AUC (cells)", "gan-26-lr4", "regression", AUC_LOW),
    Finding("Test 26 LR4 beats the regression in cell spectra", "gan-26-lr4", "regression", CELLS),
    Finding("the regression beats Test 26 LR4 in squared error", "regression", "gan-26-lr4"),
    Finding("noise always 1.0 beats the linear schedule in AUC", "gan-26-lr4-ns1", "gan-26-lr4", AUC_HIGH),
    Finding("LR4 NS1 beats the regression in AUC (observables)", "gan-26-lr4-ns1", "regression", AUC_HIGH),
    Finding("LR4 NS1 beats the regression in AUC (cells)", "gan-26-lr4-ns1", "regression", AUC_LOW),
    Finding("LR4 NS1 beats the regression in cell spectra", "gan-26-lr4-ns1", "regression", CELLS),
    Finding("the regression beats LR4 NS1 in squared error", "regression", "gan-26-lr4-ns1"),
    Finding("low rates and learned noise (gentle) beat LR4 in cells", "gan-gentle", "gan-26-lr4", CELLS),
    Finding("our GAN (gentle) beats its stage 1 (log) in AUC", "gan-gentle", "log", AUC_HIGH),
    Finding("our GAN (gentle) beats its stage 1 in cell spectra", "gan-gentle", "log", CELLS),
    Finding("the regression beats our GAN (gentle) in squared error", "regression", "gan-gentle"),
    Finding("the flow beats LR4 NS1 in AUC", "flow", "gan-26-lr4-ns1", AUC_HIGH),
)


def summarise(rows: list[Row]) -> list[Row]:
    """Put the seeds of each entry together: mean, its error, floor, number of seeds."""
    table: list[Row] = []
    entries = dict.fromkeys((row["study"], row["label"], row["showers"]) for row in rows)
    for study, label, showers in entries:
        own = [row for row in rows if (row["study"], row["label"], row["showers"]) == (study, label, showers)]
        known = [name for name in METRICS if measured(own, name)]
        metrics = {name: combine([row["metrics"][name] for row in own]) for name in known}
        first = own[0]
        table.append(
            {
                "study": study,
                "label": label,
                "recipe": first["recipe"],
                "seeds": len(own),
                "showers": showers,
                "presentations": first["presentations"],
                "cpu_minutes": float(np.mean([row["cpu_minutes"] for row in own])),
                "judged_on": f"{first['test_file']}, {first['test_showers']} showers",
                "metrics": metrics,
                "by_seed": {name: [row["metrics"][name][0] for row in own] for name in known},
                "curves": first.get("curves", {}),
            }
        )
    return table


def measured(rows: list[Row], name: str) -> bool:
    """Tell whether every row has a metric."""
    return all(name in row["metrics"] for row in rows)


def combine(found: list[list[float]]) -> list[float]:
    """Return mean, error of the mean, floor and its error.

    The error is the spread over the seeds or the statistical error of the sample they share, whichever is
    larger.
    """
    values = np.array(found)
    spread = float(values[:, 0].std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    error = max(spread, float(values[:, 1].mean()))
    return [float(values[:, 0].mean()), error, *values[:, 2:].mean(0).tolist()]


def judge_findings(table: list[Row]) -> list[Row]:
    """Compare the two entries of each finding, in the study with the most seeds that has both."""
    judged = []
    for finding in FINDINGS:
        pairs = []
        for study in STUDIES:
            own = {short(row["label"]): row for row in table if row["study"] == study}
            pair = [own.get(label) for label in (finding.better, finding.worse)]
            if all(row is not None and finding.metric in row["metrics"] for row in pair):
                pairs.append(pair)
        if not pairs:
            continue
        better, worse = max(pairs, key=lambda pair: min(row["seeds"] for row in pair))
        one, other = (row["metrics"][finding.metric] for row in (better, worse))
        seeds = min(better["seeds"], worse["seeds"])
        if seeds >= ENOUGH_SEEDS:
            sigma = standard_errors(*(row["by_seed"][finding.metric] for row in (better, worse)))
        else:
            error = math.hypot(one[1], other[1])
            sigma = (other[0] - one[0]) / error if error else 0.0
        judged.append(
            {
                "statement": finding.statement,
                "metric": finding.metric,
                "better": [finding.better, *one[:2]],
                "worse": [finding.worse, *other[:2]],
                "sigma": sigma,
                "seeds": seeds,
                "study": better["study"],
                "verdict": verdict(sigma, seeds),
            }
        )
    return judged


def standard_errors(better: list[float], worse: list[float]) -> float:
    """Return how clearly the first values lie below the second: Welch's t-test, as normal standard errors.

    Both entries are judged on the same showers, so that only what differs from seed to seed counts.
    """
    found = stats.ttest_ind(worse, better, equal_var=False)
    return float(np.sign(found.statistic) * stats.norm.isf(found.pvalue / 2))


def short(label: str) -> str:
    """Return a label without its scale."""
    for mark in ("-h16", "-500steps", "-2000steps"):
        label = label.split(mark)[0]
    return label


def verdict(sigma: float, seeds: int) -> str:
    """Return in words what a difference of so many standard errors says."""
    told = "undecided" if abs(sigma) < CLEAR else ("holds" if sigma > 0 else "does not hold")
    if seeds >= ENOUGH_SEEDS:
        return told
    return f"{told} ({seeds} seed{'s' if seeds > 1 else ''}: no claim)"


def measure_speed(data: Path, geant4_showers: int) -> tuple[list[Row], Row | None]:
    """Time the shipped bundles on one core, and Geant4 on the same incident particles."""
    torch.set_num_threads(1)
    view = open_showers(data)
    showers = view.read(0, min(len(view), max(BATCHES)))
    rows: list[Row] = []
    for name in BUNDLES:
        path = REPOSITORY / "zoo" / f"{name}.calokit"
        if path.is_file():
            for batch in BATCHES:
                wall, processor = time_batch(path, "bfloat16", take_incidents(showers, batch), 1.0)
                row = {"bundle": name, "batch": batch}
                rows.append({**row, "ms/shower": wall, "processor ms/shower": processor})
    obstacle = geant4_obstacle()
    if obstacle is not None:
        print(f"Geant4 left out: {obstacle}")
    return rows, None if obstacle is not None else run_geant4(data, geant4_showers)


def known_speed() -> tuple[list[Row], Row | None]:
    """Return the times of the last record, which stay until they are measured anew."""
    path = RESULTS / "zdc_system.json"
    settings = json.loads(path.read_text())["settings"] if path.is_file() else {}
    return settings.get("speed", []), settings.get("geant4")


def shipped_scores() -> list[Row]:
    """Return the scorecards that travel with the shipped bundles."""
    rows: list[Row] = []
    for path in sorted((REPOSITORY / "zoo").glob("zdc_*.calokit")):
        bundle = read_bundle(path)
        made: dict[str, Any] = bundle.provenance
        rows.append(
            {
                "bundle": path.stem,
                "recipe": bundle.name,
                "presentations": made["presentations"],
                "cpu_minutes": round(made.get("cpu_seconds", made["seconds"]) / 60, 1),
                "scorecard": bundle.scorecard,
            }
        )
    return rows


def ship(names: list[str], sets: Path, runs: Path) -> None:
    """Write the bundles of zoo/ from the first seeds of the system study, their scale in their names."""
    file = StudyFile.read(REPOSITORY / "studies" / "zdc_system.yaml", sets)
    folders = RunFolders(runs / "zdc_system", open_showers(file.find_showers(file.study.data)).sha256)
    for name in names:
        run = next(run for run in file.runs() if run.label == SHIPPED[name])
        bundle = read_bundle(folders.bundle(run))
        renamed = bundle.recipe.model_copy(update={"name": bundle.recipe.name + SCALE})
        target = REPOSITORY / "zoo" / f"{name}.calokit"
        write_bundle(target, replace(bundle, recipe=renamed))
        print(f"{target}; its scorecard: benchmarks/systems/scorecard.py {target} --attach")


def main() -> None:
    """Continue the studies if asked, summarise, print and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", type=Path)
    parser.add_argument("--run", nargs="*", default=[], choices=STUDIES)
    work = REPOSITORY / "benchmarks" / "results" / "work" / "studies"
    parser.add_argument("--runs", type=Path, default=work, help="where the trainings stand")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--geant4-showers", type=int, default=200)
    parser.add_argument(
        "--ship", nargs="*", choices=list(SHIPPED), help="write these bundles of zoo/ (or all), first seeds"
    )
    arguments = parser.parse_args()
    circumstances = describe_circumstances(1)
    torch.set_num_threads(1)
    for name in arguments.run:
        folder = arguments.runs / name
        folder.mkdir(parents=True, exist_ok=True)
        run_study(StudyFile.read(REPOSITORY / "studies" / f"{name}.yaml", arguments.sets), folder)
    if arguments.ship is not None:
        ship(arguments.ship or list(SHIPPED), arguments.sets, arguments.runs)
    rows = [row for name in STUDIES for row in read_table(REPOSITORY / "studies" / f"{name}.jsonl")]
    table = summarise(rows)
    findings = judge_findings(table)
    if table:
        flat = [
            {"label": row["label"], "seeds": row["seeds"], **{n: v[0] for n, v in row["metrics"].items()}}
            for row in table
        ]
        print_rows("EIC ZDC system", [{**dict.fromkeys(flat[0]), **row} for row in flat], circumstances)
    for one in findings:
        print(f"{one['statement']}: {one['verdict']} ({one['sigma']:+.1f} standard errors, {one['metric']})")
    if arguments.speed:
        speed, geant4 = measure_speed(arguments.sets / "zdc_ecal_positrons_test.h5", arguments.geant4_showers)
    else:
        speed, geant4 = known_speed()
    write_record(
        "zdc_system",
        table,
        circumstances,
        findings=findings,
        speed=speed,
        geant4=geant4,
        shipped=shipped_scores(),
    )


if __name__ == "__main__":
    main()
