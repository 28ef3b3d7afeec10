"""Synthetic showers with known laws, for the tests of the evaluation."""

from __future__ import annotations

import numpy as np

from calokit.detector import Detector, load_detector
from calokit.showers import Showers, ShowerWriter


def toy_showers(
    seed, events=400, detector: Detector | None = None, spread=0.1, incident_seed=None
) -> Showers:
    """Gaussian blobs of width 30 mm about the impact, 30 % of the incident energy on average.

    `spread` is the relative fluctuation of the visible energy; cells fluctuate by 30 % beside it. Showers of
    the same `incident_seed` are of the same incidents.
    """
    detector = detector or load_detector("zdc_ecal")
    incidence = np.random.default_rng(seed if incident_seed is None else incident_seed)
    generator = np.random.default_rng([seed, 1])
    incident = np.exp(incidence.uniform(np.log(1e3), np.log(1e5), events))
    positions = incidence.uniform(-100, 100, (events, 2))
    cells = detector.cells
    square = (cells.x - positions[:, :1]) ** 2 + (cells.y - positions[:, 1:]) ** 2
    image = np.exp(-square / (2 * 30.0**2)) * generator.gamma(11, 1 / 11, (events, detector.number_of_cells))
    visible = 0.3 * incident * generator.normal(1.0, spread, events).clip(0.1)
    energies = image / image.sum(axis=1, keepdims=True) * visible[:, None]
    return Showers(
        energies.astype(np.float32), incident.astype(np.float32), detector, positions.astype(np.float32)
    )


def write_showers(path, *batches: Showers) -> str:
    """Write batches to a native file and return its path."""
    with ShowerWriter(path, batches[0].detector, "e+", "toy 1 (bindings 2), for tests") as writer:
        for batch in batches:
            writer.write(batch)
    return str(path)
