from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from scipy.stats import norm

from calokit.errors import CalokitError
from calokit.evaluation.classifiers.challenge import (
    AS_CALOCHALLENGE,
    ChallengeSettings,
    challenge_dense_auc,
    challenge_image_auc,
)
from calokit.evaluation.classifiers.challenge_networks import ChallengeNetwork, ResidualNetwork, draw_weights
from calokit.evaluation.classifiers.inputs import ClassifierInputs, observable_inputs, voxel_inputs
from calokit.showers import open_showers
from calokit.showers.damages import widen_showers
from known_laws import gaussian_divergence

SMALL = ChallengeSettings(hidden=64, epochs=8, batch_size=100, learning_rate=2e-3)
IMAGE = ChallengeSettings(epochs=4, batch_size=50, learning_rate=2e-3)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def draw_inputs(
    generator: np.random.Generator, showers: int, columns: int = 3, shift: float = 0.0
) -> ClassifierInputs:
    """Inputs with log-uniform energies and Gaussian features, shifted by so much altogether."""
    energies = generator.uniform(np.log(1e3), np.log(1e5), (showers, 1))
    features = generator.normal(shift / math.sqrt(columns), 1.0, (showers, columns))
    return observable_inputs(features.astype(np.float32), energies)


def test_weights_number_as_in_the_published_architectures():
    """Their own code prints these numbers: 6481 inputs, 496 observables with the energy, and two images."""

    def count(network: torch.nn.Module) -> int:
        return sum(weight.numel() for weight in network.parameters())

    def dense(inputs: int) -> int:
        return 2048 * (inputs + 1) + 2 * (2048**2 + 2048) + 2049

    with torch.device("meta"):
        assert count(ChallengeNetwork(6481)) == dense(6481) == 21_669_889
        assert count(ChallengeNetwork(362)) == dense(362) == 9_138_177
        assert count(ResidualNetwork((45, 16, 9))) == 2_516_644
        assert count(ResidualNetwork((45, 50, 18))) == 2_516_644


def test_weights_start_from_the_laws_of_the_published_code():
    network = ResidualNetwork((9, 8, 8))
    draw_weights(network, torch.Generator().manual_seed(1))
    first = network.stem[0].weight
    assert float(first.detach().std()) == pytest.approx(math.sqrt(2 / (32 * 343)), rel=0.03)
    linear = ChallengeNetwork(100, 300, 1)
    draw_weights(linear, torch.Generator().manual_seed(1))
    assert float(linear[0].weight.detach().abs().max()) == pytest.approx(0.1, rel=0.01)
    assert float(linear[0].bias.detach().abs().max()) == pytest.approx(0.1, rel=0.02)


@pytest.mark.parametrize("distance", [0.0, 1.0])
def test_area_and_divergence_of_two_gaussians_are_known(distance):
    """Two unit Gaussians at a distance d are told apart with area Phi(d / sqrt 2) at best."""
    generator = np.random.default_rng(2)
    reference, generated = draw_inputs(generator, 4000), draw_inputs(generator, 4000, shift=distance)
    result = challenge_dense_auc(reference, generated, (0, 1, 2), SMALL)
    best = norm.cdf(distance / np.sqrt(2))
    assert best - 0.01 - 4 * result.auc_error < result.auc < best + 4 * result.auc_error
    assert result.jsd < gaussian_divergence(distance) + 4 * result.jsd_error
    assert abs(result.auc_uncalibrated - result.auc) < 0.02
    assert result.auc_error >= 0.8 * np.sqrt(1 / (6 * 800) / 3)
    assert (result.showers_per_class, len(result.runs)) == (4000, 3)
    assert all(1 <= run.epoch_chosen <= run.epochs_run == 8 for run in result.runs)


def test_laws_that_do_not_overlap_have_area_1_and_one_bit_and_end_early():
    generator = np.random.default_rng(3)
    reference, generated = draw_inputs(generator, 500), draw_inputs(generator, 500, shift=20.0)
    result = challenge_dense_auc(reference, generated, (0,), SMALL)
    assert result.auc == 1.0
    assert result.jsd == pytest.approx(1.0, abs=1e-4)
    assert result.runs[0].epochs_run < 8


