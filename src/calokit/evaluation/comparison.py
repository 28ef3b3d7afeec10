"""Judge generated showers against reference showers: every number beside its floor and its error."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from calokit.detector import Detector
from calokit.errors import CalokitError, ConfigurationError, ShowerFileError
from calokit.evaluation.classifiers.judgement import JudgedTables, TreeJudge, compare_observables
from calokit.evaluation.measures.conditions import make_condition_curves, measure_conditions
from calokit.evaluation.measures.kept import LEAST_SHOWERS, KeptSamples, measure_kept_showers
from calokit.evaluation.measures.sums import (
    make_curves,
    make_energy_curve,
    make_images,
    make_spectra,
    measure_response,
    measure_separations,
    overall_mean,
)
from calokit.evaluation.measures.tables import SideTables
from calokit.evaluation.metrics.binned import BinnedValues
from calokit.evaluation.metrics.distances import Distance
from calokit.evaluation.samples.every_shower import Looks, find_alarms, find_copies, look_at_every_shower
from calokit.evaluation.samples.gallery import collect_hits, collect_images
from calokit.evaluation.samples.kept_showers import KeptShowers
from calokit.evaluation.samples.observables import ObservableCalculator
from calokit.evaluation.samples.passage import Passage
from calokit.evaluation.samples.readout_tables import ReadOutSamples
from calokit.evaluation.samples.streams import plan_comparison
from calokit.evaluation.samples.survey import survey_reference
from calokit.evaluation.samples.suspicions import find_suspicious
from calokit.evaluation.samples.truth_memory import TruthMemory
from calokit.evaluation.scorecard import (
    Alarm,
    Curve,
    Measurement,
    Sample,
    Scorecard,
    Spectrum,
    find_headline,
    sort_out,
)
from calokit.evaluation.settings import EvaluationSettings
from calokit.evaluation.significance import judge_measurements
from calokit.evaluation.topology.features import FeatureMaker
from calokit.progress import Progress, TellPart, add_up, show_progress
from calokit.showers import ShowerFile, Showers
from calokit.showers.memory import as_view
from calokit.showers.threshold import settle_threshold

PARTS = 1000
"""Steps of the progress of one comparison."""
MOST_COPIES = 0.01
"""A floor sample may hold this part of copies of the reference's showers: more are no chance."""
LEAST_CLASSIFIED = 50
"""With fewer showers a class the classifiers are left out."""


def evaluate_showers(
    reference: ShowerFile | Showers,
    generated: ShowerFile | Showers,
    *,
    floor: ShowerFile | Showers | None = None,
    settings: EvaluationSettings | None = None,
    progress: Progress = show_progress,
    device: str = "cpu",
) -> Scorecard:
    """Compare generated showers with reference showers, going once through the files in bounded memory.

    Where both files hold showers of the same incidents in the same order (as `calokit generate --like` makes
    them) the squared error and a gallery of matched showers are given too. The reference fixes all bins.

    Args:
        reference: The truth, a file or showers in memory.
        generated: The showers to judge, a file or showers in memory.
        floor: Truth of other seeds, judged as the generated showers are; None takes reference showers beyond
            the compared ones, or splits the reference in two.
        settings: Default `EvaluationSettings()`.
        progress: Shows how far it is; see `calokit.progress`.
        device: What trains the neural classifiers: `auto`, `cpu`, `cuda`, `cuda:1`, ...

    Raises:
        DetectorError: The files belong to different detectors.
        ShowerFileError: A file holds values that no shower has.
        ConfigurationError: A named cell does not exist.
        CalokitError: The floor holds showers of the reference, or there is too little to compare.
    """
    return Evaluation(reference, floor, settings, device, [generated]).judge(generated, progress)


