"""The LUXE reconstruction: the studies, and the shipped bundles on fresh showers, set B and tilted ones.

The energy is judged on fresh_test (luxe_pads.py writes it) and on the reference test showers of set B: both
chose nothing. Classical methods are fitted on the training showers of the reference set A.

With FOLDERS (shower files, see luxe_data.py) the data are joined and every study is done first, as far as it
is not done yet; it can be stopped at any moment and called again. Without, what is done is printed.

    python -m benchmarks.systems.luxe_reconstruction [FOLDER ...] [--ship [NAME ...]] [--judge [PART ...]]

With --attach as well, what was recorded of the energy is written into its bundle as the scorecard.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.record import REPOSITORY, RESULTS, Row, describe_circumstances, print_rows, write_record
from benchmarks.systems.luxe_data import JOINED, STUDIES
from calokit.bundles.bundle import Bundle, write_bundle
from calokit.bundles.join import join_members
from calokit.bundles.tensors import read_tensors, write_tensors
from calokit.evaluation.estimates.single import (
    EnergyErrors,
    measure_coverage,
    memorised_energies,
    paired_rms_ratio,
)
from calokit.inference import read_bundle, reconstruct_showers
from calokit.models.estimators.protocol import Reconstructor
from calokit.showers import ShowerFile, Split, open_showers
from calokit.studies.description import RunFolders, StudyFile, StudyRun
from calokit.studies.judging.reconstruction import best_classical, classical_results
from calokit.studies.study import run_study
from calokit.studies.table import read_table
from calokit.units import MEV_PER_GEV

STUDY_NAMES = (
    "luxe_counting",
    "luxe_counting_curve",
    "luxe_energy",
    "luxe_energy_a",
    "luxe_particles",
    "luxe_place",
    "luxe_learning_curve",
    "luxe_place_variants",
    "luxe_variants",
)
PUBLISHED = {
    2.5: (0.096, 0.210, 0.265, None),
    5.0: (0.037, 0.301, 0.380, 0.449),
    7.5: (0.022, 0.380, 0.478, None),
    10.0: (0.064, 0.446, 0.563, 0.647),
    15.0: (-0.012, 0.541, 0.681, 0.810),
    20.0: (-0.151, 0.631, 0.810, 0.980),
}
"""ME, MAE and RMS of the report's final network, RMS of its sum, GeV (przemekk125/projekt_studencki)."""
SHOWN = {
    "energy": ("energy.rms_ratio", "energy.mae_ratio", "energy.largest_bias", "energy.pull_width"),
    "place": ("position.rms_ratio_x", "position.rms_ratio_y", "angle.rms_ratio_x", "angle.rms_ratio_y"),
    "particles": (
        "particles.right_count",
        "particles.energy_over_root",
        "particles.rms_x",
        "particles.rms_y",
    ),
}
JUDGED = ("wall", "speed", "energy", "places")
SEEN_MEV = np.array([5e3, 10e3, 15e3])
UNSEEN_MEV = np.array([7.5e3, 12.5e3])


def do_studies(folders: list[Path]) -> None:
    """Join the data and do every run that is missing."""
    command = [sys.executable, "-m", "benchmarks.systems.luxe_data", "join", *map(str, folders)]
    subprocess.run(command, check=True)
    for name in STUDY_NAMES:
        file = StudyFile.read(STUDIES / f"{name}.yaml")
        folder = STUDIES / ".cache" / "studies" / name
        folder.mkdir(parents=True, exist_ok=True)
        run_study(file, folder)


def print_studies(circumstances: dict[str, Any]) -> None:
    """Print one table for each kind of target, the rows of all studies together."""
    rows = [row for name in STUDY_NAMES for row in read_table(STUDIES / f"{name}.jsonl")]
    for kind, metrics in SHOWN.items():
        table = [_study_row(row, metrics) for row in rows if any(one in row["metrics"] for one in metrics)]
        if table:
            table.sort(key=lambda row: str(row[metrics[0]]), reverse=kind == "particles")
            print_rows(
                f"LUXE {kind}: value +- error (floor: the best classical method)", table, circumstances
            )


def _study_row(row: dict[str, Any], metrics: tuple[str, ...]) -> Row:
    return {
        "label": row["label"],
        "seed": row["seed"],
        "showers": row["showers"],
        "shown": row["presentations"],
        "CPU min": row["cpu_minutes"],
        "ms": row["milliseconds_per_shower"],
        "test": row["test_showers"],
        **{one: _words(row["metrics"].get(one)) for one in metrics},
    }


