"""Deposits in depth spread over cells: each step of a shower becomes spots about its axis."""

from __future__ import annotations

import numpy as np

from calokit.arrays import Float64, Integer
from calokit.detector import Detector
from calokit.detector.locate import locate_cells
from calokit.simulation.parametric.electromagnetic import RadialProfiles
from calokit.simulation.parametric.medium import DepthSteps

LEAST_STEP_MEV = 1e-4
"""Visible energy of a step below which it is left out."""
MOST_SPOTS = 3000
"""Spots of one shower at most; more would cost time and change little but the smallest hits."""


def spread_spots(
    detector: Detector,
    steps: DepthSteps,
    visible_mev: Float64,
    radial: RadialProfiles,
    spots: Float64,
    impacts: Float64,
    slopes: Float64,
    rng: np.random.Generator,
) -> tuple[Integer, Integer, Float64]:
    """Draw the spots of showers and the cells that hold them.

    Args:
        detector: The detector.
        steps: The steps in depth.
        visible_mev: Visible energy of each step (shower, step).
        radial: Profiles across the shower.
        spots: How many spots each shower gets, about (shower,).
        impacts: x and y at the front face in mm (shower, 2).
        slopes: dx/dz and dy/dz (shower, 2).
        rng: Where the draws come from.

    Returns:
        Shower, cell (-1 outside) and energy in MeV of each spot; the energies of a step add up to its own.
    """
    kept = np.where(visible_mev >= LEAST_STEP_MEV, visible_mev, 0.0)
    total = np.maximum(kept.sum(axis=1, keepdims=True), 1e-12)
    expected = np.minimum(spots, MOST_SPOTS)[:, None] * kept / total
    counts = np.floor(expected + rng.random(expected.shape)).astype(np.int64)
    counts = np.where(kept > 0, np.maximum(counts, 1), 0)
    flat = np.repeat(np.arange(counts.size), counts.ravel())
    weight = rng.standard_exponential(len(flat))
    weight *= (kept.ravel() / np.maximum(np.bincount(flat, weight, counts.size), 1e-300))[flat]
    shower, step = np.divmod(flat, counts.shape[1])
    in_core = rng.random(len(flat)) < radial.core_weight[shower, step]
    scale = np.where(in_core, radial.core_mm[shower, step], radial.tail_mm[shower, step])
    drawn = rng.random(len(flat))
    radius = scale * np.sqrt(drawn / (1.0 - drawn))
    angle = rng.random(len(flat)) * (2.0 * np.pi)
    depth = steps.middle_mm[step]
    x = impacts[shower, 0] + slopes[shower, 0] * depth + radius * np.cos(angle)
    y = impacts[shower, 1] + slopes[shower, 1] * depth + radius * np.sin(angle)
    return shower, locate_cells(detector, steps.layer[step], x, y), weight
