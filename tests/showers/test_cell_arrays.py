"""Arrays of cells by section, and of layers that differ in their cells, as a mapping says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml

from calokit.errors import CalokitError
from calokit.showers import open_showers
from calokit.showers.formats import Choices, convert_file, read_mapping

RNG = np.random.default_rng(8)
EVENTS = 5


def section(name: str, layers: int, rows: int, columns: int) -> dict[str, Any]:
    readout = {"kind": "cartesian", "rows": rows, "columns": columns}
    readout |= {"row_pitch_mm": 10.0, "column_pitch_mm": 10.0}
    return {"name": name, "layers": layers, "readout": readout}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with detectors of two sections and of one."""
    two = {"name": "two", "title": "two", "sections": [section("ECAL", 3, 4, 5), section("HCAL", 2, 2, 2)]}
    one = {"name": "one", "title": "one", "sections": [section("EE", 3, 6, 6)]}
    for content in (two, one):
        (tmp_path / f"{content['name']}.yaml").write_text(yaml.safe_dump(content))
    return tmp_path


def convert(folder: Path, mapping: dict[str, Any]) -> Any:
    path = folder / "map.yaml"
    path.write_text(yaml.safe_dump({"kind": "columns", "detector": "two.yaml", **mapping}))
    choices = Choices(mapping=read_mapping(path))
    done = convert_file(folder / "data.h5", folder / "native.h5", choices=choices)
    return done, open_showers(folder / "native.h5").read_all()


ENERGY = {"name": "particles", "index": [0, 1], "unit": "GeV"}


