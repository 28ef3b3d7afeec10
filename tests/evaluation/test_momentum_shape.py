"""Asymmetries, widths and sparsity along and across the momentum, on blobs of known shape."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from calokit.detector import Detector
from calokit.errors import CalokitError
from calokit.evaluation.samples.momentum_shape import SPARSITY_PARTS, momentum_shape
from calokit.showers import Showers

PITCH = 1.0
PLANE = Detector.from_mapping(
    {
        "name": "plane",
        "title": "Cells of 1 mm",
        "sections": [
            {
                "name": "only",
                "layers": 1,
                "readout": {
                    "kind": "cartesian",
                    "rows": 41,
                    "columns": 41,
                    "row_pitch_mm": PITCH,
                    "column_pitch_mm": PITCH,
                },
            }
        ],
    },
    "test",
)


def blob(angle, impact=(0.0, 0.0), along=3.0, across=1.0, slope=0.2, shift=0.0):
    """Return one shower: a Gaussian about the impact, moved along the momentum by `shift`."""
    cells = PLANE.cells
    cosine, sine = math.cos(angle), math.sin(angle)
    x, y = cells.x - impact[0], cells.y - impact[1]
    u, v = cosine * x + sine * y - shift, cosine * y - sine * x
    energies = np.exp(-0.5 * ((u / along) ** 2 + (v / across) ** 2))[None, :]
    direction = np.array([[slope * cosine, slope * sine, 1.0]])
    direction /= np.linalg.norm(direction)
    return Showers(
        energies.astype(np.float32),
        np.array([100.0], np.float32),
        PLANE,
        np.array([impact], np.float32),
        direction.astype(np.float32),
    )


@pytest.mark.parametrize("degrees", [0, 17, 45, 90, 135, 200, 301])
def test_widths_of_a_blob_are_recovered_in_every_direction(degrees):
    shape = momentum_shape(blob(math.radians(degrees)), z_max_mm=0.0)
    assert shape.width_along.item() == pytest.approx(3.0, rel=2e-5)
    assert shape.width_across.item() == pytest.approx(1.0, rel=2e-5)
    assert shape.offset_x.item() == pytest.approx(0.0, abs=1e-4)


def test_widths_hold_the_size_of_the_cells():
    """Energies integrated over the cells have the variance sigma^2 + pitch^2 / 12."""
    edges = np.arange(-20.5, 21.0)
    rows, columns = (np.diff(norm.cdf(edges, scale=sigma)) for sigma in (3.0, 1.0))
    image = np.outer(rows, columns).ravel()[None, :]
    one = blob(0.0)
    whole = Showers(image.astype(np.float32), one.incident_energies, PLANE, one.positions, one.directions)
    shape = momentum_shape(whole, z_max_mm=0.0)
    assert shape.width_along.item() == pytest.approx(math.sqrt(9 + PITCH**2 / 12), rel=1e-5)
    assert shape.width_across.item() == pytest.approx(math.sqrt(1 + PITCH**2 / 12), rel=1e-5)


def test_a_blob_on_the_reference_point_is_balanced_and_one_ahead_is_not():
    for degrees in (0, 30, 120, 250):
        angle = math.radians(degrees)
        depth, slope = 20.0, 0.2
        on = momentum_shape(
            blob(angle, along=4.0, across=3.0, shift=depth * slope, slope=slope), z_max_mm=depth
        )
        assert on.asymmetry_along.item() == pytest.approx(0.0, abs=0.02)
        assert on.asymmetry_across.item() == pytest.approx(0.0, abs=0.02)
        assert np.hypot(on.offset_x, on.offset_y).item() == pytest.approx(0.0, abs=1e-3)
        ahead = momentum_shape(blob(angle, shift=3.0), z_max_mm=0.0)
        assert ahead.asymmetry_along.item() == pytest.approx(2 * norm.cdf(1.0) - 1, abs=0.03)
        behind = momentum_shape(blob(angle, shift=-3.0), z_max_mm=0.0)
        assert behind.asymmetry_along.item() == pytest.approx(-ahead.asymmetry_along.item(), abs=1e-4)


def test_left_is_the_side_that_x_turns_to():
    shower = blob(0.0)
    moved = np.roll(shower.energies.reshape(41, 41), 1, axis=1).reshape(1, -1)  # one cell towards y
    shape = momentum_shape(
        Showers(moved, shower.incident_energies, PLANE, shower.positions, shower.directions), z_max_mm=0.0
    )
    assert shape.asymmetry_across.item() > 0.5
    assert shape.offset_y.item() == pytest.approx(1.0, abs=1e-3)


@settings(max_examples=30, deadline=None)
@given(
    st.floats(0, 6.28), st.floats(0.8, 3.0), st.floats(0.8, 3.0), st.floats(-4.0, 4.0), st.floats(-4.0, 4.0)
)
def test_a_quarter_turn_of_image_and_momentum_changes_nothing(angle, along, across, x, y):
    shower = blob(angle, (x, y), along, across, shift=1.0)
    turned_image = np.rot90(shower.energies.reshape(41, 41), -1)  # row is x, column is y: (x, y) to (y, -x)
    turned = Showers(
        np.ascontiguousarray(turned_image).reshape(1, -1),
        shower.incident_energies,
        PLANE,
        shower.positions[:, ::-1] * np.array([1, -1], np.float32),
        shower.directions[:, [1, 0, 2]] * np.array([1, -1, 1], np.float32),
    )
    first, second = (momentum_shape(showers, z_max_mm=3.3).matrix()[0] for showers in (shower, turned))
    assert first[:, 2:] == pytest.approx(second[:, 2:], abs=1e-4)
    # a cell whose centre lies on the line may fall on either side by rounding
    assert first[:, :2] == pytest.approx(second[:, :2], abs=0.25)
    assert np.all(np.abs(first[:, :2]) <= 1.0)


def test_sparsity_counts_cells_above_parts_of_the_visible_energy():
    energies = np.zeros((1, len(PLANE.cells)), np.float32)
    energies[0, :3] = (90.0, 9.0, 1.0)
    one = blob(0.0)
    shape = momentum_shape(Showers(energies, one.incident_energies, PLANE, one.positions, one.directions))
    cells = len(PLANE.cells)
    expected = [sum(part <= held for held in (0.9, 0.09, 0.01)) / cells for part in SPARSITY_PARTS]
    assert shape.sparsity[0].tolist() == pytest.approx(expected)
    assert shape.matrix()[0].shape == (1, 54)
    assert len(set(shape.matrix()[1])) == 54


def test_empty_showers_and_showers_along_the_axis_are_finite():
    one = blob(0.0, slope=0.0)
    empty = Showers(np.zeros_like(one.energies), one.incident_energies, PLANE, one.positions, one.directions)
    assert not momentum_shape(empty).matrix()[0].any()
    straight = momentum_shape(one)
    assert straight.width_along.item() == pytest.approx(3.0, rel=1e-4)
    assert momentum_shape(one[np.zeros(0, int)]).matrix()[0].shape == (0, 54)


def test_blocks_change_nothing(monkeypatch):
    many = [blob(angle) for angle in (0.1, 0.5, 0.9, 2.0, 3.0)]
    names = ("energies", "incident_energies")
    arrays = [np.concatenate([getattr(shower, name) for shower in many]) for name in names]
    positions, directions = (
        np.concatenate([getattr(shower, name) for shower in many]) for name in ("positions", "directions")
    )
    showers = Showers(*arrays, PLANE, positions, directions)
    whole = momentum_shape(showers).matrix()[0]
    monkeypatch.setattr("calokit.evaluation.samples.momentum_shape.BLOCK_VALUES", 2 * len(PLANE.cells))
    assert np.array_equal(momentum_shape(showers).matrix()[0], whole)


def test_showers_without_direction_or_backward_are_refused():
    one = blob(0.0)
    with pytest.raises(CalokitError, match="no directions"):
        momentum_shape(Showers(one.energies, one.incident_energies, PLANE, one.positions))
    with pytest.raises(CalokitError, match="no positions"):
        momentum_shape(Showers(one.energies, one.incident_energies, PLANE))
    with pytest.raises(CalokitError, match="shower 0"):
        momentum_shape(Showers(one.energies, one.incident_energies, PLANE, one.positions, -one.directions))
