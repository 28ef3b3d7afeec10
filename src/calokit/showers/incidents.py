"""The incident particles of showers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Incidents:
    """The incident particles of some showers, without the showers.

    Attributes:
        incident_energies: (event,) MeV.
        positions: (event, 2) mm, or None.
        directions: (event, 3) unit vectors, or None.
    """

    incident_energies: NDArray[np.float32]
    positions: NDArray[np.float32] | None = None
    directions: NDArray[np.float32] | None = None