class Evaluation:
    """Judges any number of generated files by one reference; what only truth decides is computed once.

    Args:
        reference: The truth.
        floor: Truth of other seeds, judged as the generated showers are; None splits the reference in two.
        settings: Default `EvaluationSettings()`.
        device: What trains the neural classifiers: `auto`, `cpu`, `cuda`, `cuda:1`, ...
        judged: What will be judged, where the threshold is left open: none is compared below its own.
    """

    def __init__(
        self,
        reference: ShowerFile | Showers,
        floor: ShowerFile | Showers | None = None,
        settings: EvaluationSettings | None = None,
        device: str = "cpu",
        judged: Sequence[ShowerFile | Showers] = (),
    ) -> None:
        self.reference = as_view(reference, "reference")
        self.floor = None if floor is None else as_view(floor, "floor")
        self.device = device
        asked = settings or EvaluationSettings()
        if asked.threshold_mev is None:
            views = [as_view(one, "generated") for one in judged]
            self.threshold, self.threshold_origin = settle_threshold(self.reference, views)
        else:
            self.threshold, self.threshold_origin = asked.threshold_mev, ""
        self.settings = asked.model_copy(update={"threshold_mev": self.threshold})
        self._memory = TruthMemory()
        self._trees = TreeJudge(self.settings.seed, self.settings.group_areas)

    def judge(self, generated: ShowerFile | Showers, progress: Progress = show_progress) -> Scorecard:
        """Compare one file of generated showers with the reference; see `evaluate_showers`."""
        view = as_view(generated, "generated")
        with progress(PARTS, f"judging {view.path.stem}", "parts") as advance:
            return self._judge(view, add_up(advance, PARTS))

    def _look_for_alarms(self, generated: ShowerFile) -> list[Alarm]:
        """Look at every shower of every file; of those of truth once."""
        reference = self._memory.recall("looks, reference", lambda: look_at_every_shower(self.reference))
        floor = self._memory.recall("looks, floor", lambda: self._look_at_floor(reference))
        return find_alarms(reference, look_at_every_shower(generated), floor, generated.first)

    def _look_at_floor(self, reference: Looks) -> Looks | None:
        """Look at every shower of the floor sample, where there is one; refuse copies of the reference."""
        if self.floor is None:
            return None
        floor = look_at_every_shower(self.floor)
        if self.reference.path.resolve() == self.floor.path.resolve():  # other showers of one file
            return floor
        copies = int(find_copies(reference, floor).sum())
        if copies > MOST_COPIES * len(floor.hits):
            raise CalokitError(
                f"{self.floor.path}: {copies} showers of the floor sample are copies of the reference's; "
                "give truth of other seeds, or none, and the reference is split in two."
            )
        return floor

    def _judge(self, generated: ShowerFile, tell: TellPart) -> Scorecard:
        settings = self.settings
        comparison = plan_comparison(self.reference, generated, self.floor)
        for file in (self.reference, generated):
            _read_time(file)
        _check_cells(comparison.detector, settings)
        tell("looking at every shower", 0.0)
        alarms = self._look_for_alarms(generated)
        tell("survey of the reference", 0.0)
        calculator = ObservableCalculator(comparison.detector, self.threshold)
        bins = survey_reference(comparison, calculator, settings.energy_bins, settings.cells)
        passage = Passage(
            comparison,
            calculator,
            bins,
            settings.kept_showers,
            lambda done: tell("going through the showers", settings.passage_part * done),
            FeatureMaker(calculator, bins.lines) if settings.kept_metrics else None,
        )
        warnings = [*comparison.warnings, *find_suspicious(passage)]
        found = self._measure(passage, warnings, tell)
        measurements, unmeasured = sort_out(found.measurements)
        tell("done", 1.0)
        return Scorecard(
            detector=comparison.detector.name,
            threshold_mev=self.threshold,
            threshold_origin=self.threshold_origin,
            seed=settings.seed,
            reference=_describe(self.reference, comparison.showers),
            generated=_describe(generated, comparison.showers),
            floor_sample=comparison.floor_sample,
            measurements=measurements,
            verdict=judge_measurements(measurements, alarms=alarms),
            alarms=alarms,
            unmeasured=unmeasured,
            headline=find_headline(measurements, ("classifier.auc", "challenge.auc")),
            headline_read_out=find_headline(measurements, ("readout.auc",)),
            curves=found.curves,
            spectra=make_spectra(passage.sides) + found.spectra,
            images=make_images(passage.sides),
            events=collect_images(passage, settings.gallery_events) if passage.paired else [],
            hits=collect_hits(passage, settings.gallery_events) if passage.paired else [],
            detector_description=comparison.detector,
            settings=settings.to_mapping(),
            warnings=warnings,
        )

    def _measure(self, passage: Passage, warnings: list[str], tell: TellPart) -> _Found:
        """Return what was found, and add what is left out to the warnings."""
        found = _Found(self._judge_by_classifiers(passage, warnings, tell), [], [])
        samples = KeptSamples(passage.reference, passage.generated, passage.floor)
        if self.settings.challenge_seeds and len(samples.reference.high_level) < LEAST_CLASSIFIED:
            warnings.append(
                f"CaloChallenge's classifiers were not trained ({len(samples.reference.high_level)} showers; "
                f"at least {LEAST_CLASSIFIED} are needed)."
            )
        elif self.settings.challenge_seeds:
            found.measurements += self._judge_as_challenge(passage, samples, tell)
        if self.settings.kept_metrics:
            self._measure_kept(passage, samples, found, warnings, tell)
        sides, tables = passage.sides, SideTables(passage.sides)
        found.measurements += measure_response(sides) + tables.measure() + measure_conditions(sides)
        found.curves += make_curves(sides) + tables.curves() + make_condition_curves(sides)
        if passage.paired:
            measurement, curve = _judge_squared_errors(passage)
            found.measurements.append(measurement)
            found.curves.append(curve)
        else:
            warnings.append(
                "the generated showers are not of the same incidents as the reference's in the same order; "
                "squared error and matched showers are left out."
            )
        found.measurements += measure_separations(sides)
        return found

    def _measure_kept(
        self, passage: Passage, samples: KeptSamples, found: _Found, warnings: list[str], tell: TellPart
    ) -> None:
        """Add what the kept showers say: boosted trees, raw and read out, and distances."""
        settings = self.settings
        part = settings.kept_part

        def tell_part(text: str, done: float) -> None:
            tell(text, 1.0 + part * (done - 1.0))

        if samples.showers >= LEAST_SHOWERS:
            tell_part("boosted trees", 0.0)
            self._judge_by_trees(passage, samples, found, tell_part)
        found.measurements += measure_kept_showers(
            samples,
            settings.seed,
            settings.frechet_topology,
            warnings,
            self._memory_of(passage),
            lambda text, done: tell_part(text, 0.6 + 0.4 * done),
        )

    def _memory_of(self, passage: Passage) -> TruthMemory:
        """Return what is known of truth as a comparison sees it."""
        return self._memory.within(*passage.comparison.circumstances)

    def _judge_by_trees(self, passage: Passage, samples: KeptSamples, found: _Found, tell: TellPart) -> None:
        """Add the areas of the strong judge by groups, and distributions of topology."""
        settings, memory = self.settings, self._memory_of(passage)
        tables = JudgedTables(*(kept.known_table for kept in samples.each()))
        areas, telling = self._trees.judge(tables, memory, "classifier", "")
        distances, spectra = compare_observables(tables, telling)
        found.measurements += areas + distances
        found.spectra += spectra
        if settings.readout is not None:
            read_out = ReadOutSamples(passage.comparison, passage.kept, settings.readout, settings.seed)
            tables = read_out.tabulate(lambda done: tell("reading out", 0.3 + 0.1 * done), memory)
            tell("boosted trees, read out", 0.4)
            areas, _ = self._trees.judge(tables, memory, "readout", ", read out")
            found.measurements += areas

    def _judge_by_classifiers(
        self, passage: Passage, warnings: list[str], tell: TellPart
    ) -> list[Measurement]:
        """Train the classifiers of the generated sample and of the floor, on cells and on observables."""
        settings = self.settings
        showers = min(settings.classifier_showers, len(passage.reference.high_level))
        if settings.classifier_seeds == 0 or showers < LEAST_CLASSIFIED:
            warnings.append(
                f"no neural classifier was trained ({showers} showers a class, {settings.classifier_seeds} "
                f"seeds; at least {LEAST_CLASSIFIED} showers and one seed are needed)."
            )
            return []
        # torch is loaded only here, since a comparison without classifiers does not need it
        from calokit.evaluation.classifiers.neural import ClassifierSettings, classifier_auc

        training = ClassifierSettings(epochs=settings.classifier_epochs, device=self.device)
        seeds = range(settings.seed, settings.seed + settings.classifier_seeds)
        samples = [kept.first(showers) for kept in (passage.reference, passage.generated, passage.floor)]
        memory = self._memory_of(passage).within(showers)
        measurements = []
        for number, (name, title, features_of) in enumerate(
            (
                ("classifier.auc_low", "classifier AUC, cells", _low_level(self.threshold)),
                ("classifier.auc_high", "classifier AUC, observables", lambda kept: kept.high_level),
            )
        ):
            reference = features_of(samples[0])

            def train(
                other: KeptShowers,
                part: int,
                features_of: Callable[[KeptShowers], Any] = features_of,
                reference: Any = reference,
            ) -> Distance:
                found = classifier_auc(
                    reference, features_of(other), seeds, training, _part_of(tell, settings, part)
                )
                return Distance(found.value, found.error)

            value = train(samples[1], 2 * number)
            floor = memory.recall(name, partial(train, samples[2], 2 * number + 1))
            measurements.append(
                Measurement.of(
                    "classifiers",
                    name,
                    title,
                    value,
                    floor,
                    showers,
                    note=f"{settings.classifier_seeds} trainings, 3/5 of the showers to train on, "
                    "1/5 to test on",
                )
            )
        return measurements

    def _judge_as_challenge(
        self, passage: Passage, samples: KeptSamples, tell: TellPart
    ) -> list[Measurement]:
        """Train CaloChallenge's classifiers, each for the generated sample and for the floor."""
        # torch is loaded only here, since a comparison without classifiers does not need it
        from calokit.evaluation.measures.challenge import judge_as_challenge

        settings = self.settings
        return judge_as_challenge(
            samples.first(settings.classifier_showers),
            passage.comparison.detector,
            self.threshold,
            range(settings.seed, settings.seed + settings.challenge_seeds),
            settings.challenge_patience,
            lambda text, _: tell(text, 1.0 - settings.kept_part),
            self.device,
        )


