"""Cells as images: every bin knows its cell, and folding undoes unfolding on every detector."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from calokit.detector import Detector, list_detectors, load_detector
from calokit.detector.images import CellImage, cartesian_image, cell_images
from calokit.errors import ConfigurationError

REGULAR = ("clic_ecal", "lhcb_ecal", "luxe_ecal", "par04_siw", "zdc_ecal", "zdc_ecal_hcal")
UNEVEN = ("calochallenge_1_photons", "calochallenge_1_pions")

rings_of = st.lists(
    st.tuples(
        st.integers(1, 12),
        st.lists(st.integers(0, 40), min_size=2, max_size=6, unique=True).map(sorted),
    ),
    min_size=1,
    max_size=4,
)


def ring_detector(layers: list[tuple[int, list[int]]]) -> Detector:
    """Return a detector of rings with so many angles and such radii in each layer."""
    return Detector.from_mapping(
        {
            "name": "rings",
            "title": "rings",
            "sections": [
                {
                    "name": "all",
                    "readout": {
                        "kind": "rings",
                        "layers": [
                            {"id": number, "alpha_bins": angles, "r_edges_mm": [float(r) for r in radii]}
                            for number, (angles, radii) in enumerate(layers)
                        ],
                    },
                }
            ],
        },
        "here",
    )


def centres(image: CellImage) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y (slow, fast) of the middle of every bin, mm."""
    slow, fast = (0.5 * (axis.edges[1:] + axis.edges[:-1]) for axis in (image.slow, image.fast))
    first, second = np.meshgrid(slow, fast, indexing="ij")
    return (second * np.cos(first), second * np.sin(first)) if image.slow.periodic else (first, second)


@pytest.mark.parametrize("name", list_detectors())
def test_fold_undoes_unfold(name: str) -> None:
    detector = load_detector(name)
    values = np.random.default_rng(1).normal(size=(2, detector.number_of_cells))
    folded = [image.fold(image.unfold(values)) for image in cell_images(detector)]
    np.testing.assert_allclose(np.concatenate(folded, axis=1), values, rtol=1e-12)


@pytest.mark.parametrize("name", list_detectors())
def test_every_cell_is_in_the_image_of_its_section_and_layer(name: str) -> None:
    detector = load_detector(name)
    cells, first_layer = detector.cells, 0
    for number, image in enumerate(cell_images(detector)):
        for layer, index in enumerate(image.index):
            here = np.unique(index[index >= 0])
            belongs = (cells.section == number) & (cells.layer == first_layer + layer)
            np.testing.assert_array_equal(here, np.flatnonzero(belongs))
        first_layer += len(image.index)


@pytest.mark.parametrize("name", REGULAR)
def test_regular_images_are_views_and_their_bins_lie_where_the_cells_are(name: str) -> None:
    detector = load_detector(name)
    values = np.random.default_rng(2).random((1, detector.number_of_cells))
    for image in cell_images(detector):
        assert image.is_regular
        unfolded = image.unfold(values)
        assert np.shares_memory(unfolded, values)
        np.testing.assert_array_equal(image.sum_layers(values), unfolded.sum(axis=1))
        x, y = centres(image)
        np.testing.assert_allclose(image.unfold(detector.cells.x), np.broadcast_to(x, image.shape), atol=1e-6)
        np.testing.assert_allclose(image.unfold(detector.cells.y), np.broadcast_to(y, image.shape), atol=1e-6)


@pytest.mark.parametrize("name", UNEVEN)
def test_uneven_rings_repeat_a_cell_over_its_bins(name: str) -> None:
    detector = load_detector(name)
    (image,) = cell_images(detector)
    assert not image.is_regular
    assert image.slow.periodic
    assert not image.fast.periodic
    radius = 0.5 * (image.fast.edges[1:] + image.fast.edges[:-1])
    edges = [layer.r_edges_mm for layer in detector.sections[0].readout.layers]
    for layer, (index, own) in enumerate(zip(image.index, edges, strict=True)):
        inside = (radius > own[0]) & (radius < own[-1])
        assert ((index >= 0) == inside).all(), layer
        middles = 0.5 * (np.array(own[1:]) + np.array(own[:-1]))
        expected = middles[np.searchsorted(own, radius[inside]) - 1]
        found = detector.cells.radius[index[:, inside]]
        np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape))
    with pytest.raises(ConfigurationError, match="differ from layer to layer"):
        image.sum_layers(np.zeros(detector.number_of_cells))


@given(layers=rings_of, data=st.data())
@settings(max_examples=50, deadline=None)
def test_any_rings_fold_back(layers: list[tuple[int, list[int]]], data: st.DataObject) -> None:
    detector = ring_detector(layers)
    values = data.draw(arrays(np.float64, detector.number_of_cells, elements=st.floats(-1e6, 1e6)))
    (image,) = cell_images(detector)
    np.testing.assert_allclose(image.fold(image.unfold(values)), values, rtol=1e-9, atol=1e-9)
    areas = [grid.areas() for grid in detector.sections[0].readout.grids(len(layers))]
    covered = np.where(image.index >= 0, image.area, 0.0)
    whole = np.bincount(image.index[image.index >= 0], weights=covered[image.index >= 0])
    np.testing.assert_allclose(whole, np.concatenate(areas), rtol=1e-9)


def test_fold_is_the_mean_by_area() -> None:
    (image,) = cell_images(ring_detector([(1, [0, 2]), (1, [0, 1, 2])]))
    images = np.zeros(image.shape)
    images[0, 0] = [4.0, 8.0]
    # the inner disc has a quarter of the area
    np.testing.assert_allclose(image.fold(images), [7.0, 0.0, 0.0])
    assert image.unfold(np.array([1.0, 2.0, 3.0])).tolist() == [[[1.0, 1.0]], [[2.0, 3.0]]]


def test_bins_without_a_cell_hold_what_is_asked_for() -> None:
    (image,) = cell_images(ring_detector([(2, [0, 1]), (2, [1, 3])]))
    unfolded = image.unfold(np.ones(4), nothing=-7.0)
    assert unfolded.tolist() == [[[1.0, -7.0], [1.0, -7.0]], [[-7.0, 1.0], [-7.0, 1.0]]]


def test_sections_lie_one_after_the_other() -> None:
    detector = load_detector("zdc_ecal_hcal")
    one, two = cell_images(detector)
    assert (one.cells.start, one.cells.stop, two.cells.stop) == (
        0,
        two.cells.start,
        detector.number_of_cells,
    )
    values = np.zeros(detector.number_of_cells)
    values[two.cells.start] = 5.0
    assert two.sum_layers(values)[0, 0] == 5.0
    assert one.sum_layers(values).sum() == 0.0


def test_who_needs_one_cartesian_section_says_so() -> None:
    assert cartesian_image(load_detector("luxe_ecal"), "this").slow.pitch == 5.0
    with pytest.raises(ConfigurationError, match=r"this needs one Cartesian section.*rings"):
        cartesian_image(load_detector("calochallenge_1_photons"), "this")
