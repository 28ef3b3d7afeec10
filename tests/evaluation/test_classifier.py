from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from calokit.errors import CalokitError
from calokit.evaluation.classifiers.discrimination import roc_area
from calokit.evaluation.classifiers.neural import ClassifierSettings, classifier_auc
from calokit.evaluation.samples.observables import high_level_features
from calokit.showers import open_showers
from calokit.showers.damages import widen_showers

SMALL = ClassifierSettings(hidden=32, epochs=6, batch_size=256, learning_rate=5e-3)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_area_equals_that_of_scikit_learn_with_ties_too():
    generator = np.random.default_rng(1)
    labels = generator.random(500) < 0.3
    scores = np.round(generator.normal(size=500) + labels, 1)
    assert roc_area(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


@pytest.mark.parametrize("distance", [0.0, 1.0])
def test_area_of_two_gaussians_is_known(distance):
    """Two unit Gaussians at a distance d are told apart with area Phi(d / sqrt 2) at best."""
    generator = np.random.default_rng(2)
    shift = distance / np.sqrt(5)
    reference = generator.normal(size=(6000, 5)).astype(np.float32)
    generated = generator.normal(shift, 1, size=(6000, 5)).astype(np.float32)
    result = classifier_auc(reference, generated, seeds=(0, 1), settings=SMALL)
    assert result.value == pytest.approx(norm.cdf(distance / np.sqrt(2)), abs=4 * result.error)
    assert result.error >= np.sqrt(1 / (6 * 1200) / 2)
    assert result.showers_per_class == 6000
    assert len(result.by_seed) == 2


def test_difference_that_no_single_feature_shows_is_found():
    """Two correlated Gaussians against two independent ones: equal margins, other joint law."""
    generator = np.random.default_rng(3)
    reference = generator.normal(size=(3000, 2))
    generated = generator.multivariate_normal([0, 0], [[1, 0.9], [0.9, 1]], 3000)
    result = classifier_auc(reference.astype(np.float32), generated.astype(np.float32), (0,), SMALL)
    assert result.value > 0.75


def test_sparse_features_give_the_same_area_as_dense_ones():
    generator = np.random.default_rng(4)
    reference = np.where(generator.random((400, 30)) < 0.2, generator.random((400, 30)), 0).astype(np.float32)
    generated = np.where(generator.random((400, 30)) < 0.3, generator.random((400, 30)), 0).astype(np.float32)
    dense = classifier_auc(reference, generated, (0,), SMALL)
    sparse = classifier_auc(csr_array(reference), csr_array(generated), (0,), SMALL)
    assert sparse.by_seed == dense.by_seed
    assert dense.value > 0.6


def test_same_seed_same_area_other_seed_other_area():
    generator = np.random.default_rng(5)
    reference, generated = generator.normal(size=(2, 300, 3)).astype(np.float32)
    first = classifier_auc(reference, generated, (7,), SMALL)
    assert classifier_auc(reference, generated, (7,), SMALL) == first
    assert classifier_auc(reference, generated, (8,), SMALL).value != first.value


def test_partners_of_one_incident_do_not_teach_each_other():
    """Features that only name the incident, the same in both classes, must give exactly one half."""
    incidents = np.random.default_rng(6).normal(size=(500, 20)).astype(np.float32)
    assert classifier_auc(incidents, incidents, (0,), SMALL).value == 0.5


def test_constant_features_are_harmless_and_members_are_averaged():
    generator = np.random.default_rng(7)
    reference = np.concatenate([generator.normal(size=(500, 2)), np.ones((500, 1))], axis=1).astype(
        np.float32
    )
    generated = reference + np.array([1.5, 0, 0], np.float32)
    settings = ClassifierSettings(hidden=16, epochs=4, learning_rate=5e-3, batch_size=128, members=2)
    done = []
    result = classifier_auc(reference, generated, (0,), settings, lambda _, part: done.append(part))
    assert result.value == pytest.approx(norm.cdf(1.5 / np.sqrt(2)), abs=0.07)
    assert done == pytest.approx(np.arange(1, 9) / 8)


def test_unequal_or_too_small_classes_are_refused():
    features = np.zeros((100, 3), np.float32)
    with pytest.raises(CalokitError, match="same number"):
        classifier_auc(features, features[:50])
    with pytest.raises(CalokitError, match="at least 50"):
        classifier_auc(features[:20], features[:20])
    with pytest.raises(CalokitError, match="one seed"):
        classifier_auc(features, features, ())


@pytest.mark.slow
def test_wider_geant4_showers_are_found_and_truth_is_not(shared_showers):
    """Truth against truth, and against truth made 5 % wider, in the EIC ZDC."""
    reference = open_showers(shared_showers / "zdc_ecal_positrons_test.h5").read(0, 10_000)
    truth = open_showers(shared_showers / "zdc_ecal_positrons.h5").read(0, 10_000)
    features = [
        high_level_features(showers, 0.1)[0] for showers in (reference, truth, widen_showers(truth, 1.05))
    ]
    floor = classifier_auc(features[0], features[1], (0,))
    assert abs(floor.value - 0.5) < 4 * floor.error
    assert classifier_auc(features[0], features[2], (0,)).value > 0.65
