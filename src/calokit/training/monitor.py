"""What validation says about the showers themselves: squared error by incident energy, step after step."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from calokit.evaluation.metrics.binned import BinnedMoments, energy_edges
from calokit.evaluation.samples.pairing import squared_errors
from calokit.models.batches import IncidentTensors
from calokit.models.protocols import Surrogate
from calokit.showers import ShowerFile, Showers
from calokit.units import MEV_PER_GEV

ENERGY_BINS = 4
BLOCK = 256


def squared_error_by_energy(model: Surrogate, showers: Showers, generator: torch.Generator) -> dict[str, Any]:
    """Generate a shower for each incident and compare it with the true one.

    Args:
        model: The surrogate, in evaluation mode.
        showers: Truth.
        generator: The source of every random draw.

    Returns:
        `edges_gev` (bin + 1,), and by bin `mse` and `error` of ((cell - true cell) / incident)^2, averaged
        over cells and showers; `all` and `all_error` over all energies. None stands for an empty bin.
    """
    energies = showers.incident_energies.astype(np.float64)
    edges = energy_edges(float(energies.min()), float(energies.max()), ENERGY_BINS)
    binned, whole = BinnedMoments(edges), BinnedMoments(edges[[0, -1]])
    for start in range(0, len(showers), BLOCK):
        part = showers[start : start + BLOCK]
        made = model.generate(IncidentTensors.of(part.incidents), generator).float().numpy()
        drawn = Showers(made, part.incident_energies, part.detector)
        errors = squared_errors(part, drawn, model.threshold_mev)
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


def monitored_showers(validation: ShowerFile, count: int) -> Showers | None:
    """Return the validation showers that are monitored, or None where there are none to be."""
    return validation.read(0, min(count, len(validation))) if count > 0 else None


def _finite(values: NDArray[np.float64]) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]