@dataclass
class _Found:
    """What a comparison has found so far."""

    measurements: list[Measurement]
    curves: list[Curve]
    spectra: list[Spectrum]


def _low_level(threshold: float) -> Callable[[KeptShowers], Any]:
    return lambda kept: kept.low_level(threshold)


def _part_of(tell: TellPart, settings: EvaluationSettings, number: int) -> TellPart:
    """Return the progress of one of the four classifier results, as part of the whole."""
    share = (1.0 - settings.passage_part - settings.kept_part) / 4.0
    return lambda text, done: tell(text, settings.passage_part + share * (number + done))


def _judge_squared_errors(passage: Passage) -> tuple[Measurement, Curve]:
    floor, note = passage.floor_squared_errors()
    value, least = overall_mean(passage.squared), overall_mean(floor)
    title = "squared error of cell / incident energy"
    measurement = Measurement.of(
        "cells", "mse.mean", title, value, least, passage.comparison.showers, note=note
    )
    unknown = np.full(len(passage.bins.energy) - 1, np.nan)
    nothing = BinnedValues(unknown, unknown, np.zeros(len(unknown)))
    curve = make_energy_curve(
        "cells",
        "mse",
        "squared error of cell / incident energy",
        "mean over cells",
        passage.bins.energy,
        (nothing, passage.squared.mean(), floor.mean()),
    )
    return measurement, curve


