"""Hits in a user's own columns: two sections that both count their layers, in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import uproot
import yaml

from calokit.errors import CalokitError
from calokit.showers import open_showers
from calokit.showers.formats import Choices, convert_file, read_mapping

EVENTS = 3


def section(name: str, layers: int) -> dict[str, Any]:
    readout = {"kind": "cartesian", "rows": 4, "columns": 4, "row_pitch_mm": 10.0, "column_pitch_mm": 10.0}
    edges = [10.0 * edge for edge in range(layers + 1)]
    return {"name": name, "layers": layers, "layer_edges_mm": edges, "readout": readout}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file of hits: 100, 200, 300 MeV in ECAL layers 1 to 3, ten times as much in HCAL layers 1 and 2."""
    detector = {"name": "two", "title": "two", "sections": [section("ECAL", 6), section("HCAL", 3)]}
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(detector))
    with h5py.File(tmp_path / "hits.h5", "w") as file:
        file["event"] = np.arange(10, 10 + EVENTS)
        file["energy"] = np.full(EVENTS, 50.0)
        for name, layers, scale in (("ecal", 3, 0.1), ("hcal", 2, 1.0)):
            # The HCAL holds nothing of the event in the middle.
            events = [event for event in range(EVENTS) if name == "ecal" or event != 1]
            file[f"{name}/event"] = np.repeat(np.array(events) + 10, layers)
            file[f"{name}/layer"] = np.tile(np.arange(1, layers + 1), len(events))
            file[f"{name}/e"] = np.tile(scale * np.arange(1, layers + 1), len(events))
            file[f"{name}/row"] = np.full(layers * len(events), 2)
    return tmp_path / "hits.h5"


def hits(name: str, **more: Any) -> dict[str, Any]:
    return {
        "event": {"name": f"{name}/event", "first": 10},
        "energy": {"name": f"{name}/e", "unit": "GeV"},
        "layer": {"name": f"{name}/layer", "first": 1},
        "row": {"name": f"{name}/row"},
        "column": {"value": 1},
        **more,
    }


BOTH = [hits("ecal", section="ECAL"), hits("hcal", section="HCAL")]
ENERGY = {"name": "energy", "unit": "GeV"}
KEYS = ("layer", "event", "row")


def convert(source: Path, given: Any, energy: dict[str, Any] = ENERGY) -> tuple[Any, np.ndarray]:
    """Convert, and return the account and the energy of each layer (event, layer), MeV."""
    path = source.with_name("map.yaml")
    mapping = {"kind": "columns", "detector": "two.yaml", "hits": given, "incident_energy": energy}
    path.write_text(yaml.safe_dump(mapping))
    done = convert_file(source, source.with_name("native.h5"), choices=Choices(mapping=read_mapping(path)))
    cells = open_showers(source.with_name("native.h5")).read_all().energies.reshape(EVENTS, 9, 4, 4)
    assert cells.sum() == pytest.approx(cells[:, :, 2, 1].sum())
    return done, cells.sum(axis=(2, 3))


def test_sections_that_both_count_their_layers_keep_their_energy(source: Path) -> None:
    done, layers = convert(source, BOTH)
    assert layers[0] == pytest.approx([100, 200, 300, 0, 0, 0, 1000, 2000, 0])
    assert layers[1] == pytest.approx([100, 200, 300, 0, 0, 0, 0, 0, 0])
    assert layers[2] == pytest.approx(layers[0])
    assert done.section_energies_mev == pytest.approx({"ECAL": 1800.0, "HCAL": 6000.0})


def test_one_section_alone_leaves_the_other_empty_and_says_so(source: Path) -> None:
    done, layers = convert(source, BOTH[1])
    assert layers[0] == pytest.approx([0] * 6 + [1000, 2000, 0])
    assert any("no energy at all in section ECAL" in text for text in done.warnings)


