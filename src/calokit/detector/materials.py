"""Materials: those of Geant4's NIST list that calorimeters are made of, and the user's own by composition."""

from __future__ import annotations

from typing import Self

from pydantic import Field, PositiveFloat, model_validator

from calokit.config import Description
from calokit.detector.elements import ATOMIC_MASSES, element_radiation_length, require_element
from calokit.errors import DetectorError
from calokit.units import MM_PER_CM


class Material(Description):
    """A material: its density and its elements, counted by atoms or by mass.

    Attributes:
        name: How slabs refer to it; a name that starts with `G4_` is the material of Geant4's NIST list.
        density_g_cm3: Density in g/cm^3.
        atoms: Number of atoms of each element in a formula unit, such as `{Pb: 1, W: 1, O: 4}`.
        mass_fractions: Instead of `atoms`, the mass fraction of each element; they sum to 1.

    Example:
        >>> tungstate = Material(name="PWO", density_g_cm3=8.28, atoms={"Pb": 1, "W": 1, "O": 4})
        >>> round(tungstate.radiation_length_mm, 1)
        8.9
    """

    name: str = Field(min_length=1)
    density_g_cm3: PositiveFloat
    atoms: dict[str, PositiveFloat] | None = None
    mass_fractions: dict[str, PositiveFloat] | None = None

    @model_validator(mode="after")
    def _check_composition(self) -> Self:
        """Refuse a material with no composition, with two, or with unknown elements."""
        given = self.atoms or self.mass_fractions
        if not given or (self.atoms is not None and self.mass_fractions is not None):
            raise DetectorError(
                f"material {self.name!r}: give its elements either as atoms (such as {{Pb: 1, W: 1, O: 4}}) "
                "or as mass_fractions that sum to 1."
            )
        for symbol in given:
            require_element(symbol)
        if self.mass_fractions is not None and abs(sum(self.mass_fractions.values()) - 1.0) > 0.01:
            total = sum(self.mass_fractions.values())
            raise DetectorError(
                f"material {self.name!r}: mass_fractions sum to {total:.4g}, expected 1; "
                "write numbers of atoms under the key atoms instead."
            )
        return self

    def __hash__(self) -> int:
        return hash((self.name, self.density_g_cm3))

    @property
    def weights(self) -> dict[str, float]:
        """Mass fraction of each element by its symbol; they sum to 1."""
        if self.atoms is not None:
            masses = {symbol: count * ATOMIC_MASSES[symbol] for symbol, count in self.atoms.items()}
        else:
            masses = dict(self.mass_fractions or {})
        total = sum(masses.values())
        return {symbol: mass / total for symbol, mass in masses.items()}

    @property
    def radiation_length_g_cm2(self) -> float:
        """Radiation length in g/cm^2: 1/X0 = sum of w_i / X0_i over the elements (PDG)."""
        return 1.0 / sum(weight / element_radiation_length(symbol) for symbol, weight in self.weights.items())

    @property
    def radiation_length_mm(self) -> float:
        """Radiation length in mm."""
        return self.radiation_length_g_cm2 / self.density_g_cm3 * MM_PER_CM


def _element(name: str, density_g_cm3: float, symbol: str) -> Material:
    """Describe a material of one element."""
    return Material(name=name, density_g_cm3=density_g_cm3, atoms={symbol: 1})


_LIST = (
    # Densities and compositions of the Geant4 NIST list (Geant4 Book For Application Developers, appendix).
    _element("G4_Be", 1.848, "Be"),
    _element("G4_C", 2.0, "C"),
    _element("G4_Al", 2.699, "Al"),
    _element("G4_Si", 2.33, "Si"),
    _element("G4_lAr", 1.396, "Ar"),
    _element("G4_Fe", 7.874, "Fe"),
    _element("G4_Cu", 8.96, "Cu"),
    _element("G4_lKr", 2.418, "Kr"),
    _element("G4_W", 19.3, "W"),
    _element("G4_Pb", 11.35, "Pb"),
    _element("G4_U", 18.95, "U"),
    Material(
        name="G4_AIR",
        density_g_cm3=0.00120479,
        mass_fractions={"C": 0.000124, "N": 0.755268, "O": 0.231781, "Ar": 0.012827},
    ),
    Material(name="G4_POLYSTYRENE", density_g_cm3=1.06, atoms={"C": 8, "H": 8}),
    Material(name="G4_POLYETHYLENE", density_g_cm3=0.94, atoms={"C": 1, "H": 2}),
    Material(name="G4_PLASTIC_SC_VINYLTOLUENE", density_g_cm3=1.032, atoms={"C": 9, "H": 10}),
    Material(name="G4_MYLAR", density_g_cm3=1.4, atoms={"C": 10, "H": 8, "O": 4}),
    Material(name="G4_PbWO4", density_g_cm3=8.28, atoms={"Pb": 1, "W": 1, "O": 4}),
    Material(name="G4_BGO", density_g_cm3=7.13, atoms={"Bi": 4, "Ge": 3, "O": 12}),
    Material(name="G4_CESIUM_IODIDE", density_g_cm3=4.51, atoms={"Cs": 1, "I": 1}),
    # Construction materials as in eic/epic, compact/materials.xml: Steel235 and Fr4 (glass fibre and epoxy).
    Material(name="steel", density_g_cm3=7.85, mass_fractions={"Fe": 0.998, "C": 0.002}),
    Material(
        name="PCB",
        density_g_cm3=1.86,
        mass_fractions={"Si": 0.2468, "O": 0.2812, "C": 0.4355, "H": 0.0365},
    ),
)

MATERIALS = {material.name: material for material in _LIST}
"""The materials that every detector may use, by name."""
