"""Files that hold only showers and energies, in every command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from calokit.showers import Showers
from made_up_runs import MakeFile, MakeShowers


def write_bare(path: Path, showers: Showers, flat: bool) -> Path:
    energies = showers.incident_energies
    with h5py.File(path, "w") as file:
        file["showers"] = showers.energies
        file["incident_energies"] = energies if flat else energies[:, None]
    return path


def test_a_bare_generated_file_is_judged_in_the_detector_of_the_reference(
    command: Callable[..., Any], shower_file: MakeFile, make_showers: MakeShowers, tmp_path: Path
) -> None:
    truth = shower_file(40, seed=1, name="truth.h5")
    bare = write_bare(tmp_path / "generated.hdf5", make_showers(40, 2), flat=True)
    judged = command("evaluate", truth, bare, "--classifiers", "0", "--no-page", "-o", "report")
    assert judged.code == 0, judged.err
    assert [path.name for path in (tmp_path / "report").iterdir()] == ["scorecard.json"]
    assert "scorecards: report" in judged.out
    assert command("inspect", bare).code == 2
    assert command("inspect", bare, "--detector", "zdc_ecal").code == 0


def test_files_that_are_both_bare_name_their_detector_by_option_or_cells(
    command: Callable[..., Any], make_showers: MakeShowers, tmp_path: Path
) -> None:
    one = write_bare(tmp_path / "one.hdf5", make_showers(100, 1), True)
    two = write_bare(tmp_path / "two.hdf5", make_showers(1, 2), False)
    unnamed = command("evaluate", one, two, "--classifiers", "0")
    assert unnamed.code == 2
    assert "--detector" in unnamed.err
    named = command("evaluate", one, two, "--classifiers", "0", "--detector", "zdc_ecal")
    assert "showers to compare; at least 2" in named.err
    read = command("digitise", one, "-o", "read.h5", "--threshold", "1", "--detector", "zdc_ecal")
    assert read.code == 0, read.err
    with h5py.File(tmp_path / "challenge.hdf5", "w") as file:
        file["showers"] = np.full((20, 368), 100.0, "f4")
        file["incident_energies"] = np.full((20, 1), 65536.0, "f4")
    known = command("inspect", "challenge.hdf5")
    assert known.code == 0, known.err
    assert "calochallenge_1_photons" in known.out


def test_generated_files_of_one_name_are_refused_before_the_work(
    command: Callable[..., Any], shower_file: MakeFile, tmp_path: Path
) -> None:
    reference = shower_file(40)
    (tmp_path / "other").mkdir()
    twin = tmp_path / "other" / reference.name
    twin.write_bytes(reference.read_bytes())
    ended = command("evaluate", reference, reference, twin, "-o", "report")
    assert ended.code == 2
    assert "two of the generated files have the same name" in ended.err
