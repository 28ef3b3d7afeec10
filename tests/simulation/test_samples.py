"""Samples: the particles that a description draws, the same in any order and cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calokit.detector import load_detector
from calokit.errors import CalokitError, ConfigurationError
from calokit.showers import open_showers
from calokit.simulation.sample import Sample, list_samples, load_sample

FRONT_MM = 35715.0


def describe(**changes: Any) -> dict[str, Any]:
    gun = {
        "particle": "e-",
        "energy": {"kind": "fixed", "energy_gev": 5},
        "incidence": {"kind": "normal"},
    }
    top = {key: changes.pop(key) for key in ("physics", "detector", "name") if key in changes}
    return {"name": "mine", "detector": "luxe_ecal", "guns": [gun | changes], **top}


def draw(count: int = 2000, **changes: Any) -> Any:
    return Sample.from_mapping(describe(**changes), "test").draw(7, 0, count)


@pytest.mark.parametrize("name", list_samples())
def test_every_shipped_sample_draws_particles_that_reach_its_detector(name: str) -> None:
    sample = load_sample(name)
    detector = sample.load_detector()
    particles = sample.draw(1, 0, 200, detector)
    width, height = detector.sections[0].size_mm
    here = particles.energies > 0
    assert here[:, 0].all()
    assert (np.abs(particles.positions[..., 0]) <= width / 2).all()
    assert (np.abs(particles.positions[..., 1]) <= height / 2).all()
    np.testing.assert_allclose(np.linalg.norm(particles.directions, axis=-1)[here], 1.0, atol=1e-6)


def test_events_follow_from_seed_and_number_alone() -> None:
    sample = load_sample("luxe_positrons_several")
    whole = sample.draw(3, 0, 50)
    pieces = [sample.draw(3, first, first + 10) for first in (40, 0, 20, 10, 30)]
    order = [1, 3, 2, 4, 0]
    np.testing.assert_array_equal(whole.energies, np.concatenate([pieces[k].energies for k in order]))
    np.testing.assert_array_equal(whole.directions, np.concatenate([pieces[k].directions for k in order]))
    assert not np.array_equal(whole.energies, sample.draw(4, 0, 50).energies)


@pytest.mark.parametrize(
    ("law", "median_mev", "low", "high"),
    [
        ({"kind": "uniform", "low_gev": 10, "high_gev": 100}, 55e3, 10e3, 100e3),
        ({"kind": "log_uniform", "low_gev": 1, "high_gev": 100}, 10e3, 1e3, 100e3),
        ({"kind": "power", "low_gev": 1, "high_gev": 100, "exponent": 1}, 10e3, 1e3, 100e3),
        ({"kind": "power", "low_gev": 1, "high_gev": 100, "exponent": 2}, 1980.2, 1e3, 100e3),
    ],
)
def test_energy_laws_have_their_median_and_ends(
    law: dict[str, Any], median_mev: float, low: float, high: float
) -> None:
    energies = draw(energy=law).energies[:, 0]
    assert low <= energies.min()
    assert energies.max() <= high
    below = float((energies < median_mev).mean())
    assert abs(below - 0.5) < 4 * 0.5 / np.sqrt(2000)


def test_listed_energies_follow_in_turn() -> None:
    energies = draw(6, energy={"kind": "list", "energies_gev": [3, 4, 5]}).energies[:, 0]
    assert energies.tolist() == [3e3, 4e3, 5e3, 3e3, 4e3, 5e3]


def test_a_cone_is_uniform_in_area_on_the_front_face() -> None:
    sample = load_sample("zdc_ecal_positrons")
    particles = sample.draw(2, 0, 4000)
    radius = np.hypot(*particles.positions[:, 0].T.astype(float))
    largest = FRONT_MM * np.tan(4.5e-3)
    assert radius.max() <= largest * (1 + 1e-5)
    assert abs((radius < largest / np.sqrt(2)).mean() - 0.5) < 4 * 0.5 / np.sqrt(4000)
    slopes = particles.directions[:, 0, :2] / particles.directions[:, 0, 2:]
    np.testing.assert_allclose(slopes * FRONT_MM, particles.positions[:, 0], atol=0.02)


def test_tilts_stand_about_their_nominal_angles_in_x_only() -> None:
    law = {
        "kind": "pad",
        "half_width_mm": 5,
        "half_height_mm": 4,
        "tilts_deg": [0, 9],
        "spread_deg": 3,
        "x_mm": 10,
    }
    particles = draw(incidence=law)
    slopes = particles.directions[:, 0].astype(float)
    across = np.degrees(np.arctan(slopes[:, 0] / slopes[:, 2]))
    upward = np.degrees(np.arctan(slopes[:, 1] / slopes[:, 2]))
    low = across < 4.5
    assert 0.4 < low.mean() < 0.6
    assert np.abs(across[low]).max() < 3.001
    assert np.abs(across[~low] - 9).max() < 3.001
    assert np.abs(upward).max() < 3.001
    assert abs(upward.mean()) < 4 * 1.73 / np.sqrt(2000)
    assert 5 <= particles.positions[:, 0, 0].min() <= particles.positions[:, 0, 0].max() <= 15


def test_slopes_have_their_width() -> None:
    directions = draw(incidence={"kind": "slopes", "slope_sigma": 0.175}).directions[:, 0].astype(float)
    slopes = directions[:, 0] / directions[:, 2]
    assert abs(slopes.std() / 0.175 - 1) < 4 / np.sqrt(2 * 2000)


def test_a_fan_is_flat_in_the_angle_and_keeps_its_plane() -> None:
    particles = draw(incidence={"kind": "fan", "half_angle_deg": 30, "plane": "y"})
    directions = particles.directions[:, 0].astype(float)
    angles = np.degrees(np.arctan2(directions[:, 1], directions[:, 2]))
    assert (directions[:, 0] == 0).all()
    assert (particles.positions == 0).all()
    assert np.abs(angles).max() < 30.001
    assert abs(angles.mean()) < 4 * angles.std() / np.sqrt(2000)
    assert abs(angles.std() / (30 / np.sqrt(3)) - 1) < 4 / np.sqrt(2 * 2000)


def test_counts_are_drawn_evenly_and_padded() -> None:
    particles = load_sample("luxe_positrons_several").draw(1, 0, 2000)
    counts = np.bincount(particles.count, minlength=5)
    assert counts[0] == 0
    assert (np.abs(counts[1:] - 500) < 4 * np.sqrt(2000 * 0.25 * 0.75)).all()
    padded = particles.energies == 0
    assert (particles.pdg[padded] == 0).all()
    np.testing.assert_allclose(particles.total_energies, particles.energies.sum(axis=1), rtol=1e-6)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"particle": "positrom"}, "unknown particle 'positrom'"),
        ({"particle": "neutron"}, "neutron does not react in physics_list 'em0'"),
        ({"energy": {"kind": "uniform", "low_gev": 5, "high_gev": 2}}, "low_gev 5.0 must lie below"),
        ({"energy": {"kind": "fixed", "energy_mev": 5}}, "unknown key 'guns.0.energy.energy_mev'"),
        ({"count": [3, 2]}, "the first must not be above the second"),
        ({"count": [0, 2]}, "every event needs a particle"),
        ({"physics": {"physics_list": "em5"}}, "physics.physics_list"),
        ({"incidence": {"kind": "cone", "half_angle_mrad": 4}}, "give the incidence law distance_mm"),
    ],
)
def test_mistakes_are_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(CalokitError, match=words):
        Sample.from_mapping(describe(**changes), "mine.yaml").load_detector()


def test_an_unknown_sample_gets_the_near_miss() -> None:
    with pytest.raises(ConfigurationError, match="Did you mean 'zdc_neutrons'"):
        load_sample("zdc_neutron")
    with pytest.raises(ConfigurationError, match="no such file"):
        load_sample("folder/mine.yaml")


def test_a_sample_file_finds_its_detector_beside_it(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(load_detector("luxe_ecal").to_yaml())
    sample = Sample.from_mapping(describe(detector="mine.yaml"), "test")
    (tmp_path / "sample.yaml").write_text(sample.to_yaml())
    assert load_sample(tmp_path / "sample.yaml").load_detector().name == "luxe_ecal"


SHARED = Path(__file__).parents[3] / "shared" / "showers"


@pytest.mark.skipif(not SHARED.is_dir(), reason="the reference sets are not here")
@pytest.mark.parametrize("name", [path.stem for path in SHARED.glob("*s.h5")] if SHARED.is_dir() else [])
def test_shipped_samples_draw_from_the_laws_of_the_reference_sets(name: str) -> None:
    theirs = open_showers(SHARED / f"{name}.h5").read(0, 4000)
    mine = load_sample(name).draw(9, 0, 4000)
    assert theirs.positions is not None
    assert theirs.directions is not None
    assert theirs.pdg is None or theirs.pdg[0] == mine.pdg[0, 0]
    for ours, other in (
        (np.log(mine.total_energies), np.log(theirs.incident_energies)),
        (mine.positions[:, 0, 0], theirs.positions[:, 0]),
        (mine.positions[:, 0, 1], theirs.positions[:, 1]),
        (mine.directions[:, 0, 0], theirs.directions[:, 0]),
    ):
        spread = max(float(other.std()), 1e-6)
        assert abs(ours.mean() - other.mean()) < 5 * spread * np.sqrt(2 / 4000)
        assert abs(ours.std() / spread - 1) < 0.08 or spread <= 1e-6
