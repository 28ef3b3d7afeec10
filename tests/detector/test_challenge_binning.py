"""The CaloChallenge's binning files as detectors."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from calokit.detector import load_detector
from calokit.errors import DetectorError
from calokit.showers.formats import Choices, convert_file


def binning_of(name: str, others: str = "") -> str:
    """Return the binning file of a preset, in the form of the challenge."""
    readout = load_detector(name).sections[0].readout
    assert readout.kind == "rings"
    layers = "".join(
        f'<Layer id="{layer.id}" r_edges="{",".join(map(str, layer.r_edges_mm))}" '
        f'n_bin_alpha="{layer.alpha_bins}"/>\n'
        for layer in readout.layers
    )
    empty = '<Layer id="5" r_edges="0" n_bin_alpha="1"/>\n<Layer id="6" r_edges="" n_bin_alpha="1"/>\n'
    return f'<Bins>\n<Particle name="photon" pid="22">\n{layers}{empty}</Particle>\n{others}</Bins>\n'


@pytest.mark.parametrize("name", ["calochallenge_1_photons", "calochallenge_1_pions"])
def test_a_binning_file_is_a_detector(tmp_path: Path, name: str) -> None:
    path = tmp_path / "binning.xml"
    path.write_text(binning_of(name))
    detector, preset = load_detector(path), load_detector(name)
    assert detector.number_of_cells == preset.number_of_cells
    for column in ("layer", "x", "y"):
        np.testing.assert_allclose(getattr(detector.cells, column), getattr(preset.cells, column))
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["showers"] = np.full((3, detector.number_of_cells), 10.0)
        file["incident_energies"] = np.full((3, 1), 65536.0)
    done = convert_file(tmp_path / "data.h5", tmp_path / "native.h5", choices=Choices(detector))
    assert done.foreign.detector.name == "binning"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<Bins><Particle", "not readable as XML"),
        ("<Bins></Bins>", "binnings of 0 particles"),
        (binning_of("calochallenge_1_photons", '<Particle name="pion"/>'), "2 particles .photon, pion."),
        (
            '<Bins><Particle name="a"><Layer id="0" r_edges="0,x"/></Particle></Bins>',
            "r_edges must be numbers",
        ),
        ('<Bins><Particle name="a"><Layer id="0" r_edges="5,2"/></Particle></Bins>', "grow"),
        ('<Bins><Particle name="a"><Layer id="0"/></Particle></Bins>', "no layer has radii"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "binning.xml"
    path.write_text(text)
    with pytest.raises(DetectorError, match=words) as caught:
        load_detector(path)
    assert "binning.xml" in str(caught.value)
