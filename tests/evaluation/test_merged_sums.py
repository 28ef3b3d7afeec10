"""Sums of parts equal the whole: what lets an evaluation be spread over processes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calokit.detector import load_detector
from calokit.errors import CalokitError
from calokit.evaluation.metrics.binned import BinnedMoments
from calokit.evaluation.metrics.cell_hits import CellHitsByEnergy
from calokit.evaluation.metrics.cells import CellHistograms, CellSums
from calokit.evaluation.metrics.correlations import CorrelationSums
from calokit.evaluation.metrics.kept_values import KeptValues
from calokit.evaluation.metrics.layer_occupancy import LayerOccupancy
from calokit.evaluation.metrics.linearity import EnergyResponse
from calokit.evaluation.metrics.mask_classes import MaskClasses, limits_from_reference, mask_extents
from calokit.evaluation.samples.observables import ObservableCalculator
from calokit.evaluation.samples.streams import plan_comparison
from calokit.evaluation.samples.sums import MERGED, SideSums
from calokit.evaluation.samples.survey import Bins, survey_reference
from calokit.evaluation.topology.lines import FineSpectrum
from calokit.showers import Showers
from calokit.showers.hits import find_hits
from calokit.showers.memory import as_view
from toy_showers import toy_showers

DETECTOR = load_detector("zdc_ecal_hcal")
EDGES = np.geomspace(1e3, 1e5, 5)
CELL_EDGES = np.geomspace(0.1, 1e4, 9)
EVENTS = 90
SHOWERS = toy_showers(5, EVENTS, DETECTOR)
ENERGIES = SHOWERS.incident_energies.astype(np.float64)
LIMITS = limits_from_reference(
    ENERGIES,
    find_hits(SHOWERS, 0.1).sum_by_event(),
    mask_extents(find_hits(SHOWERS, 0.1), DETECTOR),
    EDGES[[0, -1]],
)

cuts = st.lists(st.integers(0, EVENTS), max_size=4).map(lambda places: [0, *sorted(places), EVENTS])


def rows(showers: Showers) -> np.ndarray:
    """Return three columns of numbers that follow from the showers."""
    visible = showers.visible_energies
    return np.stack([visible, np.log(visible), showers.energies[:, 7].astype(np.float64)], axis=1)


Adding = tuple[Callable[[int], Any], Callable[[Any, Showers], None]]
SUMS: dict[str, Adding] = {
    "BinnedMoments": (
        lambda first: BinnedMoments(EDGES),
        lambda sums, some: sums.add(some.incident_energies.astype(np.float64), some.visible_energies),
    ),
    "CellSums": (
        lambda first: CellSums(DETECTOR.number_of_cells),
        lambda sums, some: sums.add(find_hits(some, 0.1)),
    ),
    "CellHistograms": (
        lambda first: CellHistograms(DETECTOR.number_of_cells, CELL_EDGES),
        lambda sums, some: sums.add(find_hits(some, 0.1)),
    ),
    "EnergyResponse": (
        lambda first: EnergyResponse(EDGES),
        lambda sums, some: sums.add(some.incident_energies.astype(np.float64), some.visible_energies),
    ),
    "KeptValues": (
        lambda first: KeptValues(EDGES, most=6, first=first),
        lambda sums, some: sums.add(some.incident_energies.astype(np.float64), some.visible_energies),
    ),
    "LayerOccupancy": (
        lambda first: LayerOccupancy(DETECTOR, (0.1, 1.0)),
        lambda sums, some: sums.add(find_hits(some, 0.1)),
    ),
    "MaskClasses": (
        lambda first: MaskClasses(DETECTOR, LIMITS),
        lambda sums, some: sums.add(some.incident_energies.astype(np.float64), find_hits(some, 0.1)),
    ),
    "CellHitsByEnergy": (
        lambda first: CellHitsByEnergy(EDGES, {7: CELL_EDGES, 300: CELL_EDGES}),
        lambda sums, some: sums.add(some.incident_energies.astype(np.float64), find_hits(some, 0.1)),
    ),
    "CorrelationSums": (
        lambda first: CorrelationSums(3),
        lambda sums, some: sums.add(rows(some)),
    ),
    "FineSpectrum": (
        lambda first: FineSpectrum(0.1),
        lambda sums, some: sums.add(find_hits(some, 0.1).energy),
    ),
}


def close(one: Any, other: Any, where: str = "") -> None:
    """Compare two sums number by number."""
    if isinstance(one, np.ndarray):
        np.testing.assert_allclose(other, one, rtol=1e-9, atol=1e-6, err_msg=where)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            close(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for number, (a, b) in enumerate(zip(one, other, strict=True)):
            close(a, b, f"{where}[{number}]")
    elif hasattr(one, "__dict__") and type(one).__module__.startswith("calokit.evaluation"):
        close(vars(one), vars(other), f"{where}.{type(one).__name__}")
    elif isinstance(one, int | float):
        assert one == other, where


@pytest.mark.parametrize("name", SUMS)
@given(places=cuts)
@settings(max_examples=10, deadline=None)
def test_sums_of_parts_equal_the_whole(name: str, places: list[int]) -> None:
    make, add = SUMS[name]
    whole = make(0)
    add(whole, SHOWERS)
    merged = make(0)
    for first, last in itertools.pairwise(places):
        part = make(first)
        if last > first:
            add(part, SHOWERS[first:last])
        merged.merge(part)
    if name == "KeptValues":
        close(whole.by_bin(), merged.by_bin())
        return
    if name == "CorrelationSums":
        # sums are about another mean, their matrices are the same
        close(whole.matrix(), merged.matrix())
        close(whole.matrices_without(), merged.matrices_without())
        return
    close(whole, merged, name)


@pytest.fixture(scope="module")
def bins() -> tuple[ObservableCalculator, Bins]:
    reference = as_view(SHOWERS, "reference")  # which fixes the bins alone
    comparison = plan_comparison(reference, as_view(SHOWERS, "generated"), as_view(SHOWERS, "floor"))
    calculator = ObservableCalculator(DETECTOR, 0.1)
    return calculator, survey_reference(comparison, calculator, 4, (7, 300))


@given(places=cuts)
@settings(max_examples=8, deadline=None)
def test_sums_of_a_side_equal_the_whole(bins: tuple[ObservableCalculator, Bins], places: list[int]) -> None:
    kept = np.array([0, 3, 4, 40, 41, 89])
    whole = SideSums(*bins, kept)
    whole.add(SHOWERS)
    merged = SideSums(*bins, kept)
    for first, last in itertools.pairwise(places):
        part = SideSums(*bins, kept, first=first)
        if last > first:
            part.add(SHOWERS[first:last])
        merged.merge(part)
    for name in ("showers", "empty_showers", "observables", "named_cells", "spectrum", "layers"):
        close(getattr(whole, name), getattr(merged, name), name)
    for name in MERGED:
        if name not in ("fractions", "layer_correlations", "upper_correlations"):
            close(getattr(whole, name), getattr(merged, name), name)
    close(whole.fractions.by_bin(), merged.fractions.by_bin())
    for name in ("layer_correlations", "upper_correlations"):
        close(getattr(whole, name).matrices_without(), getattr(merged, name).matrices_without(), name)
    one, other = whole.kept_showers(), merged.kept_showers()
    np.testing.assert_array_equal(one.cells.toarray(), other.cells.toarray())
    np.testing.assert_array_equal(one.high_level, other.high_level)
    np.testing.assert_array_equal(one.incidents.energies, other.incidents.energies)


def test_every_sum_of_a_side_is_merged(bins: tuple[ObservableCalculator, Bins]) -> None:
    sums = SideSums(*bins, np.arange(2))
    assert {name for name, value in vars(sums).items() if hasattr(value, "merge")} == set(MERGED)


def test_what_does_not_belong_together_is_refused() -> None:
    with pytest.raises(CalokitError, match="different bins"):
        BinnedMoments(EDGES).merge(BinnedMoments(EDGES[:-1]))
    with pytest.raises(CalokitError, match="do not follow"):
        KeptValues(EDGES).merge(KeptValues(EDGES, first=3))
    with pytest.raises(CalokitError, match="different thresholds"):
        LayerOccupancy(DETECTOR, (0.1,)).merge(LayerOccupancy(DETECTOR, (0.2,)))
    with pytest.raises(CalokitError, match="different cells"):
        CellHitsByEnergy(EDGES, {1: EDGES}).merge(CellHitsByEnergy(EDGES, {2: EDGES}))
