"""Below which energy a cell counts as empty, where nobody says: found in the training showers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calokit.errors import ConfigurationError

HIGHEST_MEV = 0.1
LOSS = 0.02
STEPS = (1.0, 0.5, 0.2)


def choose_training_threshold(
    energies: NDArray[np.float32], worth: NDArray[np.float32] | None = None
) -> float:
    """Return the highest of 0.1, 0.05, 0.02 ... MeV below which lie less than 2 % of the energy.

    Args:
        energies: (event, cell) MeV.
        worth: How much energy each cell stands for (cell,), in its own; None where all stand for themselves.

    Raises:
        ConfigurationError: There is no energy at all.

    Example:
        >>> choose_training_threshold(np.array([[0.0, 0.03, 0.2, 3.0]], np.float32))
        0.1
        >>> choose_training_threshold(np.array([[0.0, 0.03, 0.04, 0.5]], np.float32))
        0.02
    """
    hits = energies[energies > 0].astype(np.float64)
    if not len(hits):
        raise ConfigurationError("no cell of the training showers holds energy; check the file (MeV).")
    held = hits if worth is None else (energies * worth)[energies > 0].astype(np.float64)
    total = held.sum()
    for power in range(30):
        for step in STEPS:
            threshold = HIGHEST_MEV * step / 10.0**power
            if held[hits <= threshold].sum() < LOSS * total:
                return float(f"{threshold:.6g}")
    raise ConfigurationError("the cells' energies are too small to be MeV; check the unit of the file.")
