"""The strong judge: boosted trees on conditions and all observables, and what carries their judgement."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from calokit.arrays import Float32, Float64, Integer
from calokit.errors import CalokitError
from calokit.evaluation.classifiers.discrimination import check_classes, roc_area, roc_area_error
from calokit.evaluation.classifiers.inputs import labels_of

CONDITIONS = "conditions"
"""Group of the columns that every judgement sees."""
FOLDS = 5
"""Parts of the showers: one tests, the next one chooses the number of trees, three train."""
MOST_TESTED = 20_000
"""Parts are tested one after the other until so many showers of each class have been."""
MOST_PERMUTED = 1000
"""Showers of each class whose single observables are exchanged."""


@dataclass(frozen=True)
class JudgeSettings:
    """The trees; the same for every detector and sample size, chosen on validation showers of the ZDC.

    Attributes:
        trees: At most so many, one after the other.
        first: So many are made at first, and their number is doubled until the one with the least logarithmic
            loss on the choosing part, which is taken, is at most half of it.
        learning_rate: Part of each tree's correction that is taken.
        leaves: Of each tree, at most.
        least_in_leaf: Showers in a leaf, at least.
        shrinkage: L2 regularisation of the leaves' values.
    """

    trees: int = 300
    first: int = 25
    learning_rate: float = 0.1
    leaves: int = 31
    least_in_leaf: int = 60
    shrinkage: float = 1.0


@dataclass(frozen=True)
class FeatureTable:
    """What the trees see of the showers of one class.

    Attributes:
        values: (event, k) float32, finite.
        names: The k names.
        groups: The k groups; `conditions` for what every judgement sees.
    """

    values: Float32
    names: tuple[str, ...]
    groups: tuple[str, ...]

    def only(self, group: str) -> FeatureTable:
        """Return the conditions and the columns of one group."""
        chosen = [number for number, own in enumerate(self.groups) if own in (CONDITIONS, group)]
        return FeatureTable(
            self.values[:, chosen],
            tuple(self.names[number] for number in chosen),
            tuple(self.groups[number] for number in chosen),
        )

    def at(self, positions: Integer) -> FeatureTable:
        """Return the showers at some positions."""
        return FeatureTable(self.values[positions], self.names, self.groups)


def join_tables(parts: Sequence[FeatureTable]) -> FeatureTable | None:
    """Return tables one below the other; None where there is none."""
    if not parts:
        return None
    values = np.concatenate([part.values for part in parts])
    return FeatureTable(values, parts[0].names, parts[0].groups)


@dataclass(frozen=True)
class Area:
    """An area under the ROC curve.

    Attributes:
        value: 0.5 means indistinguishable.
        error: DeLong's, of several parts combined; that of the test showers, not of the training.
        trees: Trees used, by part.
        telling: Names of the most telling observables and what their exchange between showers costs of the
            area, the dearest first.
    """

    value: float
    error: float
    trees: tuple[int, ...]
    telling: tuple[tuple[str, float], ...] = ()


def judge_by_trees(
    reference: FeatureTable,
    generated: FeatureTable,
    seed: int = 0,
    settings: JudgeSettings | None = None,
    most_tested: int = MOST_TESTED,
    telling: int = 0,
) -> Area:
    """Tell generated from reference showers by boosted trees (Friedman, Ann. Statist. 29 (2001) 1189).

    Shower i of both classes always falls in the same part, so that showers of one incident never stand on
    both sides of a split.

    Args:
        reference: The truth.
        generated: As many showers to judge, with the same columns.
        seed: Fixes the parts and the trees.
        settings: Default `JudgeSettings()`.
        most_tested: Parts are tested until so many showers of each class have been; 1 tests a single part.
        telling: How many of the most telling observables to name. The columns are permuted one by one among
            showers of the choosing part of both classes (Breiman, Machine Learning 45 (2001) 5); of
            observables that say the same each costs little, and those that cost nothing are left out.

    Raises:
        CalokitError: The classes differ in size or columns, are too small, or hold numbers that are not
            finite.

    Example:
        >>> generator = np.random.default_rng(1)
        >>> samples = generator.normal([[[0.0]], [[1.0]]], 1.0, (2, 600, 1))
        >>> found = judge_by_trees(*(FeatureTable(values, ("depth",), ("layers",)) for values in samples))
        >>> abs(found.value - 0.760) < 4 * found.error  # two Gaussians one deviation apart
        True
    """
    settings = settings or JudgeSettings()
    _check(reference, generated)
    parts = _parts(len(reference.values), seed)
    areas, errors, trees, tested = [], [], [], 0
    named: tuple[tuple[str, float], ...] = ()
    for number in range(FOLDS):
        training, choosing, test = _roles(parts, number)
        model = _train(reference.values, generated.values, training, choosing, settings, seed + number)
        scores = model.score(_both(reference.values, generated.values, test))
        labels = labels_of(len(test))
        areas.append(roc_area(labels, scores))
        errors.append(roc_area_error(labels, scores))
        trees.append(model.trees)
        if telling and not named:
            named = _most_telling(model, reference, generated, choosing[:MOST_PERMUTED], seed)[:telling]
        tested += len(test)
        if tested >= most_tested:
            break
    error = math.sqrt(sum(error**2 for error in errors)) / len(errors)
    return Area(float(np.mean(areas)), error, tuple(trees), named)


def areas_by_group(
    reference: FeatureTable, generated: FeatureTable, seed: int = 0, settings: JudgeSettings | None = None
) -> dict[str, Area]:
    """Return the area that each group of observables reaches alone, beside the conditions.

    Args:
        reference: The truth.
        generated: As many showers to judge.
        seed: As in `judge_by_trees`, of which the first part is tested.
        settings: Default `JudgeSettings()`.

    Raises:
        CalokitError: As `judge_by_trees`.
    """
    groups = [group for group in dict.fromkeys(reference.groups) if group != CONDITIONS]
    return {
        group: judge_by_trees(reference.only(group), generated.only(group), seed, settings, most_tested=1)
        for group in groups
    }


@dataclass(frozen=True)
class _Model:
    """Trained trees and how many of them count."""

    classifier: HistGradientBoostingClassifier
    trees: int

    def score(self, rows: Float32) -> Float64:
        """Return logits; (row,)."""
        stages = self.classifier.staged_decision_function(rows)
        scores: Float64 = next(itertools.islice(stages, self.trees - 1, None)).ravel().astype(np.float64)
        return scores


def _most_telling(
    model: _Model, reference: FeatureTable, generated: FeatureTable, chosen: Integer, seed: int
) -> tuple[tuple[str, float], ...]:
    """Return names and costs of the observables that some showers miss most when they are exchanged."""
    rows, labels = _both(reference.values, generated.values, chosen), labels_of(len(chosen))
    # all trees that were made, which is much faster than to stop at the best number of them
    score = model.classifier.decision_function
    whole = roc_area(labels, score(rows))
    random = np.random.default_rng([seed, 1])
    costs = []
    for column, (name, group) in enumerate(zip(reference.names, reference.groups, strict=True)):
        if group == CONDITIONS:
            continue
        kept = rows[:, column].copy()
        rows[:, column] = random.permutation(kept)
        costs.append((name, whole - roc_area(labels, score(rows))))
        rows[:, column] = kept
    costs.sort(key=lambda cost: -cost[1])
    return tuple(cost for cost in costs if cost[1] > 0.0)


def _train(
    reference: Float32,
    generated: Float32,
    training: Integer,
    choosing: Integer,
    settings: JudgeSettings,
    seed: int,
) -> _Model:
    """Return trees trained on one part, as many as suit another part best."""
    rows, labels = _both(reference, generated, training), labels_of(len(training))
    others = _both(reference, generated, choosing)
    sign = np.where(labels_of(len(choosing)), -1.0, 1.0)
    model = _trees(settings, seed)
    best = 0
    while model.max_iter < settings.trees:
        model.max_iter = min(max(2 * model.max_iter, settings.first), settings.trees)
        model.fit(rows, labels)
        stages = model.staged_decision_function(others)
        losses = [np.logaddexp(0.0, sign * raw.ravel()).mean() for raw in stages]
        best = int(np.argmin(losses)) + 1
        if 2 * best <= model.max_iter:
            break
    return _Model(model, best)


def _trees(settings: JudgeSettings, seed: int) -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(
        learning_rate=settings.learning_rate,
        max_iter=0,
        max_leaf_nodes=settings.leaves,
        min_samples_leaf=settings.least_in_leaf,
        l2_regularization=settings.shrinkage,
        early_stopping=False,
        warm_start=True,
        random_state=seed,
    )


def _check(reference: FeatureTable, generated: FeatureTable) -> None:
    check_classes(reference.values, generated.values, 1)
    if reference.names != generated.names:
        raise CalokitError("classifier: the two classes have different observables; make both alike.")


def _parts(events: int, seed: int) -> list[Integer]:
    order = np.random.default_rng([seed, events]).permutation(events)
    return np.array_split(order, FOLDS)


def _roles(parts: Sequence[Integer], number: int) -> tuple[Integer, Integer, Integer]:
    """Return the training, the choosing and the test showers."""
    test, choosing = parts[number], parts[(number + 1) % FOLDS]
    others = [part for place, part in enumerate(parts) if place not in (number, (number + 1) % FOLDS)]
    return np.concatenate(others), choosing, test


def _both(reference: Float32, generated: Float32, part: Integer) -> Float32:
    return np.concatenate([reference[part], generated[part]])
