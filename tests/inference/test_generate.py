"""Generation: the same seed gives the same showers, conditions are taken over, range is watched."""

from __future__ import annotations

import math
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import calokit
from calokit.bundles.ranges import ConditionRange
from calokit.compute.precision import Precision
from calokit.detector import Detector, load_detector
from calokit.errors import ConditionWarning, ConfigurationError, DetectorError, ShowerFileError
from calokit.inference import Bundle, ShowerGenerator, generate_file, incidents_at, incidents_like
from calokit.inference.generate import BLOCK
from calokit.models.batches import IncidentTensors
from calokit.models.families import build_model
from calokit.models.protocols import Surrogate
from calokit.progress import no_progress
from calokit.showers import Incidents, Showers, open_showers
from made_up_runs import MakeFile, MakeShowers, calling, silent, tiny_recipe

FLOAT32 = Precision("float32", "contiguous")
RANGES = [
    ConditionRange("ln incident energy", math.log(1e3), math.log(1e5)),
    ConditionRange("impact x", -30.0, 30.0),
    ConditionRange("impact y", -30.0, 30.0),
    ConditionRange("theta cos phi", -0.005, 0.005),
    ConditionRange("theta sin phi", -0.005, 0.005),
]


@pytest.fixture(scope="module")
def bundle(zdc: Detector, make_showers: MakeShowers) -> Bundle:
    recipe = tiny_recipe("zdc_flow")
    model = build_model(recipe.model, zdc, seed=1)
    model.fit_transforms(make_showers(200, 5))
    return Bundle(model.eval(), recipe, zdc, RANGES, {"particle": "e+", "steps": 0})


def generate(bundle: Bundle, incidents: Iterator[Incidents], path: Path, seed: int = 1) -> Showers:
    done = generate_file(bundle, incidents, path, seed, no_progress, FLOAT32)
    showers = open_showers(path).read_all()
    assert done.showers == len(showers)
    return showers


def test_same_seed_same_file(bundle: Bundle, shower_file: MakeFile, tmp_path: Path) -> None:
    view = open_showers(shower_file(300))
    first = generate(bundle, incidents_like(view), tmp_path / "a.h5")
    again = generate(bundle, incidents_like(view), tmp_path / "b.h5")
    other = generate(bundle, incidents_like(view), tmp_path / "c.h5", seed=2)
    np.testing.assert_array_equal(first.energies, again.energies)
    assert (first.energies != other.energies).any(axis=1).mean() > 0.99
    digests = {
        name: open_showers(tmp_path / name).attributes["content_sha256"] for name in ("a.h5", "b.h5", "c.h5")
    }
    assert digests["a.h5"] == digests["b.h5"] != digests["c.h5"]


def test_showers_do_not_depend_on_what_follows(bundle: Bundle, shower_file: MakeFile, tmp_path: Path) -> None:
    """Whole blocks are the same whatever comes behind them."""
    view = open_showers(shower_file(300))
    whole = generate(bundle, incidents_like(view), tmp_path / "whole.h5")
    part = generate(bundle, incidents_like(view, 280), tmp_path / "part.h5")
    assert (len(whole), len(part)) == (300, 280)
    np.testing.assert_array_equal(part.energies[:BLOCK], whole.energies[:BLOCK])
    np.testing.assert_array_equal(part.incident_energies, whole.incident_energies[:280])


def test_showers_do_not_depend_on_the_chunks(
    bundle: Bundle, make_showers: MakeShowers, tmp_path: Path
) -> None:
    showers = make_showers(3 * BLOCK + 17, 2)

    def draw(size: int) -> np.ndarray:
        pieces = [showers[start : start + size] for start in range(0, len(showers), size)]
        columns = [piece.incidents for piece in pieces]
        path = tmp_path / f"{size}.h5"
        return generate(bundle, iter(columns), path).energies

    whole = draw(len(showers))
    assert whole.shape == (3 * BLOCK + 17, 400)
    for size in (100, BLOCK, 2 * BLOCK, 700):
        np.testing.assert_array_equal(draw(size), whole)
    assert not np.array_equal(whole[:BLOCK], whole[BLOCK : 2 * BLOCK])


