"""Arrays made from a seed alone, on which the published codes were run to give the numbers of the oracles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]


def challenge_arrays(
    seed: int, events: int, x: Float64, y: Float64, layer: NDArray[np.int64], widening: float
) -> tuple[Float64, Float64]:
    """Return incident energies (event,) and cell energies (event, cell) in MeV, float32 values in float64.

    Only uniform numbers are drawn (the stream of PCG64). Incident energies are powers of 2 from 2^10 to 2^14
    MeV; cells fall off as exp(-radius / (40 mm widening)) and with the layer, each times the cube of a
    uniform number times 3.6, so that most of them are small.
    """
    generator = np.random.default_rng(seed)
    incident = 2.0 ** np.floor(10 + 5 * generator.random(events))
    centre = 20.0 * (generator.random((events, 2)) - 0.5)
    distance = np.hypot(x - centre[:, :1], y - centre[:, 1:])
    depth = (layer + 1.0) / (layer.max() + 1.0)
    weight = np.exp(-distance / (40.0 * widening)) * depth * (1.1 - depth)
    weight = weight / weight.sum(axis=1, keepdims=True)
    fluctuation = 3.6 * generator.random(weight.shape) ** 3
    total = incident * (0.75 + 0.5 * generator.random(events))
    energies = total[:, None] * weight * fluctuation
    return incident, energies.astype(np.float32).astype(np.float64)


def feature_arrays(seed: int, showers: int, features: int, shift: float) -> Float64:
    """Return correlated features (shower, feature) with tails, the first shifted.

    Uniform numbers alone: sums of four of them, mixed with weights 1 / (1 + |i - j|), the last column cubed.
    """
    generator = np.random.default_rng(seed)
    plain = generator.random((4, showers, features)).sum(axis=0) - 2.0
    column = np.arange(features)
    mixed = plain @ (1.0 / (1.0 + np.abs(column[:, None] - column[None, :])))
    mixed[:, -1] = mixed[:, -1] ** 3
    mixed[:, 0] += shift
    return mixed
