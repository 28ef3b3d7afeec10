"""EDM4hep files as RNTuples, and incident particles of any generator status."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from calokit.errors import ShowerFileError
from calokit.showers import open_showers
from calokit.showers.formats import Choices, convert_file, read_mapping

uproot: Any = pytest.importorskip("uproot")
awkward: Any = pytest.importorskip("awkward")

MAPPING = {
    "detector": "zdc_ecal",
    "particles": "Particles",
    "frame": {"origin_mm": [0, 0, 0], "front_mm": 0.0},
}


def vectors(values: Any) -> Any:
    """Return lists of vectors as records of x, y and z."""
    x, y, z = (awkward.Array([[one[axis] for one in event] for event in values]) for axis in range(3))
    return awkward.zip({"x": x, "y": y, "z": z})


def write_events(path: Path, status: int = 1) -> None:
    """Write two events of one photon of 10 GeV each, with two hits and one hit, in the members of EDM4hep."""
    hits = {
        "cellID": awkward.Array([[1, 2], [3]]),
        "energy": awkward.Array([[0.5, 0.25], [2.0]]),
        "position": vectors([[[5.0, 5.0, 10.0], [-45.0, 5.0, 10.0]], [[5.0, -25.0, 10.0]]]),
        "contributions_begin": awkward.Array([[0, 1], [0]]),
        "contributions_end": awkward.Array([[1, 2], [1]]),
    }
    particles = {
        "PDG": awkward.Array([[22, 11], [22]]),
        "generatorStatus": awkward.Array([[status, 0], [status]]),
        "mass": awkward.Array([[0.0, 0.000511], [0.0]]),
        "vertex": vectors([[[0.0, 0.0, 0.0]] * 2, [[0.0, 0.0, 0.0]]]),
        "momentum": vectors([[[0.0, 0.0, 10.0], [0.0, 0.0, 1.0]], [[0.0, 0.0, 10.0]]]),
    }
    with uproot.recreate(path) as file:
        one, two = (awkward.zip(members, depth_limit=2) for members in (hits, particles))
        file.mkrntuple("events", {"Ecal": one, "Particles": two})


def convert(path: Path, **changed: Any) -> Any:
    mapping = path.with_name("map.yaml")
    mapping.write_text(yaml.safe_dump({"kind": "hits", **MAPPING, **changed}))
    done = convert_file(path, path.with_name("native.h5"), choices=Choices(mapping=read_mapping(mapping)))
    return done, open_showers(path.with_name("native.h5")).read_all()


def test_an_rntuple_is_read_by_its_own_names(tmp_path: Path) -> None:
    write_events(tmp_path / "events.root")
    done, showers = convert(tmp_path / "events.root")
    assert done.foreign.format == "edm4hep"
    assert showers.visible_energies.tolist() == [750.0, 2000.0]
    assert done.lost_fraction == pytest.approx(0.0)
    np.testing.assert_allclose(showers.incident_energies, 1e4, rtol=1e-6)
    places = [np.flatnonzero(one).tolist() for one in showers.energies]
    cells = showers.detector.cells
    np.testing.assert_allclose(cells.x[places[0]], [-45.45, 15.15])
    np.testing.assert_allclose(cells.y[places[0]], [15.15, 15.15])


def test_incident_particles_have_the_status_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "events.root"
    write_events(path, status=4)
    with pytest.raises(
        ShowerFileError, match=r"no particle in Particles of generator status 1; .* 0, 4.*_status"
    ):
        convert(path)
    assert convert(path, generator_status=4)[1].pdg.tolist() == [22, 22]
    assert convert(path, generator_status=[1, 4])[1].pdg.tolist() == [22, 22]
    with pytest.raises(ShowerFileError, match="of generator status 1 or 2"):
        convert(path, generator_status=[1, 2])
    with pytest.raises(ShowerFileError, match=r"MCParticles\.generatorStatus' is missing"):
        convert(path, particles="MCParticles")