def _words(measured: list[float] | None) -> str:
    if measured is None:
        return "-"
    value, error, floor, _ = measured
    return f"{value:.4f} +- {error:.4f} ({floor:.3f})"


SHIPPED = {
    "luxe_energy": ("luxe_counting", "calibration_reference"),
    "luxe_direction": ("luxe_place", "place_train"),
    "luxe_particles": ("luxe_particles", None),
}
"""Of each shipped bundle the study whose runs it is made of, and the showers that the mean of the seeds is
calibrated on; None ships the first seed alone."""


def finished_bundles(study: str) -> list[Bundle]:
    """Return the bundles of the finished runs of a study's first entry, by seed."""
    file = StudyFile.read(STUDIES / f"{study}.yaml")
    label = file.study.recipes[0].label
    sha256 = open_showers(file.find_showers(file.study.data)).sha256
    folders = RunFolders(STUDIES / ".cache" / "studies" / study, sha256)
    paths = [folders.bundle(run) for run in file.runs() if run.label == label]
    return [read_bundle(path) for path in paths if path.is_file()]


def joined(bundles: list[Bundle], data: str) -> Bundle:
    """Return the mean of bundles, calibrated on a joined file."""
    return join_members(bundles, open_showers(JOINED / f"{data}.h5", Split.VALIDATION))


def ship_bundles(names: list[str]) -> None:
    """Write zoo/*.calokit from the finished runs of the studies: the seeds of the first entry, joined."""
    for name in names:
        study, data = SHIPPED[name]
        bundles = finished_bundles(study)
        if not bundles:
            print(f"{name}: no finished run")
            continue
        label = StudyFile.read(STUDIES / f"{study}.yaml").study.recipes[0].label
        bundle = joined(bundles, data) if data else bundles[0]
        rows = [row for row in read_table(STUDIES / f"{study}.jsonl") if row["label"] == label]
        metrics = {key: value for row in rows[:1] for key, value in row["metrics"].items()}
        target = REPOSITORY / "zoo" / f"{name}.calokit"
        write_bundle(
            target, bundle.with_scorecard({"seed": rows[0]["seed"], "metrics": metrics} if rows else {})
        )
        print(f"{target}: {len(bundles) if data else 1} member(s)")


def judge_energy(bundle: Bundle, sets: dict[str, str], circumstances: dict[str, Any]) -> None:
    """Compare an energy bundle with the classical methods and the report, by energy, on each set.

    Args:
        bundle: A trained reconstruction.
        sets: Joined test files and what their tables are called.
        circumstances: What the records tell of the machine.
    """
    train = open_showers(JOINED / "reference_train.h5", Split.TRAIN)
    for name, title in sets.items():
        test = open_showers(JOINED / f"{name}.h5", Split.TEST)
        columns = reconstruct_showers(bundle, test).columns
        estimated = columns["energy"].astype(np.float64)
        known, classical = classical_results(train, test)
        base, best = classical.energies["calibrated sum"], best_classical(classical, known.energies)
        own, plain = EnergyErrors.of(estimated, known.energies), EnergyErrors.of(base, known.energies)
        ratio = paired_rms_ratio(estimated, base, known.energies)
        against = paired_rms_ratio(estimated, best, known.energies)
        classic = paired_rms_ratio(best, base, known.energies)
        width = columns["energy_uncertainty"].astype(np.float64)
        rows: list[Row] = []
        for place, energy in enumerate(own.energies):
            published = PUBLISHED.get(float(energy), (None,) * 4)
            here = known.energies == MEV_PER_GEV * energy
            inside = measure_coverage(estimated[here], width[here], known.energies[here])
            rows.append(
                {
                    "E (GeV)": float(energy),
                    "showers": int(own.showers[place]),
                    "bias (%)": 100 * float(own.relative_bias()[place, 0]),
                    "its error": 100 * float(own.relative_bias()[place, 1]),
                    "MAE": float(own.absolute[place, 0]),
                    "RMS": float(own.rms[place, 0]),
                    "sum's RMS": float(plain.rms[place, 0]),
                    "ratio": float(ratio.ratio[place]),
                    "error": float(ratio.error[place]),
                    "to best classical": float(against.ratio[place]),
                    "its err.": float(against.error[place]),
                    "68.3 % covers (%)": 100 * float(inside.covered[1, 0]),
                    "error of it": 100 * float(inside.covered[1, 1]),
                    "report's ME": published[0],
                    "report's RMS": published[2],
                    "report's sum": published[3],
                }
            )
        print_rows(title, rows, circumstances)
        covered = measure_coverage(estimated, width, known.energies)
        facts = {
            "rms_ratio": [ratio.mean, ratio.mean_error],
            "mae_ratio": float((own.absolute[:, 0] / plain.absolute[:, 0]).mean()),
            "largest_bias_percent": max(abs(float(row["bias (%)"])) for row in rows),
            "classical": {
                name: [one.mean, one.mean_error]
                for name, one in (
                    (name, paired_rms_ratio(found, base, known.energies))
                    for name, found in classical.energies.items()
                )
            },
            "best_classical": [classic.mean, classic.mean_error],
            "ratio_to_best_classical": [against.mean, against.mean_error],
            "significance": against.significance,
            "worst_sigma": against.worst,
            "law": str(own.law()),
            "law_of_the_sum": str(plain.law()),
            "coverage": {
                f"{one:g}": two.tolist() for one, two in zip(covered.levels, covered.covered, strict=True)
            },
            "pull_width": covered.pull_width,
        }
        if name == "reference_b_test":
            facts["memorised"] = memorised_energies(estimated, known.energies, SEEN_MEV, UNSEEN_MEV)
            facts["memorised_by_the_sum"] = memorised_energies(base, known.energies, SEEN_MEV, UNSEEN_MEV)
        for key, value in facts.items():
            print(f"  {key}: {value}")
        write_record(f"luxe_reconstruction_{name}", rows, circumstances, bundle=bundle.name, **facts)


