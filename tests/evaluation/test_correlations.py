from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calokit.errors import CalokitError
from calokit.evaluation.metrics.correlations import (
    CorrelationSums,
    correlation_distance,
    worst_neighbour_deviation,
)


def sums_of(*blocks):
    sums = CorrelationSums(blocks[0].shape[1])
    for block in blocks:
        sums.add(block)
    return sums


def layers(generator, showers, correlation, columns=6):
    """Gaussian columns with correlation ** |i - j|, at very different scales."""
    distance = np.abs(np.subtract.outer(np.arange(columns), np.arange(columns)))
    root = np.linalg.cholesky(correlation**distance)
    return 1e3 + generator.normal(size=(showers, columns)) @ root.T * 10.0 ** np.arange(columns)


@given(st.integers(0, 1000), st.integers(1, 99))
def test_matrix_is_that_of_numpy_whatever_the_blocks(seed, cut):
    values = np.random.default_rng(seed).gamma(2.0, size=(100, 4)) @ np.triu(np.ones((4, 4))) + 50.0
    found = sums_of(values[:cut], values[:0], values[cut:])
    assert found.matrix() == pytest.approx(np.corrcoef(values.T), abs=1e-10)
    kept = np.arange(100) % 20 != 3
    assert found.matrices_without()[3] == pytest.approx(np.corrcoef(values[kept].T), abs=1e-10)


def test_distance_of_known_correlations():
    """Correlations 0.9 ** |i - j| and 0.8 ** |i - j| of three columns: differences 0.1, 0.1 and 0.17."""
    generator = np.random.default_rng(1)
    one, other = (sums_of(layers(generator, 40_000, rho, 3)) for rho in (0.9, 0.8))
    found = correlation_distance(one, other)
    truth = np.sqrt((0.1**2 + 0.1**2 + 0.17**2) / 3)
    assert abs(found.value - truth) < 4 * found.error < 0.1 * truth


@pytest.mark.parametrize(("other", "low", "high"), [(0.9, 1.0, 1.7), (0.8, 0.75, 1.25)])
def test_errors_over_repetitions(other, low, high):
    generator = np.random.default_rng(2)
    found = [
        correlation_distance(sums_of(layers(generator, 400, 0.9)), sums_of(layers(generator, 400, other)))
        for _ in range(150)
    ]
    ratio = np.mean([each.error for each in found]) / np.std([each.value for each in found])
    assert low < ratio < high


def test_columns_that_never_vary_are_left_out():
    generator = np.random.default_rng(3)
    values = layers(generator, 200, 0.9, 3)
    with_empty = np.column_stack([values, np.zeros(200)])
    assert np.isnan(sums_of(with_empty).matrix()[3]).all()
    one, other = sums_of(with_empty), sums_of(with_empty[::-1])
    assert correlation_distance(one, other).value == pytest.approx(0.0, abs=1e-9)
    with pytest.raises(CalokitError, match="no two columns"):
        correlation_distance(sums_of(np.ones((50, 2))), sums_of(np.ones((50, 2))))


def test_mistakes_are_refused():
    generator = np.random.default_rng(4)
    with pytest.raises(CalokitError, match="30 showers"):
        correlation_distance(sums_of(layers(generator, 30, 0.9)), sums_of(layers(generator, 50, 0.9)))
    with pytest.raises(CalokitError, match="6 and of 3"):
        correlation_distance(sums_of(layers(generator, 50, 0.9)), sums_of(layers(generator, 50, 0.9, 3)))


def test_one_layer_on_its_own_is_the_worst_pair():
    generator = np.random.default_rng(8)
    common = generator.normal(size=(3, 2000, 1))
    layers = 1.0 + 0.3 * common + 0.1 * generator.normal(size=(3, 2000, 30))
    layers[2, :, 12] *= generator.normal(1.0, 0.2, 2000)
    reference, alike, smeared = (CorrelationSums(30) for _ in range(3))
    for sums, values in zip((reference, alike, smeared), layers, strict=True):
        sums.add(values)
    floor, found = (worst_neighbour_deviation(reference, other) for other in (alike, smeared))
    assert floor.value < 5
    assert found.value > 10
    assert found.error == pytest.approx(np.pi / np.sqrt(12 * np.log(30)))


def test_worst_pair_of_equal_laws_is_spread_as_stated():
    generator = np.random.default_rng(9)
    values = []
    for _ in range(100):
        pair = [CorrelationSums(30), CorrelationSums(30)]
        for sums in pair:
            common = generator.normal(size=(400, 1))
            sums.add(common + generator.normal(size=(400, 30)))
        values.append(worst_neighbour_deviation(*pair))
    assert np.std([each.value for each in values]) == pytest.approx(values[0].error, rel=0.35)
