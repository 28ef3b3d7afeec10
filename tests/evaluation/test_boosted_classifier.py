from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.stats import norm

from calokit.errors import CalokitError
from calokit.evaluation.classifiers.boosted import BoostedSettings, boosted_auc, summarise_cells
from calokit.evaluation.samples.observables import high_level_features, low_level_features
from calokit.showers import open_showers
from calokit.showers.damages import widen_showers
from known_laws import gaussian_divergence

SMALL = BoostedSettings(trees=80)


@pytest.mark.parametrize("distance", [0.0, 1.0])
def test_area_and_divergence_of_two_gaussians_are_known(distance):
    """Two unit Gaussians at a distance d are told apart with area Phi(d / sqrt 2) at best."""
    generator = np.random.default_rng(2)
    shift = distance / np.sqrt(3)
    reference = generator.normal(size=(8000, 3)).astype(np.float32)
    generated = generator.normal(shift, 1, size=(8000, 3)).astype(np.float32)
    result = boosted_auc(reference, generated, settings=SMALL)
    best = norm.cdf(distance / np.sqrt(2))
    assert best - 0.01 - 4 * result.auc_error < result.auc < best + 4 * result.auc_error
    divergence = gaussian_divergence(distance)
    assert divergence - 0.02 - 4 * result.jsd_error < result.jsd < divergence + 4 * result.jsd_error
    assert result.auc_error == pytest.approx(np.sqrt(1 / (6 * 8000)), rel=0.3)
    assert result.showers_per_class == 8000
    assert len(result.by_fold) == 5


def test_error_covers_the_spread_over_equal_laws():
    generator = np.random.default_rng(3)
    pulls = []
    for seed in range(12):
        reference, generated = generator.normal(size=(2, 1000, 4)).astype(np.float32)
        result = boosted_auc(reference, generated, seed, BoostedSettings(trees=20))
        pulls.append((result.auc - 0.5) / result.auc_error)
    assert abs(np.mean(pulls)) < 4 / np.sqrt(12)
    assert 0.4 < np.std(pulls) < 1.8


def test_laws_that_do_not_overlap_are_told_apart_always():
    generator = np.random.default_rng(4)
    reference = generator.random((500, 2)).astype(np.float32)
    result = boosted_auc(reference, reference + np.float32(2.0), settings=SMALL)
    assert result.auc == 1.0
    assert result.jsd == pytest.approx(1.0, abs=0.01)


def test_shuffled_conditions_are_found_only_when_conditions_are_among_the_features():
    generator = np.random.default_rng(5)
    energy = generator.normal(size=(3000, 1))
    visible = energy + 0.3 * generator.normal(size=(3000, 1))
    reference = np.concatenate([energy, visible], axis=1).astype(np.float32)
    generated = np.concatenate([generator.permutation(energy), visible], axis=1).astype(np.float32)
    blind = boosted_auc(reference[:, 1:], generated[:, 1:], settings=SMALL)
    assert abs(blind.auc - 0.5) < 4 * blind.auc_error
    assert boosted_auc(reference, generated, settings=SMALL).auc > 0.8


def test_partners_of_one_incident_do_not_teach_each_other():
    incidents = np.random.default_rng(6).normal(size=(500, 20)).astype(np.float32)
    assert boosted_auc(incidents, incidents, settings=SMALL).auc == 0.5


def test_same_seed_same_result_other_seed_other_result():
    reference, generated = np.random.default_rng(7).normal(size=(2, 300, 3)).astype(np.float32)
    first = boosted_auc(reference, generated, 7, SMALL)
    assert boosted_auc(reference, generated, 7, SMALL) == first
    assert boosted_auc(reference, generated, 8, SMALL).by_fold != first.by_fold


def test_summary_of_sparse_cells_finds_what_dense_ones_do():
    generator = np.random.default_rng(8)
    reference, generated = generator.gamma(1.0, size=(2, 800, 50)).astype(np.float32)
    reference[reference < 1.0], generated[generated < 1.0] = 0.0, 0.0
    generated[:, :25] *= np.float32(1.3)
    first, second = summarise_cells(csr_array(reference), csr_array(generated), 5)
    assert first.shape == second.shape == (800, 5)
    dense = summarise_cells(reference, generated, 5)
    assert np.allclose(first, dense[0], rtol=1e-3, atol=1e-3)
    assert boosted_auc(first, second, settings=SMALL).auc > 0.6


def test_progress_rises_to_one_and_wrong_input_is_refused():
    reference, generated = np.random.default_rng(9).normal(size=(2, 100, 2)).astype(np.float32)
    done: list[float] = []
    boosted_auc(reference, generated, 0, SMALL, lambda _, part: done.append(part))
    assert done == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    with pytest.raises(CalokitError, match="same number"):
        boosted_auc(reference, generated[:80])
    with pytest.raises(CalokitError, match="at least 3"):
        boosted_auc(reference, generated, 0, BoostedSettings(folds=2))


def test_module_does_not_load_torch():
    code = (
        "import sys, calokit.evaluation.classifiers.boosted as b; print(sorted({'torch'} & set(sys.modules)))"
    )
    known = "import sys, calokit.evaluation; print(sorted({'torch'} & set(sys.modules)))"
    answers = [
        subprocess.run([sys.executable, "-c", each], capture_output=True, text=True, check=True).stdout
        for each in (known, code)
    ]
    assert answers[1] == answers[0]


@pytest.mark.slow
def test_wider_geant4_showers_are_found_and_truth_is_not(shared_showers):
    """Truth against truth, and against truth made 10 % wider, in Par04's silicon and tungsten."""
    file = open_showers(shared_showers / "par04_electrons_test.h5")
    reference, truth = file.read(0, 1500), file.read(1500, 3000)
    high = [high_level_features(each, 0.01515)[0] for each in (reference, truth, widen_showers(truth, 1.1))]
    floor = boosted_auc(high[0], high[1])
    assert abs(floor.auc - 0.5) < 4 * floor.auc_error
    assert boosted_auc(high[0], high[2]).auc > 0.6
    low = [low_level_features(each, 0.01515) for each in (reference, truth)]
    floor = boosted_auc(*summarise_cells(*low))
    assert abs(floor.auc - 0.5) < 4 * floor.auc_error
