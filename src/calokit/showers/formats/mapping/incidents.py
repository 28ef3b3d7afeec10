"""Incident particles from momenta and vertices: kinetic energies, directions and impacts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calokit.arrays import Float64
from calokit.errors import ShowerFileError
from calokit.showers.particle_names import MASSES_MEV, name_of


def name_particles(numbers: Iterable[int]) -> str:
    """Return the name of the only kind of particle among PDG numbers, or what else they are.

    Example:
        >>> name_particles([11, 11]), name_particles([11, 22]), name_particles([]), name_particles([9000])
        ('e-', 'several (11, 22)', 'unknown', 'PDG 9000')
    """
    kinds = sorted({int(number) for number in numbers} - {0})
    if not kinds:
        return "unknown"
    if len(kinds) > 1:
        return f"several ({', '.join(map(str, kinds))})"
    return name_of(kinds[0])


def masses_mev(pdg: NDArray[Any]) -> Float64:
    """Return the mass in MeV of each PDG number; 0 for those not known here."""
    kinds, which = np.unique(pdg, return_inverse=True)
    masses = np.array([MASSES_MEV.get(abs(int(kind)), 0.0) for kind in kinds], dtype=np.float64)
    return masses[which].reshape(np.shape(pdg))


def kinetic_energies(momenta_mev: NDArray[Any], masses: NDArray[Any] | float) -> Float64:
    """Return sqrt(p^2 + m^2) - m in MeV, without loss of digits for slow particles.

    Args:
        momenta_mev: (..., 3) momenta in MeV.
        masses: (...) masses in MeV.

    Example:
        >>> kinetic_energies(np.array([[0.0, 3.0, 4.0]]), 0.0).tolist()
        [5.0]
    """
    square = (np.asarray(momenta_mev, dtype=np.float64) ** 2).sum(axis=-1)
    mass = np.asarray(masses, dtype=np.float64)
    total = np.sqrt(square + mass**2) + mass
    kinetic: Float64 = np.divide(square, total, out=np.zeros_like(square), where=total > 0)
    return kinetic


def unit_vectors(vectors: NDArray[Any], where: str) -> Float64:
    """Return vectors (n, 3) divided by their length.

    Raises:
        ShowerFileError: A vector is zero or not finite.
    """
    given = np.asarray(vectors, dtype=np.float64)
    length = np.linalg.norm(given, axis=1)
    bad = np.flatnonzero(~(np.isfinite(length) & (length > 0)))
    if len(bad):
        raise ShowerFileError(f"{where}: the direction of event {bad[0]} of these is zero or not finite.")
    unit: Float64 = given / length[:, None]
    return unit


def project_to_plane(points_mm: NDArray[Any], directions: NDArray[Any], z_mm: float) -> Float64:
    """Return x and y (n, 2) in mm where straight lines pass the plane at z.

    Args:
        points_mm: A point of each line (n, 3).
        directions: Unit vector along each line (n, 3), not parallel to the plane.
        z_mm: Where the plane stands.

    Example:
        >>> project_to_plane(np.array([[1.0, 2.0, -10.0]]), np.array([[0.6, 0.0, 0.8]]), 0.0).tolist()
        [[8.5, 2.0]]
    """
    along = (z_mm - points_mm[:, 2]) / directions[:, 2]
    projected: Float64 = points_mm[:, :2] + directions[:, :2] * along[:, None]
    return projected
