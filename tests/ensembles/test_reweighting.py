"""Weights of the next member: what the theorems say, and what a calibrated judge finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies

from calokit.ensembles.density_ratio import MixtureJudge, ratio_of, shannon_divergence
from calokit.ensembles.reweighting import (
    bagging_weights,
    dagger_weights,
    next_shares,
    star_weights,
    star_weights_by_bisection,
    top_weights,
)
from calokit.errors import ConfigurationError

RATIOS = strategies.lists(strategies.floats(0.0, 50.0), min_size=1, max_size=60).map(np.array)


@given(ratio=RATIOS, beta=strategies.floats(0.01, 1.0))
def test_star_by_sorting_and_by_bisection_agree(ratio: np.ndarray, beta: float) -> None:
    weights = star_weights(ratio, beta)
    assert weights.sum() == pytest.approx(1.0, abs=1e-9)
    assert (weights >= 0).all()
    np.testing.assert_allclose(star_weights_by_bisection(ratio, beta), weights, atol=1e-9)


@given(ratio=RATIOS, beta=strategies.floats(0.01, 1.0))
def test_dagger_sums_to_one_and_falls_with_the_ratio(ratio: np.ndarray, beta: float) -> None:
    weights = dagger_weights(ratio, beta)
    assert weights.sum() == pytest.approx(1.0, abs=1e-9)
    assert (np.diff(weights[np.argsort(ratio, kind="stable")]) <= 1e-12).all()


@pytest.mark.parametrize("rule", [star_weights, dagger_weights])
def test_a_perfect_mixture_leaves_all_weights_alike(rule: object) -> None:
    np.testing.assert_allclose(rule(np.ones(50), 0.3), 0.02)  # type: ignore[operator]


def test_the_star_rule_completes_the_mixture_exactly_where_it_can() -> None:
    """Two modes, one of which the mixture misses: data (1/2, 1/2), mixture (1, 0), beta 1/2."""
    ratio = np.repeat([2.0, 0.0], 100)
    weights = star_weights(ratio, 0.5)
    new = 0.5 * np.array([1.0, 0.0]) + 0.5 * np.array([weights[:100].sum(), weights[100:].sum()])
    np.testing.assert_allclose(new, 0.5, atol=1e-12)


def test_top_bagging_and_shares() -> None:
    np.testing.assert_allclose(top_weights(np.array([3.0, 0.1, 0.2, 2.0]), 0.5), [0, 0.5, 0.5, 0])
    weights = bagging_weights(1000, np.random.default_rng(1))
    assert weights.sum() == pytest.approx(1.0)
    assert (weights == 0).mean() == pytest.approx(np.exp(-1), abs=0.05)
    shares: tuple[float, ...] = (1.0,)
    for number in (2, 3, 4):
        shares = next_shares(shares, 1 / number)
    np.testing.assert_allclose(shares, 0.25)


@pytest.mark.parametrize(("ratio", "beta"), [([-1.0], 0.5), ([np.nan], 0.5), ([], 0.5), ([1.0], 0.0)])
def test_impossible_ratios_and_shares_are_refused(ratio: list[float], beta: float) -> None:
    with pytest.raises(ConfigurationError):
        star_weights(np.array(ratio), beta)


def normal(mean: float, count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 1.0, (count, 1)).astype(np.float32)


def test_the_judge_finds_the_true_ratio_of_two_normals() -> None:
    data, mixture = normal(0.0, 20_000, 1), normal(1.0, 20_000, 2)
    found, others = MixtureJudge(seed=3).probabilities(data, mixture)
    true = 1 / (1 + np.exp(data[:, 0].astype(float) - 0.5))
    assert np.sqrt(np.mean((found - true) ** 2)) < 0.04
    assert ratio_of(found).mean() == pytest.approx(1.0, abs=0.1)  # of densities, over the data
    exact = (
        0.5 * np.log2(2 * true).mean()
        + 0.5 * np.log2(2 * (1 - 1 / (1 + np.exp(mixture[:, 0].astype(float) - 0.5)))).mean()
    )
    assert shannon_divergence(found, others) == pytest.approx(exact, abs=0.01)


def test_a_perfect_mixture_is_told_with_half_everywhere() -> None:
    found, others = MixtureJudge(seed=3).probabilities(normal(0.0, 5000, 1), normal(0.0, 5000, 2))
    assert np.abs(found - 0.5).mean() < 0.03
    assert shannon_divergence(found, others) < 0.005
    with pytest.raises(ConfigurationError, match="the same numbers of examples"):
        MixtureJudge().probabilities(normal(0.0, 50, 1), normal(0.0, 60, 2))
