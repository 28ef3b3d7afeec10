"""Which cell holds a point, or has given indices, for every kind of readout."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calokit.detector import Detector, list_detectors, load_detector
from calokit.detector.locate import OUTSIDE, index_cells, locate_cells, locate_layers
from calokit.errors import DetectorError


@pytest.mark.parametrize("name", list_detectors())
def test_the_centre_of_every_cell_lies_in_it(name: str) -> None:
    detector = load_detector(name)
    cells = detector.cells
    # A full ring has its centre on the axis: step out to its radius.
    ring = np.hypot(cells.x, cells.y) < cells.radius - 1e-6
    x = np.where(ring, cells.radius, cells.x)
    found = locate_cells(detector, cells.layer, x, np.where(ring, 0.0, cells.y))
    assert (found == np.arange(len(cells))).all()
    known = ~np.isnan(cells.z)
    if known.all():
        assert (locate_layers(detector, cells.z) == cells.layer).all()


pitches = st.floats(0.01, 500.0)
radii = st.lists(st.integers(0, 4000), min_size=2, max_size=6, unique=True).map(
    lambda edges: [edge / 4 for edge in sorted(edges)]
)
readouts = st.one_of(
    st.fixed_dictionaries(
        {
            "kind": st.just("cartesian"),
            "rows": st.integers(1, 12),
            "columns": st.integers(1, 12),
            "row_pitch_mm": pitches,
            "column_pitch_mm": pitches,
        }
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("cylindrical"),
            "phi_bins": st.integers(2, 30),
            "phi_start_rad": st.floats(-4.0, 4.0),
            "r_edges_mm": radii,
        }
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("rings"),
            "layers": st.lists(
                st.fixed_dictionaries({"alpha_bins": st.integers(2, 12), "r_edges_mm": radii}),
                min_size=1,
                max_size=4,
            ).map(lambda layers: [{"id": number, **layer} for number, layer in enumerate(layers)]),
        }
    ),
)


@given(readout=readouts, layers=st.integers(1, 4))
@settings(max_examples=100, deadline=None)
def test_any_readout_finds_the_centres_of_its_cells(readout: dict[str, object], layers: int) -> None:
    section: dict[str, object] = {"name": "all", "readout": readout}
    if readout["kind"] != "rings":
        section["layers"] = layers
    detector = Detector.from_mapping({"name": "any", "title": "any", "sections": [section]}, "here")
    cells = detector.cells
    found = locate_cells(detector, cells.layer, cells.x, cells.y)
    np.testing.assert_array_equal(found, np.arange(len(cells)))


@pytest.mark.parametrize("name", ["zdc_ecal_hcal", "luxe_ecal", "par04_siw", "calochallenge_1_photons"])
def test_indices_count_in_file_order(name: str) -> None:
    detector = load_detector(name)
    layer = row = column = np.zeros(0, dtype=np.int64)
    number = 0
    for section in detector.sections:
        for grid in section.readout.grids(section.number_of_layers):
            rows, columns = np.indices(grid.shape).reshape(2, -1)
            layer = np.concatenate([layer, np.full(len(rows), number)])
            row, column = np.concatenate([row, rows]), np.concatenate([column, columns])
            number += 1
    assert (index_cells(detector, layer, row, column) == np.arange(detector.number_of_cells)).all()


@pytest.mark.parametrize(
    ("layer", "row", "column"), [(-1, 0, 0), (20, 0, 0), (0, 110, 0), (0, -1, 0), (0, 0, 11), (0, 0, -1)]
)
def test_indices_outside_are_no_cell(layer: int, row: int, column: int) -> None:
    assert index_cells(load_detector("luxe_ecal"), [layer], [row], [column]).tolist() == [OUTSIDE]


def test_a_cell_holds_its_lower_edges_alone(zdc: Detector) -> None:
    edge = 303.0
    assert locate_cells(zdc, [0] * 4, [-edge, edge, 0.0, 0.0], [0.0, 0.0, -edge, edge]).tolist() == [
        10,
        OUTSIDE,
        200,
        OUTSIDE,
    ]


def test_points_go_to_the_section_of_their_layer() -> None:
    detector = load_detector("zdc_ecal_hcal")
    layers = locate_layers(detector, detector.layer_z)
    assert layers.tolist() == list(range(detector.number_of_layers))
    first_of_hcal = detector.sections[0].number_of_cells
    found = int(locate_cells(detector, [1], [1.0], [1.0])[0])
    assert found >= first_of_hcal
    assert detector.cells.section[found] == 1


def test_nothing_lies_in_the_gap_between_sections() -> None:
    detector = load_detector("zdc_ecal_hcal")
    middle = detector.layer_edges[:2].ravel()[1:3].mean()
    assert detector.layer_edges[0, 1] < detector.layer_edges[1, 0]
    assert locate_layers(detector, [middle]).tolist() == [OUTSIDE]


def test_angles_count_from_the_readout_and_close_the_circle() -> None:
    detector = load_detector("par04_siw")
    readout = detector.sections[0].readout
    angle = np.asarray(readout.grids(1)[0].angle_edges[:-1]) + 1e-9
    found = locate_cells(detector, np.zeros(16, dtype=int), 5 * np.cos(angle), 5 * np.sin(angle))
    assert found.tolist() == [9 * k + 1 for k in range(16)]


def test_points_that_are_no_numbers_lie_outside(zdc: Detector) -> None:
    assert locate_cells(zdc, [0, 0], [np.nan, np.inf], [0.0, 0.0]).tolist() == [OUTSIDE, OUTSIDE]


def test_layers_of_unknown_depth_are_refused() -> None:
    with pytest.raises(DetectorError, match="layer_edges_mm"):
        locate_layers(load_detector("calochallenge_1_photons"), [1.0])
