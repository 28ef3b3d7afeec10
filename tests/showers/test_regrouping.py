"""Cells in groups: no energy is lost, places stay, other readouts are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calokit.detector import load_detector
from calokit.errors import ConfigurationError
from calokit.showers import ShowerWriter, open_showers
from calokit.showers.regrouping import regroup, regroup_file, regrouped_detector
from made_up_runs import silent
from tiny_families import showers_in


@pytest.mark.parametrize("group", [(2, 2), (3, 3), (5, 1)])
def test_no_energy_is_lost_and_centres_stay(group: tuple[int, int]) -> None:
    fine = showers_in("lhcb_ecal")
    coarse = regroup(fine, *group)
    assert coarse.detector.shape == (1, 30 // group[0], 30 // group[1])
    np.testing.assert_allclose(coarse.visible_energies, fine.visible_energies, rtol=1e-5)
    for cells in ("x", "y"):
        centres = [
            (one.energies * getattr(one.detector.cells, cells)).sum(1) / one.visible_energies
            for one in (fine, coarse)
        ]
        largest = 20.2 * max(group) / 2
        assert np.abs(centres[0] - centres[1]).max() < largest
    assert coarse.positions is fine.positions
    pitch = coarse.detector.sections[0].readout
    assert (pitch.row_pitch_mm, pitch.column_pitch_mm) == (20.2 * group[0], 20.2 * group[1])


def test_a_cell_goes_to_its_group() -> None:
    fine = showers_in("lhcb_ecal")
    images = fine.energies.reshape(-1, 30, 30)
    coarse = regroup(fine, 3, 2).energies.reshape(-1, 10, 15)
    np.testing.assert_allclose(coarse[:, 4, 7], images[:, 12:15, 14:16].sum((1, 2)), rtol=1e-5)


def test_layers_and_sections_stay_apart() -> None:
    fine = showers_in("clic_ecal")
    detector = regrouped_detector(fine.detector, 5, 5)
    assert detector.shape == (25, 5, 5)
    coarse = regroup(fine, 5, 5)
    by_layer = [one.energies.reshape(len(fine), 25, -1).sum(2) for one in (fine, coarse)]
    np.testing.assert_allclose(by_layer[0], by_layer[1], rtol=1e-4, atol=1e-4)


def test_a_file_keeps_what_stays_true(tmp_path: Path) -> None:
    showers = showers_in("lhcb_ecal")
    path = tmp_path / "fine.h5"
    with ShowerWriter(path, showers.detector, "e-", "made up", {"split": "test"}) as writer:
        writer.write(showers)
    source = open_showers(path, "all")
    regroup_file(source, tmp_path / "coarse.h5", 2, 2, silent)
    made = open_showers(tmp_path / "coarse.h5", "all")
    assert made.attributes["split"] == "test"
    assert made.attributes["regrouped_from_sha256"] == source.sha256
    assert made.detector.name == "lhcb_ecal_2x2"
    back = made.read(0, len(made))
    np.testing.assert_allclose(back.energies, regroup(showers, 2, 2).energies, rtol=1e-6)
    np.testing.assert_array_equal(back.positions, showers.positions)


@pytest.mark.parametrize(
    ("name", "group", "words"),
    [
        ("lhcb_ecal", 4, "30 rows, which 4 does not divide; take one of 1, 2, 3, 5, 6, 10, 15, 30"),
        ("par04_siw", 2, "not read out in rows and columns"),
    ],
)
def test_what_has_no_such_groups_is_refused(name: str, group: int, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        regrouped_detector(load_detector(name), group, group)
