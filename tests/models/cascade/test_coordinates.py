"""In the measured coordinates the spectrum of single hits, and the shares of two, have no narrow features."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from calokit.arrays import Float32, Float64
from calokit.models.cascade.energy_draw import EnergyDraw
from calokit.models.cascade.own_coordinate import BIN, OwnCoordinate, measure_features
from calokit.models.cascade.pair_coordinate import PairCoordinate, measure_pairs

HITS = 400_000
NO_LINES = np.zeros(0)
STEP = 0.4
"""The spectrum of made-up hits is three times as high above it, in ln(energy / threshold)."""


def stepped_hits(seed: int, count: int = HITS) -> Float32:
    """Return hits in thresholds whose spectrum has a step."""
    x = np.random.default_rng(seed).exponential(1.5, 2 * count)
    kept = (x > STEP) | (np.random.default_rng(seed + 1).random(2 * count) < 1 / 3)
    return np.exp(x[kept][:count]).astype(np.float32)


def features() -> Float64:
    return measure_features(stepped_hits(1), 1.0, NO_LINES, NO_LINES)


def steepest(places: Float64, low: float, high: float) -> float:
    """Return by how much ln(density) changes most between neighbouring bins of 0.1."""
    counts = np.histogram(places, np.arange(low, high, 0.1))[0]
    return float(np.abs(np.diff(np.log(counts))).max())


def test_single_hits_have_no_step() -> None:
    coordinate = OwnCoordinate(followed=True).double()
    coordinate.place(features())
    x = torch.from_numpy(np.log(stepped_hits(5))).double()
    one = torch.ones_like(x)
    y = coordinate.coordinate(x, one)
    assert steepest(x.numpy(), 0.0, 1.2) > 0.9
    assert steepest(y.numpy(), 0.0, 1.2) < 0.3
    assert torch.allclose(coordinate.back(y, one), x, atol=1e-9)
    slope = torch.log((coordinate.coordinate(x + 1e-7, one) - y) / 1e-7)
    assert float((slope - coordinate.log_slope(x, one)).abs().median()) < 1e-5


def test_several_hits_are_left_where_they_are_far_above_and_end_at_the_threshold() -> None:
    coordinate = OwnCoordinate(followed=True).double()
    x = torch.linspace(-10.0, 8.0, 200).double()
    two = torch.full_like(x, 2.0)
    y = coordinate.coordinate(x, two)
    assert torch.allclose(y[x > 5], x[x > 5], atol=1e-4)
    assert torch.allclose(y[x < -3], torch.exp(2 * x[x < -3]) / 2, rtol=1e-2)
    assert torch.allclose(coordinate.back(y, two), x, atol=1e-6)
    slope = torch.log((coordinate.coordinate(x + 1e-6, two) - y) / 1e-6)
    assert torch.allclose(slope, coordinate.log_slope(x, two), atol=1e-3)


@pytest.mark.parametrize("energy", [3.0, 5.0])
def test_shares_of_independent_hits_have_no_step(energy: float) -> None:
    coordinate = PairCoordinate(followed=True).double()
    coordinate.place(features())
    first, second = (np.concatenate([stepped_hits(seed + 10 * n) for n in range(10)]) for seed in (3, 4))
    near = np.abs(first + second - energy) < 0.1
    ratio = torch.from_numpy(np.log(first[near] / second[near])).double()
    both, single = torch.full_like(ratio, energy), torch.ones(len(ratio), dtype=torch.bool)
    place = coordinate.coordinate(ratio, both, single)
    edge = np.log(energy - 1.2)
    before, after = (steepest(one.numpy(), -edge, edge) for one in (ratio, place))
    assert after < 0.6 * before
    assert torch.allclose(coordinate.back(place, both, single), ratio, atol=1e-6)
    slope = torch.log((coordinate.coordinate(ratio + 1e-7, both, single) - place) / 1e-7)
    assert float((slope - coordinate.log_slope(ratio, both, single)).abs().median()) < 1e-4
    assert torch.equal(coordinate.coordinate(ratio, both, ~single), ratio)


def test_shares_of_large_energies_are_left() -> None:
    coordinate = PairCoordinate(followed=True).double()
    coordinate.place(features())
    ratio = torch.linspace(-3.0, 3.0, 20).double()
    both, single = torch.full_like(ratio, 200.0), torch.ones(20, dtype=torch.bool)
    assert torch.allclose(coordinate.coordinate(ratio, both, single), ratio, atol=1e-6)


def test_few_hits_leave_the_energies_nearly_as_they_are() -> None:
    found = measure_features(stepped_hits(1, 200), 1.0, NO_LINES, NO_LINES)
    assert np.abs(np.log(found)).max() < 0.2


def test_lines_are_left_out() -> None:
    line = np.full(HITS // 10, 2.0, np.float32)
    with_line = measure_features(
        np.concatenate([stepped_hits(1), line]), 1.0, np.log([2.0]), np.array([1e-5])
    )
    assert np.allclose(features(), with_line, atol=1e-2)


def test_without_features_nothing_is_bent() -> None:
    assert np.allclose(np.diff(measure_pairs(np.ones(64)), axis=1), 2 / 64)
    assert OwnCoordinate(followed=True).knots[1] == pytest.approx(BIN)


def test_old_bundles_know_no_spectrum() -> None:
    assert "spectrum.knots" not in EnergyDraw(2, 2, 0).state_dict()
    assert "pairs.knots" in EnergyDraw(2, 2, 0, near_threshold=True).state_dict()
