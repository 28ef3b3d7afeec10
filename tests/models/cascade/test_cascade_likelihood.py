"""The cascade's likelihood: cumulative values undo draws, and are uniform where the model is right."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import kstest
from test_cascade_surrogate import made_up, shaken

from calokit.compute.draws import Noise, draw_noise
from calokit.detector import load_detector
from calokit.models.batches import IncidentTensors, TrainingBatch
from calokit.models.cascade.boxes import Rows
from calokit.models.cascade.energy_choice import EnergyChoice
from calokit.models.cascade.energy_draw import EnergyDraw
from calokit.models.cascade.hit_draw import HitChoice, HitDraw
from calokit.models.cascade.likelihood import WALL, reach_of_lines
from calokit.models.cascade.spectral_lines import LINE_WIDTHS, SMALLEST_WIDTH
from calokit.models.cascade.stage import Cuts, uniform_pair
from calokit.models.cascade.surrogate import CascadeSurrogate
from calokit.models.cascade.totals import NormalMixture
from calokit.models.protocols import CompletesShowers, HasLikelihood

ROWS = 4000


def keys(count: int, seed: int = 1) -> torch.Tensor:
    return draw_noise(Noise("key"), count, torch.Generator().manual_seed(seed))[:, 0]


def uniforms(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    return uniform_pair(keys(ROWS, seed), torch.zeros(ROWS, dtype=torch.int64))


@pytest.mark.parametrize(
    ("hits", "first", "second"), [(2, 1, 1), (5, 3, 4), (7, 4, 4), (8, 4, 4), (40, 200, 100), (3, 1, 9)]
)
@pytest.mark.parametrize("rarest", [0.0, 0.3])
def test_cumulative_hits_are_the_sums_of_their_probabilities(
    hits: int, first: int, second: int, rarest: float
) -> None:
    density = HitDraw(3)
    density.rarest.fill_(rarest)
    outputs = density.start() + torch.randn(density.outputs, generator=torch.Generator().manual_seed(hits))
    taken = torch.arange(max(0, hits - second), min(hits, first) + 1).float()
    numbers = [torch.full_like(taken, float(value)) for value in (hits, first, second)]
    rows = outputs.expand(len(taken), -1), HitChoice(*numbers)
    probability = torch.exp(density.log_probability(*rows, taken)).double()
    below, top = density.cumulative(*rows, taken)
    assert torch.allclose((top - below).double(), probability, atol=2e-6)
    assert torch.allclose(top.double(), probability.cumsum(0), atol=2e-6)


@pytest.mark.parametrize(
    ("energy", "first", "second"), [(2.5, 1, 1), (30.0, 1, 12), (1e6, 1, 30), (5e4, 100, 1), (9.0, 4, 3)]
)
@pytest.mark.parametrize("terms", [(1, 0, 0), (0, 1, 0), (4, 3, 2)])
@pytest.mark.parametrize("followed", [False, True])
def test_the_cumulative_energy_undoes_its_draw(
    energy: float, first: int, second: int, terms: tuple[int, int, int], followed: bool
) -> None:
    torch.manual_seed(first + second)
    density = EnergyDraw(*terms, followed)
    lines = torch.tensor([0.5, 3.0, -6.0, -4.0])[: 2 * terms[2]]
    outputs = torch.cat([density.start() + 0.5 * torch.randn(density.outputs), lines]).double()
    numbers = [torch.full((ROWS,), float(value), dtype=torch.float64) for value in (energy, first, second)]
    rows = outputs.expand(ROWS, -1), EnergyChoice(*numbers, above=followed)
    one, two = (uniform.double() for uniform in uniforms(3))
    value = density.cumulative(*rows, density.draw(*rows, one, two))
    assert kstest(value.numpy(), "uniform").pvalue > 1e-3
    if density.terms == 1:  # then the second uniform number is the cumulative value itself
        assert torch.allclose(value, two, atol=1e-6)
    elif terms == (0, 1, 0):  # of the two terms, the second falls where the first child's energy rises
        assert 0.3 < float(value.mean()) < 0.7
    low, high = rows[1].bounds()
    assert torch.allclose(density.cumulative(*rows, low), torch.zeros_like(low), atol=1e-6)
    assert torch.allclose(density.cumulative(*rows, high), torch.ones_like(low), atol=1e-6)


def test_the_cumulative_normal_mixture_undoes_its_draw() -> None:
    one, two = uniforms(5)
    low, high = (torch.full((ROWS,), bound, dtype=torch.float64) for bound in (-1.5, 2.0))
    single = NormalMixture(1)
    outputs = (single.start() + torch.tensor([0.0, 0.7, 0.3])).expand(ROWS, -1)
    drawn = single.draw(outputs, low, high, one, two)
    assert torch.allclose(single.cumulative(outputs, low, high, drawn), two.double(), atol=1e-6)
    several = NormalMixture(4)
    outputs = (
        several.start() + torch.randn(several.outputs, generator=torch.Generator().manual_seed(5))
    ).expand(ROWS, -1)
    values = several.cumulative(outputs, low, high, several.draw(outputs, low, high, one, two))
    assert kstest(values.numpy(), "uniform").pvalue > 1e-3


@pytest.mark.parametrize("name", ["zdc_ecal", "calochallenge_1_photons"])
def test_values_of_generated_showers_are_uniform_in_every_level(name: str) -> None:
    detector = load_detector(name)
    model = shaken(detector)
    assert isinstance(model, HasLikelihood)
    events = 600
    incidents = TrainingBatch.of(made_up(detector, events, seed=5)).incidents
    drawn = model.generate(incidents, torch.Generator().manual_seed(1))
    tested = 0
    for found in model.cumulative_values(TrainingBatch(incidents, drawn), keys(events, 7)):
        assert bool(((found.value >= 0) & (found.value <= 1)).all())
        for level in found.level.unique().tolist():
            values = found.value[found.level == level].double().numpy()
            if len(values) > 100:
                assert kstest(values, "uniform").pvalue > 1e-4, (found.part, found.kind, level)
                tested += 1
    assert tested > 8


def test_values_of_other_showers_are_not_uniform() -> None:
    detector = load_detector("zdc_ecal")
    model = shaken(detector)
    batch = TrainingBatch.of(made_up(detector, 500, seed=5))
    worst = min(
        kstest(found.value.double().numpy(), "uniform").pvalue
        for found in model.cumulative_values(batch, keys(500))
    )
    assert worst < 1e-6


def compare(model: CascadeSurrogate, found: torch.Tensor, whole: torch.Tensor, batch: TrainingBatch) -> None:
    """Equal where the totals can be drawn; beyond, what is searched falls off."""
    visible = batch.energies.where(batch.energies > model.threshold, 0.0).sum(1)
    beyond = model.totals.beyond(batch.incidents.energies, visible, model.threshold)
    assert bool((beyond == 0).any())
    assert torch.allclose(found, whole - WALL * beyond.float(), rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("name", ["zdc_ecal", "luxe_ecal", "calochallenge_1_photons"])
def test_parts_add_up_and_follow_other_incident_particles(name: str) -> None:
    detector = load_detector(name)
    model = shaken(detector)
    batch = TrainingBatch.of(made_up(detector, 8, seed=5))
    with torch.no_grad():
        parts = model.log_parts(batch)
        assert parts["cells"].shape == (8, detector.number_of_layers)
        assert ("layers" in parts) == (detector.number_of_layers > 1)
        whole = model.log_likelihood(batch)
        assert torch.allclose(sum(one.view(8, -1).sum(1) for one in parts.values()), whole)
        as_function = model.likelihood_of(batch.energies)
        compare(model, as_function(batch.incidents), whole, batch)
        assert batch.incidents.positions is not None
        assert batch.incidents.directions is not None
        moved = IncidentTensors(
            1.1 * batch.incidents.energies,
            batch.incidents.positions + 3.0,
            batch.incidents.directions + 0.01,
        )
        other = model.log_likelihood(TrainingBatch(moved, batch.energies))
        compare(model, as_function(moved), other, TrainingBatch(moved, batch.energies))
        assert float((other - whole)[1:].abs().min()) > 1e-3


def test_completed_showers_keep_what_is_known_and_follow_the_density() -> None:
    """Of showers that the model generated, the completed ones must be as well calibrated."""
    detector = load_detector("calochallenge_1_photons")
    model = shaken(detector)
    assert isinstance(model, CompletesShowers)
    events, layers = 400, 2
    incidents = TrainingBatch.of(made_up(detector, events, seed=5)).incidents
    batch = TrainingBatch(incidents, model.generate(incidents, torch.Generator().manual_seed(1)))
    whole = model.complete(batch, keys(events), detector.number_of_layers)
    assert torch.equal(whole, batch.energies)
    drawn = model.complete(batch, keys(events, 3), layers)
    assert torch.equal(drawn, model.complete(batch, keys(events, 3), layers))
    first = model.tree.first_cells[layers]
    assert torch.equal(drawn[:, :first], batch.energies[:, :first])
    assert not torch.equal(drawn[:, first:], batch.energies[:, first:])
    for layer in range(layers, detector.number_of_layers):
        here = model.tree.cells_of(layer)
        assert torch.equal((drawn[:, here] > 0).sum(1), (batch.energies[:, here] > 0).sum(1))
        sums = [one[:, here].double().sum(1) for one in (drawn, batch.energies)]
        assert torch.allclose(sums[0], sums[1], rtol=1e-4)
    tested = 0
    for found in model.cumulative_values(TrainingBatch(incidents, drawn), keys(events, 7)):
        values = found.value[found.layer >= layers].double().numpy()
        if len(values) > 100:
            assert kstest(values, "uniform").pvalue > 1e-4
            tested += 1
    assert tested >= 2


def test_single_hits_on_a_line_without_width_stand_for_all_that_is_drawn_there() -> None:
    line, width = 5.11, LINE_WIDTHS * SMALLEST_WIDTH
    first = torch.tensor([line, 20.0, 3.0, line * (1 + 0.5 * width), line], dtype=torch.float64)
    second = torch.tensor([20.0, line, 4.0, 2.0, 20.0], dtype=torch.float64)
    one = torch.tensor([1.0, 3.0, 1.0, 1.0, 2.0], dtype=torch.float64)
    two = torch.tensor([3.0, 1.0, 1.0, 1.0, 3.0], dtype=torch.float64)
    nothing = torch.zeros(5)
    share = EnergyChoice(first + second, one, two)
    rows = Rows(torch.arange(5), torch.zeros(5, dtype=torch.int64), 1)
    cuts = Cuts(rows, nothing, HitChoice(one + two, one, two), one, torch.arange(5), share, first, second)
    low, high = reach_of_lines(cuts, torch.tensor([line], dtype=torch.float64))
    on_line = torch.tensor([True, True, False, True, False])
    assert torch.equal(high > low, on_line)
    assert torch.equal(low[~on_line], cuts.ratio[~on_line])
    total = first + second
    for ratio, sign in ((low, -1), (high, 1)):
        shares = total * torch.sigmoid(ratio)
        assert shares[0] == pytest.approx(line * (1 + sign * width), rel=1e-9)
        assert total[1] - shares[1] == pytest.approx(line * (1 - sign * width), rel=1e-9)
        assert shares[3] == pytest.approx(line * (1 + sign * width), rel=1e-9)
