"""Energies a thousand times off: units that were mistaken, told by response and incident energies."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import dataclass, replace

import numpy as np

from calokit.arrays import Float64
from calokit.detector import Detector
from calokit.errors import ShowerFileError, UnitWarning
from calokit.showers.batch import Showers
from calokit.showers.files import ShowerFile
from calokit.units import MEV_PER_GEV

LARGEST_RESPONSE = 1.2
"""More visible than incident energy by this factor in the mean is no shower in MeV."""
FAR_BELOW = 1.0 / 200.0
"""Less visible energy than the stack samples by this factor is hardly a shower in MeV."""
SMALLEST_RESPONSE = 1e-4
"""The same where the stack is not known."""
LOWEST_LARGEST_MEV = 1000.0
"""A file whose largest incident energy is below it looks as if it were in GeV."""
LOWEST_MEV = 1.0
"""So does a file with an incident energy below it."""
THOUSAND = (300.0, 3000.0)
"""Ratios that are taken for a thousand."""
LOOKED_AT = 4096
"""So many showers of a file are looked at."""


@dataclass(frozen=True)
class EnergyScale:
    """What the energies of some showers are like.

    Attributes:
        response: Mean of visible over incident energy.
        typical: Median of the same, which single odd showers do not move.
        lowest_mev: Smallest incident energy.
        largest_mev: Largest incident energy.
        median_mev: Median incident energy.
    """

    response: float
    typical: float
    lowest_mev: float
    largest_mev: float
    median_mev: float

    @classmethod
    def of(cls, showers: Showers) -> EnergyScale:
        """Return the scale of showers in memory."""
        incident = showers.incident_energies.astype(np.float64)
        return cls.from_columns(showers.visible_energies / incident, incident)

    @classmethod
    def from_columns(cls, responses: Float64, incident_mev: Float64) -> EnergyScale:
        """Return the scale of showers by their visible over incident energies and the latter (event,)."""
        return cls(
            float(responses.mean()),
            float(np.median(responses)),
            float(incident_mev.min()),
            float(incident_mev.max()),
            float(np.median(incident_mev)),
        )


def mass_sampled(detector: Detector) -> float | None:
    """Return the part of the mass along the beam that is sensitive, about what a stack samples of a shower.

    Returns:
        Between 0 and 1; None where a section describes no material.

    Example:
        >>> from calokit.detector import load_detector
        >>> [round(mass_sampled(load_detector(name)), 3) for name in ("luxe_ecal", "par04_siw", "zdc_ecal")]
        [0.011, 0.025, 1.0]
    """
    sensitive = total = 0.0
    for section in detector.sections:
        if not section.slabs:
            return None
        for slab in section.slabs:
            mass = section.repeats * slab.thickness_mm * detector.material(slab.material).density_g_cm3
            total += mass
            sensitive += mass if slab.sensitive else 0.0
    return sensitive / total


def find_unit_mistakes(
    scale: EnergyScale, detector: Detector, particle: str = "unknown", stated: bool = False
) -> list[str]:
    """Say in sentences which energies cannot be in MeV.

    Args:
        scale: Of the showers.
        detector: Their detector, whose stack says about how much is visible.
        particle: The incident particle; muons leave as little as they like.
        stated: Whether the energies are known to be in MeV: then low ones are believed.
    """
    found = []
    sampled = mass_sampled(detector)
    about = "" if sampled is None else f" (the stack of {detector.name} samples about {sampled:.2g})"
    smallest = SMALLEST_RESPONSE if sampled is None else FAR_BELOW * sampled
    low_energies = scale.largest_mev < LOWEST_LARGEST_MEV or scale.lowest_mev < LOWEST_MEV
    if scale.typical > LARGEST_RESPONSE:
        likely = scale.typical / MEV_PER_GEV
        plausible = smallest < likely < LARGEST_RESPONSE
        cause = (
            "a thousand times too much: the incident energies are in GeV and read as MeV, or the cells in "
            "MeV and read as GeV"
            if plausible
            else "check the units of both"
        )
        found.append(f"the showers hold {scale.typical:.3g} times their incident energy{about}; {cause}.")
    elif 0 < scale.response < smallest and particle not in ("mu-", "mu+"):
        found.append(
            f"the showers hold {scale.response:.2g} of their incident energy{about}; about a thousand times "
            "too little: the cells are in GeV and read as MeV?"
        )
    elif low_energies and not stated:
        found.append(
            f"the incident energies are {scale.lowest_mev:.4g} to {scale.largest_mev:.4g} MeV, and the cells "
            "fit them; the whole file looks as if it were in GeV (if it is really so low, all is well)."
        )
    return found


def states_its_unit(view: ShowerFile) -> bool:
    """Tell whether the energies of a file are known to be MeV, because calokit made them."""
    return "energy_unit" in view.attributes and "source_format" not in view.attributes


def warn_of_units(view: ShowerFile, stacklevel: int = 1) -> None:
    """Warn of energies in another unit than MeV."""
    for mistake in find_unit_mistakes(read_scale(view), view.detector, view.particle, states_its_unit(view)):
        warnings.warn(f"{view.path}: {mistake}", UnitWarning, stacklevel=stacklevel + 1)


def read_scale(view: ShowerFile) -> EnergyScale:
    """Return the scale of the first showers of a file, and of all its incident energies."""
    first = EnergyScale.of(view.read(0, min(len(view), LOOKED_AT // 4)))
    pieces = [one.energies for one in itertools.islice(view.incident_chunks(), 64)]
    energies = np.concatenate(pieces).astype(np.float64)
    return replace(
        first,
        lowest_mev=float(energies.min()),
        largest_mev=float(energies.max()),
        median_mev=float(np.median(energies)),
    )


def require_same_units(reference: ShowerFile, other: ShowerFile) -> None:
    """Refuse to compare showers whose incident or visible energies differ by a thousand.

    Raises:
        ShowerFileError: One of the files is in another unit.
    """
    one, two = read_scale(reference), read_scale(other)
    for what, first, second in (
        ("incident energies", one.median_mev, two.median_mev),
        ("cell energies beside the incident ones", one.typical, two.typical),
    ):
        ratio = second / first if first > 0 else 0.0
        if THOUSAND[0] < ratio < THOUSAND[1] or THOUSAND[0] < 1.0 / max(ratio, 1e-30) < THOUSAND[1]:
            raise ShowerFileError(
                f"{other.path}: the {what} are {ratio:.3g} times those of {reference.path}; one of the files "
                "is in GeV where MeV is meant. Write it anew with calokit convert --detector "
                f"{other.detector.name} --unit GeV (and --energy-unit GeV for the incident energies)."
            )
