"""Deposits, each in a cell or outside all cells, summed into showers without losing count of the energy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from calokit.errors import ShowerFileError


def sum_deposits(
    events: NDArray[np.int64],
    cells: NDArray[np.int64],
    energies_mev: NDArray[Any],
    shape: tuple[int, int],
    where: str,
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Add up the deposits in each cell of each event.

    Args:
        events: Number of the event of each deposit, from 0 (deposit,).
        cells: Cell of each deposit (deposit,); -1 outside the detector.
        energies_mev: Energy of each deposit in MeV (deposit,).
        shape: Number of events and of cells.
        where: What is read, for messages.

    Returns:
        Energies of the cells (event, cell) in MeV, and the energy of all deposits of each event, inside the
        detector or not (event,), in MeV.

    Raises:
        ShowerFileError: A deposit is negative or not finite.

    Example:
        >>> events, cells = np.array([0, 0, 1]), np.array([1, 1, -1])
        >>> showers, total = sum_deposits(events, cells, np.array([1.0, 2.0, 4.0]), (2, 2), "here")
        >>> showers.tolist(), total.tolist()
        ([[0.0, 3.0], [0.0, 0.0]], [3.0, 4.0])
    """
    energies = np.asarray(energies_mev, dtype=np.float64)
    check_deposits(events, energies, where)
    total = np.bincount(events, weights=energies, minlength=shape[0]).astype(np.float64)
    inside = cells >= 0
    place = events[inside] * shape[1] + cells[inside]
    summed = np.bincount(place, weights=energies[inside], minlength=shape[0] * shape[1])
    return summed.reshape(shape).astype(np.float32), total


def check_deposits(events: NDArray[np.int64], energies_mev: NDArray[np.float64], where: str) -> None:
    """Refuse deposits that cannot be.

    Raises:
        ShowerFileError: An energy is negative or not finite; the first such event is named.
    """
    bad = np.flatnonzero(~(np.isfinite(energies_mev) & (energies_mev >= 0)))
    if len(bad):
        raise ShowerFileError(
            f"{where}: a deposit of {energies_mev[bad[0]]:.4g} MeV in event {events[bad[0]]} of these; "
            "energies must be finite and not negative (cut noise and pedestals before converting)."
        )
