"""Shower files joined into one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from calokit.cli import app
from calokit.detector import load_detector
from calokit.errors import CalokitError, ConfigurationError, DetectorError
from calokit.progress import no_progress
from calokit.showers import ShowerFile, Showers, ShowerWriter, Split, open_showers
from calokit.showers.digitisation import Digitisation, digitise_file
from calokit.showers.joining import BLOCK, join_files, left_out
from calokit.showers.regrouping import regroup_file
from calokit.showers.units_check import states_its_unit


def make(path: Path, count: int, first: float, detector: str = "zdc_ecal", **changes: Any) -> ShowerFile:
    """Write showers whose incident energies count up from `first` MeV."""
    known = load_detector(detector)
    energies = np.zeros((count, known.number_of_cells), np.float32)
    incident = np.arange(first, first + count, dtype=np.float32)
    energies[:, 7] = incident / 2
    columns = {name: changes.pop(name) for name in ("positions", "entries") if name in changes}
    particle = changes.pop("particle", "e+")
    attributes = {"split": "train", "sample": "mine", "seed": int(first), **changes}
    with ShowerWriter(path, known, particle, "by hand", attributes) as writer:
        writer.write(replace(Showers(energies, incident, known), **columns))
    return open_showers(path)


def test_every_shower_is_there_once_and_the_end_is_like_the_beginning(tmp_path: Path) -> None:
    few, many = make(tmp_path / "few.h5", 2 * BLOCK, 1_000), make(tmp_path / "many.h5", 6 * BLOCK + 9, 5_000)
    assert join_files([few, many], tmp_path / "all.h5") == 8 * BLOCK + 9
    joined = open_showers(tmp_path / "all.h5")
    read = joined.read_all()
    together = np.concatenate([few.read_all().incident_energies, many.read_all().incident_energies])
    assert np.array_equal(np.sort(read.incident_energies), np.sort(together))
    assert np.array_equal(read.energies[:, 7], read.incident_energies / 2)
    assert joined.meant_for is Split.TRAIN
    assert joined.attributes["sample"] == "mine"
    assert "seed" not in joined.attributes
    assert "few.h5" in joined.attributes["joined_of"]
    for half in np.array_split(read.incident_energies, 2):
        assert np.mean(half < 5_000) == pytest.approx(2 / 8, abs=0.15)


def test_the_same_command_again_leaves_the_file(tmp_path: Path) -> None:
    sources = [make(tmp_path / f"{seed}.h5", 20, seed) for seed in (1_000, 2_000)]
    target = tmp_path / "all.h5"
    join_files(sources, target)
    written = target.stat().st_mtime_ns
    assert join_files(sources, target) == 40
    assert target.stat().st_mtime_ns == written
    more = [*sources, make(tmp_path / "third.h5", 5, 9_000)]
    assert join_files(more, target) == 45 == len(open_showers(target))


def test_a_file_joined_for_another_purpose_is_made_anew(tmp_path: Path) -> None:
    sources = [make(tmp_path / f"{seed}.h5", 20, seed) for seed in (1_000, 2_000)]
    target = tmp_path / "all.h5"
    join_files(sources, target, Split.TRAIN)
    join_files(sources, target, Split.TEST)
    assert open_showers(target).meant_for is Split.TEST


def test_a_joined_file_and_a_part_of_it_hold_the_same_showers(tmp_path: Path) -> None:
    sources = [make(tmp_path / f"{seed}.h5", 20, seed) for seed in (1_000, 2_000)]
    join_files(sources, tmp_path / "all.h5")
    with pytest.raises(ConfigurationError, match="the same showers"):
        join_files([open_showers(tmp_path / "all.h5"), sources[1]], tmp_path / "more.h5")


def test_more_showers_of_a_seed_that_was_joined_are_the_same_showers(tmp_path: Path) -> None:
    sources = [make(tmp_path / f"{seed}.h5", 20, seed) for seed in (1_000, 2_000)]
    join_files(sources, tmp_path / "all.h5")
    more = make(tmp_path / "more.h5", 90, 1_000)
    with pytest.raises(ConfigurationError, match="the same showers"):
        join_files([open_showers(tmp_path / "all.h5"), more], tmp_path / "both.h5")


def test_thresholds_and_unstated_units_are_carried_on(tmp_path: Path) -> None:
    sources = [make(tmp_path / f"{cut}.h5", 20, cut, threshold_mev=cut / 1e4) for cut in (1_000, 2_000)]
    join_files(sources, tmp_path / "all.h5")
    assert open_showers(tmp_path / "all.h5").attributes["threshold_mev"] == 0.2
    digitise_file(
        sources[0], tmp_path / "read.h5", Digitisation(noise=0.1, threshold=0.3), progress=no_progress
    )
    assert open_showers(tmp_path / "read.h5").attributes["threshold_mev"] == 0.1
    with h5py.File(tmp_path / "1000.h5", "r+") as file:
        del file.attrs["energy_unit"]
    bare = open_showers(tmp_path / "1000.h5")
    join_files([bare, sources[1]], tmp_path / "all.h5")
    regroup_file(bare, tmp_path / "coarse.h5", 2, 2, no_progress)
    for name in ("all.h5", "coarse.h5"):
        assert not states_its_unit(open_showers(tmp_path / name))


def test_an_unreadable_file_under_the_name_is_replaced(tmp_path: Path) -> None:
    sources = [make(tmp_path / f"{seed}.h5", 20, seed) for seed in (1_000, 2_000)]
    (tmp_path / "all.h5").write_text("junk")
    assert join_files(sources, tmp_path / "all.h5") == 40 == len(open_showers(tmp_path / "all.h5"))


def test_files_of_one_name_in_two_folders_are_both_named(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    sources = [make(tmp_path / "a.h5", 5, 1_000), make(tmp_path / "there" / "a.h5", 5, 2_000)]
    join_files(sources, tmp_path / "all.h5")
    named = json.loads(open_showers(tmp_path / "all.h5").attributes["joined_of"])
    assert [one[:2] for one in named] == [["a.h5", source.sha256] for source in sources]


def test_columns_that_one_lacks_are_left_out_and_told(tmp_path: Path) -> None:
    known = make(tmp_path / "known.h5", 9, 1_000, positions=np.ones((9, 2), np.float32))
    bare = make(tmp_path / "bare.h5", 9, 2_000)
    assert left_out([known, bare]) == ["incident_positions"]
    assert left_out([known, known]) == []
    done = CliRunner().invoke(app, ["join", str(known.path), str(bare.path), "-o", str(tmp_path / "all.h5")])
    assert done.exit_code == 0
    assert "incident_positions" in done.output
    assert "18 showers of 2" in done.output
    assert open_showers(tmp_path / "all.h5").read_all().positions is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"particle": "gamma"}, "particle 'gamma'"),
        ({"split": "test"}, "--split"),
        ({"digitisation": "{}"}, "digitisation"),
        ({"seed": 1_000}, "simulate with another --seed"),
    ],
)
def test_files_that_make_no_one_set_are_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    one, other = make(tmp_path / "one.h5", 5, 1_000), make(tmp_path / "other.h5", 5, 2_000, **changes)
    with pytest.raises(ConfigurationError, match=words):
        join_files([one, other], tmp_path / "all.h5")
    assert not (tmp_path / "all.h5").exists()


def test_several_purposes_become_the_one_that_is_said(tmp_path: Path) -> None:
    one, other = (
        make(tmp_path / "one.h5", 5, 1_000),
        make(tmp_path / "other.h5", 5, 2_000, split="validation"),
    )
    join_files([one, other], tmp_path / "all.h5", Split.TRAIN)
    assert open_showers(tmp_path / "all.h5").meant_for is Split.TRAIN


def test_other_cells_the_same_file_and_a_source_as_target_are_refused(tmp_path: Path) -> None:
    one = make(tmp_path / "one.h5", 5, 1_000)
    with pytest.raises(DetectorError, match="lhcb_ecal"):
        join_files([one, make(tmp_path / "lhcb.h5", 5, 2_000, detector="lhcb_ecal")], tmp_path / "all.h5")
    with pytest.raises(ConfigurationError, match="the same showers"):
        join_files([one, one], tmp_path / "all.h5")
    with pytest.raises(CalokitError, match=r"one\.h5"):
        join_files([one, make(tmp_path / "two.h5", 5, 3_000)], one.path)
    with pytest.raises(ConfigurationError, match="no files"):
        join_files([], tmp_path / "all.h5")
    done = CliRunner().invoke(app, ["join", str(one.path), "-o", str(tmp_path / "all.h5")])
    assert done.exit_code != 0
