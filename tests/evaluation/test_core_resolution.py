"""Gaussian core and RMS90 of known laws, and the values kept for them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, truncnorm

from calokit.evaluation.metrics.core_resolution import (
    GAUSSIAN_RMS90,
    gaussian_core,
    rms90,
    widths_by_energy,
)
from calokit.evaluation.metrics.kept_values import KeptValues

QUANTILE = norm.ppf(0.95)


def test_rms90_of_a_gaussian_is_that_of_its_middle():
    """The smallest interval with 90 % lies between the 5 % and 95 % quantiles: a truncated Gaussian."""
    assert pytest.approx(truncnorm.std(-QUANTILE, QUANTILE), rel=1e-4) == GAUSSIAN_RMS90
    exact = norm.ppf((np.arange(200_000) + 0.5) / 200_000, 5.0, 2.0)
    found = rms90(exact, resamples=0)
    assert found.width == pytest.approx(2.0 * GAUSSIAN_RMS90, rel=1e-4)
    assert found.mean == pytest.approx(5.0, abs=1e-3)
    assert found.resolution == pytest.approx(found.width / found.mean)


def test_rms90_against_every_interval():
    """By trying all of them, as the definition says."""
    values = np.sort(np.random.default_rng(1).gamma(3.0, size=300))
    intervals = [values[first : first + 270] for first in range(31)]
    smallest = min(intervals, key=lambda inside: inside[-1] - inside[0])
    found = rms90(values[::-1], resamples=0)
    assert (found.mean, found.width) == (pytest.approx(smallest.mean()), pytest.approx(smallest.std()))


def test_core_of_an_exact_gaussian_and_of_its_middle_alone():
    exact = norm.ppf((np.arange(100_000) + 0.5) / 100_000, 5.0, 2.0)
    for values in (exact, exact[np.abs(exact - 5.0) < 4.5]):
        found = gaussian_core(values, resamples=0)
        assert found.width == pytest.approx(2.0, rel=1e-3)
        assert found.mean == pytest.approx(5.0, abs=1e-3)


def test_core_is_the_best_truncated_gaussian():
    """No other mean and width make the values inside the final window likelier."""
    generator = np.random.default_rng(2)
    values = np.concatenate([generator.normal(10, 1, 3000), 10 - generator.exponential(4, 500)])
    found = gaussian_core(values, resamples=0)
    low, high = found.mean - 2 * found.width, found.mean + 2 * found.width
    inside = values[(values > low) & (values < high)]

    def likelihood(mean: float, width: float) -> float:
        bounds = (low - mean) / width, (high - mean) / width
        return float(truncnorm.logpdf(inside, *bounds, mean, width).sum())

    best = likelihood(found.mean, found.width)
    for step in (0.01, -0.01):
        assert best > likelihood(found.mean + step, found.width)
        assert best > likelihood(found.mean, found.width + step)


@pytest.mark.parametrize(
    ("tail", "core", "middle"),
    [
        (lambda g, n: g.normal(10, 3, n), 1.031, 1.11),  # as wide on both sides
        (lambda g, n: 10 - g.exponential(5, n), 1.02, 1.15),  # leakage
    ],
)
def test_tails_of_a_tenth_of_the_showers(tail, core, middle):
    generator = np.random.default_rng(3)
    values = np.concatenate([generator.normal(10, 1, 90_000), tail(generator, 10_000)])
    found = gaussian_core(values, resamples=0)
    assert found.width == pytest.approx(core, abs=0.015)
    assert abs(found.mean - 10) < 0.06
    assert rms90(values, resamples=0).width / GAUSSIAN_RMS90 == pytest.approx(middle, abs=0.02)
    assert values.std() > 1.3


@pytest.mark.parametrize(("measure", "law"), [(gaussian_core, 1.10), (rms90, 0.575)])
def test_errors_are_the_spread_over_repetitions(measure, law):
    """`law` is the width's spread times sqrt(n); of the core it follows from the truncated likelihood."""
    generator = np.random.default_rng(4)
    found = [measure(generator.normal(10, 1, 1000), resamples=30) for _ in range(100)]
    widths = np.array([each.width for each in found])
    assert widths.std() * np.sqrt(1000) == pytest.approx(law, rel=0.2)
    assert np.mean([each.width_error for each in found]) == pytest.approx(widths.std(), rel=0.25)
    assert np.mean([each.mean_error for each in found]) == pytest.approx(
        np.std([each.mean for each in found]), rel=0.25
    )
    assert np.mean([each.resolution_error for each in found]) == pytest.approx(
        np.std([each.resolution for each in found]), rel=0.25
    )


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.floats(0.01, 100.0), st.floats(-50.0, 50.0))
def test_widths_move_and_scale_with_the_values(seed, factor, shift):
    values = np.random.default_rng(seed).gamma(20.0, 0.05, 200)
    for measure in (gaussian_core, rms90):
        one, other = measure(values, resamples=0), measure(factor * values + shift, resamples=0)
        assert other.width == pytest.approx(factor * one.width, rel=1e-5)
        assert other.mean == pytest.approx(factor * one.mean + shift, rel=1e-6, abs=1e-6 * factor)


