from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from calokit.detector import CartesianReadout, Detector, describe_detector, list_detectors, load_detector
from calokit.errors import CalokitError, ConfigurationError, DetectorError

SHOWERS = Path(__file__).resolve().parents[3] / "shared" / "showers"

SMALL: dict[str, Any] = {
    "name": "small",
    "title": "Two layers of lead and silicon",
    "sections": [
        {
            "name": "ECAL",
            "readout": {
                "kind": "cartesian",
                "rows": 3,
                "columns": 4,
                "row_pitch_mm": 10.0,
                "column_pitch_mm": 5.0,
            },
            "repeats": 4,
            "layers_per_readout": 2,
            "slabs": [
                {"material": "G4_Pb", "thickness_mm": 5.612},
                {"material": "G4_Si", "thickness_mm": 1.0, "sensitive": True},
            ],
        }
    ],
}


def small(**section: Any) -> dict[str, Any]:
    mapping = copy.deepcopy(SMALL)
    mapping["sections"][0].update(section)
    return mapping


@pytest.mark.parametrize(
    ("name", "cells", "layers", "shape"),
    [
        ("zdc_ecal", 400, 1, (1, 20, 20)),
        ("luxe_ecal", 24200, 20, (20, 110, 11)),
        ("clic_ecal", 15625, 25, (25, 25, 25)),
        ("clic_ecal_51x51", 65025, 25, (25, 51, 51)),
        ("lhcb_ecal", 900, 1, (1, 30, 30)),
        ("par04_siw", 6480, 45, (45, 16, 9)),
        ("par04_siw_fine", 40500, 45, (45, 50, 18)),
        ("calochallenge_1_photons", 368, 5, None),
        ("calochallenge_1_pions", 533, 7, None),
        ("zdc_ecal_hcal", 400 + 102400, 65, None),
    ],
)
def test_presets_have_the_cells_of_their_sources(
    name: str, cells: int, layers: int, shape: tuple[int, int, int] | None
) -> None:
    detector = load_detector(name)
    assert detector.name == name
    assert detector.number_of_cells == cells == len(detector.cells)
    assert detector.number_of_layers == layers
    assert detector.cells.layer.max() == layers - 1
    if shape is not None:
        assert detector.shape == shape
    else:
        with pytest.raises(DetectorError, match="shape"):
            _ = detector.shape


def test_every_preset_is_tested_and_described() -> None:
    assert len(list_detectors()) == 10
    for name in list_detectors():
        rows = dict(describe_detector(load_detector(name)))
        assert rows["cells"] == str(load_detector(name).number_of_cells)
        assert rows["digest"] == load_detector(name).digest()


def test_cells_stand_where_row_is_x_and_column_is_y() -> None:
    cells = Detector.from_mapping(SMALL, "here").cells
    assert len(cells) == 24
    np.testing.assert_allclose(cells.x[:12].reshape(3, 4)[:, 0], [-10.0, 0.0, 10.0])
    np.testing.assert_allclose(cells.y[:4], [-7.5, -2.5, 2.5, 7.5])
    np.testing.assert_allclose(cells.z[[0, 12]], [6.612, 3 * 6.612])
    np.testing.assert_allclose(cells.radius, np.hypot(cells.x, cells.y))
    assert not cells.x.flags.writeable


def test_cell_index_of_the_documents_is_the_central_cell() -> None:
    cells = load_detector("zdc_ecal").cells
    assert (cells.x[210], cells.y[210]) == pytest.approx((15.15, 15.15))
    assert cells.x[130] == pytest.approx((6 - 9.5) * 30.3)
    assert cells.z[0] == 35.0


@pytest.mark.parametrize("name", ["luxe_ecal", "par04_siw", "zdc_ecal_hcal"])
def test_cell_volumes_sum_to_the_volume_that_is_read_out(name: str) -> None:
    detector = load_detector(name)
    for number, section in enumerate(detector.sections):
        width, height = section.readout.extent_mm
        area = width * height if isinstance(section.readout, CartesianReadout) else math.pi * width**2 / 4
        total = detector.cells.volume[detector.cells.section == number].sum()
        assert total == pytest.approx(area * section.layer_edges[-1])


def test_sections_follow_each_other_in_depth() -> None:
    detector = load_detector("zdc_ecal_hcal")
    np.testing.assert_allclose(detector.section_fronts, [0.0, 85.0])
    assert detector.front_mm + detector.section_fronts[1] == pytest.approx(35800.0)
    assert detector.sections[1].repeat_mm == pytest.approx(24.9)
    assert detector.sections[1].depth_mm == pytest.approx(1613.6)
    assert detector.layer_z[1] == pytest.approx(85.0 + 12.45)
    assert detector.sensitive_z[1] == pytest.approx(85.0 + 20.2 + 0.4 + 0.15 + 1.5)
    assert detector.cells.section[[399, 400]].tolist() == [0, 1]


