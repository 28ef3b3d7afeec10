"""Studies: recipes x seeds x data sizes, run one after another, each finished row kept in a table."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
from pathlib import Path
from typing import Any

import torch

from calokit.bundles.bundle import read_bundle
from calokit.compute.device import CPU, Device
from calokit.ensembles import train_adagan
from calokit.ensembles.adagan import RECORD
from calokit.files import make_folder
from calokit.models.estimators.protocol import Reconstructor
from calokit.progress import Progress, show_progress
from calokit.showers import ShowerFile, Split, open_showers
from calokit.showers.files import file_sha256
from calokit.studies.description import RunFolders, StudyFile, StudyRun
from calokit.studies.judging.reconstruction import judge_reconstruction
from calokit.studies.judging.surrogate import judge_surrogate
from calokit.studies.table import append_row, read_table
from calokit.training.data import open_for_training
from calokit.training.run import continue_training, start_training


def run_study(
    file: StudyFile, folder: Path, progress: Progress = show_progress, device: Device = CPU
) -> None:
    """Do every run whose row is missing; can be killed at any moment and called again.

    Args:
        file: The study.
        folder: Where the runs stand.
        progress: Shows how far each run is; see `calokit.progress`.
        device: What trains, generates and judges.

    Raises:
        CalokitError: Data are missing or unfit, or the table holds a row that no run made.
    """
    test = _open_test(file)
    study = file.study
    floor = None if study.floor is None else open_showers(file.find_showers(study.floor), study.floor_split)
    data_sha256 = open_showers(file.find_showers(file.study.data)).sha256
    made_with = (data_sha256, test.sha256, len(test))
    done = {
        row["key"]
        for row in read_table(file.table_path)
        if (row["data_sha256"], row["test_sha256"], row["test_showers"]) == made_with
    }
    for run in file.runs():
        if run.key not in done:
            row = _make_row(file, run, RunFolders(folder, data_sha256), test, floor, progress, device)
            append_row(file.table_path, row)


def _open_test(file: StudyFile) -> ShowerFile:
    test = open_showers(file.find_showers(file.study.test), file.study.test_split)
    return test if file.study.test_showers is None else test.head(file.study.test_showers)


def _make_row(
    file: StudyFile,
    run: StudyRun,
    folders: RunFolders,
    test: ShowerFile,
    floor: ShowerFile | None,
    progress: Progress,
    device: Device,
) -> dict[str, Any]:
    """Train (or continue), generate on the test incidents, evaluate, and describe it in one row."""
    folder = folders.judged(run)
    bundle_path = _train_where_missing(file, run, folders, progress, device)
    bundle = read_bundle(bundle_path)
    make_folder(folder)
    if isinstance(bundle.model, Reconstructor):
        train = open_for_training(open_showers(file.find_showers(file.study.data), Split.TRAIN))
        judged = judge_reconstruction(bundle, train, test, folder, progress, device)
    else:
        judged = judge_surrogate(file.study, bundle, folder, test, floor, progress, device)
    made = bundle.provenance
    return {
        "study": file.study.name,
        "key": run.key,
        "label": run.label,
        "recipe": run.recipe.name,
        "recipe_digest": run.recipe.digest(),
        "start": None if run.start is None else run.start.key,
        "seed": run.recipe.training.seed,
        "showers": made["data_showers"],
        "data_sha256": made["data_sha256"],
        "test_file": test.path.name,
        "test_sha256": test.sha256,
        "test_showers": len(test),
        "legs": [leg.to_mapping() for leg in bundle.legs],
        "steps": made["steps"],
        "presentations": made["presentations"],
        "validation": made["validation"],
        "cpu_minutes": round(made["cpu_seconds"] / 60, 2),
        "milliseconds_per_shower": round(judged.milliseconds_per_shower, 4),
        "metrics": judged.metrics,
        "curves": judged.curves,
        "monitor": [] if run.ensemble is not None else _monitor_of(folder),
        "adagan": None if run.ensemble is None else _steps_of(folders.of(run), run.ensemble.members),
        "commit": _commit_of(file.path.parent),
        "device": made["device"],
        "accelerator": made.get("accelerator"),
        "processor": made["processor"],
        "threads": torch.get_num_threads(),
        "precision": made["precision"]["number_format"],
        "torch": made["torch"],
        "calokit": made["calokit"],
        "bundle_sha256": file_sha256(bundle_path),
        f"{judged.path.stem}_sha256": file_sha256(judged.path),
        "finished": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    }


def _train_where_missing(
    file: StudyFile, run: StudyRun, folders: RunFolders, progress: Progress, device: Device
) -> Path:
    """Train a run, and before it the one it starts from, where there is no bundle yet, and return its bundle.

    An ensemble takes the members that are there.
    """
    folder, bundle = folders.of(run), folders.bundle(run)
    if run.ensemble is not None:
        data = file.find_showers(file.study.data)
        return train_adagan(run.recipe, data, folder, run.ensemble, progress, device=device).bundle_path
    if bundle.is_file():
        return bundle
    if run.start is not None:
        _train_where_missing(file, run.start, folders, progress, device)
    if (folder / "run.json").is_file():
        continue_training(folder, progress, device=device)
    else:
        start = None if run.start is None else folders.bundle(run.start)
        data = file.find_showers(file.study.data)
        start_training(run.recipe, data, folder, progress, start_from=start, device=device)
    return bundle


def _steps_of(folder: Path, members: int) -> list[dict[str, Any]]:
    """Return what reweighting told before each of the first members of an ensemble."""
    record: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    return [step for step in record["steps"] if step["member"] <= members]


def _monitor_of(folder: Path) -> list[dict[str, Any]]:
    """Return the squared errors that the validations of a run found, each with its step."""
    lines = (json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines())
    return [{"step": line["step"], **line["monitor"]} for line in lines if line.get("monitor")]


def _commit_of(folder: Path) -> str:
    """Return the commit that made the row, marked where files of it were changed; `unknown` outside git."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder.resolve()), *words], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short=12", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
