"""Scales of uncertainties: they cover at every energy, for grids of energies and for continuous ones."""

from __future__ import annotations

import numpy as np
import pytest

from calokit.arrays import Float64
from calokit.classical.width_scales import COVERED, RELATIVE_ERROR, WidthScales


def made_up(kind: str, count: int, seed: int) -> tuple[Float64, Float64, Float64]:
    """Return pulls, estimates and true energies whose uncertainties are wrong by a factor that bends."""
    rng = np.random.default_rng(seed)
    true = rng.choice(np.arange(1e3, 21e3, 1e3), count) if kind == "grid" else rng.uniform(1e3, 2e4, count)
    off = rng.normal(size=count) * np.sqrt(40.0 * true)
    estimates = (true + off).clip(1.0)
    wrong = 1.0 + 0.3 * np.sin(np.log(estimates / 1e3))
    return off / np.sqrt(40.0 * true) * wrong, estimates, true


@pytest.mark.parametrize("kind", ["grid", "continuous"])
def test_the_scaled_uncertainty_covers_at_every_energy(kind: str) -> None:
    scales = WidthScales.fit(*made_up(kind, 40_000, seed=1))
    pulls, estimates, true = made_up(kind, 40_000, seed=2)
    plain, scaled = np.abs(pulls) < 1.0, np.abs(pulls) / scales(estimates) < 1.0
    assert max(abs(part.mean() - COVERED) for part in in_bins(plain, true)) > 0.08
    for part in in_bins(scaled, true):
        assert abs(part.mean() - COVERED) < 4 * np.sqrt(COVERED * (1 - COVERED) / len(part))


def in_bins(inside: Float64, true: Float64) -> list[Float64]:
    edges = np.arange(500.0, 21e3, 2e3)
    return [inside[(true >= low) & (true < low + 2e3)] for low in edges[:-1]]


def test_few_showers_give_one_factor() -> None:
    rng = np.random.default_rng(3)
    scales = WidthScales.fit(2.0 * rng.normal(size=150), rng.uniform(1e3, 2e4, 150), np.full(150, 5e3))
    factors = scales(np.array([1.0, 5e3, 1e5]))
    assert np.ptp(factors) == 0
    assert factors[0] == pytest.approx(2.0, rel=0.3)


def test_failed_estimates_do_not_move_it() -> None:
    pulls, estimates, true = made_up("grid", 20_000, seed=4)
    failed = pulls.copy()
    failed[::200] = 1e6
    one, other = WidthScales.fit(pulls, estimates, true), WidthScales.fit(failed, estimates, true)
    np.testing.assert_allclose(one.factors, other.factors, rtol=0.04)


def test_the_statistical_error_is_that_of_normal_quantiles() -> None:
    rng = np.random.default_rng(5)
    found = np.quantile(np.abs(rng.normal(size=(400, 2000))), COVERED, axis=1)
    assert found.std() * np.sqrt(2000) == pytest.approx(RELATIVE_ERROR, rel=0.15)