@pytest.mark.parametrize("measure", [gaussian_core, rms90])
def test_few_values_are_unknown_and_equal_ones_have_no_width(measure):
    assert np.isnan(measure(np.ones(5)).width)
    assert measure(np.ones(5)).showers == 5
    found = measure(np.full(100, 3.0))
    assert (found.mean, found.width, found.resolution) == (3.0, 0.0, 0.0)
    assert measure(np.random.default_rng(1).normal(5, 1, 99)) == measure(
        np.random.default_rng(1).normal(5, 1, 99)
    )


def test_widths_in_energy_bins():
    generator = np.random.default_rng(5)
    incident = np.repeat([2e3, 2e4, 2e5], [4000, 4000, 3])
    values = generator.normal(0.5, np.repeat([0.10, 0.03, 0.01], [4000, 4000, 3]))
    kept = KeptValues(np.array([1e3, 1e4, 1e5, 1e6]))
    kept.add(incident, values)
    means, resolutions = widths_by_energy(kept)
    assert means.values[:2] == pytest.approx([0.5, 0.5], rel=0.02)
    for found, truth, error in zip(resolutions.values, (0.2, 0.06), resolutions.errors, strict=False):
        assert abs(found - truth) < 4 * error < 0.1 * truth
    assert np.isnan(resolutions.values[2])
    assert resolutions.showers.tolist() == [4000, 4000, 3]


@given(st.integers(0, 1000), st.lists(st.integers(1, 60), min_size=1, max_size=5))
def test_kept_values_do_not_depend_on_the_blocks(seed, sizes):
    total = sum(sizes)
    incident = np.random.default_rng(seed).uniform(1.0, 100.0, total)
    values = np.arange(total, dtype=float)
    edges = np.array([1.0, 10.0, 100.0])
    whole, parts = KeptValues(edges, most=15), KeptValues(edges, most=15)
    whole.add(incident, values)
    for rows in np.split(np.arange(total), np.cumsum(sizes)[:-1]):
        parts.add(incident[rows], values[rows])
    for one, other in zip(whole.by_bin(), parts.by_bin(), strict=True):
        assert np.array_equal(one, other)
        assert np.array_equal(one, np.sort(one))
        assert len(one) <= 15


def test_every_value_has_the_same_chance_to_be_kept():
    chosen = np.zeros(1000)
    for seed in range(300):
        kept = KeptValues(np.array([1.0, 10.0]), most=100, seed=seed)
        kept.add(np.full(1000, 5.0), np.arange(1000.0))
        chosen[kept.by_bin()[0].astype(int)] += 1
    assert chosen.sum() == 300 * 100
    assert chosen.std() == pytest.approx(np.sqrt(300 * 0.1 * 0.9), rel=0.1)
    # early, middle and late ones alike
    assert np.abs(chosen.reshape(10, 100).sum(axis=1) - 3000).max() < 4 * np.sqrt(3000)
