"""What lies between MeV and the network: transforms, mixture velocity, condition features, solvers."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from calokit.errors import ConfigurationError
from calokit.models.batches import IncidentTensors
from calokit.models.flow.hit_mixture import HitMixture
from calokit.models.flow.transforms import LogCells, ShowerTotals
from calokit.models.parts.conditions import EDGE_LENGTHS_MM, IncidentEncoder
from calokit.models.parts.solvers import find_solver, integrate
from calokit.models.parts.steps import uniform_times
from calokit.models.parts.times import sinusoidal_features
from made_up_runs import draws, seeded

LOG_CELLS = LogCells(0.1, 2.1, -0.6, 0.15)


def test_log_cells_known_values() -> None:
    values = LOG_CELLS(torch.tensor([[0.1 * math.e**2.1, 0.1 * math.e**4.2]]), draws())
    torch.testing.assert_close(values, torch.tensor([[1.0, 2.0]]), rtol=1e-6, atol=1e-6)


@settings(max_examples=200, deadline=None)
@given(st.floats(1e-5, 16.0), st.integers(0, 2**31))
def test_log_cells_inverse_is_exact_to_the_rounding_of_the_logarithm(logarithm: float, seed: int) -> None:
    """float32 rounds ln(e / threshold) relative to itself, so the energy moves relative to its logarithm."""
    cells = torch.tensor([[0.1 * math.exp(logarithm)]])
    back = LOG_CELLS.inverse(LOG_CELLS(cells, draws(seed)))
    assert abs(float(back) / float(cells) - 1.0) < 2.0**-23 * 2.0 * (1.0 + logarithm)  # at most 4e-6


def test_log_cells_inverse_is_the_threshold() -> None:
    cells = torch.tensor([0.0, 1e-6, 0.05, 0.0999, 0.1, 0.1001, 0.2, 5e4]).repeat(1000, 1)
    back = LOG_CELLS.inverse(LOG_CELLS(cells, draws()))
    expected = torch.where(cells > 0.1, cells, 0.0)
    assert torch.equal(back > 0, expected > 0)
    torch.testing.assert_close(back, expected, rtol=5e-6, atol=0.0)


def test_empty_cells_are_the_narrow_normal_and_fresh_every_time() -> None:
    empty = torch.zeros(500, 400)
    noise = draws()
    first, second = LOG_CELLS(empty, noise), LOG_CELLS(empty, noise)
    assert not torch.equal(first, second)
    assert torch.equal(first, LOG_CELLS(empty, draws()))
    assert float(first.mean()) == pytest.approx(-0.6, abs=0.002)
    assert float(first.std()) == pytest.approx(0.15, abs=0.002)
    assert bool((first < 0).all())


def test_log_cells_inverse_stays_finite() -> None:
    assert bool(torch.isfinite(LOG_CELLS.inverse(torch.tensor([[1e3, 1e30, -1e30, 0.0]]))).all())


def make_totals(width: float = 1.0) -> ShowerTotals:
    totals = ShowerTotals(0.05)
    totals.mean.copy_(torch.tensor([-0.2, 3.5]))
    totals.width.copy_(torch.tensor([0.3 * width, 0.7]))
    return totals


@pytest.mark.parametrize("share", [1e-5, 1e-3, 0.0497, math.exp(-3.0), 0.05, 0.1, 0.8, 0.999])
def test_totals_inverse_is_exact_on_both_sides_of_the_knee(share: float) -> None:
    totals = make_totals()
    hits = torch.arange(1.0, 401.0)
    incident = torch.logspace(3.0, 5.0, 400) + 1e4
    visible = incident * share
    place = torch.linspace(0.01, 0.99, 400)
    back, counted = totals.inverse(totals(incident, visible, hits, place), incident)
    assert torch.equal(counted, hits)
    torch.testing.assert_close(back, visible, rtol=3e-5 if share < 0.0498 else 3e-6, atol=0.0)


def test_totals_of_empty_showers_come_back_empty() -> None:
    totals = make_totals()
    zero, incident = torch.zeros(50), torch.logspace(3.0, 5.0, 50)
    visible, hits = totals.inverse(totals(incident, zero, zero, torch.linspace(0.01, 0.99, 50)), incident)
    assert bool((visible == 0).all())
    assert bool((hits == 0).all())


def test_totals_rise_strictly_and_continuously_through_the_knee() -> None:
    shares = torch.exp(torch.linspace(-3.2, -2.8, 401, dtype=torch.float64))
    ones = torch.ones_like(shares)
    raw = ShowerTotals(0.05)(ones * 1e4, shares * 1e4, ones, ones * 0.5)[:, 0]
    steps = raw.diff()
    assert bool((steps > 0).all())
    torch.testing.assert_close(steps[:199], torch.full_like(steps[:199], 1e-4), rtol=1e-3, atol=0)
    torch.testing.assert_close(steps[201:], torch.full_like(steps[201:], 1e-3), rtol=1e-3, atol=0)


def test_totals_fit_standardises() -> None:
    generator = seeded()
    incident = torch.exp(torch.rand(5000, generator=generator) * 4 + 7)
    visible = incident * (0.5 + 0.4 * torch.rand(5000, generator=generator))
    hits = torch.randint(1, 60, (5000,), generator=generator).float()
    totals = ShowerTotals(0.05)
    totals.fit(incident, visible, hits)
    values = totals(incident, visible, hits, torch.full_like(hits, 0.5))
    torch.testing.assert_close(values.mean(0), torch.zeros(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(values.std(0), torch.ones(2), atol=1e-3, rtol=0)


def make_mixture(share: float) -> HitMixture:
    mixture = HitMixture(-0.6, 0.15)
    mixture.hit_mean.fill_(1.2)
    mixture.hit_width.fill_(0.5)
    mixture.log_odds.fill_(math.log(share / (1 - share)))
    return mixture


@pytest.mark.parametrize(("log_odds", "mean", "width"), [(-60.0, -0.6, 0.15), (60.0, 1.2, 0.5)])
def test_pure_velocity_is_the_analytic_one(log_odds: float, mean: float, width: float) -> None:
    """For a pure normal the flow is x(t) = t m + sigma(t) z, sigma^2 = t^2 s^2 + (1 - t)^2."""
    mixture = make_mixture(0.5)
    noise = torch.linspace(-1.5, 1.5, 7, dtype=torch.float64)[None]
    for time in (0.0, 0.3, 0.7, 1.0):
        sigma = math.sqrt((time * width) ** 2 + (1 - time) ** 2)
        derivative = mean + (time * width**2 - (1 - time)) / sigma * noise
        state = time * mean + sigma * noise
        odds = torch.full_like(noise, log_odds)
        found = mixture(state, torch.tensor([time], dtype=torch.float64), odds, torch.zeros_like(noise))
        torch.testing.assert_close(found, derivative, rtol=1e-6, atol=1e-6)


def test_exact_velocity_carries_noise_to_the_mixture() -> None:
    share = 0.2
    mixture = make_mixture(share)
    noise = torch.randn(50_000, 1, generator=seeded(), dtype=torch.float64)
    zeros = torch.zeros_like(noise)

    def velocity(state: torch.Tensor, time: float) -> torch.Tensor:
        return mixture(state, torch.full((len(state),), time, dtype=torch.float64), zeros, zeros)

    final = integrate(find_solver("heun"), velocity, noise, uniform_times(100))
    hits = final > 0
    assert float(hits.double().mean()) == pytest.approx(share + 0.8 * 3e-5 - share * 0.0082, abs=0.005)
    assert float(final.mean()) == pytest.approx(share * 1.2 - (1 - share) * 0.6, abs=0.01)
    assert float(final[~hits].mean()) == pytest.approx(-0.6, abs=0.01)
    assert float(final[~hits].std()) == pytest.approx(0.15, abs=0.01)
    assert float(final[hits].mean()) == pytest.approx(1.211, abs=0.01)


def test_log_odds_move_the_share_and_correction_moves_the_hits() -> None:
    mixture = make_mixture(0.2)
    noise = torch.randn(50_000, 1, generator=seeded())

    def final(odds: float, correction: float) -> torch.Tensor:
        def velocity(state: torch.Tensor, time: float) -> torch.Tensor:
            ones = torch.ones_like(state)
            return mixture(state, torch.full((len(state),), time), odds * ones, correction * ones)

        return integrate(find_solver("heun"), velocity, noise, uniform_times(50))

    even = final(math.log(4.0), 0.0)
    assert float((even > 0).float().mean()) == pytest.approx(0.5, abs=0.01)
    moved = final(60.0, 0.3)
    assert float(moved.mean()) > 1.2 + 0.05


def test_mixture_fit() -> None:
    mixture = HitMixture(-0.6, 0.15)
    mixture.fit(torch.tensor([[-0.5, -0.7, -0.6, 1.0], [-0.6, 2.0, 3.0, -0.5]]))
    assert float(mixture.hit_mean) == pytest.approx(2.0)
    assert float(mixture.hit_width) == pytest.approx(math.sqrt(2 / 3))
    assert float(mixture.log_odds) == pytest.approx(math.log(3 / 5))


def encode(encoder: IncidentEncoder, x: list[float]) -> torch.Tensor:
    positions = torch.tensor([[value, 3.0] for value in x])
    return encoder(IncidentTensors(torch.full((len(x),), 1e4), positions, torch.zeros(len(x), 2)))


@pytest.mark.parametrize(("cells", "edge"), [(20, 0.0), (11, 4.0)])
def test_impact_features_at_the_edges(cells: int, edge: float) -> None:
    """20 cells have an edge on the axis, 11 cells a cell centre; pitch 8 mm."""
    encoder = IncidentEncoder(("energy", "position"), (8.0, 8.0), (cells, cells))
    assert encode(encoder, [0.0]).shape == (1, encoder.width)
    at, left, right, later, centre = encode(encoder, [edge, edge - 0.3, edge + 0.3, edge + 16.3, edge + 4.0])
    sines, cosines, nearness = [3, 7], [5, 9], [11, 13, 15]
    torch.testing.assert_close(at[nearness], torch.ones(3))
    torch.testing.assert_close(left[nearness], right[nearness])
    expected = torch.tensor([math.exp(-0.3 / length) for length in EDGE_LENGTHS_MM])
    torch.testing.assert_close(right[nearness], expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(left[cosines], right[cosines])
    torch.testing.assert_close(left[sines], -right[sines], rtol=0, atol=1e-5)
    periodic = sines + cosines + nearness
    torch.testing.assert_close(right[periodic], later[periodic], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(centre[nearness], torch.exp(-4.0 / torch.tensor(EDGE_LENGTHS_MM)))


def test_energy_and_direction_features() -> None:
    encoder = IncidentEncoder(("energy", "direction"), (8.0, 8.0), (20, 20))
    tilt = torch.linspace(-1e-3, 1e-3, 101)
    directions = torch.stack([tilt, torch.zeros(101)], dim=1)
    incidents = IncidentTensors(torch.logspace(3, 5, 101), None, directions)
    encoder.fit(incidents)
    features = encoder(incidents)
    assert features.shape == (101, 3) == (101, encoder.width)
    torch.testing.assert_close(features.mean(0), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(features[:, :2].std(0, correction=0), torch.ones(2), atol=1e-4, rtol=0)
    for column in (0, 1):
        steps = features[:, column].diff()
        torch.testing.assert_close(steps, steps.mean().expand(100), rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize(("condition", "name"), [("position", "positions"), ("direction", "directions")])
def test_missing_conditions_are_named(condition: str, name: str) -> None:
    encoder = IncidentEncoder(("energy", condition), (8.0, 8.0), (20, 20))
    nothing = IncidentTensors(torch.ones(2), None, None)
    for call in (encoder, encoder.fit):
        with pytest.raises(ConfigurationError, match=f"needs the incident {name}"):
            call(nothing)


def test_a_fixed_beam_has_finite_features() -> None:
    encoder = IncidentEncoder(("energy", "position", "direction"), (8.0, 8.0), (20, 20))
    incidents = IncidentTensors(torch.full((5,), 2e4), torch.zeros(5, 2), torch.zeros(5, 2))
    encoder.fit(incidents)
    assert bool(torch.isfinite(encoder(incidents)).all())


@pytest.mark.parametrize(
    ("name", "order"), [("euler", 1), ("midpoint", 2), ("heun", 2), ("rk4", 4), ("ab2", 2)]
)
def test_order_of_convergence(name: str, order: int) -> None:
    """dx/dt = x (1 + t) has x(1) = exp(3 / 2)."""
    solver = find_solver(name)
    start = torch.ones(1, dtype=torch.float64)
    calls = 0

    def velocity(state: torch.Tensor, time: float) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return state * (1.0 + time)

    errors = []
    for steps in (20, 40, 80):
        calls = 0
        found = float(integrate(solver, velocity, start, uniform_times(steps)))
        assert calls == steps * solver.evaluations
        errors.append(abs(found - math.exp(1.5)))
    assert solver.order == order
    for coarse, fine in pairwise(errors):
        assert coarse / fine == pytest.approx(2.0**order, rel=0.15)


def test_unequal_times_are_followed() -> None:
    found = integrate(
        find_solver("midpoint"), lambda x, t: torch.full_like(x, t), torch.zeros(1), (0.0, 0.9, 1.0)
    )
    assert float(found) == pytest.approx(0.5)


def test_unknown_solver_names_the_near_miss() -> None:
    with pytest.raises(ConfigurationError, match="Did you mean 'midpoint'"):
        find_solver("midpont")


def test_time_features_tell_times_apart() -> None:
    features = sinusoidal_features(torch.tensor([0.0, 0.5, 1.0]))
    assert features.shape == (3, 17)
    assert features[0].tolist() == [0.0] * 9 + [1.0] * 8
    assert float(features[1, 1]) == pytest.approx(math.sin(0.5))
    assert float(features[1, 16]) == pytest.approx(math.cos(50.0), abs=1e-4)
