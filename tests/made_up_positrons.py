"""Made-up positrons in the LUXE calorimeter: straight, with hits that scatter about the line."""

from __future__ import annotations

import numpy as np

from calokit.detector import Detector
from calokit.showers import Showers

ENERGIES_MEV = (3e3, 6e3, 9e3, 12e3)


def made_up_positrons(detector: Detector, count: int, seed: int) -> Showers:
    """Showers of four energies, 1.3 % visible on average, impact within a pad, angles of 3 degrees."""
    rng = np.random.default_rng(seed)
    layers, rows, columns = detector.shape
    incident = rng.choice(ENERGIES_MEV, count)
    positions = rng.uniform(-5, 5, (count, 2))
    slopes = np.tan(np.radians(rng.uniform(-3, 3, (count, 2))))
    images = np.zeros((count, layers, rows, columns), np.float32)
    depth = np.arange(layers)
    profile = depth**2.5 * np.exp(-depth / 2.5)
    z = detector.sensitive_z
    for event in range(count):
        hits = rng.poisson(incident[event] / 25)
        layer = rng.choice(layers, hits, p=profile / profile.sum())
        scatter = rng.exponential(3.0 + 0.3 * layer)[:, None] * _circle(rng, hits)
        place = positions[event] + slopes[event] * z[layer][:, None] + scatter
        row = np.round(place[:, 0] / 5.0 + 0.5 * (rows - 1)).astype(int)
        column = np.round(place[:, 1] / 5.0 + 0.5 * (columns - 1)).astype(int)
        kept = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        deposit = rng.gamma(4.0, 0.325 / 4.0, hits)
        np.add.at(images[event], (layer[kept], row[kept], column[kept]), deposit[kept])
    directions = np.concatenate([slopes, np.ones((count, 1))], axis=1)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    as32 = (one.astype(np.float32) for one in (incident, positions, directions))
    energies, positions32, directions32 = as32
    return Showers(images.reshape(count, -1), energies, detector, positions32, directions32)


def _circle(rng: np.random.Generator, count: int) -> np.ndarray:
    phi = rng.uniform(0, 2 * np.pi, count)
    return np.stack([np.cos(phi), np.sin(phi)], axis=1)