def test_patience_ends_training_and_keeps_the_best_epoch():
    generator = np.random.default_rng(4)
    reference, generated = draw_inputs(generator, 400), draw_inputs(generator, 400)
    settings = replace(SMALL, epochs=60, patience=2)
    run = challenge_dense_auc(reference, generated, (0,), settings).runs[0]
    assert run.epochs_run == run.epoch_chosen + 2 < 60
    whole = challenge_dense_auc(
        reference, generated, (0,), replace(settings, epochs=run.epoch_chosen, patience=None)
    )
    assert whole.runs[0].auc == run.auc
    assert whole.runs[0].accuracy == run.accuracy


def test_shuffled_conditions_are_found_only_when_they_are_among_the_inputs():
    """A centre that follows the impact, against one that follows another shower's impact."""
    generator = np.random.default_rng(5)
    impact = generator.uniform(-10.0, 10.0, (2, 2000, 1))
    energies = generator.normal(8.0, 1.0, (2, 2000, 1))
    centre = (impact + generator.normal(size=impact.shape)).astype(np.float32) / 10
    conditions = np.concatenate([energies, impact], axis=2)
    conditions[1, :, 1] = generator.permutation(conditions[1, :, 1])
    blind, seeing = (
        challenge_dense_auc(*(observable_inputs(centre[i], conditions[i], only) for i in (0, 1)), (0,), SMALL)
        for only in (True, False)
    )
    assert abs(blind.auc - 0.5) < 4 * blind.auc_error
    assert seeing.auc > 0.8


@pytest.mark.slow
def test_published_convolutions_cannot_see_conditions_of_another_image_and_a_hidden_layer_can():
    """Images of a spot on the left or right, and a condition that says which; or says nothing."""
    generator = np.random.default_rng(6)
    side = generator.integers(0, 2, (2, 1000))
    images = 0.1 * generator.random((2, 1000, 2, 4, 8)).astype(np.float32)
    for kind in (0, 1):
        for half in (0, 1):
            images[kind, side[kind] == half, :, :, 4 * half : 4 * half + 4] += 0.3
    conditions = np.zeros((2, 1000, 2))
    conditions[:, :, 0] = np.log(1e4) + generator.normal(size=(2, 1000))
    conditions[0, :, 1], conditions[1, :, 1] = side[0], generator.permutation(side[1])
    inputs = [
        ClassifierInputs(conditions[kind].astype(np.float32), images[kind].reshape(1000, -1))
        for kind in (0, 1)
    ]
    additive, joint = (
        challenge_image_auc(*inputs, (2, 4, 8), (0,), replace(IMAGE, epochs=6, condition_hidden=hidden))
        for hidden in (0, 32)
    )
    assert abs(additive.auc - 0.5) < 4 * additive.auc_error
    assert joint.auc > 0.65


def test_convolutions_find_a_brighter_corner_and_nothing_in_equal_images():
    generator = np.random.default_rng(7)
    images = generator.gamma(1.0, size=(3, 200, 3 * 4 * 5)).astype(np.float32) * 1e3
    images[2, :, :7] *= 4.0
    conditions = np.log(generator.uniform(1e4, 1e5, (3, 200, 1)))
    conditions[:] = np.log(2e4)
    inputs = [voxel_inputs(each, known, 0.0) for each, known in zip(images, conditions, strict=True)]
    longer = replace(IMAGE, epochs=12)
    equal, brighter = (challenge_image_auc(inputs[0], inputs[i], (3, 4, 5), (0,), longer) for i in (1, 2))
    assert abs(equal.auc - 0.5) < 4 * equal.auc_error
    assert brighter.auc > 0.75
    assert equal.parameters == 2_516_644


def test_partners_of_one_incident_teach_the_published_split_and_not_the_paired_one():
    """The same showers in both classes: their independent shuffles put partners on both sides."""
    generator = np.random.default_rng(8)
    same = draw_inputs(generator, 600, columns=30)
    settings = replace(SMALL, hidden=256, epochs=40)
    published = challenge_dense_auc(same, same, (0, 1, 2), settings)
    assert published.auc_uncalibrated < 0.45
    paired = challenge_dense_auc(same, same, (0,), replace(SMALL, paired_split=True))
    assert paired.auc == 0.5


