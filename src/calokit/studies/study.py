"""Studies: recipes x seeds x data sizes, run one after another, each finished row kept in a table."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import Field

from calokit.config import Description, digest_of
from calokit.errors import ConfigurationError, RunError, suggest_near_miss
from calokit.evaluation import EvaluationSettings, Scorecard, evaluate_showers
from calokit.inference import generate_file, incidents_like
from calokit.inference.generate import need_surrogate
from calokit.models.reconstruction import Reconstructor
from calokit.recipes import load_recipe
from calokit.report.progress import track
from calokit.showers import ShowerFile, Split, open_showers
from calokit.showers.files import file_sha256
from calokit.studies.judged import Judged
from calokit.studies.reconstructed import judge_reconstruction
from calokit.training.bundle import Bundle, read_bundle
from calokit.training.data import open_for_training
from calokit.training.recipe import Recipe
from calokit.training.run import continue_training, planned_steps, start_training

CURVES_KEPT = ("response", "resolution", "mse")
"""Curves over the incident energy that a row keeps."""


class StudyEntry(Description):
    """One recipe of a study, with what it changes."""

    recipe: str
    """A shipped recipe's name, or a YAML file beside the study."""
    label: str
    """How the table calls it; a scaled-down recipe carries its scale here."""
    set: list[str] = []
    """Changes, as `calokit train --set` takes them."""
    start: str | None = None
    """Label of an earlier entry whose bundle (same seed and data size) its weights are started from."""
    seeds: list[int] | None = Field(None, min_length=1)
    """Seeds of this entry instead of the study's: more where a claim rests on it."""


class Study(Description):
    """What is compared: every recipe with every seed and every data size, at one budget."""

    name: str
    title: str
    data: str
    """Showers to train on, relative to the study's file."""
    test: str
    """Showers to judge by; never trained on."""
    test_split: str = "test"
    floor: str | None = None
    """Reference showers of other seeds, for the floor."""
    floor_split: str = "all"
    recipes: list[StudyEntry] = Field(min_length=1)
    seeds: list[int] = Field([1], min_length=1)
    showers: list[int | None] = Field([None], min_length=1)
    """Data sizes: the first so many training showers; null takes all."""
    set: list[str] = []
    """Changes to every recipe (the common budget)."""
    test_showers: int | None = Field(None, ge=100)
    """Judge on the first so many test showers; null takes all."""
    classifier_seeds: int = Field(2, ge=0)
    kept_metrics: bool = True
    """Whether to measure the slower metrics of `EvaluationSettings.kept_metrics` too."""
    generation_seed: int = 1


@dataclass(frozen=True)
class StudyRun:
    """One row to be: a recipe with its seed and data size."""

    label: str
    recipe: Recipe
    start: StudyRun | None = None

    @property
    def digest(self) -> str:
        """Digest of the complete recipe (seed and size included) and of those it starts from."""
        own = self.recipe.digest()
        return own if self.start is None else digest_of([own, self.start.digest])

    @property
    def key(self) -> str:
        """What the row is known by: label and digest."""
        return f"{self.label} {self.digest}"

    def folder_name(self, data_sha256: str) -> str:
        """Name of the run's folder; another recipe or other data never find the bundle of this one there."""
        size = self.recipe.training.showers
        digest = digest_of([self.digest, data_sha256])[:8]
        return f"{self.label}-seed{self.recipe.training.seed}-{'all' if size is None else size}-{digest}"