def test_layers_without_a_section_are_said_to_run_through_all(source: Path) -> None:
    mapping = BOTH[1] | {"section": None, "layer": {"name": "hcal/layer", "first": -5}}
    done, layers = convert(source, mapping)
    assert layers[0] == pytest.approx([0] * 6 + [1000, 2000, 0])
    assert any("counted through all sections" in text for key, text in done.rows() if key == "assumed")


def test_a_layer_beyond_its_section_is_lost_and_not_in_the_next(source: Path) -> None:
    late = BOTH[0] | {"layer": {"name": "ecal/layer", "first": -4}}
    done, layers = convert(source, [late, BOTH[1]])
    assert layers[0] == pytest.approx([0, 0, 0, 0, 0, 100, 1000, 2000, 0])
    assert done.lost_fraction == pytest.approx(1500.0 / 7800.0)


def test_lists_in_each_event_are_read_by_section(source: Path) -> None:
    branches = {"energy": np.full(EVENTS, 50.0)}
    for name, layers in (("ecal", 3), ("hcal", 2)):
        branches[f"{name}_e"] = branches[f"{name}_layer"] = np.tile(np.arange(1.0, layers + 1), (EVENTS, 1))
    path = source.with_name("hits.root")
    with uproot.recreate(path) as file:
        file.mktree("events", branches)
    lists = [
        {
            "section": name.upper(),
            "energy": {"name": f"{name}_e", "unit": "GeV"},
            "layer": {"name": f"{name}_layer", "first": 1},
            "row": {"value": 2},
            "column": {"value": 1},
        }
        for name in ("ecal", "hcal")
    ]
    _, layers = convert(path, lists)
    assert layers[1] == pytest.approx([1000, 2000, 3000, 0, 0, 0, 1000, 2000, 0])


@pytest.mark.parametrize("kind", [np.float64, np.uint32])
def test_columns_of_one_dataset_are_told_apart_by_their_index(source: Path, kind: type) -> None:
    with h5py.File(source, "r+") as file:
        for name in ("ecal", "hcal"):
            columns = [file[f"{name}/{key}"][:] for key in KEYS]
            file[f"{name}/all"] = np.stack(columns, axis=1).astype(kind)
    by_index = [
        one | {key: {**one[key], "name": f"{name}/all", "index": place} for place, key in enumerate(KEYS)}
        for one, name in zip(BOTH, ("ecal", "hcal"), strict=True)
    ]
    assert np.array_equal(convert(source, by_index)[1], convert(source, BOTH)[1])


def test_an_index_into_lists_is_refused(source: Path) -> None:
    path = source.with_name("hits.root")
    with uproot.recreate(path) as file:
        file.mktree("events", {"energy": np.full(EVENTS, 50.0), "e": np.ones((EVENTS, 3))})
    given = {
        "section": "ECAL",
        "energy": {"name": "e", "index": 1, "unit": "GeV"},
        **{key: {"value": 1} for key in ("layer", "row", "column")},
    }
    with pytest.raises(CalokitError, match=r"hits\.energy has an index, and lists of hits"):
        convert(path, given)


@pytest.mark.parametrize(
    ("given", "energy", "words"),
    [
        ([BOTH[0], hits("hcal")], ENERGY, "hits: several of them need the key section each"),
        ([BOTH[0], BOTH[0]], ENERGY, "each its own"),
        ([BOTH[0], BOTH[1] | {"section": "HCL"}], ENERGY, "no section 'HCL'.*Did you mean 'HCAL'"),
        ([BOTH[0], BOTH[1] | {"event": None}], ENERGY, "in all sections or in none"),
        ([BOTH[0], BOTH[1] | {"layer": None}], ENERGY, "section 'HCAL' of detector 'two' has 3 layers"),
        (BOTH, {"value": 50, "unit": "GeV"}, "must name a column with one row an event"),
    ],
)
def test_mistakes_are_named(source: Path, given: Any, energy: dict[str, Any], words: str) -> None:
    with pytest.raises(CalokitError, match=words):
        convert(source, given, energy)
    assert not list(source.parent.glob("native*"))
