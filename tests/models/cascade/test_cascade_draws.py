"""The one-dimensional densities: they are normalised, and draws follow them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import chisquare, kstest

from calokit.compute.draws import Noise, draw_noise
from calokit.models.cascade.energy_choice import EnergyChoice
from calokit.models.cascade.energy_draw import EnergyDraw
from calokit.models.cascade.hit_draw import HitChoice, HitDraw
from calokit.models.cascade.logistic import draw_between, log_mass
from calokit.models.cascade.stage import uniform_pair
from calokit.models.cascade.totals import NormalMixture, Totals

DRAWS = 20_000


def uniforms(count: int, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    keys = draw_noise(Noise("key"), count, torch.Generator().manual_seed(seed))[:, 0]
    return uniform_pair(keys, torch.zeros_like(keys))


def stepped_features() -> np.ndarray:
    """Return the features of a spectrum that rises steeply at 1.5 thresholds (bin,)."""
    return np.where(np.arange(64) < 8, 0.6, np.where(np.arange(64) < 16, 1.5, 1.0))


@pytest.mark.parametrize(
    ("low", "high"), [(-2.0, 1.0), (30.0, 31.0), (-200.0, -199.5), (-1e4, 1e4), (3.0, 90.0)]
)
def test_truncated_logistic_keeps_its_digits(low: float, high: float) -> None:
    first, _ = uniforms(DRAWS)
    left, right = torch.full((DRAWS,), low), torch.full((DRAWS,), high)
    drawn = draw_between(left, right, first)
    assert ((drawn >= low) & (drawn <= high)).all()

    def cumulated(values: np.ndarray) -> np.ndarray:
        ends = torch.from_numpy(values).double().clamp_min(low + 1e-9)
        whole = log_mass(torch.tensor(low, dtype=torch.float64), torch.tensor(high, dtype=torch.float64))
        return torch.exp(log_mass(torch.full_like(ends, low), ends) - whole).numpy()

    assert kstest(drawn.double().numpy(), cumulated).pvalue > 1e-3


@pytest.mark.parametrize(
    ("hits", "first", "second"),
    [(1, 4, 4), (2, 1, 1), (5, 3, 4), (7, 4, 4), (8, 4, 4), (40, 200, 100), (3, 1, 9)],
)
@pytest.mark.parametrize("rarest", [0.0, 0.3])
def test_hits_are_normalised_and_drawn_by_their_density(
    hits: int, first: int, second: int, rarest: float
) -> None:
    density = HitDraw(3)
    density.rarest.fill_(rarest)
    outputs = density.start() + torch.randn(density.outputs, generator=torch.Generator().manual_seed(hits))
    taken = torch.arange(max(0, hits - second), min(hits, first) + 1).float()

    def rows(count: int) -> tuple[torch.Tensor, HitChoice]:
        numbers = [torch.full((count,), float(value)) for value in (hits, first, second)]
        return outputs.expand(count, -1), HitChoice(*numbers)

    probability = torch.exp(density.log_probability(*rows(len(taken)), taken)).double()
    assert float(probability.sum()) == pytest.approx(1.0, abs=1e-5)
    drawn = density.draw(*rows(DRAWS), *uniforms(DRAWS, hits))
    counts = np.array([float((drawn == value).sum()) for value in taken])
    assert counts.sum() == DRAWS
    likely = probability.numpy() * DRAWS > 5
    expected = probability.numpy()[likely]
    if likely.sum() > 1:
        assert chisquare(counts[likely], expected / expected.sum() * counts[likely].sum()).pvalue > 1e-3


@pytest.mark.parametrize(
    ("energy", "first", "second"),
    [
        (2.5, 1, 1),
        (30.0, 1, 12),
        (3.00001, 1, 2),
        (1e6, 1, 30),
        (5e4, 100, 1),
        (4.2, 2, 2),
        (9.0, 4, 3),
        (700.0, 200, 300),
    ],
)
@pytest.mark.parametrize("followed", [False, True])
def test_energy_is_normalised_and_drawn_by_its_density(
    energy: float, first: int, second: int, followed: bool
) -> None:
    torch.manual_seed(first + second)
    density = EnergyDraw(4, 3, 2, followed)
    density.follow(stepped_features())
    start = torch.cat(
        [density.start() + 0.5 * torch.randn(density.outputs), torch.tensor([0.5, 3.0, -6.0, -4.0])]
    )
    outputs, density = start.double(), density.double()

    def rows(count: int) -> tuple[torch.Tensor, EnergyChoice]:
        numbers = [
            torch.full((count,), float(value), dtype=torch.float64) for value in (energy, first, second)
        ]
        return outputs.expand(count, -1), EnergyChoice(*numbers, above=followed)

    _, one = rows(1)
    low, high = (float(bound) for bound in one.bounds())
    drawn = density.draw(*rows(DRAWS), *(uniform.double() for uniform in uniforms(DRAWS))).detach()
    assert ((drawn >= low) & (drawn <= high)).all()
    # a grid that is finer where more is drawn, so that lines are integrated too
    edges = (
        torch.cat([drawn[::2].sort().values, torch.linspace(low, high, 20_000, dtype=torch.float64)])
        .sort()
        .values
    )
    middles = (edges[1:] + edges[:-1]) / 2
    mass = torch.exp(density.log_density(*rows(len(middles)), middles)).detach() * edges.diff()
    assert float(mass.sum()) == pytest.approx(1.0, abs=5e-3)
    cumulated = torch.cat([torch.zeros(1, dtype=torch.float64), mass.cumsum(0)]).numpy()

    def distribution(values: np.ndarray) -> np.ndarray:
        return np.interp(values, edges.numpy(), cumulated / cumulated[-1])

    assert kstest(drawn.numpy(), distribution).pvalue > 1e-3


@pytest.mark.parametrize("above", [False, True])
def test_energies_are_conserved_and_never_below_the_threshold(above: bool) -> None:
    generator = torch.Generator().manual_seed(4)
    first, second = (torch.randint(1, 40, (DRAWS,), generator=generator).float() for _ in range(2))
    spare = torch.exp(torch.empty(DRAWS).uniform_(-9.0, 6.0, generator=generator))
    choice = EnergyChoice(first + second + spare, first, second, above)
    ratio = torch.empty(DRAWS).uniform_(-20.0, 20.0, generator=generator)
    low, high = choice.bounds()
    bounded = torch.maximum(torch.minimum(ratio, high), low)
    one, two = choice.share_out(bounded)
    assert torch.allclose(one + two, choice.energy, rtol=1e-6)
    assert bool((one >= first * (1 - 1e-6)).all() and (two >= second * (1 - 1e-6)).all())
    inside = (bounded == ratio) & (ratio.abs() < 3) & (spare > 1)
    parts = choice.parts(one, two)
    assert torch.allclose(torch.log(parts[0] / parts[1])[inside], ratio[inside], atol=0.01)


def test_several_hits_are_hardly_ever_all_at_the_threshold() -> None:
    density = EnergyDraw(0, 1, 0, near_threshold=True)
    rows = 2 * DRAWS
    first, second = torch.full((rows,), 3.0), torch.full((rows,), 1.0)
    shares = []
    for above in (False, True):
        choice = EnergyChoice(torch.full((rows,), 6.0), first, second, above)
        one, two = (torch.rand(rows, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2))
        ratio = density.draw(density.start().expand(rows, -1), choice, one, two)
        energy = choice.share_out(ratio)[0]
        shares.append(float((energy < 3.06).float().mean()))
    assert shares[1] < 0.5 * shares[0]


def test_densities_keep_their_digits_where_all_hits_are_at_the_threshold() -> None:
    """As in showers of converter counts: the ends of a child's coordinate nearly meet."""
    generator = torch.Generator().manual_seed(5)
    rows = 2000
    density = EnergyDraw(2, 2, 0, near_threshold=True)
    first, second = (torch.randint(2, 9, (rows,), generator=generator).float() for _ in range(2))
    spare = torch.exp(torch.empty(rows).uniform_(-9.0, -5.0, generator=generator))
    choice = EnergyChoice((first + second) * (1 + spare), first, second, True)
    shape = density.start() + torch.randn(rows, density.outputs, generator=generator)
    low, high = choice.bounds()
    ratio = low + (high - low) * torch.rand(rows, generator=generator)
    exact = shape.double(), choice.double(), ratio.double()
    found = density.log_density(shape, choice, ratio)
    assert found.dtype == torch.float32
    assert torch.allclose(found.double(), density.log_density(*exact), atol=0.05)
    cumulative = density.cumulative(shape, choice, ratio).double()
    assert torch.allclose(cumulative, density.cumulative(*exact), atol=2e-3)


