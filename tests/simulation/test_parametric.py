"""The parametric simulation: formulas give what they promise, for any detector and particle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from calokit.detector import Detector, load_detector
from calokit.detector.tile_sharing import tile_smearing
from calokit.errors import DetectorError
from calokit.showers import Particles
from calokit.simulation.parametric import ParametricSimulator
from calokit.simulation.parametric.electromagnetic import draw_profiles, spread_across
from calokit.simulation.parametric.medium import (
    Medium,
    average_medium,
    cut_into_steps,
    interaction_length_g_cm2,
    minimum_loss,
)

SIMULATED = (
    "zdc_ecal",
    "luxe_ecal",
    "lhcb_ecal",
    "clic_ecal",
    "par04_siw",
    "par04_siw_fine",
    "zdc_ecal_hcal",
)


def shoot(
    detector: Detector, pdg: int, energy_gev: float, count: int = 200, slope: float = 0.0, **place: Any
) -> np.ndarray:
    """Return deposits (event, cell) in MeV of particles that enter at one point."""
    direction = np.array([slope, 0.0, 1.0]) / np.hypot(slope, 1.0)
    particles = Particles(
        np.full((count, 1), 1e3 * energy_gev, np.float32),
        np.full((count, 1), pdg, np.int32),
        np.tile(np.array(place.get("at", (0.0, 0.0)), np.float32), (count, 1, 1)),
        np.tile(direction.astype(np.float32), (count, 1, 1)),
    )
    return ParametricSimulator(detector).simulate(particles, np.random.default_rng(5)).astype(np.float64)


def crystal_block(thickness_mm: float = 400.0) -> Detector:
    section = {
        "name": "ECAL",
        "readout": {
            "kind": "cartesian",
            "rows": 41,
            "columns": 41,
            "row_pitch_mm": 20.0,
            "column_pitch_mm": 20.0,
        },
        "slabs": [{"material": "G4_PbWO4", "thickness_mm": thickness_mm, "sensitive": True}],
    }
    return Detector.from_mapping({"name": "block", "title": "block", "sections": [section]}, "block")


@pytest.mark.parametrize("name", SIMULATED)
@pytest.mark.parametrize("pdg", [11, 22, 13, 211, 2112])
def test_every_detector_and_particle_gives_sane_deposits(name: str, pdg: int) -> None:
    deposits = shoot(load_detector(name), pdg, 20.0, 20, at=(5.0, 5.0))
    assert np.isfinite(deposits).all()
    assert (deposits >= 0).all()
    assert (deposits.sum(axis=1) <= 1.3 * 20e3).all()
    if pdg in (11, 22, 13):
        assert (deposits.sum(axis=1) > 0).all()


def test_a_big_block_of_crystal_holds_the_energy_of_electrons() -> None:
    visible = shoot(crystal_block(), 11, 10.0, 500).sum(axis=1) / 10e3
    assert 0.95 < visible.mean() < 1.001
    assert visible.std() < 0.03


def test_a_shallow_crystal_leaks_more_at_high_energy() -> None:
    fractions = [
        shoot(crystal_block(80.0), 11, energy, 300).sum(axis=1).mean() / energy for energy in (1, 10, 50)
    ]
    assert fractions[0] > fractions[1] > fractions[2]


def test_sampling_fluctuations_fall_with_the_root_of_the_energy() -> None:
    detector = load_detector("luxe_ecal")
    medium = average_medium(detector, detector.sections[0])
    stochastic = []
    for energy in (5.0, 20.0):
        visible = shoot(detector, 11, energy, 2000).sum(axis=1)
        stochastic.append(visible.std() / visible.mean() * np.sqrt(energy))
    # leakage adds to what sampling gives
    assert medium.resolution * 0.95 < stochastic[0] < 1.25 * medium.resolution
    assert abs(stochastic[1] / stochastic[0] - 1) < 0.15


def test_the_maximum_moves_with_the_logarithm_of_the_energy() -> None:
    detector = load_detector("clic_ecal")
    depths = []
    for energy in (10.0, 100.0):
        layers = shoot(detector, 11, energy, 400).reshape(400, 25, -1).sum(axis=(0, 2))
        depths.append((layers * np.arange(25)).sum() / layers.sum())
    per_layer = detector.radiation_lengths[0]
    assert (depths[1] - depths[0]) * per_layer == pytest.approx(np.log(10.0), rel=0.2)


def test_photons_begin_later_than_electrons() -> None:
    detector = load_detector("par04_siw")
    layers = [shoot(detector, pdg, 20.0, 500).reshape(500, 45, -1).sum(axis=(0, 2)) for pdg in (11, 22)]
    depths = [(one * np.arange(45)).sum() / one.sum() for one in layers]
    assert 0.2 < (depths[1] - depths[0]) * detector.radiation_lengths[0] < 1.2


def test_a_tilted_shower_moves_across_with_depth() -> None:
    detector = load_detector("luxe_ecal")
    images = shoot(detector, 11, 20.0, 300, slope=0.5).reshape(300, 20, 110, 11).sum(axis=(0, 3))
    rows = (np.arange(110) - 54.5) * 5.0
    centres = (images * rows).sum(axis=1) / images.sum(axis=1)
    expected = 0.5 * detector.layer_z
    np.testing.assert_allclose(centres[2:15], expected[2:15], atol=1.5)


def test_muons_leave_a_track_of_minimum_ionisation() -> None:
    detector = load_detector("luxe_ecal")
    layers = shoot(detector, 13, 10.0, 2000, at=(2.5, 0.0)).reshape(2000, 20, 110, 11)
    assert ((layers > 0).sum(axis=(2, 3)) <= 1).all()
    silicon = 0.32 / 10 * 2.33 * minimum_loss(detector.material("G4_Si"))
    assert layers.sum() / 2000 / 20 == pytest.approx(silicon, rel=0.05)


def test_neutrons_pass_the_crystals_more_often_than_not_and_shower_behind() -> None:
    detector = load_detector("zdc_ecal_hcal")
    deposits = shoot(detector, 2112, 100.0, 400)
    crystals, hadronic = deposits[:, :400].sum(axis=1), deposits[:, 400:].sum(axis=1)
    length = average_medium(detector, detector.sections[0]).interaction_length_mm
    passed = float((crystals < 1.0).mean())
    assert passed == pytest.approx(np.exp(-70.0 / length), abs=0.1)
    assert hadronic.mean() > 500.0


def test_positrons_in_the_air_between_crystals_may_leave_nothing() -> None:
    detector = load_detector("zdc_ecal")
    on_the_gap, beside = (
        shoot(detector, -11, 10.0, 100, at=at).sum(axis=1) for at in ((0.0, 5.0), (5.0, 5.0))
    )
    assert (on_the_gap == 0).all()
    assert (beside > 0).all()


def test_tiles_smear_and_conserve_energy() -> None:
    section = load_detector("zdc_ecal_hcal").sections[1]
    energies = np.random.default_rng(1).exponential(1.0, (3, 1600))
    for layer in range(4):
        smeared = energies @ tile_smearing(section, layer)
        np.testing.assert_allclose(smeared.sum(axis=1), energies.sum(axis=1), rtol=1e-12)
        assert (smeared.std(axis=1) < energies.std(axis=1)).all()


def test_profile_fluctuations_have_the_published_spread_and_correlation() -> None:
    medium = _tungstate()
    energies = np.full(20_000, 10.0)
    drawn = draw_profiles(
        energies, np.zeros(20_000, bool), np.zeros(20_000), medium, np.random.default_rng(2)
    )
    ln_y = np.log(10e3 / medium.critical_energy_mev)
    ln_t, ln_shape = np.log(drawn.maximum), np.log(drawn.shape)
    assert np.exp(ln_t.mean()) == pytest.approx(ln_y - 0.812, rel=0.01)
    assert ln_t.std() == pytest.approx(1 / (-1.4 + 1.26 * ln_y), rel=0.03)
    assert ln_shape.std() == pytest.approx(1 / (-0.58 + 0.86 * ln_y), rel=0.05)
    assert np.corrcoef(ln_t, ln_shape)[0, 1] == pytest.approx(0.705 - 0.023 * ln_y, abs=0.03)


def test_radial_profiles_widen_with_depth() -> None:
    medium = _tungstate()
    radial = spread_across(
        np.array([10.0]), np.array([[0.2, 1.0, 2.0]]), medium, np.full(3, medium.moliere_radius_mm)
    )
    assert (np.diff(radial.core_mm[0]) > 0).all()
    assert ((radial.core_weight >= 0) & (radial.core_weight <= 1)).all()
    assert radial.core_mm[0, 1] < medium.moliere_radius_mm


def test_lengths_are_those_of_the_tables() -> None:
    detector = load_detector("zdc_ecal_hcal")
    iron, silicon = detector.material("G4_Fe"), detector.material("G4_Si")
    assert interaction_length_g_cm2(iron) == pytest.approx(132.1, rel=0.03)  # PDG
    assert minimum_loss(silicon) == pytest.approx(1.664, rel=0.03)  # PDG, MeV cm^2/g
    tungstate = _tungstate()
    assert tungstate.moliere_radius_mm == pytest.approx(19.6, rel=0.1)  # PDG
    steps = cut_into_steps(detector, [average_medium(detector, one) for one in detector.sections])
    assert (np.diff(steps.radiation_lengths[0]) > 0).all()
    edges = detector.layer_edges
    for layer in (0, 1, 64):
        mine = steps.layer == layer
        assert steps.front_mm[mine].min() == pytest.approx(edges[layer, 0])
        assert steps.back_mm[mine].max() == pytest.approx(edges[layer, 1])
    total = detector.cumulated_radiation_lengths[-1]
    assert steps.radiation_lengths[1, -1] == pytest.approx(total, rel=0.03)


def test_a_detector_without_material_is_refused() -> None:
    with pytest.raises(DetectorError, match="describes a readout but no material"):
        ParametricSimulator(load_detector("calochallenge_1_photons"))


def _tungstate() -> Medium:
    block = crystal_block()
    return average_medium(block, block.sections[0])