def _describe(file: ShowerFile, showers: int) -> Sample:
    """Return where a sample came from; its label is the generator's name and version, `Geant4 11.4.1`."""
    label = file.generator.split(",")[0].split(" (")[0].strip()
    return Sample(
        label=file.path.stem if label in {"", "unknown"} else label,
        path=str(file.path),
        sha256=file.sha256,
        split=str(file.split),
        showers=showers,
        generator=file.generator,
        milliseconds_per_shower=_read_time(file),
        timing_note=str(file.attributes.get("timing_note", "")),
    )


def _read_time(file: ShowerFile) -> float | None:
    """Return the milliseconds a shower that a file states, if it does.

    Raises:
        ShowerFileError: What it states is no time.
    """
    stated = file.attributes.get("milliseconds_per_shower")
    if stated is None:
        return None
    if not isinstance(stated, int | float) or not math.isfinite(stated) or stated < 0:
        raise ShowerFileError(
            f"{file.path}: attribute milliseconds_per_shower is {stated!r}; it must be a number."
        )
    return float(stated)


def _check_cells(detector: Detector, settings: EvaluationSettings) -> None:
    for cell in settings.cells or ():
        if not 0 <= cell < detector.number_of_cells:
            raise ConfigurationError(
                f"cells: there is no cell {cell} in {detector.name!r}; its cells are numbered from 0 to "
                f"{detector.number_of_cells - 1}."
            )
