"""The high-level features and separation powers of CaloChallenge, against its own code's numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calokit.detector import load_detector
from calokit.errors import CalokitError
from calokit.evaluation.metrics.challenge_features import challenge_features, layer_numbers
from calokit.evaluation.metrics.challenge_separation import (
    DATA_SET_1_RANGES,
    DATA_SET_1_THRESHOLD_MEV,
    DATA_SETS_2_AND_3_RANGES,
    DATA_SETS_2_AND_3_THRESHOLD_MEV,
    cell_energy_separation,
    challenge_separations,
    ranges_from_reference,
    separation_inside,
    total_fraction_separations,
)
from calokit.showers import Showers
from challenge_arrays import challenge_arrays
from toy_showers import toy_showers

ORACLE = json.loads((Path(__file__).parents[1] / "oracles" / "challenge.json").read_text())
PUBLISHED = {
    "calochallenge_1_photons": (DATA_SET_1_THRESHOLD_MEV, DATA_SET_1_RANGES, 4096.0),
    "calochallenge_1_pions": (DATA_SET_1_THRESHOLD_MEV, DATA_SET_1_RANGES, math.inf),
    "par04_siw": (DATA_SETS_2_AND_3_THRESHOLD_MEV, DATA_SETS_2_AND_3_RANGES, math.inf),
}


def made_up(name):
    detector = load_detector(name)
    cells = detector.cells
    samples = []
    for seed, widening in ((1, 1.0), (2, 1.06)):
        incident, energies = challenge_arrays(seed, 200, cells.x, cells.y, cells.layer, widening)
        samples.append(Showers(energies.astype(np.float32), incident.astype(np.float32), detector))
    return samples


def features_of(name, threshold):
    return [challenge_features(sample, threshold) for sample in made_up(name)]


@pytest.mark.parametrize("name", PUBLISHED)
def test_features_are_those_of_the_published_code(name):
    reference, _ = features_of(name, PUBLISHED[name][0])
    values, names = reference.matrix()
    expected = np.array(ORACLE[name]["features"])
    assert values.shape[1] == len(names) == expected.shape[1]
    assert np.abs(values[: len(expected)] - expected).max() < 1e-12


@pytest.mark.parametrize("name", PUBLISHED)
def test_separations_are_those_of_the_published_code(name):
    threshold, ranges, narrow = PUBLISHED[name]
    samples = made_up(name)
    reference, generated = (challenge_features(sample, threshold) for sample in samples)
    found = challenge_separations(reference, generated, threshold, ranges)
    expected = dict(ORACLE[name]["separations"])
    del expected["cells"]
    by_energy = {text: expected.pop(text) for text in list(expected) if "_at_" in text}
    if by_energy:
        here = total_fraction_separations(reference, generated, narrow)
        there = {int(text.split("_")[-1]): value for text, value in by_energy.items() if value is not None}
        assert set(here) == set(there)
        assert max(abs(here[energy].value - there[energy]) for energy in here) < 1e-12
    assert set(found) == set(expected)
    for feature, value in expected.items():
        if not feature.startswith("energy_layer"):
            assert found[feature].value == pytest.approx(value, abs=1e-12), feature


@pytest.mark.parametrize("name", PUBLISHED)
def test_energies_differ_by_the_largest_of_the_reference_at_most(name):
    """Rounding of the published code's last edge decides whether the largest of the reference counts."""
    threshold, ranges, _ = PUBLISHED[name]
    samples = made_up(name)
    reference, generated = (challenge_features(sample, threshold) for sample in samples)
    found = challenge_separations(reference, generated, threshold, ranges)
    left_out = 0
    expected = ORACLE[name]["separations"]["cells"]
    here = cell_energy_separation(*samples, threshold).value
    edges = np.logspace(np.log10(threshold), np.log10(samples[0].energies.max().astype(float)), 50)
    edges[-1] = np.nextafter(samples[0].energies.max().astype(float), 0.0)
    without = separation_inside(*(sample.energies.ravel().astype(float) for sample in samples), edges)
    assert min(abs(here - expected), abs(without.value - expected)) < 1e-12
    for column, layer in enumerate(reference.layers):
        expected = ORACLE[name]["separations"][f"energy_layer_{layer}"]
        first, second = reference.layer_energies[:, column], generated.layer_energies[:, column]
        edges = np.logspace(np.log10(threshold), np.log10(first.max()), 40)
        edges[-1] = np.nextafter(first.max(), 0.0)
        without = separation_inside(first, second, edges)
        here = found[f"energy_layer_{layer}"].value
        assert min(abs(here - expected), abs(without.value - expected)) < 1e-12
        left_out += abs(here - expected) > 1e-12
    assert left_out < len(reference.layers)