def test_corner_cell_has_two_neighbours_in_its_layer_and_one_behind() -> None:
    neighbours = load_detector("luxe_ecal").cells.neighbours()
    assert neighbours.dtype == bool
    assert sorted(neighbours[[0]].indices.tolist()) == [1, 11, 1210]
    inner = 5 * 1210 + 50 * 11 + 5
    expected = [inner - 1210, inner - 11, inner - 1, inner + 1, inner + 11, inner + 1210]
    assert sorted(neighbours[[inner]].indices.tolist()) == expected
    assert (neighbours != neighbours.T).nnz == 0
    assert neighbours.diagonal().sum() == 0


def test_angles_close_to_a_circle() -> None:
    neighbours = load_detector("par04_siw").cells.neighbours()
    outermost = 8
    assert sorted(neighbours[[outermost]].indices.tolist()) == [7, 8 + 9, 15 * 9 + 8, 144 + 8]


def test_neighbours_across_uneven_layers_lie_behind_each_other() -> None:
    neighbours = load_detector("calochallenge_1_photons").cells.neighbours()
    # the innermost ring of layer 0 (0 to 5 mm) covers the radii 0-2, 2-4, 4-6 of ten angles in layer 1
    behind = sorted(index for index in neighbours[[0]].indices.tolist() if index >= 8)
    assert behind == sorted(8 + 16 * angle + radius for angle in range(10) for radius in range(3))


def test_neighbours_across_sections_overlap() -> None:
    neighbours = load_detector("zdc_ecal_hcal").cells.neighbours()
    assert sorted(neighbours[[0]].indices.tolist()) == [1, 20, 400, 401, 440, 441]


def test_polar_cells_have_their_radius_and_angle() -> None:
    cells = load_detector("par04_siw").cells
    assert cells.radius[8] == pytest.approx(8.5 * 4.65)
    assert math.atan2(cells.y[8], cells.x[8]) == pytest.approx(math.pi / 16)
    rings = load_detector("calochallenge_1_photons").cells
    assert (rings.x[0], rings.y[0], rings.radius[0]) == (0.0, 0.0, 2.5)
    assert rings.radius[8 + 1] == 3.0
    assert math.atan2(rings.y[8], rings.x[8]) == pytest.approx(-0.9 * math.pi)
    assert np.isnan(rings.z).all()
    assert np.isnan(rings.volume).all()


def test_ring_layers_have_the_published_bins() -> None:
    readout = load_detector("calochallenge_1_pions").sections[0].readout
    assert readout.kind == "rings"
    bins = [(layer.id, layer.alpha_bins, len(layer.r_edges_mm) - 1) for layer in readout.layers]
    assert bins == [(0, 1, 8), (1, 10, 10), (2, 10, 10), (3, 1, 5), (12, 10, 15), (13, 10, 16), (14, 1, 10)]


def test_depth_in_radiation_lengths() -> None:
    assert load_detector("zdc_ecal").radiation_lengths.sum() == pytest.approx(5.8, abs=0.1)
    luxe = load_detector("luxe_ecal")
    np.testing.assert_allclose(luxe.radiation_lengths, 3.5 / 3.504 + 0.32 / 93.7, rtol=1e-3)
    assert luxe.cumulated_radiation_lengths[-1] == pytest.approx(luxe.radiation_lengths.sum())
    grouped = Detector.from_mapping(SMALL, "here")
    np.testing.assert_allclose(grouped.radiation_lengths, 2 * (1.0 + 1.0 / 93.7), rtol=1e-3)
    with pytest.raises(DetectorError, match="no material"):
        _ = load_detector("calochallenge_1_pions").radiation_lengths


def test_a_readout_without_slabs_may_give_its_depths() -> None:
    section = SMALL["sections"][0]
    bare = {
        "name": "bare",
        "title": "Bare",
        "sections": [{"name": "A", "readout": section["readout"], "layers": 2}],
    }
    assert np.isnan(Detector.from_mapping(bare, "here").cells.z).all()
    bare["sections"][0]["layer_edges_mm"] = [0.0, 10.0, 30.0]
    np.testing.assert_allclose(Detector.from_mapping(bare, "here").layer_z, [5.0, 20.0])


def test_hexagonal_tiles_cover_the_section_without_overlap() -> None:
    section = load_detector("zdc_ecal_hcal").sections[1]
    assert section.tiles is not None
    assert section.tiles.area_mm2 == pytest.approx(2545, abs=1)
    layers = [section.tiles.centres(layer, 600.0, 600.0) for layer in range(5)]
    np.testing.assert_allclose(layers[0], layers[4])
    for centres in layers:
        distance = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
        np.fill_diagonal(distance, np.inf)
        assert distance.min() == pytest.approx(math.sqrt(3) * 31.3)
        inside = (np.abs(centres) < 300.0).all(axis=1).sum()
        assert inside == pytest.approx(600.0**2 / 2545, rel=0.08)


