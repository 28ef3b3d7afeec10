"""Response, resolution, width and hits in bins of every condition: calibration without a likelihood."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from calokit.arrays import Float64
from calokit.evaluation.metrics.binned import BinnedMoments, BinnedValues
from calokit.evaluation.metrics.distances import Distance
from calokit.evaluation.samples.observables import Observables

QUANTITIES = ("response", "resolution", "width", "hits")
"""What is compared: mean and relative spread of the visible fraction, mean width and mean number of hits."""
_MEANS = ("response", "width", "hits")
MOST_BINS = 8
SHOWERS_A_BIN = 250
"""Bins are made so wide that each has about so many showers of a sample, unless there would be one alone."""
EXPECTED_BINS = 16
"""Bins in the incident energy whose means say what is expected at an energy."""


@dataclass(frozen=True)
class ConditionBins:
    """Bins with as many showers each in every condition, and what is expected at an energy.

    Attributes:
        names: Of the conditions that vary, as `Showers.conditions` has them.
        columns: Their columns there.
        edges: Of each, (bin + 1,).
        logarithms: (point,) ln of incident energies in MeV, rising.
        expected: Mean of each quantity but the resolution at these, (point,).
    """

    names: tuple[str, ...]
    columns: tuple[int, ...]
    edges: tuple[Float64, ...]
    logarithms: Float64
    expected: dict[str, Float64]


def quantities_of(observables: Observables) -> dict[str, Float64]:
    """Return visible fraction, width (mm, both axes together) and hits of each shower; (event,) each."""
    width = np.hypot(observables.column("width_x"), observables.column("width_y"))
    return {
        "response": observables.column("visible_fraction"),
        "width": width,
        "hits": observables.column("hits"),
    }


def bin_conditions(
    conditions: Float64, names: list[str], quantities: dict[str, Float64], showers: int
) -> ConditionBins:
    """Fix the bins from showers of the reference.

    Args:
        conditions: (event, k) as `Showers.conditions` gives them, ln of the incident energy first.
        names: The k names.
        quantities: As `quantities_of` gives them.
        showers: How many showers of a sample will be compared.
    """
    bins = int(np.clip(showers // SHOWERS_A_BIN, 2, MOST_BINS))
    kept = []
    for column, name in enumerate(names):
        edges = _bin_edges(conditions[:, column], bins)
        if len(edges) > 2 or (len(edges) == 2 and np.ptp(conditions[:, column]) > 0):
            kept.append((name, column, edges))
    logarithm = conditions[:, 0]
    order = np.array_split(np.argsort(logarithm, kind="stable"), min(EXPECTED_BINS, len(logarithm)))
    means = {name: np.array([values[part].mean() for part in order]) for name, values in quantities.items()}
    return ConditionBins(
        tuple(name for name, _, _ in kept),
        tuple(column for _, column, _ in kept),
        tuple(edges for _, _, edges in kept),
        np.array([logarithm[part].mean() for part in order]),
        means,
    )


def _bin_edges(values: Float64, bins: int) -> Float64:
    """Return edges of bins of about equally many values (event,); of few different ones, one bin each.

    Example:
        >>> _bin_edges(np.array([5.0, 5.0, 10.0, 20.0, 50.0]), 8).tolist()
        [5.0, 7.5, 15.0, 35.0, 50.0]
    """
    different = np.unique(values)
    if 1 < len(different) <= bins:
        return np.concatenate([different[:1], (different[1:] + different[:-1]) / 2, different[-1:]])
    found: Float64 = np.unique(np.quantile(values, np.linspace(0.0, 1.0, bins + 1)))
    return found


class ConditionSums:
    """Sums of the quantities of one sample in the bins of every condition, in bounded memory.

    Each quantity is divided by what the reference has on average at the shower's energy, so that a bin of
    impacts does not feel which energies fell into it.

    Args:
        bins: Fixed by the reference.
    """

    def __init__(self, bins: ConditionBins) -> None:
        self.bins = bins
        self.moments = {
            (quantity, name): BinnedMoments(edges)
            for quantity in _MEANS
            for name, edges in zip(bins.names, bins.edges, strict=True)
        }

    def add(self, conditions: Float64, quantities: dict[str, Float64]) -> None:
        """Add showers: conditions (event, k) and quantities (event,) each."""
        bins = self.bins
        for quantity in _MEANS:
            expected = np.interp(conditions[:, 0], bins.logarithms, bins.expected[quantity])
            relative = quantities[quantity] / np.where(expected > 0, expected, 1.0)
            for name, column in zip(bins.names, bins.columns, strict=True):
                self.moments[quantity, name].add(conditions[:, column], relative)

    def merge(self, other: ConditionSums) -> None:
        """Add the sums of other showers.

        Raises:
            CalokitError: The bins differ.
        """
        for key, moments in self.moments.items():
            moments.merge(other.moments[key])

    def values(self, quantity: str, condition: str) -> BinnedValues:
        """Return a quantity in the bins of a condition, relative to what is expected at the energy."""
        if quantity == "resolution":
            return self.moments["response", condition].relative_spread()
        return self.moments[quantity, condition].mean()


LEAST_IN_BIN = 10
"""Of fewer showers the error is too uncertain itself for the largest of many deviations."""


@dataclass(frozen=True)
class WorstBin:
    """The bin in which two samples differ most, in standard errors.

    Attributes:
        deviation: |difference| / its error; 0 where nothing can be compared.
        spread: Of the largest of so many normal deviates: pi / sqrt(12 ln M) (Gumbel).
        condition: Whose bin it is; empty where nothing can be compared.
        words: Which bin, and the ratio there with its error.
    """

    deviation: float
    spread: float
    condition: str
    words: str

    @property
    def distance(self) -> Distance:
        """Value and error of the deviation."""
        return Distance(self.deviation, self.spread)


def find_worst_bin(reference: ConditionSums, other: ConditionSums, quantity: str) -> WorstBin:
    """Return the worst bin of all conditions for one quantity.

    Args:
        reference: Sums of the truth.
        other: Sums of the sample to judge.
        quantity: One of `QUANTITIES`.
    """
    compared, worst, condition, words = 0, 0.0, "", "nothing to compare"
    for name, edges in zip(reference.bins.names, reference.bins.edges, strict=True):
        one, two = reference.values(quantity, name), other.values(quantity, name)
        with np.errstate(invalid="ignore", divide="ignore"):
            error = np.hypot(one.errors, two.errors)
            deviations = np.abs(two.values - one.values) / error
        known = np.isfinite(deviations) & (np.minimum(one.showers, two.showers) >= LEAST_IN_BIN)
        compared += int(known.sum())
        if not known.any():
            continue
        place = int(np.argmax(np.where(known, deviations, -1.0)))
        if deviations[place] > worst:
            worst, condition = float(deviations[place]), name
            if one.values[place] == 0.0:
                words = f"worst bin: {name} {edges[place]:.4g} to {edges[place + 1]:.4g}, the truth is 0"
                continue
            ratio = two.values[place] / one.values[place]
            words = (
                f"worst bin: {name} {edges[place]:.4g} to {edges[place + 1]:.4g}, ratio {ratio:.4f} "
                f"± {error[place] / abs(one.values[place]):.4f}"
            )
    spread = math.pi / math.sqrt(12.0 * math.log(compared + 1.0)) if compared else 0.0
    return WorstBin(worst, spread, condition, words)
