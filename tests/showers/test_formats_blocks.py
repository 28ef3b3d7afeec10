"""What the readers of foreign formats are made of: cell numbers, frames, runs of events, mappings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from calokit.errors import ConfigurationError, ShowerFileError
from calokit.showers.formats import HitMapping, OwnMapping, read_mapping
from calokit.showers.formats.containers.event_runs import READ_HITS, find_runs
from calokit.showers.formats.mapping.cell_ids import CellIdEncoding
from calokit.showers.formats.mapping.deposits import sum_deposits
from calokit.showers.formats.mapping.frames import Frame, place_frame, smallest_rotations
from calokit.showers.formats.mapping.incidents import kinetic_energies, project_to_plane

CELLS: dict[str, Any] = {
    "kind": "columns",
    "cells": {"name": "image", "unit": "GeV"},
    "incident_energy": {"name": "energy", "unit": "GeV"},
}


def test_fields_of_cell_numbers_keep_their_sign() -> None:
    encoding = CellIdEncoding.parse("system:5,side:-2,module:8,stave:4,layer:9,submodule:4,x:32:-16,y:-16")
    number = 29 | (-2 & 3) << 5 | 3 << 7 | 34 << 19 | (-81 & 0xFFFF) << 32 | (-136 & 0xFFFF) << 48
    ids = np.array([number], dtype=np.uint64)
    found = {name: int(encoding.decode(ids, name)[0]) for name in encoding.fields}
    assert found == {
        "system": 29,
        "side": -2,
        "module": 3,
        "stave": 0,
        "layer": 34,
        "submodule": 0,
        "x": -81,
        "y": -136,
    }


def test_a_field_of_all_bits_is_decoded() -> None:
    ids = np.array([2**64 - 5], dtype=np.uint64)
    assert CellIdEncoding.parse("all:-64").decode(ids, "all").tolist() == [-5]


@pytest.mark.parametrize(
    "text",
    ["", "layer", "layer:x", "layer:0", "a:8,a:8", "a:8,b:4:8", "a:60:8", "a:-1:8", "a:1:2:3", "a:65"],
)
def test_encodings_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="encoding"):
        CellIdEncoding.parse(text)


def test_an_unknown_field_is_named_with_the_near_miss() -> None:
    encoding = CellIdEncoding.parse("system:8,layer:8")
    with pytest.raises(ConfigurationError, match="Did you mean 'layer'"):
        encoding.decode(np.zeros(1, dtype=np.uint64), "layr")


def test_rotations_turn_every_axis_into_z() -> None:
    rng = np.random.default_rng(3)
    axes = np.concatenate([rng.normal(size=(50, 3)), [[0, 0, 1], [0, 0, -1], [1e-9, 0, -1], [1, 0, 0]]])
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    rotations = smallest_rotations(axes)
    assert np.abs(np.einsum("nij,nj->ni", rotations, axes) - [0, 0, 1]).max() < 1e-6
    products = rotations @ rotations.transpose(0, 2, 1)
    assert np.abs(products - np.eye(3)).max() < 1e-6
    assert np.abs(np.linalg.det(rotations) - 1).max() < 1e-6


def test_a_frame_keeps_the_axis_that_is_given_for_x() -> None:
    frame = Frame(origin_mm=(0, 1000, 0), axis=(0, 2, 0), x_axis=(1, 5, 0), front_mm=50)
    placed = place_frame(frame, np.zeros((1, 3)), np.array([[0.0, 0.0, 1.0]]), 0.0)
    points = placed.turn_points(np.array([0, 0]), np.array([[7.0, 1060.0, 0.0], [0.0, 1050.0, 4.0]]))
    assert points.round(9).tolist() == [[7.0, 0.0, 10.0], [0.0, -4.0, 0.0]]


@pytest.mark.parametrize(
    ("axis", "x_axis"), [((0, 0, 0), None), ((0, 0, 1), (0, 0, 3)), ((0, 0, 1), (0, 0, 0))]
)
def test_frames_without_axes_are_refused(axis: Any, x_axis: Any) -> None:
    with pytest.raises(ConfigurationError, match="frame"):
        place_frame(Frame(axis=axis, x_axis=x_axis), np.zeros((1, 3)), np.array([[0.0, 0.0, 1.0]]), 0.0)


def test_kinetic_energy_of_slow_and_fast_particles() -> None:
    momenta = np.array([[0.0, 0.0, 1.0], [3e4, 0.0, 4e4]])
    found = kinetic_energies(momenta, np.array([939.56542, 0.0]))
    assert found == pytest.approx([1.0 / (2 * 939.56542), 5e4], rel=1e-6)


def test_lines_meet_the_plane() -> None:
    slope = np.array([[0.3, -0.4, np.sqrt(0.75)]])
    found = project_to_plane(np.array([[1.0, 2.0, -5.0]]), slope, 5.0)
    assert found[0] == pytest.approx([1 + 3 / np.sqrt(0.75), 2 - 4 / np.sqrt(0.75)])


def test_runs_reach_over_the_parts_that_are_read() -> None:
    ids = np.repeat([0, 2], [READ_HITS + 7, 5])
    runs = find_runs(lambda start, stop: ids[start:stop], len(ids), "here", np.arange(3))
    assert (runs.stops - runs.starts).tolist() == [READ_HITS + 7, 0, 5]
    assert list(runs.pieces(10)) == [(0, 1), (1, 3)]
    assert runs.members(1, 3) == (READ_HITS + 7, READ_HITS + 12, pytest.approx(np.ones(5)))


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        ([0, 1, 0], "sort"),
        ([0, 5], "event 5"),
        ([0, 0.5], "whole"),
        ([0, np.nan], "whole"),
        ([-1, 0], "event -1"),
    ],
)
def test_runs_that_cannot_be_are_refused(ids: list[float], words: str) -> None:
    array = np.array(ids)
    with pytest.raises(ShowerFileError, match=words):
        find_runs(lambda start, stop: array[start:stop], len(ids), "here", np.arange(2))


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_deposits_that_cannot_be_are_refused(bad: float) -> None:
    with pytest.raises(ShowerFileError, match="event 1"):
        sum_deposits(np.array([0, 1]), np.array([0, 0]), np.array([1.0, bad]), (2, 1), "here")


def write(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / "mapping.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def test_mappings_of_both_kinds_are_read(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("name: mine\n")
    columns = read_mapping(write(tmp_path, CELLS | {"detector": "mine.yaml"}))
    assert isinstance(columns, OwnMapping)
    assert columns.detector == str(tmp_path / "mine.yaml")
    hits = read_mapping(write(tmp_path, {"kind": "hits", "layer": {"field": "layer", "first": 1}}))
    assert isinstance(hits, HitMapping)
    assert hits.needs_cell_ids


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "colums"}, "kind: columns"),
        ({"kind": None}, "kind: columns"),
        ({"cels": 1}, "Did you mean 'cells'"),
        ({"cells": {"name": "image", "unit": "Gev"}}, "Did you mean 'GeV'"),
        ({"cells": {"name": "image"}}, "unit"),
        ({"cells": {"name": "image", "unit": "mm"}}, "unknown unit of energy 'mm'"),
        ({"cells": {"name": "image", "unit": "GeV", "axes": ["row", "row", "layer"]}}, "axes"),
        ({"cells": {"value": 1, "unit": "GeV"}}, "name of the array"),
        ({"cells": None}, "either cells or hits"),
        ({"incident_energy": None}, "incident_energy or momentum"),
        ({"incident_energy": {"name": "e", "value": 1, "unit": "GeV"}}, "either name"),
        ({"incident_energy": {"name": "e", "unit": "GeV", "scale": 0}}, "scale"),
        ({"impact": {"x": {"name": "x", "unit": "cm"}}}, "impact"),
        ({"impact": {"x": {"name": "x", "unit": "GeV"}, "y": {"name": "x", "unit": "cm"}}}, "unit of length"),
        ({"hits": {"energy": {"name": "e", "unit": "GeV"}}}, "row and column"),
    ],
)
def test_mistakes_in_a_mapping_are_named(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    path = write(tmp_path, {key: value for key, value in (CELLS | change).items() if value is not None})
    with pytest.raises(ConfigurationError, match=words) as caught:
        read_mapping(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("text", ["[1, 2]", "kind: [columns", "just text", "kind: [columns]"])
def test_files_that_are_no_mapping_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"mapping\.yaml"):
        read_mapping(write(tmp_path, text))
