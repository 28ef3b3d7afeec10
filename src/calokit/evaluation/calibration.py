"""The calibration test of a density: cumulative values of its draws, by kind, level, layer and energy."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from calokit.arrays import Float64, Integer
from calokit.evaluation.metrics.uniformity import UniformCounts, Uniformity, measure_uniformity

AXES = ("all", "level", "layer", "energy")
"""What draws are told apart by."""
INNERMOST = 1e-6
"""Values nearer than this to 0 or 1 are taken there, so that their normal scores are finite."""


@dataclass(frozen=True)
class CalibrationRow:
    """The draws of one kind, or some of them.

    Attributes:
        part: `totals`, `layers` or `cells`.
        kind: `energy` or `hits`.
        axis: By what they are picked, see `AXES`.
        label: Which level, layer or range of energies (GeV); empty for all.
        counts: Their cumulative values in a hundred bins (bin,).
        uniformity: What the counts say.
        together: Mean square of the sums of normal scores over a shower's draws, each over the root of their
            number, and its error: 1 if draws are independent, more if what the model leaves over in one draw
            it leaves over in the others too. None where draws are one a shower.
    """

    part: str
    kind: str
    axis: str
    label: str
    counts: Integer
    uniformity: Uniformity
    together: tuple[float, float] | None = None


class CalibrationTest:
    """Collects cumulative values block by block of showers.

    Args:
        energy_edges_gev: Borders of the bins of incident energy (bin + 1,).
    """

    def __init__(self, energy_edges_gev: Float64) -> None:
        self.edges = energy_edges_gev
        self.counts = UniformCounts()
        self.squares: dict[tuple[str, ...], Float64] = {}

    def add(
        self,
        part: str,
        kind: str,
        values: Float64,
        events: Integer,
        levels: Integer,
        layers: Integer,
        energies_gev: Float64,
    ) -> None:
        """Add the values (draw,) of one kind of draw of whole showers.

        Args:
            part: `totals`, `layers` or `cells`.
            kind: `energy` or `hits`.
            values: Cumulative values in [0, 1].
            events: The shower of each, counted within the block.
            levels: The level of each.
            layers: The layer of each, -1 where it is of none.
            energies_gev: Incident energies of the block's showers (event,).
        """
        if not len(values):
            return
        bins = np.searchsorted(self.edges, energies_gev, side="right") - 1
        bins = np.clip(bins, 0, len(self.edges) - 2)
        groups = {"energy": bins[events]}
        if part != "totals":  # of which a shower has one each
            groups |= {"level": levels, "layer": layers}
            scores = ndtri(np.clip(values, INNERMOST, 1.0 - INNERMOST))
            self._add_sums((part, kind, "all", ""), scores, events, len(energies_gev))
            for level in np.unique(levels).tolist():
                here = levels == level
                name = (part, kind, "level", str(level))
                self._add_sums(name, scores[here], events[here], len(energies_gev))
        self.counts.add((part, kind), values, groups)

    def rows(self) -> list[CalibrationRow]:
        """Return what was found, kind by kind, the draws of all showers together first."""
        found = []
        several = Counter(name[:3] for name in self.counts.counts)
        for name, counts in sorted(self.counts.counts.items(), key=lambda one: _order(one[0])):
            part, kind, axis, number = name
            if axis != "all" and several[name[:3]] == 1:
                continue
            label = number
            if axis == "energy":
                low, high = self.edges[int(number) : int(number) + 2]
                label = f"{low:.3g} to {high:.3g}"
            together = None
            if name in self.squares:
                events, total, fourth = self.squares[name]
                mean = total / events
                together = (mean, float(np.sqrt(max(fourth / events - mean**2, 0.0) / events)))
            found.append(
                CalibrationRow(part, kind, axis, label, counts, measure_uniformity(counts), together)
            )
        return found

    def _add_sums(self, name: tuple[str, ...], scores: Float64, events: Integer, showers: int) -> None:
        number = np.bincount(events, minlength=showers)
        sums = np.bincount(events, scores, minlength=showers)[number > 0]
        squares = sums**2 / number[number > 0]
        new = np.array([len(squares), squares.sum(), np.square(squares).sum()])
        self.squares[name] = self.squares.get(name, 0.0) + new


def energy_bins(energies_gev: Float64, bins: int = 6) -> Float64:
    """Return borders of bins of incident energy (bin + 1,) that hold about equally many showers.

    Example:
        >>> energy_bins(np.array([1.0, 2.0, 3.0, 4.0]), 2).tolist()
        [1.0, 2.5, 4.0]
        >>> energy_bins(np.array([5.0, 5.0])).tolist()
        [5.0, 5.0]
    """
    edges = np.unique(np.quantile(energies_gev, np.linspace(0.0, 1.0, bins + 1)))
    return edges if len(edges) > 1 else np.repeat(edges, 2)


def _order(name: tuple[str, ...]) -> tuple[int, str, int, int]:
    part, kind, axis, number = name
    return ("totals", "layers", "cells").index(part), kind, AXES.index(axis), int(number or 0)
