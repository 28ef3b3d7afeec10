from __future__ import annotations

import numpy as np
import pytest

from calokit.errors import CalokitError
from calokit.evaluation.metrics.binned import (
    BinnedMoments,
    BinnedValues,
    energy_bin,
    energy_edges,
    largest_deviation,
    mean_deviation,
    ratio_of,
)
from calokit.evaluation.samples.pairing import match_incidents, same_incidents, squared_errors
from calokit.showers.damages import scale_energies
from calokit.showers.incidents import Incidents
from toy_showers import toy_showers


def moments_of(showers, edges):
    moments = BinnedMoments(edges)
    moments.add(showers.incident_energies.astype(float), showers.visible_energies / showers.incident_energies)
    return moments


def test_response_of_a_scaled_sample_is_off_by_the_scale_in_every_bin():
    showers = toy_showers(1, 800)
    edges = energy_edges(1e3, 1e5, 4)
    ratio = ratio_of(
        moments_of(scale_energies(showers, 1.1), edges).mean(), moments_of(showers, edges).mean()
    )
    assert ratio.values == pytest.approx(np.full(4, 1.1), rel=1e-5)
    assert largest_deviation(ratio)[0] == pytest.approx(0.1, rel=1e-4)
    assert mean_deviation(ratio)[0] == pytest.approx(0.1, rel=1e-4)
    assert ratio.errors == pytest.approx(1.1 * 0.1 * np.sqrt(2 / ratio.showers), rel=0.2)


def test_resolution_of_a_scaled_sample_is_the_same():
    showers = toy_showers(2, 400)
    edges = energy_edges(1e3, 1e5, 3)
    found = moments_of(scale_energies(showers, 1.1), edges).relative_spread()
    assert found.values == pytest.approx(moments_of(showers, edges).relative_spread().values, rel=1e-4)


@pytest.mark.parametrize("law", ["normal", "gamma"])
def test_resolution_and_its_error_over_repetitions(law):
    generator = np.random.default_rng(3)
    edges = np.array([1.0, 10.0])
    found = []
    for _ in range(300):
        moments = BinnedMoments(edges)
        values = generator.normal(2.0, 0.2, 500) if law == "normal" else generator.gamma(4.0, 0.5, 500)
        moments.add(np.full(500, 5.0), values)
        found.append(moments.relative_spread())
    values = np.array([spread.values[0] for spread in found])
    assert values.mean() == pytest.approx(0.1 if law == "normal" else 0.5, rel=0.01)
    assert np.mean([spread.errors[0] for spread in found]) == pytest.approx(values.std(), rel=0.15)


def test_sums_in_pieces_equal_sums_at_once():
    showers = toy_showers(4, 90)
    edges = energy_edges(1e3, 1e5, 3)
    pieces = BinnedMoments(edges)
    for part in (showers[:20], showers[20:]):
        pieces.add(part.incident_energies.astype(float), part.visible_energies / part.incident_energies)
    assert pieces.sums == pytest.approx(moments_of(showers, edges).sums)


def test_bins_with_fewer_than_two_showers_are_unknown_and_left_out():
    moments = BinnedMoments(np.array([1.0, 10.0, 100.0]))
    moments.add(np.array([2.0, 3.0, 20.0]), np.array([0.1, 0.3, 9.0]))
    mean = moments.mean()
    assert mean.values[0] == pytest.approx(0.2)
    assert np.isnan(mean.values[1])
    assert largest_deviation(ratio_of(mean, mean))[0] == 0.0
    unknown = np.full(2, np.nan)
    with pytest.raises(CalokitError, match="no energy bin"):
        largest_deviation(BinnedValues(unknown, unknown, np.zeros(2)))


def test_energies_beyond_the_edges_count_in_the_outer_bins():
    edges = energy_edges(1e3, 1e5, 2)
    assert edges == pytest.approx([1e3, 1e4, 1e5])
    assert energy_bin(np.array([1.0, 1e3, 1e4, 1e5, 1e9]), edges).tolist() == [0, 0, 1, 1, 1]
    assert len(energy_edges(5e3, 5e3, 8)) == 2


def test_squared_error_by_hand():
    showers = toy_showers(5, 3)
    energies = showers.energies.copy()
    energies[0, 210] += 0.02 * showers.incident_energies[0]
    energies[1, 0] = 0.05  # below the threshold: no difference
    other = type(showers)(energies, showers.incident_energies, showers.detector, showers.positions)
    found = squared_errors(showers, other, 0.1)
    assert found[0] == pytest.approx(0.02**2 / 400, rel=1e-3)
    assert found[1:] == pytest.approx([0.0, 0.0], abs=1e-15)


def test_same_incidents_are_recognised():
    one, two = toy_showers(6, 20), toy_showers(7, 20, incident_seed=6)
    assert same_incidents(one, two)
    assert not same_incidents(one, two[::-1])
    assert not same_incidents(one, toy_showers(8, 20))


def test_incidents_are_matched_with_the_nearest():
    generator = np.random.default_rng(9)
    energies = np.exp(generator.uniform(np.log(1e3), np.log(1e5), 400)).astype(np.float32)
    positions = generator.uniform(-100, 100, (400, 2)).astype(np.float32)
    shuffled = generator.permutation(400)
    first = Incidents(energies, positions)
    second = Incidents(energies[shuffled] * np.float32(1.001), positions[shuffled] + np.float32(0.01))
    one, two = match_incidents(first, second, 30.3, energy_edges(1e3, 1e5, 4))
    assert np.array_equal(one, shuffled[two])
    assert 40 <= len(one) <= 44, "the closest tenth of each bin"
    with pytest.raises(CalokitError, match="no incidents"):
        match_incidents(first, Incidents(energies[:0], positions[:0]), 30.3, energy_edges(1e3, 1e5, 4))
