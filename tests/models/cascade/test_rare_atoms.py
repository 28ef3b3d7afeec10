"""What hardly ever happens is drawn as rarely as it happens, and the density says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from calokit.compute.device import CPU
from calokit.compute.draws import Draws
from calokit.detector import load_detector
from calokit.models.batches import TrainingBatch
from calokit.models.cascade.hit_draw import HitChoice, HitDraw
from calokit.models.cascade.rare_atoms import choose_rarest
from calokit.models.cascade.stage import Stage
from calokit.models.cascade.surrogate import CascadeSurrogate
from models.cascade.test_cascade_compiled import compare, incidents_and_keys, with_numba
from models.cascade.test_cascade_surrogate import SMALL, made_up, shaken

RAREST = 0.015


def falling_off(model: CascadeSurrogate, rarest: float) -> CascadeSurrogate:
    for stage in (one for one in model.modules() if isinstance(one, Stage)):
        stage.hits.rarest.fill_(rarest)
    return model


def test_only_rare_atoms_of_many_hits_fall_off() -> None:
    draw = HitDraw(3)
    outputs = draw.start().expand(3, -1).clone()
    outputs[:, 0], outputs[:, 1] = -6.0, -1.0
    hits = torch.tensor([4.0, 5.0, 500.0])
    choice = HitChoice(hits, torch.full((3,), 600.0), torch.full((3,), 600.0))
    before = torch.exp(draw.log_atoms(outputs, choice))
    draw.rarest.fill_(0.01)
    after = torch.exp(draw.log_atoms(outputs, choice))
    assert torch.equal(before[0], after[0])
    assert torch.allclose(after[1:, 0], before[1:, 0] * (before[1:, 0] / 0.01) ** 4, rtol=0.01)
    assert torch.allclose(after[1:, 1], before[1:, 1], rtol=0.01)


def test_where_none_is_rare_none_falls_off() -> None:
    """On accelerators `rarest` is not looked at before: zero must change nothing there, slopes included."""
    draw = HitDraw(3)
    logits = torch.randn(4, 5, generator=torch.Generator().manual_seed(1)).requires_grad_()
    cannot = torch.tensor([[False, False], [True, False], [False, True], [False, False]])
    found = draw._fall_off(logits, cannot, torch.tensor([500.0, 5.0, 9.0, 2.0]))
    assert torch.equal(found, logits)
    found.square().sum().backward()
    assert logits.grad is not None
    assert torch.equal(logits.grad, 2 * logits.detach())


def test_what_was_saved_before_is_read() -> None:
    model = falling_off(shaken(load_detector("par04_siw"), SMALL), 0.1)
    old = {name: one for name, one in model.state_dict().items() if not name.endswith(".rarest")}
    assert len(old) < len(model.state_dict())
    model.load_state_dict(old)
    stages = [one for one in model.modules() if isinstance(one, Stage)]
    assert [float(one.hits.rarest) for one in stages] == [0.0] * len(stages)


def test_where_probabilities_are_right_none_falls_off() -> None:
    rng = np.random.default_rng(1)
    logarithms = rng.uniform(-10.0, -4.0, 400_000)
    happened = (rng.random(400_000) < np.exp(logarithms)).astype(float)
    assert choose_rarest(logarithms, happened) == 0.0
    never = happened * (logarithms > -6.0)
    assert np.log(choose_rarest(logarithms, never)) == pytest.approx(-6.0, abs=0.5)


def test_calibration_finds_where_truth_falls_off() -> None:
    detector = load_detector("zdc_ecal")
    model = falling_off(shaken(detector), RAREST)
    with torch.no_grad():
        for network in model.stages[0].networks:
            network.hits_head.bias[:2] -= 4.0  # atoms are rare, as in the middle of a shower
    showers = made_up(detector, 1500, seed=5)
    true = model.generate(TrainingBatch.of(showers).incidents, torch.Generator().manual_seed(1))
    falling_off(model, 0.0)
    model.calibrate(replace(showers, energies=true.numpy()), Draws(torch.Generator().manual_seed(3), CPU))
    assert 0.4 * RAREST < float(model.stages[0].hits.rarest) < 2 * RAREST


@with_numba
@pytest.mark.parametrize("name", ["zdc_ecal", "calochallenge_1_photons"])
def test_loops_draw_the_same_showers(name: str) -> None:
    model = falling_off(shaken(load_detector(name)), 0.2)
    compare(model, *incidents_and_keys(model, name, 40), least=0.95, near=0.999)