@dataclass(frozen=True)
class StudyFile:
    """A study with its place: paths are relative to it, and its table stands beside it.

    Attributes:
        study: What is compared.
        path: The study's YAML file.
        sets: Folder of the shower files, where they do not stand relative to the study.
    """

    study: Study
    path: Path
    sets: Path | None = None

    @classmethod
    def read(cls, path: Path, sets: Path | None = None) -> StudyFile:
        """Read a study.

        Raises:
            ConfigurationError: The file is missing or does not fit.
        """
        return cls(Study.from_yaml(path), path, sets)

    @property
    def table_path(self) -> Path:
        """The table, one JSON object a line."""
        return self.path.with_suffix(".jsonl")

    def resolve(self, name: str) -> Path:
        """Return a path that the study names, relative to the study's folder."""
        return self.path.parent / name

    def find_showers(self, name: str) -> Path:
        """Return the path of a shower file that the study names."""
        return self.resolve(name) if self.sets is None else self.sets / name

    def runs(self) -> Iterator[StudyRun]:
        """Yield every run of the study, in order: sizes, then recipes, then seeds."""
        made: dict[tuple[str, int, int | None], StudyRun] = {}
        for size, entry, seed in self._rows():
            beside = entry.recipe.endswith((".yaml", ".yml"))
            name = str(self.resolve(entry.recipe)) if beside else entry.recipe
            changes = [*self.study.set, *entry.set, f"training.seed={seed}"]
            if size is not None:
                changes.append(f"training.showers={size}")
            run = StudyRun(entry.label, load_recipe(name, changes), self._find_start(entry, made, seed, size))
            made[entry.label, seed, size] = run
            yield run

    def _rows(self) -> Iterator[tuple[int | None, StudyEntry, int]]:
        """Yield size, entry and seed of every run."""
        for size, entry in itertools.product(self.study.showers, self.study.recipes):
            for seed in entry.seeds or self.study.seeds:
                yield size, entry, seed

    def _find_start(
        self,
        entry: StudyEntry,
        made: dict[tuple[str, int, int | None], StudyRun],
        seed: int,
        size: int | None,
    ) -> StudyRun | None:
        """Return the earlier run whose bundle an entry starts from."""
        if entry.start is None:
            return None
        if (entry.start, seed, size) not in made:
            labels = [label for label, one, _ in made if one == seed]
            raise ConfigurationError(
                f"{self.path}: {entry.label!r} starts from {entry.start!r}, which is no earlier entry "
                f"with seed {seed}. {suggest_near_miss(entry.start, labels)}"
            )
        return made[entry.start, seed, size]


@dataclass(frozen=True)
class RunFolders:
    """Where the runs of a study stand."""

    parent: Path
    data_sha256: str

    def of(self, run: StudyRun) -> Path:
        """Return the folder of a run."""
        return self.parent / run.folder_name(self.data_sha256)

    def bundle(self, run: StudyRun) -> Path:
        """Return where a run's bundle stands, or will stand."""
        return self.of(run) / f"{run.recipe.name}.calokit"


