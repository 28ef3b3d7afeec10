"""Collapsed, over-wide and matching masks, planted and found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calokit.detector import load_detector
from calokit.errors import CalokitError
from calokit.evaluation.metrics.binned import energy_edges
from calokit.evaluation.metrics.mask_classes import (
    MaskClasses,
    limits_from_reference,
    mask_class_distance,
    mask_extents,
)
from calokit.showers.hits import Hits, find_hits
from toy_showers import toy_showers

EDGES = energy_edges(1e3, 1e5, 3)
THRESHOLD = 5.0


def limits_of(showers):
    hits = find_hits(showers, THRESHOLD)
    return limits_from_reference(
        showers.incident_energies.astype(float),
        hits.sum_by_event(),
        mask_extents(hits, showers.detector),
        EDGES,
    )


def classes_of(limits, *batches):
    classes = MaskClasses(batches[0].detector, limits)
    for showers in batches:
        classes.add(showers.incident_energies.astype(float), find_hits(showers, THRESHOLD))
    return classes


@pytest.fixture(scope="module")
def reference():
    return toy_showers(1, 6000)


@pytest.fixture(scope="module")
def limits(reference):
    return limits_of(reference)


def test_extent_of_three_cells():
    """Cells 210, 211 and 212 lie in a row of pitch 30.3 mm."""
    hits = Hits(np.array([0, 0, 0, 2]), np.array([210, 211, 212, 5]), np.array([9.0, 1.0, 5.0, 1.0]), 3)
    found = mask_extents(hits, load_detector("zdc_ecal"))
    assert found == pytest.approx([30.3 * np.sqrt(2 / 3), 0.0, 0.0])


def test_the_reference_is_beyond_its_limits_by_the_tails_alone(reference, limits):
    found = classes_of(limits, reference)
    assert found.counts.sum() == 6000
    assert found.part("collapsed").value <= 0.01
    assert 0.005 <= found.part("over_wide").value <= 0.025


def test_truth_of_another_seed_matches(reference, limits):
    first, second = classes_of(limits, reference), classes_of(limits, toy_showers(2, 6000))
    found = mask_class_distance(first, second)
    assert found.value < 4 * found.error + 0.005
    assert second.part("matching").value > 0.95


def test_collapsed_showers_are_found(limits):
    truth = toy_showers(3, 4000)
    energies = truth.energies.copy()
    energies[::10] = 0.0  # empty
    hottest = energies[5::10].max(axis=1, keepdims=True)
    energies[5::10] = np.where(energies[5::10] == hottest, 50.0, 0.0)  # one hit
    damaged = classes_of(limits, replace(truth, energies=energies))
    clean = classes_of(limits, truth)
    found = damaged.part("collapsed")
    assert found.value == pytest.approx(0.2 + 0.8 * clean.part("collapsed").value, abs=4e-3)
    assert found.error == pytest.approx(np.sqrt(0.2 * 0.8 / 4000), rel=0.05)
    distance = mask_class_distance(clean, damaged)
    assert distance.value == pytest.approx(0.2, abs=0.01)
    assert 0 < distance.error < 0.02


def test_over_wide_showers_are_found(limits):
    truth = toy_showers(4, 2000)
    energies = truth.energies.copy()
    energies[::4] += 6.0  # every cell above the threshold
    damaged = classes_of(limits, replace(truth, energies=energies))
    assert damaged.part("over_wide").value == pytest.approx(0.25, abs=0.03)
    # as many hits, but scattered: too wide an extent alone
    energies = truth.energies.copy()
    generator = np.random.default_rng(1)
    energies[::4] = generator.permuted(energies[::4], axis=1)
    scattered = classes_of(limits, replace(truth, energies=energies))
    assert scattered.part("over_wide").value > 0.2


def test_empty_masks_are_collapsed_though_the_reference_has_them(zdc):
    energies = np.full(200, 5e3)
    limits = limits_from_reference(energies, np.zeros(200), np.zeros(200), np.array([1e3, 1e4]))
    found = MaskClasses(zdc, limits)
    found.add(energies[:3], Hits(np.array([1]), np.array([7]), np.array([9.0]), 3))
    assert found.counts.tolist() == [[2.0, 1.0, 0.0]]


def test_blocks_make_no_difference_and_errors_are_the_spread(limits):
    truth = toy_showers(5, 300)
    whole, parts = classes_of(limits, truth), classes_of(limits, truth[:7], truth[7:])
    assert np.array_equal(whole.counts, parts.counts)
    generator = np.random.default_rng(6)
    found = []
    for _ in range(400):
        pair = (classes_of(limits, truth), classes_of(limits, truth))
        for each, law in zip(pair, ([0.1, 0.1, 0.8], [0.02, 0.05, 0.93]), strict=True):
            each.counts[:] = 0.0
            each.counts[0] = generator.multinomial(1000, law)
        found.append(mask_class_distance(*pair))
    assert np.mean([each.value for each in found]) == pytest.approx(0.13, abs=0.003)
    spread = np.std([each.value for each in found])
    assert np.mean([each.error for each in found]) == pytest.approx(spread, rel=0.15)


def test_mistakes_are_refused(limits, reference):
    with pytest.raises(CalokitError, match="no class"):
        classes_of(limits, reference[:5]).part("wide")
    with pytest.raises(CalokitError, match="fixes the limits"):
        limits_from_reference(np.full(3, 2e3), np.ones(3), np.ones(3), EDGES)