def summarise_energy(record: str) -> dict[str, list[float]]:
    """Return what `judge_energy` recorded as value, error, floor and its error, by name.

    The floor is the best classical method where that was recorded, else what a perfect estimate would have.
    """
    found = json.loads((RESULTS / f"luxe_reconstruction_{record}.json").read_text())
    facts, rows = found["settings"], found["rows"]
    worst = max(rows, key=lambda row: abs(row["bias (%)"]))
    return {
        "energy.rms_ratio": [*facts["rms_ratio"], *facts["best_classical"]],
        "energy.rms_ratio_to_best": [*facts["ratio_to_best_classical"], 1.0, 0.0],
        "energy.worst_sigma_to_best": [facts["worst_sigma"], 1.0, 0.0, 0.0],
        "energy.largest_bias": [abs(worst["bias (%)"]) / 100, worst["its error"] / 100, 0.0, 0.0],
        "energy.coverage_683": [*facts["coverage"]["0.683"], 0.683, 0.0],
        "energy.pull_width": [*facts["pull_width"], 1.0, 0.0],
    }


def attach_energy(path: Path) -> None:
    """Write what was recorded of the energy into its bundle as the scorecard; all else stays bit for bit."""
    found = json.loads((RESULTS / "luxe_reconstruction_fresh_test.json").read_text())
    on_b = summarise_energy("reference_b_test")
    tensors, metadata = read_tensors(path)
    scorecard = {
        "test_file": "fresh_test.h5",
        "test_showers": sum(row["showers"] for row in found["rows"]),
        "mae_ratio": found["settings"]["mae_ratio"],
        "metrics": summarise_energy("fresh_test") | {f"{name}_on_b": value for name, value in on_b.items()},
    }
    write_tensors(path, tensors, metadata | {"scorecard": scorecard})


def judge_places(bundle: Bundle, sets: dict[str, str], circumstances: dict[str, Any]) -> None:
    """Compare impacts and angles with the log-weighted fit, by energy, on each set."""
    train = open_showers(JOINED / "place_train.h5", Split.TRAIN)
    for name, title in sets.items():
        test = open_showers(JOINED / f"{name}.h5")
        columns = reconstruct_showers(bundle, test).columns
        known, classical = classical_results(train, test)
        directions = columns["direction"].astype(np.float64)
        angles = np.arctan(directions[:, :2] / directions[:, 2:])
        true = np.arctan(known.slopes)
        rows: list[Row] = []
        for label, mine, other, truth, scale in (
            (
                "x (mm)",
                columns["position"][:, 0],
                classical.lines.positions[:, 0],
                known.positions[:, 0],
                1.0,
            ),
            (
                "y (mm)",
                columns["position"][:, 1],
                classical.lines.positions[:, 1],
                known.positions[:, 1],
                1.0,
            ),
            ("angle x (degrees)", angles[:, 0], classical.angles[:, 0], true[:, 0], 180 / np.pi),
            ("angle y (degrees)", angles[:, 1], classical.angles[:, 1], true[:, 1], 180 / np.pi),
        ):
            found = paired_rms_ratio(mine.astype(np.float64), other, truth, known.energies)
            for place, energy in enumerate(found.energies):
                here = known.energies == 1e3 * energy
                rows.append(
                    {
                        "quantity": label,
                        "E (GeV)": float(energy),
                        "showers": int(here.sum()),
                        "RMS": scale * float(np.sqrt(((mine - truth)[here] ** 2).mean())),
                        "log-weighted fit": scale * float(np.sqrt(((other - truth)[here] ** 2).mean())),
                        "ratio": float(found.ratio[place]),
                        "error": float(found.error[place]),
                        "mean ratio": found.mean,
                        "its error": found.mean_error,
                    }
                )
        print_rows(title, rows, circumstances)
        write_record(f"luxe_places_{name}", rows, circumstances, bundle=bundle.name)


