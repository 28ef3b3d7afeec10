"""Distances of distributions, beside scipy and where the answer is known."""

from __future__ import annotations

import itertools
import math
from functools import partial

import numpy as np
from scipy.stats import chi2_contingency
from scipy.stats import wasserstein_distance as scipy_distance

from benchmarks.metrics.checks.agreement import Agreement, Truth, error_ratio, halves, span
from calokit.arrays import Float64
from calokit.evaluation.metrics.chi_square import compare_histograms
from calokit.evaluation.metrics.distances import (
    Distance,
    histogram_of,
    linear_edges,
    separation_power,
    wasserstein_distance,
)
from calokit.evaluation.metrics.frechet import gaussian_distance, kernel_discrepancy
from calokit.evaluation.metrics.neighbour_manifolds import NeighbourSettings, manifold_scores
from calokit.evaluation.metrics.precision_recall import (
    PrecisionRecallSettings,
    area_below,
    discrete_precision_recall,
    precision_recall_curve,
    standardise,
)
from calokit.evaluation.metrics.wasserstein import wasserstein_of_values
from calokit.evaluation.samples.observables import high_level_features

EDGES = np.linspace(-4.0, 4.0, 41)
QUICK = PrecisionRecallSettings(runs=4, angles=201)


def check_distances(truth: Truth) -> list[Agreement]:
    """Return the comparisons of this file."""
    values = [half.visible_energies / half.incident_energies for half in halves(truth.zdc)]
    features = [high_level_features(half, 0.1)[0].astype(np.float64) for half in halves(truth.zdc)]
    count = f"{len(truth.zdc) // 2} zdc"
    return [
        _separation(values, count),
        _wasserstein(values, count),
        _binned_wasserstein(values, count),
        _chi_square(values),
        _gaussian_distance(),
        _kernel(),
        _precision_recall(features, count),
        _manifolds(features, count),
    ]


def _gaussians(generator: np.random.Generator, number: int, shift: float) -> tuple[Float64, Float64]:
    return generator.normal(size=number), generator.normal(shift, 1.0, number)


def _separation(values: list[Float64], count: str) -> Agreement:
    edges = linear_edges(values[0])
    one, other = (histogram_of(each, edges) for each in values)
    parts = [np.histogram(each.clip(edges[0], edges[-1]), edges)[0] / len(each) for each in values]
    expected = sum((a - b) ** 2 / (a + b) for a, b in zip(*parts, strict=True) if a + b > 0) / 2.0
    found = separation_power(one, other)

    def draw(generator: np.random.Generator, shift: float) -> Distance:
        return separation_power(*(histogram_of(each, EDGES) for each in _gaussians(generator, 2000, shift)))

    return Agreement(
        "separation power",
        "the sum of its definition over numpy's histograms (Geant4)",
        abs(found.value / float(expected) - 1.0),
        error_over_spread=span(*(error_ratio(partial(draw, shift=shift), 300) for shift in (0.0, 0.3))),
        floor=found,
        floor_showers=count,
    )


def _wasserstein(values: list[Float64], count: str) -> Agreement:
    one, other = values
    found = wasserstein_of_values(one, other)

    def draw(generator: np.random.Generator, shift: float) -> Distance:
        return wasserstein_of_values(*_gaussians(generator, 500, shift), resamples=50)

    return Agreement(
        "Wasserstein-1 of values",
        "scipy's wasserstein_distance (Geant4)",
        abs(found.value / scipy_distance(one, other) - 1.0),
        error_over_spread=span(*(error_ratio(partial(draw, shift=shift), 200) for shift in (0.0, 0.1, 0.5))),
        floor=found,
        floor_showers=count,
    )


def _binned_wasserstein(values: list[Float64], count: str) -> Agreement:
    edges = linear_edges(values[0])
    centres = 0.5 * (edges[1:] + edges[:-1])
    one, other = (histogram_of(each, edges) for each in values)
    expected = scipy_distance(centres, centres, one.fractions, other.fractions)
    found = wasserstein_distance(one, other)

    def draw(generator: np.random.Generator, shift: float) -> Distance:
        pair = (histogram_of(each, EDGES) for each in _gaussians(generator, 2000, shift))
        return wasserstein_distance(*pair)

    return Agreement(
        "Wasserstein-1 of histograms",
        "scipy's wasserstein_distance of the bin centres with weights (Geant4)",
        abs(found.value / expected - 1.0),
        error_over_spread=span(*(error_ratio(partial(draw, shift=shift), 300) for shift in (0.0, 0.5))),
        floor=found,
        floor_showers=count,
    )


