from __future__ import annotations

import pytest

from calokit.detector import Material
from calokit.detector.elements import ATOMIC_MASSES, ATOMIC_NUMBERS, element_radiation_length
from calokit.detector.materials import MATERIALS
from calokit.errors import ConfigurationError, DetectorError


@pytest.mark.parametrize(
    ("symbol", "expected_g_cm2"),
    [  # Particle Data Group, Atomic and nuclear properties of materials
        ("H", 63.04), ("He", 94.32), ("Be", 65.19), ("C", 42.70), ("O", 34.24), ("Al", 24.01), ("Si", 21.82),
        ("Ar", 19.55), ("Fe", 13.84), ("Cu", 12.86), ("W", 6.76), ("Pb", 6.37), ("U", 6.00),
    ],
)  # fmt: skip
def test_element_radiation_length_agrees_with_the_particle_data_group(
    symbol: str, expected_g_cm2: float
) -> None:
    assert element_radiation_length(symbol) == pytest.approx(expected_g_cm2, rel=2e-3)


@pytest.mark.parametrize(
    ("name", "expected_cm"),
    [
        ("G4_W", 0.3504), ("G4_Pb", 0.5612), ("G4_Si", 9.370), ("G4_Fe", 1.757), ("G4_Cu", 1.436),
        ("G4_Al", 8.897), ("G4_POLYSTYRENE", 41.31), ("G4_PbWO4", 0.8903), ("G4_lAr", 14.00),
        ("G4_AIR", 30390.0), ("steel", 1.763),
    ],
)  # fmt: skip
def test_material_radiation_length_agrees_with_the_particle_data_group(name: str, expected_cm: float) -> None:
    assert MATERIALS[name].radiation_length_mm / 10 == pytest.approx(expected_cm, rel=3e-3)


def test_user_defined_lyso_has_its_known_radiation_length() -> None:
    lyso = Material(name="LYSO", density_g_cm3=7.125, atoms={"Lu": 9, "Y": 1, "Si": 5, "O": 25})
    assert lyso.radiation_length_mm == pytest.approx(12.0, abs=0.3)
    assert sum(lyso.weights.values()) == pytest.approx(1.0)


def test_atoms_and_mass_fractions_describe_the_same_material() -> None:
    by_atoms = Material(name="water", density_g_cm3=1.0, atoms={"H": 2, "O": 1})
    by_mass = Material(name="water", density_g_cm3=1.0, mass_fractions={"H": 0.1119, "O": 0.8881})
    assert by_atoms.weights["H"] == pytest.approx(0.1119, abs=1e-4)
    assert by_mass.radiation_length_mm == pytest.approx(by_atoms.radiation_length_mm, rel=1e-3)
    assert by_atoms.radiation_length_mm == pytest.approx(360.8, rel=2e-3)


def test_the_table_of_elements_is_whole() -> None:
    assert len(ATOMIC_NUMBERS) == len(ATOMIC_MASSES) == 92
    assert ATOMIC_NUMBERS["W"] == 74
    assert ATOMIC_NUMBERS["U"] == 92
    light = [2 * number for number in ATOMIC_NUMBERS.values()]
    assert all(
        mass > 0.95 * twice for mass, twice in list(zip(ATOMIC_MASSES.values(), light, strict=True))[1:]
    )


def test_unknown_element_is_refused_with_the_near_miss() -> None:
    with pytest.raises(DetectorError, match=r"unknown element 'Pbb'\. Did you mean 'Pb'\?"):
        Material(name="lead", density_g_cm3=11.35, atoms={"Pbb": 1})


@pytest.mark.parametrize(
    "composition",
    [{}, {"atoms": {}}, {"atoms": {"Pb": 1}, "mass_fractions": {"Pb": 1.0}}],
)
def test_composition_must_be_given_once(composition: dict[str, dict[str, float]]) -> None:
    with pytest.raises(DetectorError, match="either as atoms"):
        Material.from_mapping({"name": "x", "density_g_cm3": 1.0, **composition}, "here")


def test_mass_fractions_must_sum_to_one() -> None:
    with pytest.raises(DetectorError, match=r"sum to 1\.5"):
        Material(name="x", density_g_cm3=1.0, mass_fractions={"Pb": 0.5, "W": 1.0})


def test_density_must_be_positive() -> None:
    with pytest.raises(ConfigurationError, match="density_g_cm3"):
        Material.from_mapping({"name": "x", "density_g_cm3": 0.0, "atoms": {"Pb": 1}}, "here")
