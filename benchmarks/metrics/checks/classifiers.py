"""Areas, divergences and classifiers, where the best that any classifier can do is known."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from benchmarks.metrics.checks.agreement import Agreement, error_ratio, span
from calokit.evaluation.classifiers.boosted_judge import FeatureTable, judge_by_trees
from calokit.evaluation.classifiers.challenge import ChallengeSettings, challenge_dense_auc
from calokit.evaluation.classifiers.discrimination import jensen_shannon, roc_area, roc_area_error
from calokit.evaluation.classifiers.inputs import observable_inputs
from calokit.evaluation.classifiers.neural import ClassifierSettings, classifier_auc
from calokit.evaluation.metrics.distances import Distance

SHOWERS = 4000
COLUMNS = 5


def check_classifiers() -> list[Agreement]:
    """Return the comparisons of this file."""
    return [_area(), _divergence(), *_classifiers()]


def _area() -> Agreement:
    generator = np.random.default_rng(1)
    differences = []
    for decimals in (8, 1, 0):
        labels = generator.random(2000) < 0.3
        scores = np.round(generator.normal(size=2000) + labels, decimals)
        differences.append(abs(roc_area(labels, scores) - roc_auc_score(labels, scores)))
    labels = np.repeat([False, True], 300)

    def draw(g: np.random.Generator, distance: float) -> Distance:
        scores = g.normal(size=600) + distance * labels
        return Distance(roc_area(labels, scores), roc_area_error(labels, scores))

    return Agreement(
        "ROC area",
        "scikit-learn's roc_auc_score, with ties",
        max(differences),
        relative=False,
        error_over_spread=span(
            *(error_ratio(partial(draw, distance=distance), 400) for distance in (0.0, 1.0))
        ),
    )


def _divergence() -> Agreement:
    """Two unit Gaussians at a distance, from their true probabilities, against the integral."""
    labels = np.repeat([False, True], 200_000)
    plain = norm.ppf((np.arange(200_000) + 0.5) / 200_000)
    differences = []
    for distance in (0.5, 1.5):
        scores = np.concatenate([plain, plain + distance])
        probabilities = 1.0 / (1.0 + np.exp(-distance * (scores - distance / 2.0)))
        differences.append(abs(jensen_shannon(labels, probabilities)[0] - gaussian_divergence(distance)))

    small = np.repeat([False, True], 500)

    def draw(g: np.random.Generator) -> Distance:
        scores = g.normal(size=len(small)) + small
        return Distance(*jensen_shannon(small, 1.0 / (1.0 + np.exp(-(scores - 0.5)))))

    return Agreement(
        "Jensen-Shannon divergence",
        "quadrature for two Gaussians (200,000 quantiles of each, bits)",
        max(differences),
        relative=False,
        error_over_spread=span(error_ratio(draw, 300)),
    )


def gaussian_divergence(distance: float) -> float:
    """Return the Jensen-Shannon divergence in bits of two unit Gaussians, by quadrature."""

    def part(x: float) -> float:
        one, other = norm.pdf(x), norm.pdf(x - distance)
        middle = 0.5 * (one + other)
        return float(0.5 * (one * np.log2(one / middle) + other * np.log2(other / middle)))

    return float(quad(part, -10.0, 10.0 + distance)[0])


def _classifiers() -> list[Agreement]:
    """Gaussians in five dimensions one deviation apart: no classifier has more than Phi(1 / sqrt 2)."""
    generator = np.random.default_rng(3)
    samples = [generator.normal(0.0, 1.0, (SHOWERS, COLUMNS)).astype(np.float32) for _ in range(3)]
    moved = samples[1] + np.float32(1.0 / math.sqrt(COLUMNS))
    best = norm.cdf(1.0 / math.sqrt(2.0))
    conditions = np.full((SHOWERS, 1), math.log(1e4)) + 0.3 * generator.normal(size=(SHOWERS, 1))
    words = f"Gaussians one deviation apart, {SHOWERS} of each: the best area, 0.760"
    floor_words = f"{SHOWERS} Gaussian"
    settings = ClassifierSettings(hidden=64, epochs=8, batch_size=256, learning_rate=3e-3)
    own = [classifier_auc(samples[0], other, (0, 1, 2), settings) for other in (moved, samples[2])]
    names, groups = tuple("abcde"), ("column",) * COLUMNS
    tables = [FeatureTable(sample, names, groups) for sample in (samples[0], moved, samples[2])]
    boosted = [judge_by_trees(tables[0], other) for other in tables[1:]]
    challenge = ChallengeSettings(hidden=128, epochs=12, batch_size=200, learning_rate=1e-3)
    inputs = [observable_inputs(each, conditions) for each in (samples[0], moved, samples[2])]
    dense = [challenge_dense_auc(inputs[0], other, (0, 1, 2), challenge) for other in inputs[1:]]
    return [
        Agreement(
            "classifier AUC",
            words,
            abs(own[0].value - best),
            relative=False,
            floor=Distance(own[1].value, own[1].error),
            floor_showers=floor_words,
        ),
        Agreement(
            "boosted trees",
            words,
            abs(boosted[0].value - best),
            relative=False,
            floor=Distance(boosted[1].value, boosted[1].error),
            floor_showers=floor_words,
        ),
        Agreement(
            "CaloChallenge's DNN",
            f"{words} (128 wide)",
            abs(dense[0].auc - best),
            relative=False,
            floor=Distance(dense[1].auc, dense[1].auc_error),
            floor_showers=floor_words,
        ),
    ]
