"""What validation says about the showers themselves: squared error by incident energy, step after step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from calokit.evaluation.metrics.binned import BinnedMoments, energy_edges
from calokit.evaluation.samples.pairing import squared_errors
from calokit.models.batches import IncidentTensors
from calokit.showers import Showers
from calokit.units import MEV_PER_GEV

ENERGY_BINS = 4
BLOCK = 256


def squared_error_by_energy(
    generate: Callable[[IncidentTensors], Tensor], showers: Showers, threshold_mev: float
) -> dict[str, Any]:
    """Generate a shower for each incident and compare it with the true one.

    Args:
        generate: Makes showers (event, cell) in MeV of incidents on the processor, at most 256 at a time.
        showers: Truth.
        threshold_mev: Cells at or below it count as empty.

    Returns:
        `edges_gev` (bin + 1,), and by bin `mse` and `error` of ((cell - true cell) / incident)^2, averaged
        over cells and showers; `all` and `all_error` over all energies. None stands for an empty bin.
    """
    energies = showers.incident_energies.astype(np.float64)
    edges = energy_edges(float(energies.min()), float(energies.max()), ENERGY_BINS)
    binned, whole = BinnedMoments(edges), BinnedMoments(edges[[0, -1]])
    for start in range(0, len(showers), BLOCK):
        part = showers[start : start + BLOCK]
        made = generate(IncidentTensors.of(part.incidents)).float().cpu().numpy()
        drawn = Showers(made, part.incident_energies, part.detector)
        errors = squared_errors(part, drawn, threshold_mev)
        for moments in (binned, whole):
            moments.add(part.incident_energies.astype(np.float64), errors)
    by_bin, total = binned.mean(), whole.mean()
    return {
        "edges_gev": (edges / MEV_PER_GEV).tolist(),
        "mse": _finite(by_bin.values),
        "error": _finite(by_bin.errors),
        "all": _finite(total.values)[0],
        "all_error": _finite(total.errors)[0],
    }


def _finite(values: NDArray[np.float64]) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]
