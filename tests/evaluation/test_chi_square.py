from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, kstest

from calokit.errors import CalokitError
from calokit.evaluation.metrics.chi_square import compare_histograms

EDGES = np.linspace(-4.0, 4.0, 41)


@given(st.integers(0, 10_000), st.integers(500, 5000), st.integers(500, 5000))
def test_counts_give_the_test_of_homogeneity(seed, first, second):
    generator = np.random.default_rng(seed)
    law = [0.1, 0.2, 0.3, 0.4]
    one, other = (generator.multinomial(number, law).astype(float) for number in (first, second))
    expected = chi2_contingency(np.stack([one, other]), correction=False)
    found = compare_histograms(one, other)
    assert found.value == pytest.approx(expected.statistic, rel=1e-9)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-6)
    assert found.degrees_of_freedom == expected.dof == 3
    # weights that are all alike change nothing
    assert compare_histograms(7.0 * one, other, 49.0 * one).value == pytest.approx(found.value, rel=1e-9)


@pytest.mark.parametrize(
    ("first", "second", "weighted"), [(3000, 3000, False), (9000, 900, False), (4000, 4000, True)]
)
def test_p_values_of_equal_laws_are_uniform(first, second, weighted):
    generator = np.random.default_rng(1)
    found = []
    for _ in range(400):
        x, y = generator.normal(size=first), generator.normal(size=second)
        weights = generator.exponential(1.0, first) if weighted else np.ones(first)
        histograms = [
            np.histogram(x, EDGES, weights=weights)[0],
            np.histogram(y, EDGES)[0].astype(float),
            np.histogram(x, EDGES, weights=weights**2)[0],
        ]
        found.append(compare_histograms(*histograms))
    p_values = np.array([each.p_value for each in found])
    assert kstest(p_values, "uniform").pvalue > 1e-3
    assert 0.02 < np.mean(p_values < 0.05) < 0.085
    assert np.mean([each.per_degree for each in found]) == pytest.approx(1.0, abs=0.05)


def test_another_shape_is_found_and_another_number_is_not():
    generator = np.random.default_rng(2)
    one = np.histogram(generator.normal(size=5000), EDGES)[0].astype(float)
    other = np.histogram(generator.normal(0.2, 1.0, 5000), EDGES)[0].astype(float)
    assert compare_histograms(one, other).p_value < 1e-6
    assert compare_histograms(one, 10.0 * one).value == pytest.approx(0.0)


def test_bins_are_joined_by_what_both_hold_together():
    one, other = np.array([5.0, 30.0, 1.0, 30.0, 3.0]), np.array([25.0, 10.0, 2.0, 40.0, 1.0])
    found = compare_histograms(one, other, least_entries=10.0)
    by_hand = compare_histograms(np.array([5.0, 30.0, 34.0]), np.array([25.0, 10.0, 43.0]), least_entries=1.0)
    assert found == by_hand
    alone = compare_histograms(one, other, least_entries=1e6)
    assert alone.degrees_of_freedom == 0
    assert np.isnan(alone.p_value)
    assert np.isnan(alone.per_degree)


def test_mistakes_are_refused():
    with pytest.raises(CalokitError, match="shapes"):
        compare_histograms(np.ones(3), np.ones(4))
    with pytest.raises(CalokitError, match="without entries"):
        compare_histograms(np.ones(3), np.zeros(3))
    with pytest.raises(CalokitError, match="below 0"):
        compare_histograms(np.array([5.0, -1.0]), np.ones(2))
