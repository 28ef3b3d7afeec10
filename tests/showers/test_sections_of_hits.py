"""Hits of several sub-detectors that each count their layers, put into the sections of a detector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml

from calokit.errors import CalokitError, ConfigurationError, ShowerFileError
from calokit.showers import open_showers
from calokit.showers.formats import Choices, convert_file, read_mapping

ENCODING = "system:8,layer:8"


def section(name: str, layers: int) -> dict[str, Any]:
    readout = {"kind": "cartesian", "rows": 10, "columns": 10, "row_pitch_mm": 10.0, "column_pitch_mm": 10.0}
    edges = [10.0 * edge for edge in range(layers + 1)]
    return {"name": name, "layers": layers, "layer_edges_mm": edges, "readout": readout}


def write_steps(folder: Path, names: bool = True, subdetectors: bool = True, particles: bool = True) -> Path:
    """Write 0.1 GeV in layer 1 of the ECal and 0.9 GeV in layer 1 of the HCal, half a metre behind."""
    with h5py.File(folder / "steps.h5", "w") as file:
        if names:
            file["metadata/subdetector_names"] = np.array([b"ECal", b"HCal"])
        if particles:
            file["primary/event_id"] = np.array([0], "i4")
            file["primary/pdg"] = np.array([-211], "i4")
            file["primary/momentum"] = np.array([[0, 0, 10.0]], "f4")
            file["primary/vertex"] = np.zeros((1, 3), "f4")
        file["steps/event_id"] = np.array([0, 0], "i4")
        file["steps/energy"] = np.array([0.1, 0.9], "f4")
        file["steps/position"] = np.array([[0, 0, 5.0], [0, 0, 505.0]], "f4")
        if subdetectors:
            file["steps/subdetector"] = np.array([0, 1], "u1")
        file["steps/cell_id"] = np.array([1 | 1 << 8, 2 | 1 << 8], "u8")
    detector = {"name": "two", "title": "two", "sections": [section("ECAL", 50), section("HCAL", 40)]}
    (folder / "two.yaml").write_text(yaml.safe_dump(detector))
    alone = {"name": "one", "title": "one", "sections": [section("ECAL", 50)]}
    (folder / "one.yaml").write_text(yaml.safe_dump(alone))
    return folder / "steps.h5"


def convert(source: Path, mapping: dict[str, Any]) -> tuple[Any, list[float]]:
    """Convert, and return the account and the energy of the front layer of each section, MeV."""
    path = source.with_name("map.yaml")
    path.write_text(yaml.safe_dump({"kind": "hits", "detector": "two.yaml", **mapping}))
    done = convert_file(source, source.with_name("native.h5"), choices=Choices(mapping=read_mapping(path)))
    cells = open_showers(source.with_name("native.h5")).read_all().energies[0].astype(float)
    layers = cells.reshape(-1, 100).sum(axis=1)
    assert layers.sum() == pytest.approx(layers[0] + (layers[50] if len(layers) > 50 else 0.0))
    return done, [float(layers[0]), float(layers[50]) if len(layers) > 50 else 0.0]


LAYER = {"field": "layer", "first": 1}
BY_NAME = [
    {"section": "ECAL", "collections": ["ECal"], "layer": LAYER},
    {"section": "HCAL", "collections": ["HCal"], "layer": LAYER},
]


def test_layers_counted_twice_are_refused_until_the_sections_are_said(tmp_path: Path) -> None:
    source = write_steps(tmp_path)
    with pytest.raises(ConfigurationError, match=r"ECal, HCal each count their field 'layer'.*sections: \["):
        convert(source, {"encoding": ENCODING, "layer": LAYER})
    done, fronts = convert(source, {"encoding": ENCODING, "sections": BY_NAME})
    assert fronts == pytest.approx([100.0, 900.0])
    assert done.section_energies_mev == pytest.approx({"ECAL": 100.0, "HCAL": 900.0})
    assert done.sources_mev == pytest.approx({"ECal": 100.0, "HCal": 900.0})
    told = dict(done.rows())
    assert told["  on the cells, HCAL"] == told["  in the file, HCal"] == "0.9 GeV"


def test_one_collection_in_two_sections_keeps_the_energy_of_both(tmp_path: Path) -> None:
    source = write_steps(tmp_path, subdetectors=False)
    both = [{"section": name, "collections": ["steps"]} for name in ("ECAL", "HCAL")]
    _, fronts = convert(source, {"sections": both})
    assert fronts == pytest.approx([100.0, 900.0])


def test_a_detector_of_one_section_takes_no_other_sub_detector_unasked(tmp_path: Path) -> None:
    source = write_steps(tmp_path)
    alone = {"detector": "one.yaml", "encoding": ENCODING, "layer": LAYER}
    with pytest.raises(ConfigurationError, match="nothing says which are in section ECAL"):
        convert(source, alone)
    assert convert(source, alone | {"collections": ["ECal"]})[1] == pytest.approx([100.0, 0.0])


def test_each_section_may_have_an_encoding_of_its_own(tmp_path: Path) -> None:
    source = write_steps(tmp_path)
    with h5py.File(source, "r+") as file:
        file["steps/cell_id"][:] = [1 | 1 << 8, 2 | 3 << 20]
    one, two = BY_NAME
    sections = [
        one | {"encoding": ENCODING},
        two | {"encoding": "system:8,plane:20:6", "layer": {"field": "plane", "first": 3}},
    ]
    assert convert(source, {"sections": sections})[1] == pytest.approx([100.0, 900.0])


def test_a_field_of_the_cell_number_tells_sections_apart(tmp_path: Path) -> None:
    source = write_steps(tmp_path, names=False, subdetectors=False)
    with pytest.raises(ConfigurationError, match=r"sub-detectors 1, 2 \(field system\).*only: \{system: 1\}"):
        convert(source, {"encoding": ENCODING, "layer": LAYER})
    sections = [
        {"section": name, "collections": ["steps"], "only": {"system": system}, "layer": LAYER}
        for name, system in (("ECAL", 1), ("HCAL", 2))
    ]
    assert convert(source, {"encoding": ENCODING, "sections": sections})[1] == pytest.approx([100.0, 900.0])
    done, fronts = convert(source, {"encoding": ENCODING, "sections": sections[:1]})
    assert fronts == pytest.approx([100.0, 0.0])
    assert done.lost_fraction == pytest.approx(0.9)
    assert any("no energy at all in section HCAL" in text for text in done.warnings)


def test_sub_detectors_without_names_go_by_their_numbers(tmp_path: Path) -> None:
    source = write_steps(tmp_path, names=False)
    by_number = [one | {"collections": [str(number)]} for number, one in enumerate(BY_NAME)]
    with pytest.raises(ConfigurationError, match="0, 1 each count"):
        convert(source, {"encoding": ENCODING, "layer": LAYER})
    assert convert(source, {"encoding": ENCODING, "sections": by_number})[1] == pytest.approx([100.0, 900.0])


def test_without_layers_in_the_cell_number_the_depth_decides(tmp_path: Path) -> None:
    assert convert(write_steps(tmp_path), {})[1] == pytest.approx([100.0, 900.0])


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ({"sections": [BY_NAME[0] | {"section": "ECL"}]}, "no section 'ECL'.*Did you mean 'ECAL'"),
        ({"sections": BY_NAME, "layer": LAYER}, "with sections, give layer in each"),
        ({"sections": [BY_NAME[0] | {"collections": ["Ecal"]}]}, "no sub-detector 'Ecal'.*'ECal'"),
        ({"sections": [BY_NAME[0] | {"only": {"side": 1}}]}, "no field 'side'"),
    ],
)
def test_mistakes_of_sections_are_named(tmp_path: Path, mapping: dict[str, Any], words: str) -> None:
    with pytest.raises(CalokitError, match=words):
        convert(write_steps(tmp_path), {"encoding": ENCODING, **mapping})


def test_steps_without_particles_say_which_mapping_helps(tmp_path: Path) -> None:
    source = write_steps(tmp_path, particles=False)
    with pytest.raises(ShowerFileError, match=r"without their particles.*kind columns"):
        convert(source, {})
    place = {
        key: {"name": "steps/position", "index": index, "unit": "mm"}
        for index, key in enumerate(("x", "y", "depth"))
    }
    mapping = {
        "kind": "columns",
        "hits": {
            "event": {"name": "steps/event_id"},
            "energy": {"name": "steps/energy", "unit": "GeV"},
            **place,
        },
        "incident_energy": {"value": 10, "unit": "GeV"},
    }
    assert convert(source, mapping)[1] == pytest.approx([100.0, 900.0])
