"""A study as data: recipes x seeds x data sizes, and where its runs stand."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from calokit.config import Description, digest_of
from calokit.ensembles.settings import AdaganSettings
from calokit.errors import ConfigurationError, suggest_near_miss
from calokit.recipes import load_recipe
from calokit.recipes.recipe import Recipe
from calokit.showers.digitisation import Digitisation


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
    """Seeds of this entry instead of the study's."""
    group: str | None = None
    """Entries of one group share their variance from seed to seed; by default those of one recipe."""
    ensemble: AdaganSettings | None = None
    """Train an ensemble of the recipe instead (its seed is the row's). Entries that differ in the number of
    members alone share these; seeds must lie so far apart that no two ensembles have a member in common."""

    @model_validator(mode="after")
    def _check_start(self) -> Self:
        """Refuse an ensemble that starts from an earlier entry."""
        if self.ensemble is not None and self.start is not None:
            raise ConfigurationError(f"{self.label}: an ensemble starts from no earlier entry.")
        return self


class Claim(Description):
    """One statement that a study shall decide, written down before it runs."""

    statement: str
    better: str
    """Label of the entry that has the smaller value if the statement is true."""
    worse: str
    """Label of the other."""
    metric: str
    """A metric of the rows, or a curve of theirs with `energy_bin`."""
    energy_bin: int | None = None
    """Which bin of the curve: 0 is the lowest energy, -1 the highest."""


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
    cells: tuple[int, ...] | None = None
    """Flat cells whose spectra are judged; null chooses them as `EvaluationSettings.cells` does."""
    generation_seed: int = 1
    readout: Digitisation | None = None
    """Judge by boosted trees once more with all showers behind this readout."""
    prd_groups: tuple[int, ...] = ()
    """Measure the PRD areas of images and of shapes along the momentum with so many cells a side as one:
    [1, 2, 3] for the cells as they are and in groups of 2 x 2 and 3 x 3."""
    ensemble_metrics: bool = False
    """Measure what ensembles are built for too: the Jensen-Shannon divergence by a calibrated classifier, and
    the edges of the average shower."""
    claims: list[Claim] = []
    """What is decided, all claims together (see `calokit.studies.claims`)."""


@dataclass(frozen=True)
class StudyRun:
    """One row to be: a recipe with its seed and data size."""

    label: str
    recipe: Recipe
    start: StudyRun | None = None
    ensemble: AdaganSettings | None = None

    @property
    def digest(self) -> str:
        """Digest of the complete recipe (seed and size included), what it starts from and its ensemble."""
        own = self.recipe.digest()
        if self.ensemble is not None:
            return digest_of([own, self.ensemble.to_mapping()])
        return own if self.start is None else digest_of([own, self.start.digest])

    @property
    def key(self) -> str:
        """What the row is known by: label and digest."""
        return f"{self.label} {self.digest}"

    def folder_name(self, data_sha256: str) -> str:
        """Name of the run's folder; another recipe or other data never find the bundle of this one there.

        Ensembles that differ in the number of members alone have one folder.
        """
        size = self.recipe.training.showers
        told = f"seed{self.recipe.training.seed}-{'all' if size is None else size}"
        if self.ensemble is None:
            return f"{self.label}-{told}-{digest_of([self.digest, data_sha256])[:8]}"
        alike = {name: one for name, one in self.ensemble.to_mapping().items() if name != "members"}
        digest = digest_of([self.recipe.digest(), alike, data_sha256])[:8]
        return f"{self.recipe.name}-{self.ensemble.rule}-{told}-{digest}"


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
            recipe, start = load_recipe(name, changes), self._find_start(entry, made, seed, size)
            ensemble = None if entry.ensemble is None else entry.ensemble.model_copy(update={"seed": seed})
            run = StudyRun(entry.label, recipe, start, ensemble)
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

    def judged(self, run: StudyRun) -> Path:
        """Return where what judging leaves stands."""
        folder = self.of(run)
        return folder if run.ensemble is None else folder / f"judged_{run.ensemble.members}"
