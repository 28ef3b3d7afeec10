"""Showers in memory, and which of them may do what."""

from __future__ import annotations

import math

import numpy as np
import pytest

from calokit.detector import Detector, load_detector
from calokit.errors import DetectorError, ShowerFileError, SplitError
from calokit.showers import Showers, Split, concatenate, direction_components
from calokit.showers.splits import parse_split, split_range
from made_up_runs import MakeShowers


def ones(detector: Detector, count: int = 2) -> dict[str, object]:
    return {
        "energies": np.ones((count, detector.number_of_cells), np.float32),
        "incident_energies": np.full(count, 1e3, np.float32),
        "detector": detector,
    }


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("energies", (2, 399)),
        ("energies", (3, 400)),
        ("energies", (2, 1, 20, 20)),
        ("incident_energies", (2, 1)),
        ("positions", (2, 3)),
        ("positions", (1, 2)),
        ("directions", (2, 2)),
    ],
)
def test_arrays_that_do_not_fit_are_refused(zdc: Detector, name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ShowerFileError, match=name) as caught:
        Showers(**{**ones(zdc), name: np.ones(shape, np.float32)})
    assert str(shape) in str(caught.value)
    assert "zdc_ecal" in str(caught.value)


@pytest.mark.parametrize(
    ("index", "kept"),
    [
        (slice(2, 5), [2, 3, 4]),
        (slice(None, None, 3), [0, 3, 6]),
        (np.array([5, 1]), [5, 1]),
        (np.arange(7) % 2 == 1, [1, 3, 5]),
        (4, [4]),
        (-1, [6]),
        (np.int64(2), [2]),
    ],
)
def test_indexing_moves_every_column_alike(make_showers: MakeShowers, index: object, kept: list[int]) -> None:
    showers = make_showers(7, 3)
    picked = showers[index]
    assert len(picked) == len(kept)
    for name in ("energies", "incident_energies", "positions", "directions"):
        np.testing.assert_array_equal(getattr(picked, name), getattr(showers, name)[kept])
    assert picked.detector is showers.detector


def test_index_outside_is_refused(make_showers: MakeShowers) -> None:
    with pytest.raises(IndexError):
        make_showers(7, 3)[7]


def test_visible_energy_is_summed_in_double_precision(zdc: Detector) -> None:
    energies = np.full((1, 400), 0.1, np.float32)
    energies[0, 0] = 2.0**24
    showers = Showers(energies, np.array([1e9], np.float32), zdc)
    assert showers.visible_energies[0] == 2.0**24 + 399 * float(np.float32(0.1))


def test_images_are_in_file_order(zdc: Detector) -> None:
    showers = Showers(np.arange(400, dtype=np.float32)[None], np.ones(1, np.float32), zdc)
    assert showers.images.shape == (1, 1, 20, 20)
    assert showers.images[0, 0, 6, 10] == 130
    assert np.shares_memory(showers.images, showers.energies)
    assert zdc.cells.x[130] == pytest.approx((6 - 9.5) * 30.3)
    assert zdc.cells.y[130] == pytest.approx((10 - 9.5) * 30.3)


def test_images_of_a_layered_detector() -> None:
    luxe = load_detector("luxe_ecal")
    energies = np.zeros((2, luxe.number_of_cells), np.float32)
    energies[1, (3 * 110 + 20) * 11 + 7] = 5.0
    images = Showers(energies, np.ones(2, np.float32), luxe).images
    assert images.shape == (2, 20, 110, 11)
    assert images[1, 3, 20, 7] == 5.0


def test_threshold_cuts_at_and_below(zdc: Detector) -> None:
    energies = np.zeros((1, 400), np.float32)
    energies[0, :3] = [0.25, np.nextafter(np.float32(0.25), np.float32(1)), 3.0]
    showers = Showers(energies, np.ones(1, np.float32), zdc)
    cut = showers.with_threshold(0.25)
    assert np.flatnonzero(cut.energies[0]).tolist() == [1, 2]
    assert cut.energies.dtype == np.float32
    assert showers.energies[0, 0] == 0.25


def test_conditions_have_known_values(zdc: Detector) -> None:
    showers = Showers(
        **ones(zdc, 1),
        positions=np.array([[3.0, -4.0]], np.float32),
        directions=np.array([[0.6, 0.0, 0.8]], np.float32),
    )
    columns, names = showers.conditions()
    assert names == ["ln incident energy", "impact x", "impact y", "theta cos phi", "theta sin phi"]
    np.testing.assert_allclose(columns, [[math.log(1e3), 3.0, -4.0, math.asin(0.6), 0.0]], rtol=1e-6)
    assert columns.dtype == np.float64


