"""The last correction of generated cells, ring by ring."""

from __future__ import annotations

import pytest
import torch

from calokit.models.flow.calibration import KNOTS, RING_EDGES, RingCalibration, find_rings, match_hits
from made_up_runs import draws

ENERGIES = torch.logspace(3.0, 5.0, 4000)[torch.randperm(4000, generator=torch.Generator().manual_seed(0))]


def draw_values(count: int, seed: int, shift: float, stretch: float) -> torch.Tensor:
    """Draw (event, cell) values, some below zero, deformed by a shift and a stretch."""
    plain = torch.randn(count, 40, generator=torch.Generator().manual_seed(seed))
    return stretch * plain + shift


@pytest.fixture
def radius() -> torch.Tensor:
    """Cells in two rings: the innermost and the outermost."""
    return torch.cat([torch.full((4000, 20), 0.1), torch.full((4000, 20), 12.0)], dim=1)


def test_rings_are_numbered_from_the_impact() -> None:
    assert find_rings(torch.tensor([0.0, RING_EDGES[0] + 0.01, 100.0])).tolist() == [0, 1, len(RING_EDGES)]


def test_unfitted_calibration_changes_hits_by_nothing() -> None:
    values = torch.tensor([[-0.6, 0.3, 2.7]])
    calibration = RingCalibration()
    changed = calibration(values, calibration.groups(torch.ones(1, 3), ENERGIES[:1]))
    assert changed[0, 0] < 0
    assert torch.allclose(changed[0, 1:], values[0, 1:], atol=1e-5)


def test_each_ring_gets_its_own_spectrum_and_number_of_hits_back(radius: torch.Tensor) -> None:
    true = draw_values(4000, 1, -0.5, 1.0)
    deformed = torch.cat(
        [draw_values(4000, 2, -0.3, 1.2)[:, :20], draw_values(4000, 3, -0.7, 0.8)[:, 20:]], dim=1
    )
    calibration = RingCalibration()
    calibration.fit(deformed, true, radius, ENERGIES[: len(true)])
    fresh = torch.cat(
        [draw_values(4000, 4, -0.3, 1.2)[:, :20], draw_values(4000, 5, -0.7, 0.8)[:, 20:]], dim=1
    )
    back = calibration(fresh, calibration.groups(radius, ENERGIES[: len(fresh)]))
    for part in (slice(0, 20), slice(20, 40)):
        mine, truth = back[:, part], true[:, part]
        assert float((mine > 0).float().mean()) == pytest.approx(float((truth > 0).float().mean()), rel=0.03)
        levels = torch.tensor([0.05, 0.25, 0.5, 0.75, 0.95])
        found, wanted = mine[mine > 0].quantile(levels), truth[truth > 0].quantile(levels)
        assert torch.allclose(found, wanted, atol=0.04)


def test_order_is_kept(radius: torch.Tensor) -> None:
    calibration = RingCalibration()
    calibration.fit(draw_values(4000, 1, -0.3, 1.2), draw_values(4000, 2, -0.5, 1.0), radius, ENERGIES)
    values = torch.linspace(-1.0, 9.0, 2000)[None]
    changed = calibration(values, calibration.groups(torch.zeros(1, 2000), ENERGIES[:1]))
    assert bool((changed.diff() >= 0).all())


def test_rings_with_few_hits_stay_as_they_are() -> None:
    calibration = RingCalibration()
    few = torch.ones(KNOTS, 1)
    calibration.fit(2 * few, few, torch.zeros(KNOTS, 1), ENERGIES[:KNOTS])
    assert torch.equal(calibration.generated_knots, calibration.true_knots)


def test_hits_are_matched_by_small_ones_alone(radius: torch.Tensor) -> None:
    true = draw_values(4000, 1, -0.5, 1.0)
    calibration = RingCalibration()
    calibration.fit(draw_values(4000, 2, -0.5, 1.0), true, radius, ENERGIES)
    values = draw_values(4000, 3, -0.5, 1.0)
    wanted = (draw_values(4000, 4, -0.5, 1.0) > 0).sum(1).float()
    rings = calibration.groups(radius, ENERGIES)
    noise = [draws(seed).uniform(*values.shape) for seed in (5, 6)]
    matched = match_hits(calibration, values, rings, wanted, 1.0, *noise)
    large = values >= 1.0
    possible = wanted >= large.sum(1)
    assert float(possible.float().mean()) > 0.99
    assert torch.equal((matched > 0).sum(1)[possible], wanted[possible].long())
    assert torch.equal(matched[large], values[large])
    added = (matched > 0) & (values <= 0)
    assert float(matched[added].max()) < 1.1