def run_study(file: StudyFile, folder: Path) -> None:
    """Do every run whose row is missing; can be killed at any moment and called again.

    Args:
        file: The study.
        folder: Where the runs stand.

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
            row = _make_row(file, run, RunFolders(folder, data_sha256), test, floor)
            append_row(file.table_path, row)


def read_table(path: Path) -> list[dict[str, Any]]:
    """Read the rows of a table and check that each is as a run wrote it.

    Raises:
        RunError: A line is not a row, or was changed after it was written.
    """
    if not path.is_file():
        return []
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        try:
            row = json.loads(line)
            digest = row.pop("row_digest")
        except (json.JSONDecodeError, KeyError, AttributeError, TypeError):
            raise RunError(f"{path}, line {number}: not a row that a run wrote; remove the line.") from None
        if digest != digest_of(row):
            raise RunError(
                f"{path}, line {number}: the row {row.get('key')!r} is not as a run wrote it; "
                "remove the line and run the study again."
            )
        rows.append(row)
    return rows


def append_row(path: Path, row: dict[str, Any]) -> None:
    """Add a finished row; the table is replaced in one move."""
    before = path.read_text() if path.is_file() else ""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(before + json.dumps({**row, "row_digest": digest_of(row)}) + "\n")
    partial.replace(path)


def _open_test(file: StudyFile) -> ShowerFile:
    test = open_showers(file.find_showers(file.study.test), file.study.test_split)
    return test if file.study.test_showers is None else test.head(file.study.test_showers)


def _make_row(
    file: StudyFile, run: StudyRun, folders: RunFolders, test: ShowerFile, floor: ShowerFile | None
) -> dict[str, Any]:
    """Train (or continue), generate on the test incidents, evaluate, and describe it in one row."""
    folder, bundle_path = folders.of(run), folders.bundle(run)
    _train_where_missing(file, run, folders)
    bundle = read_bundle(bundle_path)
    if isinstance(bundle.model, Reconstructor):
        train = open_for_training(open_showers(file.find_showers(file.study.data), Split.TRAIN))
        judged = judge_reconstruction(bundle, train, test, folder)
    else:
        judged = _judge_surrogate(file, bundle, folder, test, floor)
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
        "steps": made["steps"],
        "presentations": made["presentations"],
        "cpu_minutes": round(made["cpu_seconds"] / 60, 2),
        "milliseconds_per_shower": round(judged.milliseconds_per_shower, 4),
        "metrics": judged.metrics,
        "curves": judged.curves,
        "commit": _commit_of(file.path.parent),
        "device": made["device"],
        "processor": made["processor"],
        "threads": torch.get_num_threads(),
        "precision": made["precision"]["number_format"],
        "torch": made["torch"],
        "calokit": made["calokit"],
        "bundle_sha256": file_sha256(bundle_path),
        f"{judged.path.stem}_sha256": file_sha256(judged.path),
        "finished": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    }


def _judge_surrogate(
    file: StudyFile, bundle: Bundle, folder: Path, test: ShowerFile, floor: ShowerFile | None
) -> Judged:
    """Generate on the test incidents and evaluate; leaves generated.h5 and scorecard.json."""
    generated_path = folder / "generated.h5"
    with track(len(test), f"generating {folder.name}", "showers") as advance:
        generated = generate_file(
            bundle, incidents_like(test), generated_path, file.study.generation_seed, advance, like=test
        )
    settings = EvaluationSettings(
        threshold_mev=need_surrogate(bundle).threshold_mev,
        classifier_seeds=file.study.classifier_seeds,
        kept_metrics=file.study.kept_metrics,
        seed=file.study.generation_seed,
    )
    card = evaluate_showers(test, open_showers(generated_path), floor=floor, settings=settings)
    path = folder / "scorecard.json"
    path.write_text(card.to_json())
    return Judged(generated.milliseconds_per_shower, _metrics_of(card), _curves_of(card), path)


def _train_where_missing(file: StudyFile, run: StudyRun, folders: RunFolders) -> None:
    """Train a run, and before it the one it starts from, where there is no bundle yet."""
    if folders.bundle(run).is_file():
        return
    if run.start is not None:
        _train_where_missing(file, run.start, folders)
    folder = folders.of(run)
    started = (folder / "run.json").is_file()
    steps = planned_steps(folder) if started else run.recipe.training.steps
    with track(steps, f"training {folder.name}", "steps") as advance:
        if started:
            continue_training(folder, advance)
        else:
            start = None if run.start is None else folders.bundle(run.start)
            start_training(run.recipe, file.find_showers(file.study.data), folder, advance, start_from=start)


def _metrics_of(card: Scorecard) -> dict[str, list[float]]:
    """Return value, error, floor and floor's error of every measurement."""
    return {one.name: [one.value, one.error, one.floor, one.floor_error] for one in card.measurements}


def _curves_of(card: Scorecard) -> dict[str, dict[str, Any]]:
    """Return response, resolution and squared error in bins of the incident energy."""
    return {
        one.name: {
            "edges_gev": one.edges,
            "reference": one.reference,
            "value": one.generated,
            "error": one.generated_error,
            "floor": one.floor,
        }
        for one in card.curves
        if one.name in CURVES_KEPT
    }


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
