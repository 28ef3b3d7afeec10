"""What validation says about the showers themselves: squared error by incident energy, step after step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor

from calokit.evaluation.metrics.binned import BinnedMoments, energy_edges, plain_values
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
        "mse": plain_values(by_bin.values),
        "error": plain_values(by_bin.errors),
        "all": plain_values(total.values)[0],
        "all_error": plain_values(total.errors)[0],
    }
