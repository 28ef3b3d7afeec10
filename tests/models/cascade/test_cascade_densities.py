"""Compiled loops find the densities and slopes that torch finds, to rounding."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from calokit.detector import load_detector
from calokit.models.batches import TrainingBatch
from calokit.models.cascade.compiled import availability
from calokit.models.cascade.compiled.availability import numba_compiles
from calokit.models.cascade.densities import log_densities
from calokit.models.cascade.stage import Cuts, Stage
from models.cascade.test_cascade_surrogate import SMALL, made_up, shaken

pytestmark = pytest.mark.skipif(not numba_compiles(), reason="numba is not installed")

NEAR = SMALL.model_copy(update={"own_terms": 2, "line_terms": 3})
PLAIN = SMALL.model_copy(update={"near_threshold": False})


def cut_boxes(settings: object) -> tuple[Stage, Cuts]:
    """The cells' stage of a made-up cascade, and made-up showers."""
    detector = load_detector("zdc_ecal")
    model = shaken(detector, settings)  # type: ignore[arg-type]
    stage = model.stages[0]
    assert isinstance(stage, Stage)
    batch = TrainingBatch.of(made_up(detector, 40, seed=5))
    cells = model.cells_of(batch)
    (found,) = model.cuts(model.facts(batch.incidents, cells.visible, cells.count), cells)
    return stage, found[1]


def both_ways(stage: Stage, cuts: Cuts, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Tensor], list[Tensor]]:
    """Return the densities and their slopes in all weights, by loops and by torch."""
    found = []
    for loops in (True, False):
        monkeypatch.setattr(availability, "numba_compiles", lambda loops=loops: loops)
        stage.zero_grad()
        hits, pairs = log_densities(stage, cuts)
        weights = torch.linspace(0.5, 1.5, len(hits))
        (hits * weights).sum().backward(retain_graph=True)
        (pairs * weights[: len(pairs)]).sum().backward()
        slopes = [one.grad.clone() for one in stage.parameters() if one.grad is not None]
        found.append([hits.detach(), pairs.detach(), *slopes])
    return found[0], found[1]


@pytest.mark.parametrize("settings", [SMALL, NEAR, PLAIN], ids=["small", "near", "plain"])
@pytest.mark.parametrize("scale", [1.0, 30.0])
@pytest.mark.parametrize("rarest", [0.0, 0.2])
def test_densities_and_slopes(
    settings: object, scale: float, rarest: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, cuts = cut_boxes(settings)
    stage.hits.rarest.fill_(rarest)
    with torch.no_grad():
        for name, parameter in stage.named_parameters():
            if "head.weight" in name:  # places far out of bounds, widths at their ends
                parameter.mul_(scale)
    assert len(cuts.both) > 100
    loops, plain = both_ways(stage, cuts, monkeypatch)
    for one, two in zip(loops[:2], plain[:2], strict=True):
        assert torch.allclose(one, two, rtol=1e-4, atol=1e-3)
        assert float((one - two).abs().median()) < 1e-5
    for one, two in zip(loops[2:], plain[2:], strict=True):
        assert float((one - two).abs().max()) <= 1e-3 * float(two.abs().max()) + 1e-5


@pytest.mark.parametrize("rarest", [0.0, 0.2])
def test_slopes_are_those_of_the_densities(rarest: float) -> None:
    stage, cuts = cut_boxes(NEAR)
    stage.hits.rarest.fill_(rarest)
    hits, shapes = (one.detach() for one in stage.run(cuts))
    from calokit.models.cascade.compiled.densities import find_energy_densities, find_hit_densities

    step = 2.0**-7
    for outputs, find in (
        (hits, lambda one: find_hit_densities(stage.hits, one, cuts, True)),
        (shapes, lambda one: find_energy_densities(stage.energy, one, cuts, True)),
    ):
        _, slopes = find(outputs)
        columns = stage.hits.outputs if outputs is hits else stage.energy.outputs
        for column in range(columns):
            moved = torch.zeros_like(outputs)
            moved[:, column] = step
            (up, _), (down, _) = find(outputs + moved), find(outputs - moved)
            numeric = (up - down) / (2 * step)
            off = (numeric - slopes[:, column]).abs() - 2e-3 * slopes.abs().amax(1)
            assert float((off > 0.01).float().mean()) < 0.02  # kinks, where a place is moved off a bound


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
@pytest.mark.parametrize("head", ["hits_head", "energy_head"])
def test_broken_weights_are_seen(head: str, broken: float) -> None:
    stage, cuts = cut_boxes(SMALL)
    with torch.no_grad():
        getattr(stage.networks[0], head).bias[-1] = broken
    hits, pairs = log_densities(stage, cuts)
    found = (hits if head == "hits_head" else pairs).sum()
    assert not bool(torch.isfinite(found))


def test_no_boxes() -> None:
    stage, cuts = cut_boxes(SMALL)
    empty = stage.cuts_of(
        cuts.rows[torch.arange(5)],
        cuts.seen[:5],
        torch.ones(5),
        torch.ones(5),
        torch.ones(5),
        torch.ones(5),
        torch.zeros(5),
    )
    hits, pairs = log_densities(stage, empty)
    assert len(hits) == 5
    assert len(pairs) == 0


def test_threads_do_not_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    stage, cuts = cut_boxes(SMALL)
    alone = log_densities(stage, cuts)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    for one, two in zip(alone, log_densities(stage, cuts), strict=True):
        assert torch.equal(one, two)
