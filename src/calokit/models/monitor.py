"""What validation says about the showers themselves: squared error by energy, PRD areas, step after step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from calokit.evaluation.metrics.binned import BinnedMoments, energy_edges, plain_values
from calokit.evaluation.metrics.precision_recall import PrecisionRecallSettings
from calokit.evaluation.samples.momentum_score import momentum_score
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


def area_of_images_and_shapes(
    truth: Showers, energies: NDArray[np.float32], threshold_mev: float
) -> dict[str, float]:
    """Return the PRD areas of images and of shapes along the momentum, and the smaller of them.

    Few clusterings, so that it can be asked for in the course of a training; see `momentum_score`.

    Args:
        truth: With positions and directions.
        energies: (event, cell) MeV, generated for the same incidents.
        threshold_mev: Cells at or below it count as empty.

    Returns:
        `images`, `physics`, `smaller`, and the `error` of the last.
    """
    made = Showers(energies, truth.incident_energies, truth.detector, truth.positions, truth.directions)
    clusters = max(2, min(PrecisionRecallSettings().clusters, len(truth) // 10))
    settings = PrecisionRecallSettings(clusters=clusters, runs=2, seed=1)
    found = momentum_score(truth, made, threshold_mev, settings)
    return {
        "images": found.images.value,
        "physics": found.physics.value,
        "smaller": found.value.value,
        "error": found.value.error,
    }