def wall_row(run: StudyRun, bundle: Bundle, test: ShowerFile) -> Row:
    """Return what one learner makes of test showers, beside the calibrated sum of its training showers."""
    model = bundle.model
    assert isinstance(model, Reconstructor)
    found, base, true = [], [], []
    for showers in test.chunks():
        batch = model.prepare(showers)
        with torch.no_grad():
            energy = model.estimate(batch).energy
            assert energy is not None
            found.append(energy.double().numpy())
            base.append(MEV_PER_GEV * model.classical_energy(batch).double().numpy())
        true.append(showers.incident_energies.astype(np.float64))
    mine, other, truth = (np.concatenate(one) for one in (found, base, true))
    ratio = paired_rms_ratio(mine, other, truth)
    return {
        "entry": run.label,
        "seed": run.recipe.training.seed,
        "showers": bundle.provenance["data_showers"],
        "shown": bundle.provenance["presentations"],
        "CPU min": bundle.provenance["cpu_seconds"] / 60,
        "RMS ratio": ratio.mean,
        "error": ratio.mean_error,
    }


def judge_wall(circumstances: dict[str, Any]) -> None:
    """Judge the finished runs of luxe_wall.yaml, learners of different kinds, on the fresh showers."""
    file = StudyFile.read(STUDIES / "luxe_wall.yaml")
    train = open_showers(file.find_showers(file.study.data))
    folders = RunFolders(STUDIES / ".cache" / "studies" / file.study.name, train.sha256)
    test = open_showers(file.find_showers(file.study.test), Split.TEST)
    runs = [run for run in file.runs() if folders.bundle(run).is_file()]
    rows = [wall_row(run, read_bundle(folders.bundle(run)), test) for run in runs]
    print_rows("LUXE energy by learners of different kinds", rows, circumstances)
    write_record("luxe_wall", rows, circumstances, judged_on=len(test))


def measure_speed(bundle: Bundle, circumstances: dict[str, Any]) -> None:
    """Measure events a processor second on one thread: the file read, the hits found, the networks."""
    test = open_showers(JOINED / "b_validation.h5")
    started = time.process_time()
    reconstruct_showers(bundle, test)
    used = time.process_time() - started
    row: Row = {"bundle": bundle.name, "events a processor second": len(test) / used}
    print_rows("Speed", [row], circumstances)
    write_record("luxe_speed", [row], circumstances, bundle=bundle.name)


def main() -> None:
    """Do what is missing where folders are given, print the tables, judge the bundles."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument(
        "--ship", nargs="*", choices=list(SHIPPED), help="write these bundles of zoo/ (or all)"
    )
    parser.add_argument(
        "--judge", nargs="*", choices=JUDGED, help="judge the shipped bundles (all or these parts)"
    )
    parser.add_argument("--attach", action="store_true", help="write the recorded energy into its bundle")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    circumstances = describe_circumstances(1)
    if arguments.folders:
        do_studies(arguments.folders)
    print_studies(circumstances)
    if arguments.ship is not None:
        ship_bundles(arguments.ship or list(SHIPPED))
    chosen = [] if arguments.judge is None else arguments.judge or JUDGED
    zoo = REPOSITORY / "zoo"
    if "wall" in chosen:
        judge_wall(circumstances)
    if "speed" in chosen:
        measure_speed(read_bundle(zoo / "luxe_energy.calokit"), circumstances)
    if "energy" in chosen:
        energy = read_bundle(zoo / "luxe_energy.calokit")
        sets = {"fresh_test": "Energy, fresh showers of set A", "reference_b_test": "Energy, set B"}
        judge_energy(energy, sets, circumstances)
    if arguments.attach:
        attach_energy(zoo / "luxe_energy.calokit")
    if "places" in chosen:
        place = read_bundle(zoo / "luxe_direction.calokit")
        sets = {"tilted_test": "Places, tilted by 0 to 9 degrees", "b_test": "Places, set B"}
        judge_places(place, sets, circumstances)


if __name__ == "__main__":
    main()
