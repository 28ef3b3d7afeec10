"""Separation power of CaloChallenge 2022: its bins, its rule for values beyond them, with errors beside."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from types import MappingProxyType

import numpy as np

from calokit.arrays import Float64
from calokit.errors import CalokitError
from calokit.evaluation.metrics.challenge_features import ChallengeFeatures
from calokit.evaluation.metrics.distances import (
    Distance,
    histogram_from_clusters,
    histogram_from_counts,
    separation_power,
)
from calokit.showers import Showers

Observable = tuple[str, Float64, Float64, Float64]

DATA_SET_1_THRESHOLD_MEV = 1.0
DATA_SETS_2_AND_3_THRESHOLD_MEV = 0.5e-3 / 0.033
"""0.5 keV in silicon, at a sampling fraction of 3.3 %."""
LAYER_ENERGY_EDGES = 40
"""39 bins: evaluate_plotting_helper.py asks np.logspace for 40 edges."""
CELL_ENERGY_EDGES = 50
"""49 bins, for the same reason."""
REFERENCE_TAIL = 1e-3
"""Part of the reference that ranges taken from it leave outside."""


@dataclass(frozen=True)
class TransverseRange:
    """Where the 100 bins of a layer's centres and widths end, in mm; centres in x and y begin at -centre.

    Attributes:
        centre: Of the centre in x and y.
        width: Of the width in x and y.
        centre_r: Of the mean distance from the axis.
        width_r: Of the width of that distance.
    """

    centre: float
    width: float
    centre_r: float
    width_r: float


@dataclass(frozen=True)
class ChallengeRanges:
    """The ranges of all layers.

    Attributes:
        usual: Of the layers not named.
        layers: Of others, by their number.
    """

    usual: TransverseRange
    layers: Mapping[int, TransverseRange] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, layer: int) -> TransverseRange:
        """Return the range of a layer, by its number."""
        return self.layers.get(layer, self.usual)


DATA_SET_1_RANGES = ChallengeRanges(
    TransverseRange(100.0, 100.0, 500.0, 500.0),
    MappingProxyType(
        {
            12: TransverseRange(500.0, 400.0, 1500.0, 1500.0),
            13: TransverseRange(500.0, 400.0, 1500.0, 1500.0),
            14: TransverseRange(100.0, 100.0, 1500.0, 1500.0),
        }
    ),
)
DATA_SETS_2_AND_3_RANGES = ChallengeRanges(TransverseRange(30.0, 30.0, 42.0, 20.0))


def ranges_from_reference(reference: ChallengeFeatures) -> ChallengeRanges:
    """Return ranges for a detector that CaloChallenge does not have: all but a thousandth of the reference.

    Args:
        reference: Features of the reference; nothing else fixes the ranges.
    """

    def reach(values: Float64) -> float:
        return float(np.quantile(np.abs(values), 1.0 - REFERENCE_TAIL)) or 1.0

    ranges = {}
    for column, layer in enumerate(reference.layers):
        centre = width = 1.0
        if column in reference.divided:
            at = reference.divided.index(column)
            centre = max(reach(reference.centre_x[:, at]), reach(reference.centre_y[:, at]))
            width = max(reach(reference.width_x[:, at]), reach(reference.width_y[:, at]))
        ranges[layer] = TransverseRange(
            centre, width, reach(reference.centre_r[:, column]), reach(reference.width_r[:, column])
        )
    return ChallengeRanges(TransverseRange(1.0, 1.0, 1.0, 1.0), MappingProxyType(ranges))


def challenge_separations(
    reference: ChallengeFeatures, generated: ChallengeFeatures, threshold: float, ranges: ChallengeRanges
) -> dict[str, Distance]:
    """Return the separation power of every high-level feature, with the bins of CaloChallenge.

    S = 1/2 sum_i (a_i - b_i)^2 / (a_i + b_i) with fractions by bin (arXiv:2009.03796 eq. 15;
    code/evaluate_plotting_helper.py). Bins: total / incident energy 100 from 0.5 to 1.5; layer energies 39,
    logarithmic, from the threshold to the largest of the reference; centres and widths 100 in the ranges
    given; sparsity 20 from 0 to 1. Values outside are left out and the rest normalised to 1: two samples that
    differ in how much lies outside can have S = 0 (in data sets 2 and 3 the tails of the total energy).
    The largest layer energy of the reference counts in the last bin; in CaloChallenge rounding of the last
    edge decides whether it does, so that S of a layer energy can differ by what one shower makes.
    Errors are those of `separation_power`.

    Args:
        reference: Features of the reference.
        generated: Features of the sample that is judged.
        threshold: MeV, that of the features, above 0.
        ranges: `DATA_SET_1_RANGES`, `DATA_SETS_2_AND_3_RANGES`, or those of `ranges_from_reference`.

    Returns:
        By name of the feature: `total_fraction`, and for each layer `energy_layer_I`, `centre_eta_layer_I`
        and so on. Where one sample has nothing inside the bins S is 1 (CaloChallenge has NaN); where neither
        has, the feature is left out.

    Raises:
        CalokitError: The features are of different layers, or the threshold is not above 0.
    """
    if reference.layers != generated.layers or reference.divided != generated.divided:
        raise CalokitError(
            f"features of layers {reference.layers} and of {generated.layers} cannot be compared; "
            "both samples must be of one detector."
        )
    if not threshold > 0:
        raise CalokitError(f"logarithmic bins cannot begin at {threshold} MeV; give a threshold above 0.")
    found = {}
    observables = chain(
        _energies(reference, generated, threshold),
        _shapes(reference, generated, ranges),
        _radial_shapes(reference, generated, ranges),
    )
    for name, first, second, edges in observables:
        distance = separation_inside(first, second, edges)
        if distance is not None:
            found[name] = distance
    return found


def total_fraction_separations(
    reference: ChallengeFeatures, generated: ChallengeFeatures, narrow_from_mev: float = math.inf
) -> dict[int, Distance]:
    """Return the separation power of total / incident energy at each incident energy of data set 1.

    The energies are 2^8 to 2^22 MeV; showers between one and the next count with the lower. 20 bins from 0.4
    to 1.4, or 0.9 to 1.1.

    Args:
        reference: Features of the reference.
        generated: Features of the sample that is judged.
        narrow_from_mev: Incident energy from which the bins are the narrow ones: 4096 for photons, never for
            pions.

    Returns:
        By incident energy in MeV; energies that no sample has are left out.
    """
    found = {}
    for power in range(8, 23):
        energy = 2**power
        low, high = (0.9, 1.1) if energy >= narrow_from_mev else (0.4, 1.4)
        first, second = (_fractions_between(sample, energy, 2 * energy) for sample in (reference, generated))
        distance = separation_inside(first, second, np.linspace(low, high, 21))
        if distance is not None:
            found[energy] = distance
    return found


def cell_energy_separation(reference: Showers, generated: Showers, threshold: float) -> Distance:
    """Return the separation power of the energies of all cells, 49 logarithmic bins from the threshold.

    The last edge is the largest cell energy of the reference; larger ones are left out. The error counts the
    cells of a shower as what they are, together.

    Raises:
        CalokitError: The threshold is not above 0, or one sample has no cell in the bins.
    """
    if not threshold > 0:
        raise CalokitError(f"logarithmic bins cannot begin at {threshold} MeV; give a threshold above 0.")
    largest = float(reference.energies.max(initial=0.0))
    if largest <= threshold:
        raise CalokitError(f"no cell of the reference lies above {threshold} MeV; lower the threshold.")
    edges = _edges_to(threshold, largest, CELL_ENERGY_EDGES)
    histograms = []
    for showers in (reference, generated):
        counts, squares = np.zeros(len(edges) - 1), np.zeros(len(edges) - 1)
        for event in showers.energies:
            inside = np.histogram(event[event >= threshold].astype(np.float64), edges)[0]
            counts += inside
            squares += inside.astype(np.float64) ** 2
        if not counts.any():
            raise CalokitError(f"a sample has no cell between {edges[0]:.4g} and {edges[-1]:.4g} MeV.")
        histograms.append(histogram_from_clusters(counts, squares, len(showers), edges))
    return separation_power(*histograms)


def separation_inside(first: Float64, second: Float64, edges: Float64) -> Distance | None:
    """Return the separation power of values inside the bins; None where neither sample has any there."""
    counts = [np.histogram(values, edges)[0].astype(np.float64) for values in (first, second)]
    inside = [bool(count.any()) for count in counts]
    if not any(inside):
        return None
    if not all(inside):
        return Distance(1.0, 0.0)
    return separation_power(*(histogram_from_counts(count, edges) for count in counts))


def _fractions_between(features: ChallengeFeatures, low: float, high: float) -> Float64:
    inside = (features.incident_energies >= low) & (features.incident_energies < high)
    fractions: Float64 = features.total_energies[inside] / features.incident_energies[inside]
    return fractions


def _energies(first: ChallengeFeatures, second: ChallengeFeatures, threshold: float) -> Iterator[Observable]:
    fraction = _fractions_between(first, 0.0, math.inf)
    yield "total_fraction", fraction, _fractions_between(second, 0.0, math.inf), np.linspace(0.5, 1.5, 101)
    for column, layer in enumerate(first.layers):
        one, other = first.layer_energies[:, column], second.layer_energies[:, column]
        if one.max(initial=0.0) > threshold:
            yield f"energy_layer_{layer}", one, other, _edges_to(threshold, one.max(), LAYER_ENERGY_EDGES)
    for column, layer in enumerate(first.layers):
        one, other = first.sparsity[:, column], second.sparsity[:, column]
        yield f"sparsity_layer_{layer}", one, other, np.linspace(0.0, 1.0, 21)


def _edges_to(threshold: float, largest: float, number: int) -> Float64:
    """Return logarithmic edges that end exactly at the largest value, which counts in the last bin."""
    edges = np.logspace(np.log10(threshold), np.log10(largest), number)
    edges[-1] = largest
    return edges


def _shapes(
    first: ChallengeFeatures, second: ChallengeFeatures, ranges: ChallengeRanges
) -> Iterator[Observable]:
    for column, layer in enumerate(first.divided_layers):
        limit = ranges.of(layer)
        centres = np.linspace(-limit.centre, limit.centre, 101)
        widths = np.linspace(0.0, limit.width, 101)
        one, other = first.axes
        yield f"centre_{one}_layer_{layer}", first.centre_x[:, column], second.centre_x[:, column], centres
        yield f"centre_{other}_layer_{layer}", first.centre_y[:, column], second.centre_y[:, column], centres
        yield f"width_{one}_layer_{layer}", first.width_x[:, column], second.width_x[:, column], widths
        yield f"width_{other}_layer_{layer}", first.width_y[:, column], second.width_y[:, column], widths


def _radial_shapes(
    first: ChallengeFeatures, second: ChallengeFeatures, ranges: ChallengeRanges
) -> Iterator[Observable]:
    for column, layer in enumerate(first.layers):
        limit = ranges.of(layer)
        centres, widths = np.linspace(0.0, limit.centre_r, 101), np.linspace(0.0, limit.width_r, 101)
        yield f"centre_r_layer_{layer}", first.centre_r[:, column], second.centre_r[:, column], centres
        yield f"width_r_layer_{layer}", first.width_r[:, column], second.width_r[:, column], widths
