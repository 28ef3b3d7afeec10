from __future__ import annotations

import numpy as np
import pytest

from calokit.errors import CalokitError
from calokit.evaluation.metrics.distances import (
    count_in_bins,
    histogram_from_clusters,
    histogram_from_counts,
    histogram_of,
    integer_edges,
    linear_edges,
    logarithmic_edges,
    separation_power,
    wasserstein_distance,
)


def of_counts(*counts):
    return histogram_from_counts(np.array(counts, dtype=float), np.arange(len(counts) + 1.0))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((10, 20, 30), (100, 200, 300), 0.0),
        ((50, 50, 0, 0), (0, 0, 70, 30), 1.0),
        ((50, 50), (25, 75), 0.5 * (0.0625 / 0.75 + 0.0625 / 1.25)),
    ],
)
def test_separation_power_of_known_histograms(first, second, expected):
    one, two = of_counts(*first), of_counts(*second)
    assert separation_power(one, two).value == pytest.approx(expected, abs=1e-12)
    assert separation_power(two, one).value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_separation_error_is_the_spread_over_repetitions(shift):
    generator = np.random.default_rng(1)
    edges = np.linspace(-3, 3, 21)
    found = [
        separation_power(
            histogram_of(generator.normal(size=2000), edges),
            histogram_of(generator.normal(shift, 1, 2000), edges),
        )
        for _ in range(400)
    ]
    spread = np.std([distance.value for distance in found])
    assert np.mean([distance.error for distance in found]) == pytest.approx(spread, rel=0.2)


def test_separation_error_of_few_full_bins():
    """Two bins that hold a fifth and four fifths."""
    generator = np.random.default_rng(6)
    found = [
        separation_power(
            of_counts(*generator.multinomial(1000, [0.2, 0.8])),
            of_counts(*generator.multinomial(1000, [0.4, 0.6])),
        )
        for _ in range(400)
    ]
    spread = np.std([distance.value for distance in found])
    assert np.mean([distance.error for distance in found]) == pytest.approx(spread, rel=0.15)


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_wasserstein_distance_and_its_error(shift):
    generator = np.random.default_rng(2)
    edges = np.linspace(-5, 6, 111)
    found = [
        wasserstein_distance(
            histogram_of(generator.normal(size=2000), edges),
            histogram_of(generator.normal(shift, 1, 2000), edges),
        )
        for _ in range(200)
    ]
    values = np.array([distance.value for distance in found])
    error = np.mean([distance.error for distance in found])
    if shift:
        assert values.mean() == pytest.approx(shift, abs=0.01)
        assert error == pytest.approx(values.std(), rel=0.2)
    else:
        assert 0.7 * values.std() < error < 3 * values.std()


def test_values_beyond_the_edges_count_in_the_outer_bins():
    counts = count_in_bins(np.array([-9.0, 0.5, 1.0, 1.5, 99.0]), np.array([0.0, 1.0, 2.0]))
    assert counts.tolist() == [2.0, 3.0]


def test_density_integrates_to_one():
    histogram = histogram_of(np.random.default_rng(4).random(500), np.array([0.0, 0.1, 0.5, 1.0]))
    assert (histogram.densities * np.diff(histogram.edges)).sum() == pytest.approx(1.0)
    assert histogram.densities == pytest.approx([1, 1, 1], abs=0.3)


def test_bins_come_from_the_reference_alone():
    values = np.random.default_rng(5).normal(10, 2, 10_000)
    edges = linear_edges(values, 40)
    assert len(edges) == 41
    assert edges[[0, -1]] == pytest.approx(np.quantile(values, [1e-3, 0.999]))
    assert np.all(np.diff(linear_edges(np.zeros(10))) > 0), "equal values still make bins"


def test_counts_get_bins_centred_on_whole_numbers():
    edges = integer_edges(np.arange(0, 301).astype(float), bins=50)
    assert np.all(edges % 1 == 0.5)
    assert np.all(np.diff(edges) == np.diff(edges)[0])
    assert edges[0] <= 0.0
    assert edges[-1] >= 299
    assert integer_edges(np.array([4.0, 5.0, 6.0]), tail=0.0).tolist() == [3.5, 4.5, 5.5, 6.5]


def test_logarithmic_bins_go_from_threshold_to_largest():
    assert logarithmic_edges(0.1, 100.0, 3) == pytest.approx([0.1, 1, 10, 100])
    assert logarithmic_edges(0.1, 0.0, 1) == pytest.approx([0.1, 1.0])


def test_entries_that_come_together_count_as_few():
    """Ten copies of each entry must leave the error of the fraction where it was."""
    generator = np.random.default_rng(6)
    single = generator.multinomial(1, [0.2, 0.8], 1000).astype(float)
    edges = np.array([0.0, 1.0, 2.0])
    independent = histogram_from_counts(single.sum(axis=0), edges)
    copied = 10 * single
    clustered = histogram_from_clusters(copied.sum(axis=0), (copied**2).sum(axis=0), 1000, edges)
    assert clustered.fractions == pytest.approx(independent.fractions)
    assert clustered.errors == pytest.approx(independent.errors, rel=1e-6)


def test_different_bins_are_refused():
    other = histogram_from_counts(np.array([1.0, 1.0]), np.array([0.0, 2.0, 3.0]))
    with pytest.raises(CalokitError, match="different bins"):
        separation_power(of_counts(1, 1), other)