def test_description_survives_a_round_trip(tmp_path: Path) -> None:
    for name in list_detectors():
        detector = load_detector(name)
        path = tmp_path / f"{name}_copy.yaml"
        path.write_text(detector.to_yaml(), encoding="utf-8")
        again = load_detector(str(path))
        assert again == detector
        assert again.digest() == detector.digest()
        assert again.cells is detector.cells


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (small(repeat=4), "unknown key 'sections.0.repeat'. Did you mean 'repeats'"),
        (small(slabs=[{"material": "G4_Pb", "thicknes_mm": 1.0}]), "Did you mean 'thickness_mm'"),
        (
            small(slabs=[{"material": "G4_Pb", "thickness_mm": -1.0}]),
            "thickness_mm: Input should be greater than 0",
        ),
        (small(slabs=[{"material": "G4_Pb", "thickness_mm": 1.0}]), "no slab is sensitive"),
        (
            small(slabs=[{"material": "G4_Pbb", "thickness_mm": 1.0, "sensitive": True}]),
            "Did you mean 'G4_Pb'",
        ),
        (small(layers_per_readout=3), "must divide repeats"),
        (small(width_mm=20.0), "smaller than the readout"),
        (small(cell_gap_mm=5.0), "leaves no cell"),
        (small(layers=2), "for a section without slabs"),
        (small(slabs=[], repeats=1, layers_per_readout=1), "needs layers"),
        (small(back_plates=[{"material": "G4_Fe", "thickness_mm": 1.0, "sensitive": True}]), "back plate"),
        ({**SMALL, "sections": SMALL["sections"] * 2}, "names of the sections repeat"),
        ({**SMALL, "sections": []}, "sections"),
        ({**SMALL, "materials": [{"name": "G4_W", "density_g_cm3": 1.0, "atoms": {"W": 1}}]}, "is taken"),
        (small(readout={"kind": "cylindrical", "phi_bins": 4, "r_bins": 2}), "either r_bins and dr_mm"),
        (small(readout={"kind": "cylindrical", "phi_bins": 4, "r_edges_mm": [0, 5, 5]}), "growing radii"),
        (small(readout={"kind": "spherical"}), "spherical"),
    ],
)
def test_impossible_descriptions_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(CalokitError) as caught:
        Detector.from_mapping(changed, "detector.yaml")
    assert message in str(caught.value)
    assert str(caught.value).startswith("detector.yaml: ")


def test_misspelt_key_of_a_readout_offers_the_near_miss() -> None:
    readout = {**SMALL["sections"][0]["readout"], "row_pitchmm": 3.0}
    with pytest.raises(ConfigurationError, match="Did you mean 'row_pitch_mm'"):
        Detector.from_mapping(small(readout=readout), "here")


def test_unknown_names_and_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match=r"unknown detector 'zdc_ecla'\. Did you mean 'zdc_ecal'\?"):
        load_detector("zdc_ecla")
    with pytest.raises(DetectorError, match="does not exist"):
        load_detector(str(tmp_path / "mine.yaml"))
    with pytest.raises(DetectorError, match="unknown material"):
        load_detector("clic_ecal").material("LYSO")


@pytest.mark.skipif(not SHOWERS.is_dir(), reason="the reference showers are not here")
def test_presets_agree_with_the_reference_showers() -> None:
    files = sorted(SHOWERS.glob("*.h5"))
    assert files
    for path in files:
        with h5py.File(path) as file:
            detector = load_detector(str(file.attrs["detector"]))
            geometry = json.loads(str(file.attrs["geometry"]))
            assert detector.shape == tuple(file.attrs["shape"])
            assert file["showers"].shape[1] == detector.number_of_cells
        (section,) = detector.sections
        slabs = [[slab.material, slab.thickness_mm, slab.sensitive] for slab in section.slabs]
        assert slabs == geometry["stack"]
        assert (section.repeats, section.layers_per_readout) == (geometry["layers"], geometry["group"])
        assert detector.front_mm == geometry["front"]
        assert section.cell_gap_mm == geometry.get("air_wrap", 0.0)
        if isinstance(section.readout, CartesianReadout):
            pitch = (section.readout.row_pitch_mm, section.readout.column_pitch_mm)
            assert pitch == (geometry["px"], geometry["py"])
        else:
            assert detector.cells.radius[:2].tolist() == pytest.approx(
                [geometry["dr"] / 2, geometry["dr"] * 1.5]
            )
