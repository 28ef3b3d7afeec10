"""Boosted trees as the fast first answer to how well generated showers can be told from reference showers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import HistGradientBoostingClassifier

from calokit.arrays import Float32, Float64, Integer
from calokit.errors import CalokitError
from calokit.evaluation.classifiers.discrimination import (
    Features,
    check_classes,
    dense_rows,
    jensen_shannon,
    roc_area,
    roc_area_error,
)
from calokit.progress import TellPart

LARGEST_LOGIT = 13.8
"""Logits are cut where the probability is 1e-6 from 0 or 1, so that one surprise costs 20 bits at most."""


@dataclass(frozen=True)
class BoostedSettings:
    """The trees and their training.

    Attributes:
        folds: The showers are cut into so many parts; each is the test part once, the next one chooses the
            number of trees, and the others train. At least 3.
        trees: At most so many, one after the other.
        patience: No more are made when the best number lies so many back.
        learning_rate: Part of each tree's correction that is taken.
        leaves: Of each tree, at most.
        least_in_leaf: Showers in a leaf, at least.
    """

    folds: int = 5
    trees: int = 300
    patience: int = 50
    learning_rate: float = 0.1
    leaves: int = 15
    least_in_leaf: int = 40


@dataclass(frozen=True)
class BoostedResult:
    """Area and divergence over all showers, each scored by trees that were not trained on it.

    Attributes:
        auc: Area under the ROC curve, mean over the folds; 0.5 means indistinguishable.
        auc_error: sqrt(sum of the folds' squared DeLong errors) / folds.
        jsd: Jensen-Shannon divergence in bits, a lower bound up to its error; may fall below 0 where there is
            nothing to find.
        jsd_error: Of the mean over the showers.
        showers_per_class: Showers of each class; all are tested.
        by_fold: The area of each fold.
        trees: Trees used in each fold.
    """

    auc: float
    auc_error: float
    jsd: float
    jsd_error: float
    showers_per_class: int
    by_fold: tuple[float, ...]
    trees: tuple[int, ...]


def boosted_auc(
    reference: Features,
    generated: Features,
    seed: int = 0,
    settings: BoostedSettings | None = None,
    tell: TellPart | None = None,
) -> BoostedResult:
    """Tell generated from reference showers by boosted trees (Friedman, Ann. Statist. 29 (2001) 1189).

    Shower i of both classes always falls in the same fold, so that showers of the same incident never stand
    on both sides of a split. The divergence comes from the trees' own probabilities, without calibration.

    Args:
        reference: (event, k) features of the reference showers, such as `high_level_features`; a few tens.
        generated: (event, k) features of as many generated showers.
        seed: Fixes the folds and the trees.
        settings: Default `BoostedSettings()`.
        tell: Called with a text and the part done (0 to 1) after each fold.

    Raises:
        CalokitError: The classes differ in size or features, are too small, hold numbers that are not
            finite, or there are fewer than three folds.

    Example:
        >>> generator = np.random.default_rng(1)
        >>> reference, generated = generator.normal([[[0.0]], [[1.0]]], 1.0, (2, 500, 1))
        >>> result = boosted_auc(reference, generated)
        >>> abs(result.auc - 0.760) < 4 * result.auc_error  # two Gaussians one deviation apart
        True
    """
    settings = settings or BoostedSettings()
    check_classes(reference, generated, 1)
    if settings.folds < 3:
        raise CalokitError(f"classifier: {settings.folds} folds given; at least 3 are needed.")
    events = int(reference.shape[0])
    random = np.random.default_rng([seed, events])
    folds = np.array_split(random.permutation(events), settings.folds)
    areas, errors, logits, labels, trees = [], [], [], [], []
    for index, test in enumerate(folds):
        selection = folds[(index + 1) % settings.folds]
        training = np.setdiff1d(np.arange(events), np.concatenate([test, selection]))
        scores, used = _train_and_score(
            _both(reference, generated, training),
            _both(reference, generated, selection),
            _both(reference, generated, test),
            settings,
            int(random.integers(2**31)),
        )
        labels.append(_labels(len(test)))
        areas.append(roc_area(labels[-1], scores))
        errors.append(roc_area_error(labels[-1], scores))
        logits.append(scores)
        trees.append(used)
        if tell is not None:
            tell("boosted trees", (index + 1) / settings.folds)
    cut = np.clip(np.concatenate(logits), -LARGEST_LOGIT, LARGEST_LOGIT)
    jsd, jsd_error = jensen_shannon(np.concatenate(labels), 1.0 / (1.0 + np.exp(-cut)))
    return BoostedResult(
        float(np.mean(areas)),
        math.sqrt(sum(error**2 for error in errors)) / settings.folds,
        jsd,
        jsd_error,
        events,
        tuple(areas),
        tuple(trees),
    )


def summarise_cells(
    reference: Features, generated: Features, components: int = 20, seed: int = 0
) -> tuple[Float32, Float32]:
    """Return the principal amplitudes of cells, few enough for boosted trees.

    Both classes together give the singular vectors (Halko, Martinsson and Tropp, arXiv:0909.4061), so that
    neither is treated otherwise than the other and equal laws stay equal.

    Args:
        reference: (event, k) cells of the reference showers, best as `low_level_features` has them.
        generated: (event, k) cells of the generated showers.
        components: Amplitudes a shower; at most k - 1 are given.
        seed: Fixes the random projections.

    Returns:
        (event, components) float32 of the reference and of the generated showers.

    Raises:
        CalokitError: As `boosted_auc`.
    """
    check_classes(reference, generated, 1)
    both = vstack([csr_array(reference), csr_array(generated)], format="csr")
    known = max(1, min(components, both.shape[1] - 1))
    amplitudes = TruncatedSVD(known, random_state=seed).fit_transform(both).astype(np.float32)
    events = int(reference.shape[0])
    return amplitudes[:events], amplitudes[events:]


def _train_and_score(
    training: Float32, selection: Float32, test: Float32, settings: BoostedSettings, seed: int
) -> tuple[Float64, int]:
    """Return logits of the test rows by the number of trees that suits the selection rows best, and it."""
    model = HistGradientBoostingClassifier(
        learning_rate=settings.learning_rate,
        max_iter=0,
        max_leaf_nodes=settings.leaves,
        min_samples_leaf=settings.least_in_leaf,
        early_stopping=False,
        warm_start=True,
        random_state=seed,
    )
    sign = np.where(_labels(len(selection) // 2), -1.0, 1.0)
    best = 0
    while model.max_iter < settings.trees and model.max_iter < best + 1 + settings.patience:
        model.max_iter = min(model.max_iter + settings.patience, settings.trees)
        model.fit(training, _labels(len(training) // 2))
        losses = [
            np.logaddexp(0.0, sign * raw.ravel()).mean() for raw in model.staged_decision_function(selection)
        ]
        best = int(np.argmin(losses))
    for stage, raw in enumerate(model.staged_decision_function(test)):
        if stage == best:
            return raw.ravel().astype(np.float64), best + 1
    raise AssertionError("the best stage is one of the stages")


def _both(reference: Features, generated: Features, part: Integer) -> Float32:
    """Return rows of the reference, then of the generated."""
    return np.concatenate([dense_rows(reference, part), dense_rows(generated, part)])


def _labels(events: int) -> NDArray[np.bool_]:
    return np.repeat([False, True], events)
