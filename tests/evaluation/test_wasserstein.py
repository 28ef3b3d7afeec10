from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from calokit.errors import CalokitError
from calokit.evaluation.metrics.distances import histogram_of
from calokit.evaluation.metrics.distances import wasserstein_distance as binned_distance
from calokit.evaluation.metrics.wasserstein import wasserstein_of_values


@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 40), st.booleans())
def test_distance_is_that_of_scipy(seed, first, second, ties):
    generator = np.random.default_rng(seed)
    samples = [generator.normal(size=number) for number in (first, second)]
    if ties:
        samples = [np.round(sample) for sample in samples]
    found = wasserstein_of_values(*samples, resamples=0).value
    assert found == pytest.approx(wasserstein_distance(*samples), abs=1e-12)


def test_shift_and_scale_have_known_distances():
    """A shift by d is d; Gaussians of widths s and t are sqrt(2 / pi) |s - t| apart."""
    values = np.random.default_rng(1).normal(size=200_000)
    assert wasserstein_of_values(values, values + 0.3, resamples=0).value == pytest.approx(0.3)
    wide = wasserstein_of_values(values, 1.5 * values, resamples=0).value
    assert wide == pytest.approx(0.5 * np.sqrt(2 / np.pi), rel=0.01)


@pytest.mark.parametrize(("shift", "low", "high"), [(0.0, 0.9, 1.5), (0.5, 0.8, 1.25)])
def test_error_over_repetitions(shift, low, high):
    generator = np.random.default_rng(2)
    found = [
        wasserstein_of_values(generator.normal(size=500), generator.normal(shift, 1, 500), resamples=40)
        for _ in range(150)
    ]
    values = np.array([each.value for each in found])
    assert low < np.mean([each.error for each in found]) / values.std() < high
    if not shift:
        assert values.mean() == pytest.approx(1.3 * np.sqrt(2 / 500), rel=0.1)


def test_bins_hide_little_and_sizes_may_differ():
    generator = np.random.default_rng(3)
    first, second = generator.normal(size=5000), generator.normal(0.2, 1, 2000)
    edges = np.linspace(-6, 6, 601)
    binned = binned_distance(histogram_of(first, edges), histogram_of(second, edges)).value
    assert wasserstein_of_values(first, second).value == pytest.approx(binned, rel=0.02)


def test_mistakes_are_refused_and_the_same_seed_gives_the_same():
    values = np.arange(10.0)
    assert wasserstein_of_values(values, values + 1) == wasserstein_of_values(values, values + 1)
    with pytest.raises(CalokitError, match="second sample has 0"):
        wasserstein_of_values(values, values[:0])
    with pytest.raises(CalokitError, match="1 of them"):
        wasserstein_of_values(np.array([1.0, np.nan]), values)