def write_two(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Write an ECAL (x, y, depth) in GeV and an HCAL (depth, x, y) in MeV, energies in a deeper array."""
    ecal, hcal = RNG.random((EVENTS, 4, 5, 3)), RNG.random((EVENTS, 2, 2, 2))
    energy = RNG.uniform(50, 100, EVENTS)
    with h5py.File(folder / "data.h5", "w") as file:
        file["ecal"], file["hcal"] = ecal, 100 * hcal
        particles = np.zeros((EVENTS, 1, 5))
        particles[:, 0, 1] = energy
        file["particles"] = particles
    return 1e3 * ecal, 100 * hcal, 1e3 * energy


TWO = [
    {"section": "ECAL", "name": "ecal", "unit": "GeV", "axes": ["row", "column", "layer"]},
    {"section": "HCAL", "name": "hcal", "unit": "MeV"},
]


@pytest.mark.parametrize("index", [[0, 1], 1])
def test_each_section_has_an_array_a_unit_and_axes_of_its_own(folder: Path, index: Any) -> None:
    ecal, hcal, energy = write_two(folder)
    done, showers = convert(folder, {"cells": TWO, "incident_energy": ENERGY | {"index": index}})
    np.testing.assert_allclose(showers.incident_energies, energy, rtol=1e-6)
    np.testing.assert_allclose(
        showers.energies[:, :60], ecal.transpose(0, 3, 1, 2).reshape(EVENTS, -1), rtol=1e-6
    )
    np.testing.assert_allclose(showers.energies[:, 60:], hcal.reshape(EVENTS, -1), rtol=1e-6)
    assert done.section_energies_mev == pytest.approx({"ECAL": ecal.sum(), "HCAL": hcal.sum()})


def test_a_section_alone_is_filled_alone(folder: Path) -> None:
    ecal, _, _ = write_two(folder)
    done, showers = convert(folder, {"cells": TWO[0], "incident_energy": ENERGY})
    assert showers.energies[:, 60:].max() == 0.0
    assert done.cell_energy_mev == pytest.approx(ecal.sum(), rel=1e-6)
    assert any("no energy at all in section HCAL" in text for text in done.warnings)


CELLS = {"name": "ecal", "unit": "GeV", "axes": ["layer", "cell"]}
PLACES = {axis: {"name": axis, "unit": "cm"} for axis in "xy"}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"cells": [TWO[0], TWO[0]]}, "cells.*each its own"),
        ({"cells": [TWO[0], {"name": "hcal", "unit": "MeV"}]}, "need the key section"),
        ({"cells": [TWO[0] | {"section": "ECA"}, TWO[1]]}, "names section 'ECA'.*Did you mean 'ECAL'"),
        ({"cells": [TWO[1] | {"section": "ECAL"}]}, r"'hcal' has shape \(events, 2, 2, 2\).*\(3, 4, 5\)"),
        ({"cells": CELLS}, "places .* go together"),
        ({"cells": CELLS | {"places": PLACES | {"y": {"value": 1.0, "unit": "mm"}}}}, "names of the maps"),
        ({"cells": CELLS | {"places": PLACES | {"x": PLACES["x"] | {"index": 2}}}}, "names of the maps"),
        ({"incident_energy": ENERGY | {"index": [0, 7]}}, r"no column \(0, 7\)"),
        ({"incident_energy": ENERGY | {"index": [0, 0, 0]}}, "no column"),
    ],
)
def test_mistakes_are_named(folder: Path, changed: dict[str, Any], words: str) -> None:
    write_two(folder)
    with pytest.raises(CalokitError, match=words):
        convert(folder, {"cells": TWO, "incident_energy": ENERGY} | changed)
    assert not list(folder.glob("native*"))


def write_maps(folder: Path, kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Write (event, layer, cell) with padding, and maps in cm of where the cells lie."""
    counts = (7, 9, 4)
    x, y = RNG.uniform(-2.9, 2.9, (2, 3, 10))
    energies = RNG.exponential(20.0, (EVENTS, 3, 10))
    for layer, count in enumerate(counts):
        x[layer, count:] = y[layer, count:] = np.nan
        energies[:, layer, count:] = 0.0
    with h5py.File(folder / "data.h5", "w") as file:
        file["showers"], file["gen_info"] = energies, np.tile([100.0, 2.0, 1.5], (EVENTS, 1))
        if kind == "same":
            file["x"], file["y"] = x, y
    if kind == "npz":
        np.savez(folder / "geometry.npz", x=x, y=y)
    if kind == "h5":
        with h5py.File(folder / "geometry.h5", "w") as file:
            file["x"], file["y"] = x, y
    return energies, x, y


@pytest.mark.parametrize("kind", ["same", "npz", "h5"])
def test_layers_of_different_cells_go_by_their_maps(folder: Path, kind: str) -> None:
    energies, x, y = write_maps(folder, kind)
    places = PLACES | ({} if kind == "same" else {"file": f"geometry.{kind}"})
    cells = {"name": "showers", "unit": "MeV", "axes": ["layer", "cell"], "places": places}
    energy = {"name": "gen_info", "index": 0, "unit": "GeV"}
    mapping = {"detector": "one.yaml", "cells": cells, "incident_energy": energy}
    done, showers = convert(folder, mapping)
    expected = np.zeros((EVENTS, 3, 6, 6))
    for layer in range(3):
        for cell in np.flatnonzero(np.isfinite(x[layer])):
            row, column = int((10 * x[layer, cell] + 30) // 10), int((10 * y[layer, cell] + 30) // 10)
            expected[:, layer, row, column] += energies[:, layer, cell]
    np.testing.assert_allclose(showers.images, expected, rtol=1e-5)
    assert done.lost_fraction == pytest.approx(0.0, abs=1e-6)
    assert showers.incident_energies.tolist() == [1e5] * EVENTS


def test_energy_where_no_map_says_a_place_is_counted_as_lost(folder: Path) -> None:
    energies, _, _ = write_maps(folder, "same")
    with h5py.File(folder / "data.h5", "r+") as file:
        file["x"][0, 2] = np.nan
    cells = {"name": "showers", "unit": "MeV", "axes": ["layer", "cell"], "places": PLACES}
    energy = {"value": 100, "unit": "GeV"}
    done, _ = convert(folder, {"detector": "one.yaml", "cells": cells, "incident_energy": energy})
    assert done.lost_fraction == pytest.approx(energies[:, 0, 2].sum() / energies.sum())
