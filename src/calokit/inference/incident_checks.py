"""What a bundle is asked to generate: particles that can be, of the kind it knows, with all it needs."""

from __future__ import annotations

import warnings
from collections.abc import Collection

import numpy as np

from calokit.bundles.bundle import Bundle
from calokit.errors import ConditionWarning, ConfigurationError
from calokit.showers import Incidents
from calokit.showers.checks import check_incidents
from calokit.showers.particle_names import PDG_NUMBERS
from calokit.showers.particles import Int32

NEEDED = {
    "position": ("positions", "impacts (x and y at the front face, mm)"),
    "direction": ("directions", "directions (unit vectors; (0, 0, 1) flies straight in)"),
}
"""Columns of incident particles that conditions of a model are made of, with words for them."""


def check_asked(bundle: Bundle, conditions: Collection[str], incidents: Incidents) -> None:
    """Refuse incident particles that cannot be, or that lack what is needed.

    Args:
        bundle: What is asked.
        conditions: What its model knows: energy, position, direction.
        incidents: The incident particles.

    Raises:
        ShowerFileError: See `check_incidents`.
        ConfigurationError: Something is missing.
    """
    check_incidents(incidents, "incident particles")
    lacking = [
        words
        for condition, (column, words) in NEEDED.items()
        if condition in conditions and getattr(incidents, column) is None
    ]
    if lacking:
        raise ConfigurationError(
            f"{bundle.name} needs more of incident particles than their energies: {' and '.join(lacking)}."
        )


def check_seed(seed: int) -> None:
    """Refuse a seed that decides no draws.

    Raises:
        ConfigurationError: It is negative or no whole number.
    """
    if seed != int(seed) or seed < 0:
        raise ConfigurationError(f"seed {seed}: a seed is a whole number from 0 on.")


def find_others(bundle: Bundle, incidents: Incidents) -> Int32:
    """Return the PDG numbers of incident particles that are known to be of another kind than the bundle's."""
    own = PDG_NUMBERS.get(str(bundle.provenance["particle"]))
    if own is None or incidents.pdg is None:
        return np.zeros(0, np.int32)
    others: Int32 = incidents.pdg[incidents.pdg != own]
    return others


def warn_of_others(bundle: Bundle, others: Int32, showers: int, stacklevel: int) -> None:
    """Warn that incident particles are of another kind: the showers are of the bundle's all the same."""
    names = {number: name for name, number in PDG_NUMBERS.items()}
    own = bundle.provenance["particle"]
    found = ", ".join(names.get(int(one), str(one)) for one in np.unique(others))
    warnings.warn(
        f"{len(others)} of {showers} incident particles are no {own} ({found}); "
        f"{bundle.name} makes showers of {own} for them.",
        ConditionWarning,
        stacklevel=stacklevel + 1,
    )


def warn_of_empty(bundle: Bundle, empty: int, showers: int, stacklevel: int) -> None:
    """Warn that most showers are empty."""
    warnings.warn(
        f"{empty} of the first {showers} showers of {bundle.name} are empty: their particles may hit a gap "
        "between cells, or miss the detector; look at their impacts.",
        ConditionWarning,
        stacklevel=stacklevel + 1,
    )
