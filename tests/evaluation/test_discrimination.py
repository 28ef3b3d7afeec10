from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.stats import norm

from calokit.errors import CalokitError
from calokit.evaluation.classifiers.discrimination import (
    calibrate_scores,
    check_classes,
    jensen_shannon,
    roc_area,
    roc_area_error,
)
from known_laws import gaussian_divergence


def test_error_of_the_area_is_the_spread_over_repetitions():
    generator = np.random.default_rng(1)
    labels = np.repeat([False, True], 300)
    scores = generator.normal(size=(400, 600)) + labels
    areas = [roc_area(labels, each) for each in scores]
    errors = [roc_area_error(labels, each) for each in scores]
    assert np.mean(areas) == pytest.approx(norm.cdf(1 / np.sqrt(2)), abs=4 * np.std(areas) / 20)
    assert np.mean(errors) == pytest.approx(np.std(areas), rel=4 / np.sqrt(2 * 400))


def test_error_is_never_zero_where_the_scores_say_nothing_of_it():
    labels = np.repeat([False, True], 1000)
    assert roc_area_error(labels, np.zeros(2000)) == pytest.approx(np.sqrt(1 / 6000), rel=1e-3)
    assert roc_area_error(labels, labels.astype(float)) == 0.5 / 1000


def test_divergence_of_two_gaussians_from_their_true_probabilities():
    generator = np.random.default_rng(2)
    labels = np.repeat([False, True], 50_000)
    scores = generator.normal(size=len(labels)) + 1.5 * labels
    probabilities = 1.0 / (1.0 + np.exp(-1.5 * (scores - 0.75)))
    value, error = jensen_shannon(labels, probabilities)
    assert value == pytest.approx(gaussian_divergence(1.5), abs=4 * error)
    assert error < 0.005


def test_divergence_is_0_for_coin_tossing_and_1_bit_for_disjoint_laws():
    labels = np.repeat([False, True], 100)
    assert jensen_shannon(labels, np.full(200, 0.5))[0] == 0.0
    apart = calibrate_scores(labels, labels.astype(float), labels.astype(float))
    assert jensen_shannon(labels, apart)[0] == pytest.approx(1.0, abs=1e-5)


def test_one_surprise_costs_twenty_bits():
    labels = np.repeat([False, True], 500)
    probabilities = np.full(1000, 0.5)
    probabilities[0] = 1.0 - 1e-6
    assert jensen_shannon(labels, probabilities)[0] == pytest.approx((1.0 - np.log2(1e6)) / 1000, rel=1e-6)


def test_calibration_undoes_a_monotonic_distortion():
    generator = np.random.default_rng(3)
    labels = np.repeat([False, True], 20_000)
    scores = generator.normal(size=len(labels)) + labels
    others = np.linspace(-0.5, 1.5, 9)
    calibrated = calibrate_scores(labels, scores**3, others**3)
    assert calibrated == pytest.approx(1.0 / (1.0 + np.exp(0.5 - others)), abs=0.05)
    assert np.array_equal(calibrated, calibrate_scores(labels, scores, others))


def test_features_that_are_not_finite_are_refused():
    good, bad = np.zeros((60, 3), np.float32), np.zeros((60, 3), np.float32)
    bad[7, 1] = np.nan
    with pytest.raises(CalokitError, match="1 generated features are infinite or not a number"):
        check_classes(good, bad, 1)
    with pytest.raises(CalokitError, match="1 reference features"):
        check_classes(csr_array(bad), csr_array(good), 1)