def test_normal_mixture_is_normalised_and_drawn_by_its_density() -> None:
    mixture = NormalMixture(4)
    torch.manual_seed(5)
    outputs = mixture.start() + torch.randn(mixture.outputs)
    low, high = torch.tensor(-1.5, dtype=torch.float64), torch.tensor(2.0, dtype=torch.float64)
    grid = torch.linspace(-1.5, 2.0, 40_001, dtype=torch.float64)

    def bounds(count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return outputs.expand(count, -1), low.expand(count), high.expand(count)

    mass = torch.exp(mixture.log_density(*bounds(len(grid)), grid)) * (grid[1] - grid[0])
    assert float(mass.sum()) == pytest.approx(1.0, abs=1e-3)
    drawn = mixture.draw(*bounds(DRAWS), *uniforms(DRAWS))
    assert kstest(drawn.numpy(), lambda x: np.interp(x, grid.numpy(), mass.cumsum(0).numpy())).pvalue > 1e-3
    parts = torch.linspace(-1.5, 2.0, 8, dtype=torch.float64)
    shares = torch.exp(mixture.log_probability(*bounds(7), parts[:-1], parts[1:]))
    assert float(shares.sum()) == pytest.approx(1.0, abs=1e-9)


def test_without_empty_showers_hardly_any_are_drawn_from_the_start() -> None:
    torch.manual_seed(2)
    incident = torch.full((4000,), 1e4)
    visible = incident * torch.linspace(0.1, 0.3, 4000)
    totals = Totals(1, 16, 3, cells=90)
    totals.fit(incident, visible, torch.full((4000,), 30.0))
    with torch.no_grad():
        outputs = totals.energy_network(torch.linspace(-1.0, 1.0, 4000)[:, None])
    assert float(torch.sigmoid(outputs[:, 0]).max()) < 1e-3


def test_totals_stay_within_what_is_possible_and_follow_their_density() -> None:
    torch.manual_seed(2)
    rng = np.random.default_rng(1)
    incident = torch.from_numpy(np.exp(rng.uniform(7, 11, 4000))).float()
    visible = incident * torch.from_numpy(rng.normal(0.2, 0.02, 4000)).float()
    hits = torch.round(visible.sqrt() * torch.from_numpy(rng.normal(1.0, 0.1, 4000)).float()).clamp(1, 90)
    visible[-400:], hits[-400:] = 0.0, 0.0
    totals = Totals(1, 16, 3, cells=90)
    totals.fit(incident, visible, hits)
    threshold = torch.tensor(0.1)
    features = torch.log(incident)[:, None] - 9
    keys = draw_noise(Noise("key"), 4000, torch.Generator().manual_seed(1))[:, 0]
    numbers = [one for k in range(3) for one in uniform_pair(keys, torch.full_like(keys, 2 * k))][:5]
    with torch.no_grad():
        drawn, count = totals.draw(features, incident, threshold, tuple(numbers))
        density = totals.log_density(features, incident, drawn, count, threshold)
    full = count > 0
    assert float(full.float().mean()) == pytest.approx(0.9, abs=0.03)
    assert torch.isfinite(density).all()
    assert (count[full] <= 90).all()
    assert (count[full] * 0.1 < drawn[full]).all()
    assert float((drawn[full] / incident[full]).max()) < 0.5
    assert (drawn[~full] == 0).all()
    one = slice(0, 1)
    possible = torch.arange(1, 91).float()
    with torch.no_grad():
        parts = totals.log_density(
            features[one].expand(90, -1),
            incident[one].expand(90),
            visible[one].expand(90),
            possible,
            threshold,
        )
        _, _, low, high = totals._energy_bounds(incident[one], threshold)
        centre, width = totals.energy_trend(torch.log(incident[one]))
        ends = torch.exp(centre + width * torch.cat([low, high])).float()
        grid = torch.linspace(float(ends[0]), float(ends[1]), 6001) * incident[0]
        along = torch.stack(
            [
                totals.log_density(
                    features[one].expand(6001, -1),
                    incident[one].expand(6001),
                    grid,
                    torch.full((6001,), float(number)),
                    threshold,
                )
                for number in range(1, 91)
            ]
        )
        silent = totals.log_density(
            features[one], incident[one], visible[one] * 0, possible[:1] * 0, threshold
        )
    assert torch.isfinite(parts).all()
    loud = float(torch.exp(along).sum() * (grid[1] - grid[0]))
    assert loud + float(torch.exp(silent)) == pytest.approx(1.0, abs=0.02)
