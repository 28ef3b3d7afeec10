"""Numbers that describe a shower's shape, for boosted trees and for anybody who cuts on them."""

from __future__ import annotations

import numpy as np

from calokit.arrays import Float64
from calokit.classical.hits import GridHits
from calokit.classical.track_fit import FittedLines

ENERGY_EDGES_MEV = (0.0, 0.03, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5, 5.0, np.inf)
"""Classes of a cell's deposit; a minimum ionising particle leaves some 0.1 MeV in the silicon."""
RADII_MM = (5.0, 10.0, 20.0, 40.0)


def shower_features(hits: GridHits, lines: FittedLines) -> tuple[Float64, list[str]]:
    """Return features of each shower.

    Args:
        hits: The showers.
        lines: Their fitted lines, about which the width is measured.

    Returns:
        (event, k) float64 and the k names: deposits and hits by layer, deposits and hits by class of the
        cell's deposit, parts of the deposit within radii, depth and width moments, the largest cell.
    """
    layers = hits.grid.shape[0]
    energies = hits.energy
    total = hits.sum_by_event(energies)
    safe = np.where(total > 0, total, 1.0)
    line = hits.event
    z = hits.grid.z_mm[hits.layer]
    x = hits.grid.x_mm(hits.row) - lines.positions[line, 0] - lines.slopes[line, 0] * z
    y = hits.grid.y_mm(hits.column) - lines.positions[line, 1] - lines.slopes[line, 1] * z
    radius = np.hypot(x, y)
    depth = hits.sum_by_event(energies * hits.layer) / safe
    columns: list[Float64] = [total, hits.counts.astype(np.float64), depth]
    names = ["deposit", "hits", "mean layer"]
    moments = {
        "layer spread": hits.sum_by_event(energies * (hits.layer - depth[line]) ** 2) / safe,
        "width x": hits.sum_by_event(energies * x**2) / safe,
        "width y": hits.sum_by_event(energies * y**2) / safe,
        "mean radius": hits.sum_by_event(energies * radius) / safe,
        "square of deposits": hits.sum_by_event(energies**2) / safe,
    }
    columns += list(moments.values())
    names += list(moments)
    largest = np.zeros(hits.events)
    np.maximum.at(largest, line, energies)
    columns.append(largest)
    names.append("largest cell")
    for radius_mm in RADII_MM:
        columns.append(hits.sum_by_event(energies * (radius < radius_mm)) / safe)
        names.append(f"part within {radius_mm:g} mm")
    kind = np.digitize(energies, ENERGY_EDGES_MEV) - 1
    for number in range(len(ENERGY_EDGES_MEV) - 1):
        columns += [hits.sum_by_event(kind == number), hits.sum_by_event(energies * (kind == number))]
        names += [f"hits of class {number}", f"deposit of class {number}"]
    by_layer = np.concatenate([hits.sum_by_layer(energies), hits.sum_by_layer(np.ones(len(line)))], axis=1)
    names += [f"deposit of layer {number}" for number in range(layers)]
    names += [f"hits of layer {number}" for number in range(layers)]
    return np.concatenate([np.stack(columns, axis=1), by_layer], axis=1), names
