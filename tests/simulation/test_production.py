"""Producing shower files: the same bytes by any number of processes, and nothing lost when killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calokit.engine.dask import DaskExecutor
from calokit.engine.local import LocalExecutor
from calokit.engine.tasks import Result, Task, Work
from calokit.errors import ConfigurationError, OutputError, SimulationError
from calokit.files import hold_folder
from calokit.progress import no_progress
from calokit.showers import open_showers
from calokit.simulation import backends
from calokit.simulation.backends import prepare_parametric
from calokit.simulation.production import Produced, Production, prepare_production, produce_file
from calokit.simulation.sample import load_sample
from calokit.simulation.twins import Twins


@pytest.fixture
def production() -> Production:
    sample = load_sample("zdc_ecal_positrons")
    detector = sample.load_detector()
    backend = replace(prepare_parametric(sample, detector), block=128)
    return Production(sample, detector, backend, seed=3, attributes={"split": "train"})


class Here:
    """Does tasks in this process, for tests of what does not depend on where they are done."""

    def run(self, work: Work, tasks: list[Task]) -> Iterator[Result]:
        worker = work.make_worker()
        yield from map(worker, tasks)


def produce(production: Production, path: Path, events: int, workers: int = 0) -> Produced:
    """Produce a file by so many processes, or by this one."""
    executor = LocalExecutor(workers) if workers else Here()
    return produce_file(production, path, events, executor, no_progress)


def test_the_bytes_do_not_depend_on_the_number_of_processes(production: Production, tmp_path: Path) -> None:
    produce(production, tmp_path / "one.h5", 700, 1)
    produce(production, tmp_path / "two.h5", 700, 2)
    produce(replace(production, backend=replace(production.backend, block=256)), tmp_path / "wide.h5", 700)
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "wide.h5").read_bytes()
    produce(replace(production, seed=4), tmp_path / "other.h5", 700)
    assert (tmp_path / "one.h5").read_bytes() != (tmp_path / "other.h5").read_bytes()


def test_a_dask_cluster_makes_the_same_bytes(production: Production, tmp_path: Path) -> None:
    produce(production, tmp_path / "here.h5", 700)
    executor = DaskExecutor("local", 2)
    produce_file(production, tmp_path / "there.h5", 700, executor, no_progress)
    assert (tmp_path / "here.h5").read_bytes() == (tmp_path / "there.h5").read_bytes()


def test_the_file_says_what_it_is(production: Production, tmp_path: Path) -> None:
    produce(production, tmp_path / "a.h5", 200)
    view = open_showers(tmp_path / "a.h5")
    assert "parametric" in view.generator
    assert view.particle == "e+"
    assert view.attributes["split"] == "train"
    assert view.attributes["seed"] == 3
    assert json.loads(view.attributes["sample_description"]) == production.sample.to_mapping()
    manifest = json.loads((tmp_path / "a.h5.manifest.json").read_text())
    assert [(part["first"], part["last"]) for part in manifest["parts"]] == [(0, 128), (128, 200)]
    assert manifest["content_sha256"] == view.attributes["content_sha256"]
    assert not (tmp_path / "a.h5.parts").exists()
    showers = view.read_all()
    drawn = production.sample.draw(3, 0, 200)
    np.testing.assert_array_equal(showers.incident_energies, drawn.total_energies)
    np.testing.assert_array_equal(showers.positions, drawn.positions[:, 0])
    assert showers.pdg is not None
    assert (showers.pdg == -11).all()


def test_more_events_begin_with_the_fewer(production: Production, tmp_path: Path) -> None:
    produce(production, tmp_path / "few.h5", 150)
    produce(production, tmp_path / "many.h5", 300)
    few, many = (open_showers(tmp_path / name).read_all() for name in ("few.h5", "many.h5"))
    np.testing.assert_array_equal(few.energies, many.energies[:150])


SMALL_BLOCKS = "import calokit.cli, calokit.simulation.backends as made; made.PARAMETRIC_CHUNK = 16"
"""A block of the command line is eight chunks."""


def test_killed_in_mid_run_it_goes_on_and_ends_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[..., Any]
) -> None:
    monkeypatch.setattr(backends, "PARAMETRIC_CHUNK", 16)
    words = ["simulate", "zdc_ecal_positrons", "--backend", "parametric", "-n", "1500", "--workers", "1"]
    path = tmp_path / "killed.h5"
    process = subprocess.Popen(
        [sys.executable, "-c", f"{SMALL_BLOCKS}; calokit.cli.main()", *words, "-o", path],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    folder = tmp_path / "killed.h5.parts"
    deadline = time.monotonic() + 60
    while len(list(folder.glob("*.h5"))) < 2:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not path.exists()
    finished = {part.name: part.stat().st_mtime_ns for part in folder.glob("0*.h5")}
    assert finished
    again = command(*words, "-o", path)
    assert again.code == 0, again.err
    made = int(again.out.split("(")[1].split()[0])
    assert 0 < made < 1500
    assert command(*words, "-o", tmp_path / "whole.h5").code == 0
    assert path.read_bytes() == (tmp_path / "whole.h5").read_bytes()


def test_two_processes_do_not_make_one_file(production: Production, tmp_path: Path) -> None:
    folder = tmp_path / "a.h5.parts"
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps(json.loads(json.dumps(production.identity))))
    with hold_folder(folder), pytest.raises(OutputError, match="another process is at work"):
        produce(production, tmp_path / "a.h5", 256)
    assert produce(production, tmp_path / "a.h5", 256).made_now == 256


def test_a_damaged_block_is_made_again(production: Production, tmp_path: Path) -> None:
    produce(production, tmp_path / "a.h5", 256)
    folder = tmp_path / "b.h5.parts"
    folder.mkdir()
    identity = json.loads(json.dumps(production.identity))
    (folder / "manifest.json").write_text(json.dumps(identity))
    (folder / "000000000_000000128.h5").write_bytes(b"truncated")
    produced = produce(production, tmp_path / "b.h5", 256)
    assert produced.made_now == 256
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_another_file_under_the_name_is_not_taken_for_what_was_made(
    production: Production, tmp_path: Path
) -> None:
    path = tmp_path / "a.h5"
    produce(production, path, 150)
    whole = path.read_bytes()
    path.write_bytes(whole[:3000])
    with pytest.raises(SimulationError, match="Remove it, and it is simulated again"):
        produce(production, path, 150)
    produce(replace(production, seed=9), tmp_path / "b.h5", 150)
    path.write_bytes((tmp_path / "b.h5").read_bytes())
    with pytest.raises(SimulationError, match=r"is not the file that a.h5.manifest.json tells of"):
        produce(production, path, 150)
    path.write_bytes(whole)
    assert produce(production, path, 150).made_now == 0


@pytest.mark.parametrize("name", ["showers.root", "."])
def test_a_name_that_cannot_be_is_found_before_the_work(
    production: Production, tmp_path: Path, name: str
) -> None:
    with pytest.raises(OutputError):
        produce(production, tmp_path / name, 150)
    assert list(tmp_path.iterdir()) == []


def test_seeds_are_of_32_bits() -> None:
    with pytest.raises(ConfigurationError, match="seeds are whole numbers from 0 to"):
        prepare_production(load_sample("zdc_ecal_positrons"), "parametric", 2**32)


def test_twins_of_several_particles_have_several(tmp_path: Path) -> None:
    several = prepare_production(load_sample("luxe_positrons_several"), "parametric", 1)
    produce(several, tmp_path / "several.h5", 20)
    again = prepare_production(
        load_sample("luxe_positrons_a"), "parametric", 2, twins=tmp_path / "several.h5"
    )
    produce(again, tmp_path / "twins.h5", 20)
    one, two = (open_showers(tmp_path / name).read_all() for name in ("several.h5", "twins.h5"))
    assert one.particles is not None
    assert two.particles is not None
    np.testing.assert_array_equal(one.particles.energies, two.particles.energies)
    assert "energy_law" not in open_showers(tmp_path / "twins.h5").attributes


def test_what_is_there_is_kept_and_others_are_not_overwritten(production: Production, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    produce(production, path, 150)
    before = path.read_bytes()
    assert produce(production, path, 150).made_now == 0
    with pytest.raises(SimulationError, match="exists already with 150 showers"):
        produce(production, path, 300)
    with pytest.raises(SimulationError, match="another production \\(differing: seed\\)"):
        produce(replace(production, seed=9), path, 150)
    (tmp_path / "foreign.h5").write_bytes(b"mine")
    with pytest.raises(SimulationError, match="exists already; remove it"):
        produce(production, tmp_path / "foreign.h5", 150)
    with pytest.raises(OutputError, match="does not exist"):
        produce(production, tmp_path / "none" / "a.h5", 150)
    assert path.read_bytes() == before


def test_several_particles_stand_in_the_file(tmp_path: Path) -> None:
    sample = load_sample("luxe_positrons_several")
    detector = sample.load_detector()
    production = Production(sample, detector, prepare_parametric(sample, detector), 1, {})
    produce(production, tmp_path / "a.h5", 20)
    showers = open_showers(tmp_path / "a.h5").read_all()
    assert showers.particles is not None
    assert showers.particles.count.max() > 1
    np.testing.assert_array_equal(showers.incident_energies, showers.particles.total_energies)


def test_twins_are_other_showers_of_the_same_particles(production: Production, tmp_path: Path) -> None:
    first = tmp_path / "first.h5"
    produce(production, first, 300)
    twins = replace(production, twins=Twins.open(first, production.sample))
    produce(twins, tmp_path / "second.h5", 300)
    produce(twins, tmp_path / "again.h5", 300, workers=2)
    one, two = (open_showers(tmp_path / name).read_all() for name in ("first.h5", "second.h5"))
    np.testing.assert_array_equal(one.incident_energies, two.incident_energies)
    np.testing.assert_array_equal(one.positions, two.positions)
    np.testing.assert_array_equal(one.directions, two.directions)
    full = one.visible_energies > 0
    same = (one.energies[full] == two.energies[full]).all(axis=1)
    assert full.sum() > 200
    assert not same.any(), "the same seed must not make the same shower"
    assert (tmp_path / "second.h5").read_bytes() == (tmp_path / "again.h5").read_bytes()
    response = [showers.visible_energies.sum() / showers.incident_energies.sum() for showers in (one, two)]
    assert response[0] == pytest.approx(response[1], rel=0.1)
    assert open_showers(tmp_path / "second.h5").attributes["twins_of_sha256"] == open_showers(first).sha256


def test_twins_that_cannot_be_are_refused(production: Production, tmp_path: Path) -> None:
    first = tmp_path / "first.h5"
    produce(production, first, 50)
    with pytest.raises(SimulationError, match="has 50 incident particles"):
        produce(replace(production, twins=Twins.open(first, production.sample)), tmp_path / "b.h5", 51)
    with pytest.raises(SimulationError, match="holds showers of detector 'zdc_ecal'"):
        Twins.open(first, load_sample("luxe_positrons_a"))