def _chi_square(values: list[Float64]) -> Agreement:
    generator = np.random.default_rng(5)
    differences, below = [], []
    for _ in range(1000):
        one, other = (np.histogram(each, EDGES)[0].astype(float) for each in _gaussians(generator, 3000, 0.0))
        found = compare_histograms(one, other)
        below.append(found.p_value < 0.05)
        first, second = (np.array([part.sum() for part in np.array_split(each, 4)]) for each in (one, other))
        expected = chi2_contingency(np.stack([first, second]), correction=False)
        differences.append(abs(compare_histograms(first, second).value / expected.statistic - 1.0))
    edges = linear_edges(values[0])
    one, other = (np.histogram(each, edges)[0].astype(float) for each in values)
    floor = compare_histograms(one, other)
    return Agreement(
        "chi-square",
        f"scipy's chi2_contingency; of 1000 equal pairs {100 * np.mean(below):.1f} % have p < 5 %",
        max(differences),
        floor=Distance(floor.per_degree, math.sqrt(2.0 / floor.degrees_of_freedom)),
        floor_showers="per degree of freedom, zdc",
    )


def _gaussian_distance() -> Agreement:
    """Commuting covariances: |m|^2 + the sum over axes of (a - b)^2."""
    generator = np.random.default_rng(1)
    rotation = np.linalg.qr(generator.normal(size=(3, 3)))[0]
    plain = generator.normal(size=(500, 3))
    plain = (plain - plain.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(plain.T)).T)
    first = plain * [1.0, 2.0, 3.0] @ rotation + [1.0, 0.0, -1.0]
    found = gaussian_distance(first, plain * [1.5, 2.0, 2.0] @ rotation)
    words = "Gaussians with known means and covariances: 3.25"
    return Agreement("Fréchet distance of samples", words, abs(found / 3.25 - 1.0))


def _kernel() -> Agreement:
    """Every pair of two small samples."""
    generator = np.random.default_rng(2)
    first, second = generator.normal(size=(12, 3)), generator.normal(0.3, 1.0, (9, 3))

    def kernel(a: Float64, b: Float64) -> float:
        return float((a @ b / 3 + 1.0) ** 4)

    own = []
    for sample in (first, second):
        pairs = itertools.permutations(sample, 2)
        own.append(sum(kernel(a, b) for a, b in pairs) / (len(sample) * (len(sample) - 1)))
    cross = sum(kernel(a, b) for a in first for b in second) / (12 * 9)
    found = kernel_discrepancy(first, second)
    return Agreement(
        "kernel distance of samples",
        "the sum over every pair of two small samples",
        abs(found / (sum(own) - 2.0 * cross) - 1.0),
    )


def _precision_recall(features: list[Float64], count: str) -> Agreement:
    """P = (1/2, 1/2) and Q = (1/4, 3/4): the area below the curve is an integral."""
    curve = discrete_precision_recall(np.array([0.5, 0.5]), np.array([0.25, 0.75]), angles=100_001)
    truth = 0.5 + 0.25 + 0.125 * math.log(3.0)

    def draw(generator: np.random.Generator) -> Distance:
        first, second = generator.normal(size=(600, 3)), generator.normal(0.25, 1.0, (600, 3))
        return precision_recall_curve(first, second, QUICK).area

    return Agreement(
        "PRD area",
        "the integral for two states, 0.887",
        abs(area_below(*curve) - truth),
        relative=False,
        error_over_spread=span(error_ratio(draw, 40)),
        floor=precision_recall_curve(features[0], features[1]).area,
        floor_showers=count,
    )


def _manifolds(features: list[Float64], count: str) -> Agreement:
    """One of four equal blobs is missing: recall and coverage lose a quarter."""
    generator = np.random.default_rng(3)
    whole = np.concatenate([generator.normal([10.0 * mode, 0.0], 1.0, (500, 2)) for mode in range(4)])
    part = np.concatenate([generator.normal([10.0 * mode, 0.0], 1.0, (667, 2)) for mode in range(3)])
    scores = manifold_scores(whole, part)

    def draw(g: np.random.Generator, name: str) -> Distance:
        first, second = g.normal(size=(400, 4)), g.normal(0.5, 1.0, (400, 4))
        found: Distance = getattr(manifold_scores(first, second, NeighbourSettings(resamples=40)), name)
        return found

    names = ("precision", "recall", "density", "coverage")
    ratios = [error_ratio(partial(draw, name=name), 40) for name in names]
    return Agreement(
        "precision, recall, density, coverage",
        "one of four blobs dropped: recall and coverage 0.75",
        max(abs(scores.recall.value - 0.75), abs(scores.coverage.value - 0.75)),
        relative=False,
        error_over_spread=span(*ratios),
        floor=manifold_scores(*standardise(*features)).coverage,
        floor_showers=f"{count}, coverage",
    )
