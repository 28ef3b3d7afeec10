from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calokit.detector import load_detector
from calokit.errors import CalokitError
from calokit.evaluation.samples.momentum_shape import ALONG_MOMENTUM, momentum_shape
from calokit.evaluation.samples.observables import (
    HOTTEST_CELLS,
    ObservableCalculator,
    high_level_features,
    low_level_features,
    median_pitch,
)
from calokit.showers import Showers
from toy_showers import toy_showers


def calculate(energies, positions=None, detector="zdc_ecal", threshold=0.1):
    detector = load_detector(detector)
    energies = np.asarray(energies, dtype=np.float32)
    positions = None if positions is None else np.asarray(positions, dtype=np.float32)
    showers = Showers(energies, np.full(len(energies), 1000.0, np.float32), detector, positions)
    return ObservableCalculator(detector, threshold)(showers)


def shower_of(deposits, cells=400):
    energies = np.zeros((1, cells))
    for cell, energy in deposits.items():
        energies[0, cell] = energy
    return energies


def test_gaussian_blob_has_its_centre_and_width():
    cells = load_detector("zdc_ecal").cells
    blob = 1e4 * np.exp(-((cells.x - 20.0) ** 2) / (2 * 45.0**2) - (cells.y + 35.0) ** 2 / (2 * 60.0**2))
    absolute = calculate(blob[None], threshold=0.0)
    assert absolute.column("centre_x")[0] == pytest.approx(20.0, abs=0.05)
    assert absolute.column("centre_y")[0] == pytest.approx(-35.0, abs=0.05)
    assert absolute.column("width_x")[0] == pytest.approx(45.0, rel=2e-3)
    assert absolute.column("width_y")[0] == pytest.approx(60.0, rel=2e-3)
    relative = calculate(blob[None], positions=[[15.0, -30.0]], threshold=0.0)
    assert relative.column("centre_x")[0] == pytest.approx(5.0, abs=0.05)
    assert relative.column("centre_y")[0] == pytest.approx(-5.0, abs=0.05)
    assert relative.column("width_x")[0] == pytest.approx(45.0, rel=2e-3)


def test_shower_of_two_cells_is_counted_by_hand():
    found = calculate(shower_of({210: 3.0, 211: 1.0, 5: 0.1}))
    assert found.column("visible_energy")[0] == pytest.approx(4.0)
    assert found.column("visible_fraction")[0] == pytest.approx(0.004)
    assert found.column("hits")[0] == 2, "a cell at the threshold is no hit"
    assert [found.column(f"hottest_{n}")[0] for n in HOTTEST_CELLS] == pytest.approx([0.75, 1, 1, 1])
    assert found.column("cells_10_to_30")[0] == 1
    assert found.column("cells_30_to_100")[0] == 1
    assert found.column("cells_5_to_10")[0] == 0
    # the centre lies a quarter of a pitch from the hot cell and three quarters from the other
    assert found.column("within_0.5_pitches")[0] == pytest.approx(0.75)
    assert found.column("within_1_pitches")[0] == pytest.approx(1.0)
    assert found.column("width_y")[0] == pytest.approx(30.3 * np.sqrt(0.75 * 0.25))
    assert found.column("width_x")[0] == pytest.approx(0.0)


def test_bands_of_the_spectrum_sum_to_the_hits():
    showers = toy_showers(1, 50)
    found = ObservableCalculator(showers.detector, 0.1)(showers)
    bands = sum(found.column(name) for name in found.names if name.startswith("cells_"))
    assert np.array_equal(bands, found.column("hits"))
    assert found.column("hits").min() > 10


def test_empty_shower_is_finite_and_zero():
    energies = np.concatenate([shower_of({}), shower_of({7: 2.0})])
    found = calculate(energies, positions=[[30.0, 40.0], [30.0, 40.0]])
    assert np.array_equal(found.values[0], np.zeros(len(found.names)))
    assert np.isfinite(found.values).all()


def test_depth_and_layers_where_there_are_several():
    detector = load_detector("luxe_ecal")
    per_layer = detector.number_of_cells // detector.number_of_layers
    found = calculate(
        shower_of({2 * per_layer + 600: 3.0, 6 * per_layer + 600: 1.0}, detector.number_of_cells),
        detector="luxe_ecal",
    )
    first, second = detector.cells.z[2 * per_layer], detector.cells.z[6 * per_layer]
    assert found.column("depth")[0] == pytest.approx(0.75 * first + 0.25 * second)
    assert found.column("depth_width")[0] == pytest.approx((second - first) * np.sqrt(0.75 * 0.25))
    assert [found.column(f"layer_{layer}")[0] for layer in (2, 3, 6)] == pytest.approx([3.0, 0.0, 1.0])


