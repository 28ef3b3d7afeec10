from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calokit.evaluation.damages import bend_spectrum, scale_energies, widen_showers
from toy_showers import toy_showers


def spread_about(showers, centres):
    cells = showers.detector.cells
    square = (cells.x - centres[:, :1]) ** 2 + (cells.y - centres[:, 1:]) ** 2
    return np.sqrt((showers.energies * square).sum(axis=1) / showers.visible_energies)


def test_widened_showers_spread_5_percent_further_and_keep_their_energy():
    showers = toy_showers(1, 100).with_threshold(0.1)
    wide = widen_showers(showers, 1.05)
    assert spread_about(wide, showers.positions) / spread_about(showers, showers.positions) == pytest.approx(
        np.full(100, 1.05), rel=1e-4
    )
    assert wide.visible_energies == pytest.approx(showers.visible_energies, rel=1e-5)
    assert np.array_equal(wide.energies > 0, showers.energies > 0)


def test_widening_without_positions_is_about_the_centre_of_energy():
    showers = replace(toy_showers(2, 50), positions=None)
    cells = showers.detector.cells
    total = showers.visible_energies
    centres = np.stack([(showers.energies * axis).sum(axis=1) / total for axis in (cells.x, cells.y)], axis=1)
    wide = widen_showers(showers, 1.05)
    assert spread_about(wide, centres) / spread_about(showers, centres) == pytest.approx(
        np.full(50, 1.05), rel=1e-4
    )


def test_widening_leaves_empty_showers_and_single_cells_sane():
    showers = toy_showers(3, 2)
    energies = np.zeros_like(showers.energies)
    energies[1, 200] = 7.0
    wide = widen_showers(replace(showers, energies=energies), 1.05)
    assert np.array_equal(wide.energies, energies)


def test_bent_spectrum_changes_cells_near_the_cut_only_and_keeps_the_energy():
    showers = toy_showers(4, 200)
    bent = bend_spectrum(showers, 0.1, 0.05)
    before = showers.with_threshold(0.1).energies
    assert bent.visible_energies == pytest.approx(before.sum(axis=1), rel=1e-5)
    ratio = np.divide(bent.energies, before, out=np.ones_like(before), where=before > 0)
    at_cut, far = (before > 0.1) & (before < 0.102), before > 0.3
    assert at_cut.sum() > 20
    assert ratio[at_cut] == pytest.approx(np.full(at_cut.sum(), 1.05), abs=2e-3)
    assert ratio[far] == pytest.approx(np.full(far.sum(), 1.0), abs=1e-3)
    middle = (before > 0.17) & (before < 0.176)
    assert ratio[middle].mean() == pytest.approx(1.025, abs=2e-3)


def test_scaled_energies():
    showers = toy_showers(5, 10)
    assert scale_energies(showers, 1.1).visible_energies == pytest.approx(
        1.1 * showers.visible_energies, rel=1e-6
    )
