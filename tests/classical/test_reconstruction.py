"""Classical reconstruction on showers whose truth is known by construction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.overlay import overlay_showers
from calokit.classical.boosted_energy import BoostedEnergy, ShapeLine
from calokit.classical.clusters import PeakClusters
from calokit.classical.energy import BiasCorrection, CalibratedSum, LayerWeightedSum
from calokit.classical.hits import CellGrid, GridHits
from calokit.classical.shower_features import shower_features
from calokit.classical.track_fit import LineFit, directions_to_slopes, layer_centroids
from calokit.detector import Detector, load_detector
from calokit.errors import CalokitError, ConfigurationError
from calokit.showers import Showers, open_showers
from made_up_positrons import made_up_positrons


@pytest.fixture(scope="module")
def luxe() -> Detector:
    return load_detector("luxe_ecal")


@pytest.fixture(scope="module")
def positrons(luxe: Detector) -> Showers:
    return made_up_positrons(luxe, 400, seed=1)


def test_hits_are_the_cells_above_the_threshold(positrons: Showers) -> None:
    hits = GridHits.of(positrons, 0.05)
    assert hits.counts.tolist() == (positrons.energies > 0.05).sum(axis=1).tolist()
    unfolded = np.zeros_like(positrons.images)
    unfolded[hits.event, hits.layer, hits.row, hits.column] = hits.energy
    np.testing.assert_array_equal(
        unfolded, np.where(positrons.images > 0.05, positrons.images, np.float32(0))
    )
    np.testing.assert_allclose(hits.sum_by_layer(hits.energy), unfolded.sum(axis=(2, 3)), rtol=1e-5)


def test_neighbourhoods_are_cut_out_of_the_image(positrons: Showers) -> None:
    hits = GridHits.of(positrons[:20])
    found = hits.neighbourhoods()
    padded = np.pad(positrons.images[:20], ((0, 0), (1, 1), (1, 1), (1, 1)))
    for number in np.random.default_rng(0).integers(0, len(hits.cell), 50):
        event, layer, row, column = (one[number] for one in (hits.event, hits.layer, hits.row, hits.column))
        cube = padded[event, layer : layer + 3, row : row + 3, column : column + 3]
        np.testing.assert_array_equal(found[number], cube.ravel())
    np.testing.assert_array_equal(found[:, 13], hits.energy)


def test_reconstruction_needs_a_cartesian_detector() -> None:
    with pytest.raises(ConfigurationError, match="needs one Cartesian section"):
        CellGrid.of(load_detector("calochallenge_1_photons"))


def test_calibrated_sum_is_unbiased_at_every_energy() -> None:
    rng = np.random.default_rng(1)
    energies = np.repeat([1e3, 3e3, 1e4], 20_000)
    deposits = 0.013 * energies - 1.0 + 0.013 * np.sqrt(50.0 * energies) * rng.normal(size=len(energies))
    line = CalibratedSum.fit(deposits, energies)
    assert line.slope == pytest.approx(1 / 0.013, rel=0.01)
    for energy in (1e3, 3e3, 1e4):
        chosen = energies == energy
        error = np.sqrt(50.0 * energy / chosen.sum())
        assert abs(line(deposits[chosen]).mean() - energy) < 4 * error


def test_layer_weights_find_the_noisy_layer() -> None:
    rng = np.random.default_rng(2)
    energies = rng.choice([2e3, 5e3, 9e3], 6000)
    layers = 0.01 * energies[:, None] * np.ones(3) + rng.normal(0, [1.0, 1.0, 30.0], (6000, 3))
    weighted = LayerWeightedSum.fit(layers, energies)
    plain = CalibratedSum.fit(layers.sum(axis=1), energies)
    assert abs(weighted.weights[2]) < 0.05 * weighted.weights[0]
    spread = np.std(weighted(layers) - energies), np.std(plain(layers.sum(axis=1)) - energies)
    assert spread[0] < 0.1 * spread[1]
    slope, _ = np.polyfit(energies, weighted(layers), 1)
    assert slope == pytest.approx(1.0, abs=0.002)


@pytest.mark.parametrize("fit", [CalibratedSum.fit, BiasCorrection.fit])
def test_one_energy_calibrates_nothing(fit: object) -> None:
    with pytest.raises(CalokitError, match="at least two energies"):
        fit(np.ones(9), np.ones(9))  # type: ignore[operator]


def test_bias_correction_removes_a_shrinkage() -> None:
    rng = np.random.default_rng(3)
    grid = np.arange(3e3, 21e3, 1e3)
    energies = np.repeat(grid, 4000)
    estimates = 11.5e3 + 0.93 * (energies - 11.5e3) + 5.0 * np.sqrt(energies) * rng.normal(size=len(energies))
    correction = BiasCorrection.fit(estimates[::2], energies[::2])
    other, true = correction(estimates[1::2]), energies[1::2]
    for energy in grid:
        mean = other[true == energy].mean() / energy - 1
        assert abs(mean) < 0.007
    assert abs(estimates[energies == 3e3].mean() / 3e3 - 1) > 0.15
    assert np.all(np.diff(correction(np.linspace(1e3, 4e4, 500))) > 0)


def test_line_fit_finds_straight_showers(positrons: Showers, luxe: Detector) -> None:
    assert positrons.positions is not None
    assert positrons.directions is not None
    hits = GridHits.of(positrons)
    slopes = directions_to_slopes(positrons.directions)
    fit = LineFit.fit(hits, positrons.positions.astype(float), slopes, use_prior=False)
    other = made_up_positrons(luxe, 300, seed=2)
    found = fit(GridHits.of(other))
    pulls = (found.positions - other.positions) / found.position_errors
    assert np.abs(found.positions - other.positions).mean() < 1.0
    assert np.all(np.abs(pulls.std(axis=0) - 1) < 0.35)
    off = found.slopes - directions_to_slopes(other.directions)
    assert np.abs(off).mean() < 0.03
    assert np.corrcoef(found.slopes[:, 0], directions_to_slopes(other.directions)[:, 0])[0, 1] > 0.6


def test_log_weights_beat_energy_weights(positrons: Showers) -> None:
    assert positrons.positions is not None
    hits = GridHits.of(positrons)
    centres, weights = layer_centroids(hits, 0.002)
    assert centres.shape == (400, 20, 2)
    assert weights.shape == (400, 20)
    assert np.all(centres[weights == 0] == 0)


def test_a_line_needs_showers(positrons: Showers) -> None:
    few = positrons[:20]
    with pytest.raises(CalokitError, match="at least 100 showers; 20 are given"):
        LineFit.fit(GridHits.of(few), np.zeros((20, 2)), np.zeros((20, 2)))


def test_features_have_names_and_add_up(positrons: Showers) -> None:
    hits = GridHits.of(positrons)
    lines = LineFit.fit(hits, positrons.positions.astype(float), directions_to_slopes(positrons.directions))
    features, names = shower_features(hits, lines(hits))
    assert features.shape == (400, len(names))
    assert len(set(names)) == len(names)
    by_name = dict(zip(names, features.T, strict=True))
    layers = sum(by_name[f"deposit of layer {number}"] for number in range(20))
    classes = sum(by_name[f"hits of class {number}"] for number in range(9))
    np.testing.assert_allclose(layers, by_name["deposit"], rtol=1e-5)
    np.testing.assert_array_equal(classes, by_name["hits"])


def test_boosted_trees_see_the_shape() -> None:
    """The response depends on the depth, which a sum cannot know."""
    rng = np.random.default_rng(4)
    energies = rng.choice([2e3, 5e3, 9e3], 4000)
    depth = rng.uniform(-1, 1, 4000)
    deposits = 0.01 * energies * (1 + 0.3 * depth)
    layers = np.stack([deposits, np.zeros(4000) + rng.normal(size=4000) * 1e-3], axis=1)
    boosted = BoostedEnergy.fit(layers[:3000], depth[:3000, None], energies[:3000])
    plain = LayerWeightedSum.fit(layers[:3000], energies[:3000])
    off = [np.std(est[3000:] - energies[3000:]) for est in (boosted(layers, depth[:, None]), plain(layers))]
    assert off[0] < 0.3 * off[1]


def test_the_line_needs_few_showers_and_the_trees_find_what_bends() -> None:
    """A slope in one of many features is the line's, a bend in another the trees': the noise is left."""
    rng = np.random.default_rng(6)
    energies = rng.choice([2e3, 5e3, 9e3], 3000)
    shape = rng.normal(size=(3000, 30))
    pull = 4.0 * shape[:, 0] + 4.0 * np.abs(shape[:, 1]) + 0.5 * rng.normal(size=3000)
    layers = 0.01 * (energies + np.sqrt(energies) * (3.2 - pull))[:, None] * np.array([0.6, 0.4])
    boosted = BoostedEnergy.fit(layers[:1500], shape[:1500], energies[:1500])
    error = (boosted(layers, shape) - energies)[1500:] / np.sqrt(energies[1500:])
    assert error.std() < 1.4  # 4.7 without shapes; the noise alone is 0.5
    for energy in (2e3, 5e3, 9e3):
        here = error[energies[1500:] == energy]
        assert abs(here.mean()) < 4 * here.std() / np.sqrt(len(here))


def test_a_feature_that_never_changes_counts_for_nothing() -> None:
    rng = np.random.default_rng(7)
    features = np.stack([rng.normal(size=400), np.full(400, 3.0)], axis=1)
    line = ShapeLine.fit(features, 2 * features[:, 0])
    moved = features + np.array([0.0, 5.0])
    np.testing.assert_allclose(line(moved), line(features))
    np.testing.assert_allclose(line(features), 2 * features[:, 0], atol=0.01)


def test_overlay_adds_cells_and_moves_positions(positrons: Showers) -> None:
    events = overlay_showers(positrons, 60, (1, 3), 30, np.random.default_rng(5))
    assert events.particles is not None
    counts = events.particles.count
    assert set(counts.tolist()) == {1, 2, 3}
    np.testing.assert_allclose(events.incident_energies, events.particles.energies.sum(axis=1))
    assert np.all(np.diff(events.particles.energies, axis=1) <= 0)
    single = events[counts == 1]
    x = np.linspace(-272.5, 272.5, 110)
    profile = single.images.sum(axis=(1, 3))
    centre = (profile * x).sum(axis=1) / profile.sum(axis=1)
    np.testing.assert_allclose(centre, single.positions[:, 0], atol=12.0)
    assert np.abs(single.positions[:, 0]).max() > 50
    again = overlay_showers(positrons, 60, (1, 3), 30, np.random.default_rng(5))
    np.testing.assert_array_equal(events.energies, again.energies)


def test_overlay_refuses_what_it_cannot_do(positrons: Showers) -> None:
    with pytest.raises(ConfigurationError, match="write the smallest"):
        overlay_showers(positrons, 3, (3, 1), 5, np.random.default_rng(1))
    bare = Showers(positrons.energies, positrons.incident_energies, positrons.detector)
    with pytest.raises(ConfigurationError, match="needs showers with incident positions"):
        overlay_showers(bare, 3, (1, 2), 5, np.random.default_rng(1))
    cylinder = load_detector("par04_siw")
    round_ones = Showers(np.ones((2, cylinder.number_of_cells), np.float32), np.ones(2, np.float32), cylinder)
    with pytest.raises(ConfigurationError, match="an overlay needs one Cartesian section"):
        overlay_showers(round_ones, 3, (1, 2), 5, np.random.default_rng(1))


def test_clusters_find_showers_far_apart(positrons: Showers) -> None:
    events = overlay_showers(positrons, 300, (1, 3), 45, np.random.default_rng(6))
    assert events.particles is not None
    x = np.where(events.particles.energies > 0, events.particles.positions[..., 0], np.nan)
    apart = np.array([np.diff(np.sort(row[np.isfinite(row)])).min(initial=1e3) > 40 for row in x])
    chosen = events[np.flatnonzero(apart)]
    assert chosen.particles is not None
    clusters = PeakClusters.fit(GridHits.of(events), events.particles.energies.astype(float), 3)
    found = clusters(GridHits.of(chosen))
    right = found.count == chosen.particles.count
    assert right.mean() > 0.9
    true = np.sort(chosen.particles.positions[right][..., 0])
    estimate = np.sort(found.positions[right][..., 0])
    assert np.median(np.abs(true - estimate)) < 3.0
    np.testing.assert_allclose(
        found.energies[right].sum(axis=1) / chosen.incident_energies[right], 1.0, atol=0.5
    )


def test_reference_showers_resolve_as_published(shared_showers: Path) -> None:
    """The calibrated sum of the reference set has the 20 to 22 % / sqrt(E) of the published one."""
    showers = open_showers(shared_showers / "luxe_positrons_a_test.h5").read(0, 1500)
    energies = showers.incident_energies.astype(np.float64)
    line = CalibratedSum.fit(showers.visible_energies, energies)
    spread = np.sqrt(np.mean((line(showers.visible_energies) - energies) ** 2 / energies / 1e3))
    assert spread == pytest.approx(0.225, abs=0.015)