def test_layers_have_the_numbers_of_the_experiment():
    assert layer_numbers(load_detector("calochallenge_1_pions")) == (0, 1, 2, 3, 12, 13, 14)
    reference, _ = features_of("calochallenge_1_pions", 1.0)
    assert reference.divided_layers == (1, 2, 12, 13)
    assert reference.axes == ("eta", "phi")
    assert layer_numbers(load_detector("zdc_ecal")) == (0,)


def test_cartesian_showers_are_measured_about_their_impact(zdc):
    showers = toy_showers(3, events=200)
    features = challenge_features(showers, 0.0)
    assert features.axes == ("x", "y")
    moved = Showers(showers.energies, showers.incident_energies, zdc)
    about_axis = challenge_features(moved, 0.0)
    shift = about_axis.centre_x[:, 0] - features.centre_x[:, 0]
    assert np.allclose(shift, showers.positions[:, 0], atol=1e-3)
    assert np.allclose(about_axis.width_x, features.width_x, atol=1e-6)
    assert np.abs(features.centre_x).mean() < 3.0 < np.abs(about_axis.centre_x).mean()
    # a Gaussian of 30 mm in two directions has a mean distance of 30 sqrt(pi / 2)
    assert features.centre_r.mean() == pytest.approx(30.0 * math.sqrt(math.pi / 2), rel=0.03)


def test_an_empty_shower_has_finite_features(zdc):
    empty = Showers(np.zeros((3, 400), np.float32), np.full(3, 100.0, np.float32), zdc)
    features = challenge_features(empty, 0.1)
    assert np.isfinite(features.matrix()[0]).all()
    assert features.sparsity.tolist() == [[1.0]] * 3
    assert features.width_r.tolist() == [[0.0]] * 3


def test_a_cell_at_the_threshold_counts(zdc):
    energies = np.zeros((1, 400), np.float32)
    energies[0, :3] = (0.5, 1.0, 2.0)
    features = challenge_features(Showers(energies, np.array([10.0], np.float32), zdc), 1.0)
    assert features.total_energies.tolist() == [3.0]
    assert features.sparsity.item() == pytest.approx(398 / 400)


@given(st.integers(0, 1000), st.floats(0.1, 50.0))
def test_scaling_the_energies_changes_energies_alone(seed, factor):
    generator = np.random.default_rng(seed)
    detector = load_detector("zdc_ecal")
    energies = (generator.random((4, 400)) ** 8).astype(np.float32)
    incident = np.full(4, 10.0, np.float32)
    one = challenge_features(Showers(energies, incident, detector), 0.0)
    scaled = (energies.astype(np.float64) * factor).astype(np.float32)
    other = challenge_features(Showers(scaled, incident, detector), 0.0)
    assert np.allclose(other.total_energies, factor * one.total_energies, rtol=1e-5)
    assert np.allclose(other.centre_x, one.centre_x, atol=1e-3)
    assert np.allclose(other.width_r, one.width_r, atol=1e-3)


def test_a_wider_shower_separates_and_equal_samples_do_not(zdc):
    first, second = toy_showers(1, 1500), toy_showers(2, 1500)
    wide = toy_showers(5, 1500)
    wide = Showers(np.roll(wide.energies, 1, axis=1), wide.incident_energies, zdc, wide.positions)
    features = [challenge_features(sample, 0.1) for sample in (first, second, wide)]
    ranges = ranges_from_reference(features[0])
    floor = challenge_separations(features[0], features[1], 0.1, ranges)
    found = challenge_separations(features[0], features[2], 0.1, ranges)
    assert challenge_separations(features[0], features[0], 0.1, ranges)["width_x_layer_0"].value == 0.0
    assert found["centre_y_layer_0"].value > 0.9  # one pitch of 30 mm aside
    assert floor["centre_y_layer_0"].value < 0.1
    assert found["centre_x_layer_0"].value < 0.1


def test_one_sample_outside_all_bins_is_fully_separated():
    edges = np.linspace(0.0, 1.0, 11)
    inside, outside = np.full(10, 0.5), np.full(10, 2.0)
    assert separation_inside(inside, outside, edges).value == 1.0
    assert separation_inside(outside, outside, edges) is None


def test_mistakes_are_refused(zdc):
    showers = toy_showers(1, 10)
    features = challenge_features(showers, 0.1)
    with pytest.raises(CalokitError, match="0 or more"):
        challenge_features(showers, -1.0)
    with pytest.raises(CalokitError, match="above 0"):
        challenge_separations(features, features, 0.0, ranges_from_reference(features))
    other = features_of("calochallenge_1_pions", 1.0)[0]
    with pytest.raises(CalokitError, match="one detector"):
        challenge_separations(features, other, 0.1, ranges_from_reference(features))
    with pytest.raises(CalokitError, match="lower the threshold"):
        cell_energy_separation(showers, showers, 1e9)
    broken = showers.energies.copy()
    broken[7, 3] = np.nan
    with pytest.raises(CalokitError, match="shower 7"):
        challenge_features(Showers(broken, showers.incident_energies, zdc), 0.1)