def test_depth_counts_layers_where_the_detector_has_no_depth():
    detector = load_detector("calochallenge_1_photons")
    cells = detector.cells
    found = calculate(
        shower_of({int(np.flatnonzero(cells.layer == 3)[0]): 2.0}, len(cells)), detector=detector.name
    )
    assert np.isnan(cells.z).any() == (found.column("depth")[0] == 3.0)
    assert np.isfinite(found.values).all()


def test_features_are_finite_named_and_logarithmic():
    detector = load_detector("zdc_ecal")
    energies = np.concatenate([shower_of({}), shower_of({210: 99.9})]).astype(np.float32)
    showers = Showers(energies, np.array([1e3, 1e4], np.float32), detector, np.zeros((2, 2), np.float32))
    matrix, names = high_level_features(showers, 0.1)
    assert matrix.dtype == np.float32
    assert matrix.shape == (2, len(names))
    assert np.isfinite(matrix).all()
    assert names[:3] == ["ln incident energy", "impact x", "impact y"]
    assert matrix[:, names.index("visible_energy")] == pytest.approx([np.log(0.1), np.log(100.0)], rel=1e-5)
    assert matrix[:, 0] == pytest.approx(np.log([1e3, 1e4]), rel=1e-6)


def test_low_level_features_hold_conditions_and_logarithms_of_cells():
    showers = toy_showers(2, 5)
    matrix = low_level_features(showers, 0.1).toarray()
    assert matrix.shape == (5, 3 + 400)
    kept = np.where(showers.energies > 0.1, showers.energies, 0.0)
    assert matrix[:, 3:] == pytest.approx(np.log1p(kept / 0.1), rel=1e-5)
    assert matrix[:, 1:3] == pytest.approx(showers.positions, rel=1e-6)


def test_pitch_is_the_distance_of_neighbouring_cells():
    assert median_pitch(load_detector("zdc_ecal")) == pytest.approx(30.3)
    assert median_pitch(load_detector("luxe_ecal")) == pytest.approx(5.0)


def test_unknown_observable_is_refused_with_the_near_miss():
    with pytest.raises(CalokitError, match="width_x"):
        calculate(shower_of({})).column("widthx")


def dense_shape(showers, depth_mm, threshold):
    """Return asymmetries and widths along and across the momentum from all cells, empty or not."""
    energies = np.where(showers.energies > threshold, showers.energies, 0.0).astype(np.float64)
    weights = energies / energies.sum(axis=1, keepdims=True)
    directions = showers.directions.astype(np.float64)
    points = showers.positions.astype(np.float64) + depth_mm * directions[:, :2] / directions[:, 2:]
    axes = directions[:, :2] / np.linalg.norm(directions[:, :2], axis=1, keepdims=True)
    x, y = showers.detector.cells.x - points[:, :1], showers.detector.cells.y - points[:, 1:]
    along, across = x * axes[:, :1] + y * axes[:, 1:], y * axes[:, :1] - x * axes[:, 1:]
    asymmetries = [(weights * np.sign(distance)).sum(axis=1) for distance in (along, across)]
    means = [(weights * distance).sum(axis=1, keepdims=True) for distance in (along, across)]
    widths = [
        np.sqrt((weights * (distance - mean) ** 2).sum(axis=1))
        for distance, mean in zip((along, across), means, strict=True)
    ]
    return [*asymmetries, *widths]


def test_shapes_along_the_momentum_agree_with_the_dense_calculation():
    showers = toy_showers(3, 40)
    generator = np.random.default_rng(4)
    slopes = generator.normal(0.0, 0.2, (40, 2))
    directions = np.column_stack([slopes, np.ones(40)])
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    tilted = replace(showers, directions=directions.astype(np.float32))
    calculator = ObservableCalculator(tilted.detector, 0.1)
    found, expected = calculator(tilted), dense_shape(tilted, calculator.middle_mm, 0.1)
    for name, values in zip(ALONG_MOMENTUM, expected, strict=True):
        assert found.column(name) == pytest.approx(values, abs=1e-9), name
        assert getattr(momentum_shape(tilted, calculator.middle_mm, 0.1), name) == pytest.approx(values)
    assert ALONG_MOMENTUM[0] not in high_level_features(tilted, 0.1)[1]
    assert ALONG_MOMENTUM[0] not in calculator(showers).names
