"""Frechet and kernel physics distances, against JetNet's numbers and where the answer is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calokit.errors import CalokitError
from calokit.evaluation.metrics.frechet import (
    FrechetSettings,
    OutlierWarning,
    clip_to_reference,
    frechet_physics_distance,
    gaussian_distance,
    kernel_discrepancy,
    kernel_physics_distance,
)
from challenge_arrays import feature_arrays

CASES = json.loads((Path(__file__).parents[1] / "oracles" / "frechet.json").read_text())["cases"]
QUICK = FrechetSettings(smallest=300, largest=1500, sizes=6, draws=5)


def arrays_of(case):
    samples = [
        feature_arrays(seed, case["showers"], case["features"], shift)
        for seed, shift in (case["reference"], case["generated"])
    ]
    if case.get("singular"):
        samples = [
            np.column_stack([sample, sample[:, 0], np.zeros(len(sample)), np.full(len(sample), 3.0)])
            for sample in samples
        ]
    return samples


@pytest.fixture(scope="module", params=CASES)
def frechet_case(request):
    case = CASES[request.param]
    chosen = FrechetSettings(smallest=case["smallest"], largest=case["largest"], draws=case["draws"])
    return case, frechet_physics_distance(*arrays_of(case), chosen)


def test_frechet_distance_as_published_is_that_of_jetnet(frechet_case):
    case, found = frechet_case
    assert [found.published.value, found.published.error] == pytest.approx(case["fpd"], rel=1e-6)


def test_frechet_distance_is_the_best_line_through_jetnets_points(frechet_case):
    case, found = frechet_case
    slope, intercept = np.polyfit(1.0 / np.array(case["sizes"]), case["means"], 1)
    assert found.value == pytest.approx(intercept, rel=1e-6)
    assert found.slope == pytest.approx(slope, rel=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_kernel_distance_is_that_of_jetnet(name):
    case = CASES[name]
    found = kernel_physics_distance(*arrays_of(case), batch_size=case["batch_size"])
    assert [found.value, found.error] == pytest.approx(case["kpd"], rel=1e-6)


def test_distance_of_known_gaussians():
    """|m|^2 + tr(A + B - 2 (A B)^(1/2)) for commuting covariances is the sum over axes of (a - b)^2."""
    generator = np.random.default_rng(1)
    rotation = np.linalg.qr(generator.normal(size=(3, 3)))[0]
    plain = generator.normal(size=(500, 3))
    plain = (plain - plain.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(plain.T)).T)
    first = plain * [1.0, 2.0, 3.0] @ rotation + [1.0, 0.0, -1.0]
    second = plain * [1.5, 2.0, 2.0] @ rotation
    assert gaussian_distance(first, second) == pytest.approx(2.0 + 0.25 + 1.0, rel=1e-10)


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 8), st.floats(0.1, 10.0))
def test_distance_of_gaussians_is_symmetric_never_negative_and_scales(seed, features, factor):
    generator = np.random.default_rng(seed)
    first, second = generator.normal(size=(2, 30, features)) * generator.random(features)
    distance = gaussian_distance(first, second)
    assert distance >= 0.0
    assert gaussian_distance(second, first) == pytest.approx(distance, rel=1e-9)
    assert gaussian_distance(factor * first, factor * second) == pytest.approx(factor**2 * distance, rel=1e-9)
    assert gaussian_distance(first, first) == pytest.approx(0.0, abs=1e-12)


def test_singular_covariances_give_no_imaginary_and_no_negative_distance():
    generator = np.random.default_rng(2)
    sample = generator.normal(size=(50, 100))  # fewer showers than features
    assert gaussian_distance(sample, sample) == pytest.approx(0.0, abs=1e-9)
    assert gaussian_distance(sample, sample + 1.0) == pytest.approx(100.0, rel=1e-9)


def test_kernel_discrepancy_of_four_points():
    first, second = np.array([[0.0], [1.0]]), np.array([[1.0], [2.0]])
    # kernels: (0, 1) 1; (1, 2) 81; across (0, 1) 1, (0, 2) 1, (1, 1) 16, (1, 2) 81
    assert kernel_discrepancy(first, second) == pytest.approx(1 + 81 - 2 * (1 + 1 + 16 + 81) / 4)


def test_finite_samples_of_one_law_show_what_is_foretold():
    found = []
    for seed in range(20):
        pair = (feature_arrays(100 + 2 * seed + side, 1500, 6, 0.0) for side in (0, 1))
        found.append(frechet_physics_distance(*pair, QUICK))
    values = np.array([distance.value for distance in found])
    foretold = np.mean([distance.finite_size for distance in found])
    assert abs(values.mean() - foretold) < 4 * values.std() / np.sqrt(len(values))
    assert 0.7 < values.mean() / foretold < 1.4


def test_kernel_distance_of_one_law_is_zero_within_its_error():
    values = []
    for seed in range(10):
        first, second = (feature_arrays(200 + 2 * seed + side, 1500, 4, 0.0) / 8.0 for side in (0, 1))
        values.append(kernel_discrepancy(first, second))
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(10)
    shifted = kernel_discrepancy(first, second + 0.1)
    assert shifted > 10 * np.std(values)


def test_a_planted_shift_is_seen_and_the_same_seed_gives_the_same():
    first, second = (feature_arrays(seed, 1500, 6, 0.0) for seed in (1, 2))
    floor = frechet_physics_distance(first, second, QUICK)
    moved = frechet_physics_distance(first, second + np.array([0.3, 0, 0, 0, 0, 0]), QUICK)
    assert moved.value > 5 * floor.value
    assert floor == frechet_physics_distance(first, second, QUICK)


def test_one_outlier_is_named_and_clipping_tames_it():
    first, second = (feature_arrays(seed, 1500, 6, 0.0) for seed in (1, 2))
    floor = frechet_physics_distance(*clip_to_reference(first, second), QUICK)
    second[737, 2] = 300.0
    with pytest.warns(OutlierWarning, match="generated shower 737"):
        owned = frechet_physics_distance(first, second, QUICK)
    clipped = frechet_physics_distance(*clip_to_reference(first, second), QUICK)  # and no warning
    assert owned.value > 10 * clipped.value
    assert clipped.value < 2 * floor.value


def test_clipping_keeps_what_lies_within():
    first, second = (feature_arrays(seed, 1500, 3, 0.0) for seed in (1, 2))
    clipped = clip_to_reference(first, second, margin=5.0)
    assert np.array_equal(clipped[0], first)
    assert np.array_equal(clipped[1], second)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: np.where(np.arange(a.size).reshape(a.shape) == 7, np.nan, a), "generated shower 1 is nan"),
        (lambda a: a[:, :3], "4 reference features"),
        (lambda a: a[:1], "2 showers"),
        (lambda a: a.ravel(), "shape"),
    ],
)
def test_bad_features_are_refused(change, message):
    first, second = (feature_arrays(seed, 500, 4, 0.0) for seed in (1, 2))
    with pytest.raises(CalokitError, match=message):
        frechet_physics_distance(first, change(second), QUICK)
    with pytest.raises(CalokitError, match=message):
        kernel_physics_distance(first, change(second), batch_size=100)


def test_settings_without_a_line_are_refused():
    first, second = (feature_arrays(seed, 500, 4, 0.0) for seed in (1, 2))
    with pytest.raises(CalokitError, match="no line"):
        frechet_physics_distance(first, second, FrechetSettings(smallest=500, largest=500))
    with pytest.raises(CalokitError, match="at least 1 batch"):
        kernel_physics_distance(first, second, batches=0)
