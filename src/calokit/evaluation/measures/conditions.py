"""Whether every condition is met: the worst bin of each quantity, and curves over the conditions."""

from __future__ import annotations

import math

import numpy as np

from calokit.evaluation.measures.sums import make_curve
from calokit.evaluation.metrics.binned import BinnedValues
from calokit.evaluation.metrics.condition_calibration import (
    LEAST_IN_BIN,
    QUANTITIES,
    WorstBin,
    find_worst_bin,
)
from calokit.evaluation.metrics.distances import Distance
from calokit.evaluation.samples.sums import Sides
from calokit.evaluation.scorecard import Curve, Measurement
from calokit.units import MEV_PER_GEV

TOPIC = "conditions"
ENERGY = "ln incident energy"
TITLES = {
    "response": "response",
    "resolution": "resolution",
    "width": "width",
    "hits": "number of hits",
}
LABELS = {
    "response": "visible fraction / expected at the energy",
    "resolution": "spread / mean of the visible fraction",
    "width": "width / expected at the energy",
    "hits": "hits / expected at the energy",
}
AXES = {
    "impact x": "impact x (mm)",
    "impact y": "impact y (mm)",
    "theta cos phi": "theta cos phi (rad)",
    "theta sin phi": "theta sin phi (rad)",
}


def measure_conditions(sides: Sides) -> list[Measurement]:
    """Return the deviation of each quantity in its worst bin of all conditions."""
    found = []
    for quantity in QUANTITIES:
        value, floor = (
            find_worst_bin(sides.reference.conditions, other.conditions, quantity)
            for other in (sides.generated, sides.floor)
        )
        unknown = value.spread == 0.0 or floor.spread == 0.0
        if unknown:
            value = floor = WorstBin(math.nan, math.nan, "", "")
        found.append(
            Measurement.of(
                TOPIC,
                f"conditions.{quantity}",
                f"{TITLES[quantity]} in bins of every condition, worst bin",
                Distance(value.deviation, value.spread),
                Distance(floor.deviation, floor.spread),
                sides.reference.showers,
                unit="standard errors",
                note=value.words,
                reason=f"no bin holds {LEAST_IN_BIN} showers of each sample" if unknown else "",
            )
        )
    return found


def make_condition_curves(sides: Sides) -> list[Curve]:
    """Return the response over every condition, and each other quantity over the one with its worst bin."""
    curves = []
    bins = sides.reference.bins.conditions
    for quantity in QUANTITIES:
        worst = find_worst_bin(sides.reference.conditions, sides.generated.conditions, quantity).condition
        for name, edges in zip(bins.names, bins.edges, strict=True):
            if quantity != "response" and name != worst:
                continue
            energy = name == ENERGY
            values: list[BinnedValues] = [
                side.conditions.values(quantity, name)
                for side in (sides.reference, sides.generated, sides.floor)
            ]
            over = "incident energy" if energy else name
            curve = make_curve(
                TOPIC,
                f"conditions_{quantity}_{over.replace(' ', '_')}",
                f"{TITLES[quantity]} over {over}",
                ("incident energy (GeV)" if energy else AXES.get(name, name), LABELS[quantity]),
                np.exp(edges) / MEV_PER_GEV if energy else edges,
                energy,
                values,
            )
            curves.append(curve)
    return curves