def test_conditions_know_only_what_is_known(zdc: Detector) -> None:
    assert Showers(**ones(zdc)).conditions()[1] == ["ln incident energy"]
    with_directions = Showers(**ones(zdc), directions=np.tile(np.array([0, 0, 1], np.float32), (2, 1)))
    columns, names = with_directions.conditions()
    assert names == ["ln incident energy", "theta cos phi", "theta sin phi"]
    assert np.all(columns[:, 1:] == 0.0)


@pytest.mark.parametrize("theta", [0.0, 1e-12, 1e-4, 0.3, math.pi / 2, 2.0])
@pytest.mark.parametrize("phi", [0.0, 1.0, -2.5])
def test_direction_components_give_the_angles_back(theta: float, phi: float) -> None:
    direction = [math.sin(theta) * math.cos(phi), math.sin(theta) * math.sin(phi), math.cos(theta)]
    found = direction_components(np.array([direction]))[0]
    np.testing.assert_allclose(found, [theta * math.cos(phi), theta * math.sin(phi)], rtol=1e-12, atol=1e-15)


def test_direction_components_pass_smoothly_through_the_axis() -> None:
    tilt = np.linspace(-1e-3, 1e-3, 201)
    directions = np.stack([np.sin(tilt), np.zeros_like(tilt), np.cos(tilt)], axis=1)
    found = direction_components(directions)
    np.testing.assert_allclose(found[:, 0], tilt, atol=1e-15)
    np.testing.assert_allclose(np.diff(found[:, 0]), 1e-5, rtol=1e-9)
    assert np.all(found[:, 1] == 0.0)


def test_concatenate_keeps_order(make_showers: MakeShowers) -> None:
    showers = make_showers(9, 2)
    joined = concatenate([showers[:4], showers[4:5], showers[5:]])
    for name in ("energies", "incident_energies", "positions", "directions"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(showers, name))


@pytest.mark.parametrize("name", ["positions", "directions"])
def test_concatenate_refuses_what_only_some_know(make_showers: MakeShowers, zdc: Detector, name: str) -> None:
    showers = make_showers(4, 2)
    other = {"positions": showers.positions, "directions": showers.directions, name: None}
    without = Showers(showers.energies, showers.incident_energies, zdc, **other)
    with pytest.raises(ShowerFileError, match=name):
        concatenate([showers, without])
    assert getattr(concatenate([without, without]), name) is None


def test_concatenate_refuses_nothing_and_other_detectors(make_showers: MakeShowers) -> None:
    with pytest.raises(ShowerFileError, match="no showers"):
        concatenate([])
    lhcb = load_detector("lhcb_ecal")
    other = Showers(np.zeros((1, 900), np.float32), np.ones(1, np.float32), lhcb)
    with pytest.raises(DetectorError, match="zdc_ecal, lhcb_ecal"):
        concatenate([make_showers(1, 1), other])


SPLITS = [
    (None, Split.TRAIN, (0, 60)),
    (None, Split.VALIDATION, (60, 80)),
    (None, Split.TEST, (80, 100)),
    (Split.ALL, Split.TRAIN, (0, 60)),
    (Split.ALL, Split.VALIDATION, (60, 80)),
    (Split.ALL, Split.TEST, (80, 100)),
    (Split.TRAIN, Split.TRAIN, (0, 90)),
    (Split.TRAIN, Split.VALIDATION, (90, 100)),
    (Split.TRAIN, Split.TEST, None),
    (Split.VALIDATION, Split.TRAIN, None),
    (Split.VALIDATION, Split.VALIDATION, (0, 100)),
    (Split.VALIDATION, Split.TEST, None),
    (Split.TEST, Split.TRAIN, None),
    (Split.TEST, Split.VALIDATION, None),
    (Split.TEST, Split.TEST, (0, 100)),
]


@pytest.mark.parametrize(("meant_for", "asked", "expected"), SPLITS)
def test_split_rule(meant_for: Split | None, asked: Split, expected: tuple[int, int] | None) -> None:
    if expected is None:
        with pytest.raises(SplitError, match=f"meant for {meant_for} and has no {asked} showers"):
            split_range(100, asked, meant_for)
    else:
        assert split_range(100, asked, meant_for) == expected


@pytest.mark.parametrize("meant_for", [None, *Split])
def test_all_is_always_everything(meant_for: Split | None) -> None:
    assert split_range(17, Split.ALL, meant_for) == (0, 17)


@pytest.mark.parametrize("meant_for", [None, Split.TRAIN])
@pytest.mark.parametrize("count", range(40))
def test_splits_never_overlap_and_leave_nothing_out(count: int, meant_for: Split | None) -> None:
    parts = [Split.TRAIN, Split.VALIDATION, *([Split.TEST] if meant_for is None else [])]
    covered = [event for part in parts for event in range(*split_range(count, part, meant_for))]
    assert covered == list(range(count))


def test_unknown_split_names_the_near_miss() -> None:
    with pytest.raises(SplitError, match="Did you mean 'train'"):
        parse_split("training")
    assert parse_split("test") is Split.TEST