def test_like_takes_every_condition_over(bundle: Bundle, shower_file: MakeFile, tmp_path: Path) -> None:
    view = open_showers(shower_file(300), "test")
    path = tmp_path / "made.h5"
    seen: list[int] = []
    done = generate_file(
        bundle, incidents_like(view), path, 7, calling(lambda n, _: seen.append(n)), FLOAT32, view
    )
    made, given = open_showers(path), view.read_all()
    showers = made.read_all()
    for name in ("incident_energies", "positions", "directions"):
        np.testing.assert_array_equal(getattr(showers, name), getattr(given, name))
    assert sum(seen) == done.showers == len(made) == 60
    assert made.particle == "e+"
    assert made.generator == "calokit surrogate zdc_flow"
    expected = {
        "seed": 7, "bundle": "zdc_flow", "like": "showers.h5", "like_split": "test", "threshold_mev": 0.1,
        "outside_training_range": 0.0,
    }  # fmt: skip
    assert {name: made.attributes[name] for name in expected} == expected
    assert made.attributes["milliseconds_per_shower"] == done.milliseconds_per_shower > 0
    assert "1 thread(s), float32" in made.attributes["timing_note"]


def test_no_noise_is_used_twice(bundle: Bundle) -> None:
    """The same particle gives other showers in every block."""
    generator = ShowerGenerator(bundle, 1, FLOAT32)
    first = generator.at(20.0, 2 * BLOCK)
    second = generator.at(20.0, BLOCK, first_block=2)
    energies = np.concatenate([first.energies, second.energies]).sum(axis=1)
    assert len(set(energies.tolist())) > 0.99 * 3 * BLOCK


def test_blocks_can_be_made_in_any_order(bundle: Bundle, make_showers: MakeShowers) -> None:
    """A block follows from the seed, its number and its particles; what was made before does not matter."""
    showers = make_showers(3 * BLOCK, 2)
    columns = showers.incidents
    whole = ShowerGenerator(bundle, 1, FLOAT32).draw(columns)
    generator = ShowerGenerator(bundle, 1, FLOAT32)
    for number in (2, 0, 1, 0):
        rows = slice(number * BLOCK, (number + 1) * BLOCK)
        made = generator.draw(columns[rows], first_block=number)
        np.testing.assert_array_equal(made.energies, whole.energies[rows])


def test_showers_may_take_memory_that_is_done_with(bundle: Bundle, make_showers: MakeShowers) -> None:
    """The same showers as in new memory, whatever was there before; a part of a longer array will do."""
    incidents = make_showers(BLOCK + 10, 2).incidents
    wanted = ShowerGenerator(bundle, 1, FLOAT32).draw(incidents)
    used = np.full((2 * BLOCK, wanted.energies.shape[1]), 7.0, np.float32)
    made = ShowerGenerator(bundle, 1, FLOAT32).draw(incidents, out=used[: BLOCK + 10])
    assert np.shares_memory(made.energies, used)
    np.testing.assert_array_equal(made.energies, wanted.energies)
    assert np.all(used[BLOCK + 10 :] == 7.0)


@pytest.mark.parametrize("wrong", ["events", "cells", "type", "order"])
def test_memory_that_does_not_fit_is_refused(bundle: Bundle, make_showers: MakeShowers, wrong: str) -> None:
    shape = (10, bundle.detector.number_of_cells)
    out = {
        "events": np.zeros((11, shape[1]), np.float32),
        "cells": np.zeros((10, shape[1] + 1), np.float32),
        "type": np.zeros(shape),
        "order": np.zeros(shape, np.float32, order="F"),
    }[wrong]
    with pytest.raises(ConfigurationError, match="out has shape"):
        ShowerGenerator(bundle, 1, FLOAT32).draw(make_showers(10, 2).incidents, out=out)


def test_at_one_energy(bundle: Bundle) -> None:
    showers = ShowerGenerator(bundle, 1, FLOAT32).at(20.0, 300, (4.0, -5.0))
    assert np.all(showers.incident_energies == np.float32(20e3))
    assert np.all(showers.positions == np.array([4.0, -5.0], np.float32))
    assert np.all(showers.directions == np.array([0.0, 0.0, 1.0], np.float32))
    assert sum(len(columns.energies) for columns in incidents_at(20.0, 5000)) == 5000


@pytest.mark.parametrize(("energy", "count"), [(0.0, 5), (-1.0, 5), (math.nan, 5), (math.inf, 5), (20.0, 0)])
def test_impossible_incidents(energy: float, count: int) -> None:
    with pytest.raises(ConfigurationError, match="both must be positive"):
        next(incidents_at(energy, count))


