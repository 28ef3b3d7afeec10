"""Errors of estimates against laws that are known."""

from __future__ import annotations

import numpy as np
import pytest

from calokit.errors import CalokitError
from calokit.evaluation.estimates.energy_groups import group_by_energy
from calokit.evaluation.estimates.single import (
    EnergyErrors,
    measure_coverage,
    memorised_energies,
    paired_rms_ratio,
)

GRID = np.array([3e3, 5e3, 10e3, 20e3])


def draws(seed: int, part: float, showers: int = 4000, bias: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Estimates of a resolution part / sqrt(E / GeV), in MeV."""
    rng = np.random.default_rng(seed)
    true = np.repeat(GRID, showers)
    return true * (1 + bias) + part * np.sqrt(1e3 * true) * rng.normal(size=len(true)), true


def test_errors_of_a_known_law() -> None:
    estimated, true = draws(1, 0.2, bias=0.03)
    found = EnergyErrors.of(estimated, true)
    assert found.showers.tolist() == [4000] * 4
    expected = 0.2 * np.sqrt(found.energies)
    assert np.all(np.abs(found.width[:, 0] - expected) < 4 * found.width[:, 1])
    assert np.all(np.abs(found.core[:, 0] / expected - 1) < 0.06)
    np.testing.assert_allclose(found.width[:, 1], expected / np.sqrt(8000), rtol=0.1)
    assert np.all(np.abs(found.relative_bias()[:, 0] - 0.03) < 4 * found.relative_bias()[:, 1])
    np.testing.assert_allclose(
        found.rms[:, 0] ** 2, found.width[:, 0] ** 2 + found.mean[:, 0] ** 2, rtol=1e-9
    )
    np.testing.assert_allclose(found.absolute[:, 0] / found.rms[:, 0], np.sqrt(2 / np.pi), atol=0.05)
    law = found.law()
    assert law is not None
    assert law.stochastic == pytest.approx(0.2, abs=4 * law.stochastic_error)


def test_few_showers_are_refused() -> None:
    with pytest.raises(CalokitError, match=r"19 showers are too few .* give at least 20"):
        EnergyErrors.of(np.arange(19.0), np.arange(19.0))


def test_a_continuous_spectrum_is_measured_in_bins() -> None:
    rng = np.random.default_rng(6)
    true = rng.uniform(5e3, 20e3, 8000)
    estimated = true * 1.03 + 0.2 * np.sqrt(1e3 * true) * rng.normal(size=len(true))
    found = EnergyErrors.of(estimated, true)
    assert found.showers.tolist() == [800] * 10
    assert np.all(np.diff(found.energies) > 0)
    assert np.all(np.abs(found.relative_bias()[:, 0] - 0.03) < 4 * found.relative_bias()[:, 1])
    expected = 0.2 * np.sqrt(found.energies)
    assert np.all(np.abs(found.width[:, 0] - expected) < 5 * found.width[:, 1])
    assert paired_rms_ratio(estimated, estimated, true).mean == 1.0


def test_few_showers_make_few_bins_and_no_law() -> None:
    true = np.linspace(5e3, 20e3, 45)
    found = EnergyErrors.of(true + np.tile([100.0, -100.0, 50.0], 15), true)
    assert found.showers.tolist() == [23, 22]
    assert found.law() is None


def test_fixed_energies_stay_groups_beside_rare_ones() -> None:
    true = np.concatenate([np.repeat([5e3, 10e3], 30), np.linspace(6e3, 9e3, 10)])
    groups = group_by_energy(true)
    assert not groups.binned
    assert groups.energies.tolist() == [5e3, 10e3]


def test_paired_ratio_knows_what_is_common() -> None:
    common, true = draws(2, 0.2)
    other, _ = draws(3, 0.05)
    worse = common + (other - true)
    found = paired_rms_ratio(common, worse, true)
    assert found.mean == pytest.approx(1 / np.sqrt(1 + 1 / 16), abs=4 * found.mean_error)
    independent, _ = draws(4, np.hypot(0.2, 0.05))
    apart = paired_rms_ratio(common, independent, true)
    assert found.mean_error < 0.5 * apart.mean_error
    assert found.significance > 5
    assert found.worst < 0
    assert paired_rms_ratio(worse, common, true).worst > 2


def test_paired_ratio_of_vectors() -> None:
    rng = np.random.default_rng(5)
    groups = np.repeat(GRID, 500)
    true = rng.normal(size=(2000, 2))
    found = paired_rms_ratio(true + 0.1, true + np.array([0.3, 0.4]), true, groups)
    assert found.mean == pytest.approx(np.sqrt(0.02) / 0.5)


def test_coverage_finds_an_uncertainty_that_is_too_small() -> None:
    estimated, true = draws(6, 0.2)
    honest = 0.2 * np.sqrt(1e3 * true)
    right, small = (measure_coverage(estimated, width, true) for width in (honest, 0.5 * honest))
    assert np.all(np.abs(right.covered[:, 0] - right.levels) < 4 * right.covered[:, 1])
    assert right.pull_width[0] == pytest.approx(1.0, abs=0.03)
    assert small.pull_width[0] == pytest.approx(2.0, abs=0.06)
    assert small.covered[1, 0] < 0.45


def test_memorised_energies_show() -> None:
    estimated, true = draws(7, 0.2, 8000)
    honest = memorised_energies(estimated, true, GRID[:2], GRID[2:])
    assert abs(honest[0]) < 4 * honest[1]
    snapped = np.where(true < 6e3, true + 0.7 * (estimated - true), estimated)
    value, error = memorised_energies(snapped, true, GRID[:2], GRID[2:])
    assert value == pytest.approx(1 / 0.7 - 1, abs=4 * error)
