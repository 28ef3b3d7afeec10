from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calokit.showers.damages import (
    bend_spectrum,
    collapse_showers,
    kill_cell,
    scale_energies,
    shuffle_conditions,
    smear_layer,
    widen_showers,
)
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


def test_a_dead_cell_is_dead_and_the_others_are_not():
    showers = toy_showers(1, 50)
    damaged = kill_cell(showers, 210)
    assert not damaged.energies[:, 210].any()
    others = np.arange(400) != 210
    assert (damaged.energies[:, others] == showers.energies[:, others]).all()


def test_a_smeared_layer_keeps_its_mean_and_gains_the_spread():
    showers = toy_showers(1, 4000)
    damaged = smear_layer(showers, 0, 0.1, seed=3)
    ratio = damaged.visible_energies / showers.visible_energies
    assert ratio.mean() == pytest.approx(1.0, abs=0.006)
    assert ratio.std() == pytest.approx(0.1, rel=0.05)


def test_collapsed_showers_keep_their_energies_and_lose_their_variety():
    showers = toy_showers(1, 400)
    damaged = collapse_showers(showers, 0.1, seed=3)
    changed = (damaged.energies != showers.energies).any(axis=1)
    assert 30 <= changed.sum() <= 40
    assert damaged.visible_energies == pytest.approx(showers.visible_energies, rel=1e-5)
    images = damaged.energies[changed] / damaged.visible_energies[changed, None]
    assert len(np.unique(images.round(5), axis=0)) <= 10


def test_shuffled_conditions_keep_all_images_and_nearly_the_energy():
    showers = toy_showers(1, 400)
    damaged = shuffle_conditions(showers, seed=3)
    assert np.sort(damaged.visible_energies) == pytest.approx(np.sort(showers.visible_energies))
    assert (damaged.energies != showers.energies).any(axis=1).mean() > 0.8
    assert np.corrcoef(damaged.visible_energies, showers.visible_energies)[0, 1] > 0.5