def test_a_direction_of_any_length_is_taken_and_backwards_is_refused() -> None:
    (made,) = incidents_at(20.0, 3, (1.0, 2.0), (0.3, 0.0, 0.4))
    np.testing.assert_allclose(made.directions, np.tile([0.6, 0.0, 0.8], (3, 1)), rtol=1e-6)
    with pytest.raises(ConfigurationError, match="along z, must be positive"):
        next(incidents_at(20.0, 3, (0.0, 0.0), (0.0, 1.0, 0.0)))


@pytest.mark.parametrize("size", [1, 3])
def test_blocks_of_one_call_make_the_same_showers(
    bundle: Bundle, make_showers: MakeShowers, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    incidents = make_showers(3 * BLOCK + 17, 2).incidents
    expected = ShowerGenerator(bundle, 1, FLOAT32).draw(incidents).energies
    monkeypatch.setattr(type(bundle.model), "blocks_at_once", size, raising=False)
    found = ShowerGenerator(bundle, 1, FLOAT32).draw(incidents).energies
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_outside_the_range_warns_once_and_is_recorded(bundle: Bundle, tmp_path: Path) -> None:
    def incidents() -> Iterator[Incidents]:
        yield from incidents_at(50.0, 60)
        yield from incidents_at(250.0, 30)
        yield from incidents_at(0.5, 10)

    path = tmp_path / "made.h5"
    with pytest.warns(ConditionWarning) as caught:
        done = generate_file(bundle, incidents(), path, 1, no_progress, FLOAT32)
    (warning,) = caught
    text = str(warning.message)
    assert (
        "40 of 100 incident particles lie outside the training range of zdc_flow (1 to 100 GeV, impact x"
        in text
    )
    assert done.outside == open_showers(path).attributes["outside_training_range"] == 0.4


@pytest.mark.parametrize(
    ("position", "warned"), [((29.0, -29.0), False), ((30.02, 0.0), False), ((0.0, 31.0), True)]
)
def test_impact_outside_the_range(bundle: Bundle, position: tuple[float, float], warned: bool) -> None:
    generator = ShowerGenerator(bundle, 1, FLOAT32)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        generator.at(10.0, 3, position)
    assert [one.category for one in caught] == [ConditionWarning] * warned
    assert generator.outside == 3 * warned


def test_conditions_the_model_ignores_are_not_watched(bundle: Bundle) -> None:
    """This recipe knows energy and impact; a steep direction is no reason to warn."""
    steep = np.array([[0.6, 0.0, 0.8]], np.float32)
    generator = ShowerGenerator(bundle, 1, FLOAT32)
    generator.draw(Incidents(np.array([1e4], np.float32), np.zeros((1, 2), np.float32), steep))
    assert generator.outside == 0


def test_missing_condition_is_refused_and_leaves_no_file(bundle: Bundle, tmp_path: Path) -> None:
    columns = Incidents(np.array([1e4], np.float32), None, None)
    with pytest.raises(
        ConfigurationError, match="needs more of incident particles than their energies: impacts"
    ):
        generate(bundle, iter([columns]), tmp_path / "made.h5")
    assert list(tmp_path.iterdir()) == []


def test_like_of_another_detector_is_refused(bundle: Bundle, shower_file: MakeFile, tmp_path: Path) -> None:
    lhcb = load_detector("lhcb_ecal")
    other = Showers(np.ones((9, 900), np.float32), np.full(9, 1e4, np.float32), lhcb)
    view = open_showers(shower_file(showers=other))
    with pytest.raises(
        DetectorError, match=r"generates in detector 'zdc_ecal', and .*showers.h5 holds showers of 'lhcb"
    ):
        generate_file(bundle, incidents_like(view), tmp_path / "made.h5", 1, no_progress, FLOAT32, view)
    assert not (tmp_path / "made.h5").exists()


def test_trained_bundle_generates_from_disk(shower_file: MakeFile, tmp_path: Path) -> None:
    from calokit.inference import read_bundle
    from calokit.training.run import start_training

    recipe = tiny_recipe("zdc_regression", "training.steps=5")
    run = start_training(recipe, shower_file(), tmp_path / "run", silent)
    one, two = (
        ShowerGenerator(b, 3, FLOAT32).at(20.0, 50) for b in (run.bundle, read_bundle(run.bundle_path))
    )
    np.testing.assert_array_equal(one.energies, two.energies)


def test_showers_in_memory_serve_as_conditions(bundle: Bundle, make_showers: MakeShowers) -> None:
    like = make_showers(30, 5)
    drawn = ShowerGenerator(bundle, seed=1).draw(like)
    np.testing.assert_array_equal(drawn.incident_energies, like.incident_energies)
    again = ShowerGenerator(bundle, seed=1).draw(like.incidents)
    np.testing.assert_array_equal(drawn.energies, again.energies)


@pytest.mark.parametrize("value", [math.nan, -1.0, 0.0, math.inf])
def test_particles_that_cannot_be_are_refused(bundle: Bundle, value: float) -> None:
    straight = np.array([[0, 0, 1]] * 2, np.float32)
    particles = Incidents.of(np.array([1e4, value]), np.zeros((2, 2)), straight)
    with pytest.raises(ShowerFileError, match="must be positive"):
        ShowerGenerator(bundle, 1, FLOAT32).draw(particles)


@pytest.mark.parametrize("place", [1e30, -1e6, math.inf])
def test_impacts_a_kilometre_away_are_refused(bundle: Bundle, place: float) -> None:
    particles = Incidents.of(np.array([1e4]), np.array([[0.0, place]]))
    with pytest.raises(ShowerFileError, match="a kilometre away"):
        ShowerGenerator(bundle, 1, FLOAT32).draw(particles)


def test_particles_at_extremes() -> None:
    (straight,) = incidents_at(20.0, 1, direction=(0.0, 0.0, 1e-300))
    assert straight.directions is not None
    assert straight.directions.tolist() == [[0.0, 0.0, 1.0]]
    with pytest.raises(ConfigurationError, match="at most 1e"):
        list(incidents_at(1e36, 1))
    with pytest.raises(ConfigurationError, match="must not be negative"):
        list(incidents_like(straight, -3))


def test_directions_backwards_are_refused(bundle: Bundle) -> None:
    particles = Incidents.of(np.array([1e4]), np.zeros((1, 2)), np.array([[0.0, 0.0, -1.0]]))
    with pytest.raises(ShowerFileError, match="z > 0"):
        ShowerGenerator(bundle, 1, FLOAT32).draw(particles)


def test_another_particle_is_told_once_and_not_passed_on(bundle: Bundle) -> None:
    particles = Incidents.of(np.array([1e4, 1e4]), np.zeros((2, 2)), pdg=np.array([2112, -11]))
    generator = ShowerGenerator(bundle, 1, FLOAT32)
    with pytest.warns(ConditionWarning, match=r"1 of 2 incident particles are no e\+ \(neutron\)"):
        made = generator.draw(particles)
    assert made.pdg is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        generator.draw(particles)


def test_empty_showers_are_told(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(model: object, incidents: IncidentTensors, noise: object) -> Tensor:
        return torch.zeros(len(incidents), 400)

    monkeypatch.setattr(type(bundle.model), "showers", nothing)
    with pytest.warns(ConditionWarning, match="256 of the first 256 showers"):
        ShowerGenerator(bundle, 1, FLOAT32).at(20.0, 300)


def test_a_list_of_particles_is_generated_from(bundle: Bundle, tmp_path: Path) -> None:
    listed = tmp_path / "particles.csv"
    listed.write_text("energy_gev,position_x_mm,position_y_mm\n20,1,2\n30,3,4\n")
    made = calokit.generate(bundle, listed)
    assert made.incident_energies.tolist() == [2e4, 3e4]
    assert made.positions is not None
    assert made.positions.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    with pytest.raises(ConfigurationError, match="3 showers are asked for, but there are 2"):
        calokit.generate(bundle, listed, count=3)


def test_the_first_shower_is_not_timed(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, calls = type(bundle.model).showers, []

    def slow_at_first(model: Surrogate, incidents: IncidentTensors, noise: Mapping[str, Tensor]) -> Tensor:
        if not calls:
            time.sleep(2.0)
        calls.append(len(incidents))
        return own(model, incidents, noise)

    monkeypatch.setattr(type(bundle.model), "showers", slow_at_first)
    done = generate_file(bundle, incidents_at(20.0, 2), tmp_path / "made.h5", 1, no_progress, FLOAT32)
    assert calls == [1, 2]
    assert done.milliseconds_per_shower < 900.0


@pytest.mark.parametrize("seed", [-1, 1.5])
def test_a_seed_is_a_whole_number_from_0_on(bundle: Bundle, seed: float) -> None:
    with pytest.raises(ConfigurationError, match=f"seed {seed}"):
        ShowerGenerator(bundle, seed, FLOAT32)  # type: ignore[arg-type]


def test_training_and_generating_load_no_judges_and_no_plots() -> None:
    program = (
        "import sys, calokit.inference, calokit.training.run\n"
        "print([name for name in ('sklearn', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
