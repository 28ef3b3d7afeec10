"""What no shower can be: refused wherever showers are read or written."""

from __future__ import annotations

import numpy as np

from calokit.errors import ShowerFileError
from calokit.showers.batch import Showers
from calokit.showers.incidents import Incidents
from calokit.showers.particles import Particles


def check_sanity(showers: Showers, where: str) -> None:
    """Refuse cells and incident particles that cannot be.

    Raises:
        ShowerFileError: See `check_energies` and `check_incidents`.
    """
    check_energies(showers, where)
    check_incidents(showers.incidents, where)


def check_energies(showers: Showers, where: str) -> None:
    """Refuse cell energies that no shower has.

    Raises:
        ShowerFileError: NaN or infinite values, or negative deposits.
    """
    smallest = float(showers.energies.min(initial=0.0))
    total = float(showers.energies.sum(dtype=np.float64))
    if not np.isfinite(total) or np.isnan(smallest):
        bad = int(np.flatnonzero(~np.isfinite(showers.energies).all(axis=1))[0])
        raise ShowerFileError(f"{where}: NaN or infinite cell energies, first in shower {bad} of these.")
    if smallest < 0.0:
        bad = int(np.flatnonzero((showers.energies < 0).any(axis=1))[0])
        raise ShowerFileError(
            f"{where}: negative cell energies down to {smallest:.4g} MeV, first in shower {bad} of these; "
            "subtract no pedestal below zero, or cut noise before writing."
        )


FARTHEST_MM = 1e6
"""No particle is said to arrive farther from the axis."""


def check_incidents(incidents: Incidents, where: str) -> None:
    """Refuse incident particles that cannot be.

    Raises:
        ShowerFileError: Incident energies that are not positive, positions that are not finite or a kilometre
            away, or directions that are not unit vectors into the calorimeter.
    """
    energies, positions, directions = incidents.energies, incidents.positions, incidents.directions
    if not (np.isfinite(energies).all() and (energies > 0).all()):
        raise ShowerFileError(f"{where}: incident energies must be positive numbers of MeV.")
    if positions is not None and not (np.abs(positions) < FARTHEST_MM).all():
        raise ShowerFileError(
            f"{where}: impact positions hold NaN, infinite values or ones a kilometre away (they are in mm)."
        )
    if incidents.particles is not None:
        _check_particles(incidents.particles, where)
    if directions is not None:
        length = np.linalg.norm(directions.astype(np.float64), axis=1)
        if not (np.abs(length - 1.0) < 1e-3).all() or (directions[:, 2] <= 0).any():
            raise ShowerFileError(
                f"{where}: directions must be unit vectors with z > 0 (into the calorimeter)."
            )


def _check_particles(particles: Particles, where: str) -> None:
    """Refuse several particles an event that cannot be."""
    energies = particles.energies
    if not (np.isfinite(energies).all() and (energies >= 0).all()):
        raise ShowerFileError(
            f"{where}: energies of particles must be numbers of MeV, 0 where there is none."
        )
    if not (np.isfinite(particles.positions).all() and np.isfinite(particles.directions).all()):
        raise ShowerFileError(f"{where}: positions or directions of particles hold NaN or infinite values.")