def test_same_seed_same_result_and_progress_rises_to_one():
    generator = np.random.default_rng(9)
    reference, generated = draw_inputs(generator, 120), draw_inputs(generator, 120)
    done: list[float] = []
    settings = replace(SMALL, epochs=3, batch_size=143)  # 143 of 144 leave a batch of one shower
    torch.manual_seed(1)
    first = challenge_dense_auc(reference, generated, (4, 5), settings, lambda _, part: done.append(part))
    torch.manual_seed(2)
    state = torch.get_rng_state()
    assert challenge_dense_auc(reference, generated, (4, 5), settings) == first
    assert torch.equal(torch.get_rng_state(), state)
    assert first.runs[0] != first.runs[1]
    assert done == sorted(done)
    assert done[-1] == 1.0


def test_double_precision_and_sparse_cells_give_the_same_answer():
    generator = np.random.default_rng(10)
    cells = np.where(generator.random((2, 300, 40)) < 0.3, generator.random((2, 300, 40)), 0.0) * 1e4
    cells[1] *= 1.3
    conditions = np.full((300, 1), np.log(1e4))
    dense = [voxel_inputs(each.astype(np.float32), conditions, 15.0) for each in cells]
    sparse = [voxel_inputs(csr_array(each.astype(np.float32)), conditions, 15.0) for each in cells]
    first = challenge_dense_auc(*dense, (0,), SMALL)
    assert challenge_dense_auc(*sparse, (0,), SMALL) == first
    double = challenge_dense_auc(*dense, (0,), replace(SMALL, double_precision=True))
    assert double.auc_uncalibrated == pytest.approx(first.auc_uncalibrated, abs=0.01)
    assert ChallengeSettings(double_precision=True) == AS_CALOCHALLENGE


def test_inputs_are_energy_and_fractions_above_the_cut():
    cells = np.array([[0.0, 4.0, 50.0], [100.0, 5.0, 0.0]], np.float32)
    conditions = np.array([[np.log(100.0), 3.0], [np.log(1000.0), -4.0]])
    inputs = voxel_inputs(cells, conditions, 5.0)
    assert np.allclose(inputs.features.toarray(), [[0.0, 0.0, 0.5], [0.1, 0.005, 0.0]])
    assert np.allclose(inputs.conditions, [[2.0, 3.0], [3.0, -4.0]])
    assert voxel_inputs(cells, conditions, 5.0, energy_only=True).conditions.shape == (2, 1)


def test_wrong_input_is_refused():
    generator = np.random.default_rng(11)
    inputs = draw_inputs(generator, 100)
    with pytest.raises(CalokitError, match="same number"):
        challenge_dense_auc(inputs, draw_inputs(generator, 90))
    with pytest.raises(CalokitError, match="3 cells do not make images of 2 x 2 x 2"):
        challenge_image_auc(inputs, inputs, (2, 2, 2))
    with pytest.raises(CalokitError, match="no device 'abacus'"):
        challenge_dense_auc(inputs, inputs, settings=replace(SMALL, device="abacus"))
    bad = replace(inputs, conditions=np.full_like(inputs.conditions, np.nan))
    with pytest.raises(CalokitError, match="100 generated features"):
        challenge_dense_auc(inputs, bad)


@pytest.mark.slow
def test_much_wider_geant4_showers_are_found_and_truth_is_not(shared_showers):
    """Truth against truth, and against truth much wider, in Par04's images of 45 x 16 x 9 cells."""
    file = open_showers(shared_showers / "par04_electrons_test.h5")
    reference, truth = file.read(0, 700), file.read(700, 1400)
    inputs = [
        voxel_inputs(each.energies, each.conditions()[0], 0.01515, energy_only=True)
        for each in (reference, truth, widen_showers(truth, 2.0))
    ]
    settings = ChallengeSettings(epochs=8, batch_size=70)
    floor = challenge_image_auc(inputs[0], inputs[1], (45, 16, 9), (0,), settings)
    assert abs(floor.auc - 0.5) < 4 * floor.auc_error
    assert challenge_image_auc(inputs[0], inputs[2], (45, 16, 9), (0,), settings).auc > 0.85
