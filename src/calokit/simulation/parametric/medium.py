"""What a section is for a shower that averages over its slabs: lengths, energies, sampling fraction."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calokit.arrays import Float64
from calokit.detector import Detector, Material, Section
from calokit.detector.elements import ATOMIC_MASSES, ATOMIC_NUMBERS
from calokit.units import MM_PER_CM

SCALE_ENERGY_MEV = 21.2
"""Multiple-scattering energy E_s that defines the Moliere radius."""
MINIMUM_BETA_GAMMA = 3.5
COUNTING_RESOLUTION = 0.152
"""Relative spread at 1 GeV of the tracks counted in layers one radiation length apart, from Geant4."""
THIN_LAYER_G_CM2 = 0.055
"""Areal density of a sensitive layer at which its deposits spread as much as the counted tracks do."""
ELECTRON_SIGNAL = 1.16
"""Signal of electrons that Geant4 gives beside the formula for e/mip, mean over tungsten and lead stacks."""
HOMOGENEOUS_RESOLUTION = 0.015
"""Relative spread at 1 GeV of the energy deposited in a crystal that contains the shower."""
MOST_STEP_RADIATION_LENGTHS = 1.0
"""Sums over depth take steps of at most about this thickness where a readout layer is thicker."""


@dataclass(frozen=True)
class Medium:
    """A section as one even material (G. Grindhammer and S. Peters, arXiv:hep-ex/0001020, section 3).

    Attributes:
        atomic_number: Mean Z, weighted by mass.
        radiation_length_mm: X0, gaps counted.
        interaction_length_mm: Nuclear interaction length, gaps counted.
        critical_energy_mev: Critical energy.
        moliere_radius_mm: Moliere radius, gaps counted.
        sampling_fraction: Visible part of the energy that an electromagnetic shower deposits.
        mip_loss_mev_per_mm: Mean visible loss of a minimum ionising particle per mm of depth.
        inverse_frequency: Thickness of one repeat in radiation lengths, 1 / F_S; 0 in a homogeneous section.
        electron_to_mip: Signal of electrons beside that of minimum ionising particles; 1 if homogeneous.
        resolution: Relative spread of the visible energy at 1 GeV deposited, by sampling alone.
    """

    atomic_number: float
    radiation_length_mm: float
    interaction_length_mm: float
    critical_energy_mev: float
    moliere_radius_mm: float
    sampling_fraction: float
    mip_loss_mev_per_mm: float
    inverse_frequency: float
    electron_to_mip: float
    resolution: float


@dataclass(frozen=True, eq=False)
class DepthSteps:
    """The sensitive depth of a detector, cut into steps that belong to readout layers.

    Attributes:
        layer: Readout layer over all sections of each step (step,).
        section: Number of the section of each step (step,).
        front_mm: Where each step begins, from the front face (step,).
        back_mm: Where each step ends (step,).
        radiation_lengths: Material before the front and before the back of each step, in X0 (2, step).
        interaction_lengths: The same in nuclear interaction lengths (2, step).
    """

    layer: NDArray[np.int64]
    section: NDArray[np.int64]
    front_mm: Float64
    back_mm: Float64
    radiation_lengths: Float64
    interaction_lengths: Float64

    @property
    def middle_mm(self) -> Float64:
        """Depth of the middle of each step (step,)."""
        middle: Float64 = (self.front_mm + self.back_mm) / 2
        return middle


def average_medium(detector: Detector, section: Section) -> Medium:
    """Return a section as one even material.

    Raises:
        DetectorError: The section describes no material.

    Example:
        >>> from calokit.detector import load_detector
        >>> detector = load_detector("clic_ecal")
        >>> medium = average_medium(detector, detector.sections[0])
        >>> round(medium.radiation_length_mm, 1), round(100 * medium.sampling_fraction, 1)
        (5.0, 2.0)
    """
    slabs = [
        (detector.material(slab.material), slab.thickness_mm / MM_PER_CM, slab.sensitive)
        for slab in section.slabs
    ]
    masses = [material.density_g_cm3 * thickness for material, thickness, _ in slabs]
    depth, mass = sum(thickness for _, thickness, _ in slabs), sum(masses)
    weights = [one / mass for one in masses]
    density = mass / depth
    materials = [material for material, _, _ in slabs]
    lengths = np.array([material.radiation_length_g_cm2 for material in materials])
    critical = np.array([critical_energy_mev(material) for material in materials])
    radiation = 1.0 / float(np.sum(weights / lengths))
    strength = float(np.sum(weights * critical / lengths))
    inverse_interaction = sum(
        weight / interaction_length_g_cm2(one) for weight, one in zip(weights, materials, strict=True)
    )
    losses = [minimum_loss(material) * one for material, one in zip(materials, masses, strict=True)]
    seen = sum(loss for loss, (_, _, sensitive) in zip(losses, slabs, strict=True) if sensitive)
    homogeneous = all(sensitive for _, _, sensitive in slabs)
    absorber, active = (_mean_number(slabs, kind) for kind in (False, True))
    signal = 1.0 if homogeneous else 1.0 / (1.0 + 0.007 * (absorber - active))
    repeat = mass / radiation
    active_mass = sum(one for one, (_, _, sensitive) in zip(masses, slabs, strict=True) if sensitive)
    return Medium(
        atomic_number=sum(w * mean_atomic_number(m) for w, m in zip(weights, materials, strict=True)),
        radiation_length_mm=radiation / density * MM_PER_CM,
        interaction_length_mm=MM_PER_CM / (inverse_interaction * density),
        critical_energy_mev=radiation * strength,
        moliere_radius_mm=SCALE_ENERGY_MEV / strength / density * MM_PER_CM,
        sampling_fraction=1.0 if homogeneous else seen / sum(losses) * signal * ELECTRON_SIGNAL,
        mip_loss_mev_per_mm=seen / (depth * MM_PER_CM),
        inverse_frequency=0.0 if homogeneous else repeat,
        electron_to_mip=signal,
        resolution=(
            HOMOGENEOUS_RESOLUTION
            if homogeneous
            else COUNTING_RESOLUTION * math.sqrt(repeat * (1.0 + THIN_LAYER_G_CM2 / active_mass))
        ),
    )


def cut_into_steps(detector: Detector, media: list[Medium]) -> DepthSteps:
    """Return the steps in depth of all readout layers; layers thicker than one X0 are cut evenly.

    Args:
        detector: The detector.
        media: One for each section.
    """
    columns: list[tuple[int, int, float, float]] = []
    matter: list[tuple[float, float, float, float]] = []
    passed = np.zeros(2)
    layer = 0
    for number, (section, front) in enumerate(zip(detector.sections, detector.section_fronts, strict=True)):
        medium = media[number]
        lengths = np.array([medium.radiation_length_mm, medium.interaction_length_mm])
        thickness = section.layers_per_readout * section.repeat_mm
        pieces = max(1, math.ceil(thickness / medium.radiation_length_mm / MOST_STEP_RADIATION_LENGTHS))
        for _ in range(section.number_of_layers):
            for piece in range(pieces):
                begin = float(front) + thickness * piece / pieces
                columns.append((layer, number, begin, begin + thickness / pieces))
                after = passed + thickness / pieces / lengths
                matter.append((*passed, *after))
                passed = after
            front += thickness
            layer += 1
        for slab in section.back_plates:
            material = detector.material(slab.material)
            per_mm = material.density_g_cm3 / MM_PER_CM
            absorbed = [material.radiation_length_g_cm2, interaction_length_g_cm2(material)]
            passed = passed + slab.thickness_mm * per_mm / np.array(absorbed)
    layers, sections, fronts, backs = (np.array(column) for column in zip(*columns, strict=True))
    table = np.array(matter)
    return DepthSteps(layers, sections, fronts, backs, table[:, [0, 2]].T, table[:, [1, 3]].T)


def critical_energy_mev(material: Material) -> float:
    """Return the critical energy, 2.66 (X0 Z / A)^1.1 MeV with X0 in g/cm^2 (hep-ex/0001020, eq. 1).

    Example:
        >>> from calokit.detector.materials import MATERIALS
        >>> round(critical_energy_mev(MATERIALS["G4_Pb"]), 1)
        7.4
    """
    charge_per_mass = sum(
        weight * ATOMIC_NUMBERS[symbol] / ATOMIC_MASSES[symbol] for symbol, weight in material.weights.items()
    )
    return float(2.66 * (material.radiation_length_g_cm2 * charge_per_mass) ** 1.1)


def interaction_length_g_cm2(material: Material) -> float:
    """Return the nuclear interaction length, about 35 A^(1/3) g/cm^2, mixed by mass."""
    inverse = sum(
        weight / (35.0 * ATOMIC_MASSES[symbol] ** (1.0 / 3.0)) for symbol, weight in material.weights.items()
    )
    return float(1.0 / inverse)


def minimum_loss(material: Material) -> float:
    """Return the loss of a minimum ionising muon in MeV cm^2/g, mixed by mass.

    Bethe's formula at beta gamma = 3.5 without density effect, I = 16 Z^0.9 eV (PDG, Passage of particles
    through matter).
    """
    return sum(weight * _element_loss(symbol) for symbol, weight in material.weights.items())


def mean_atomic_number(material: Material) -> float:
    """Return Z weighted by mass."""
    return sum(weight * ATOMIC_NUMBERS[symbol] for symbol, weight in material.weights.items())


def _element_loss(symbol: str) -> float:
    number, square = ATOMIC_NUMBERS[symbol], MINIMUM_BETA_GAMMA**2
    beta_square = square / (1.0 + square)
    electron = 0.511
    largest = 2.0 * electron * square / (1.0 + 2.0 * math.sqrt(1.0 + square) * electron / 105.66)
    excitation = 16e-6 * number**0.9
    logarithm = 0.5 * math.log(2.0 * electron * square * largest / excitation**2)
    return 0.307 * number / ATOMIC_MASSES[symbol] / beta_square * (logarithm - beta_square)


def _mean_number(slabs: Iterable[tuple[Material, float, bool]], sensitive: bool) -> float:
    """Return Z weighted by mass of the sensitive or of the other slabs."""
    chosen = [(m, m.density_g_cm3 * thickness) for m, thickness, kind in slabs if kind == sensitive]
    total = sum(mass for _, mass in chosen)
    return sum(mean_atomic_number(m) * mass for m, mass in chosen) / total if total else 0.0
