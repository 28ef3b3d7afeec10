"""The edges of the average shower."""

from __future__ import annotations

import numpy as np
import pytest

from calokit.errors import ConfigurationError
from calokit.evaluation.metrics.edges import ShowerEdges, edge_distance

SHAPE = (8, 7, 9)


def sums_of(energies: np.ndarray) -> ShowerEdges:
    edges = ShowerEdges(SHAPE)
    for piece in np.array_split(energies, 3):
        edges.add(piece)
    return edges


def test_only_the_ends_count_and_too_much_is_as_bad_as_too_little() -> None:
    rng = np.random.default_rng(1)
    truth = rng.exponential(1.0, (400, *SHAPE))
    middle, more, less = truth.copy(), truth.copy(), truth.copy()
    middle[:, :5, 3:4, 3:6] *= 9.0
    more[:, -3:] *= 2.0
    less[:, -3:] /= 2.0
    reference, *others = (sums_of(one.reshape(400, -1)) for one in (truth, middle, more, less))
    same, larger, smaller = (edge_distance(reference, other) for other in others)
    assert same.value == 0
    assert larger.value == pytest.approx(smaller.value, rel=0.35)
    assert larger.value > np.log(2) / 5
    assert 0 < larger.error < 0.01


def test_the_error_is_the_scatter_of_equal_samples() -> None:
    rng = np.random.default_rng(2)
    reference = sums_of(rng.exponential(1.0, (4000, 504)))
    found = [edge_distance(reference, sums_of(rng.exponential(1.0, (100, 504)))) for _ in range(60)]
    assert np.mean([one.value for one in found]) < 2.5 * np.mean([one.error for one in found])


def test_nothing_at_an_end_is_no_infinity_and_small_boxes_are_refused() -> None:
    truth = np.ones((10, 504))
    assert edge_distance(sums_of(truth), sums_of(0 * truth)).value == pytest.approx(np.log(1000))
    assert edge_distance(sums_of(0 * truth), sums_of(truth)).value == 0
    with pytest.raises(ConfigurationError, match="edges need 6 cells"):
        ShowerEdges((5, 5, 1))
    assert ShowerEdges((1, 20, 5)).sums.shape == (2, 2)
