"""The correction after training finds back the spectrum that training showers have."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from calokit.arrays import Float64
from calokit.compute.device import CPU
from calokit.compute.draws import Draws
from calokit.detector import load_detector
from calokit.models.batches import TrainingBatch
from calokit.models.cascade.own_coordinate import BINS, count_hits
from calokit.models.cascade.settings import CascadeSettings
from calokit.models.cascade.stage import Stage
from models.cascade.test_cascade_surrogate import SMALL, made_up, shaken

SHOWERS = 1500
NONE = np.zeros(0)


def draws(seed: int) -> Draws:
    return Draws(torch.Generator().manual_seed(seed), CPU)


def counts(energies: torch.Tensor, threshold: float) -> Float64:
    return count_hits(energies.numpy(), threshold, BINS, NONE, NONE)[:16]


def test_a_wrong_spectrum_is_put_right() -> None:
    model = shaken(load_detector("zdc_ecal"))
    incidents = TrainingBatch.of(made_up(load_detector("zdc_ecal"), SHOWERS, seed=5)).incidents
    true = model.generate(incidents, torch.Generator().manual_seed(1))
    right = counts(true, model.threshold_mev)
    wrong = np.ones(BINS)
    wrong[:6] = 8.0
    for stage in (one for one in model.modules() if isinstance(one, Stage)):
        stage.energy.follow(wrong)
    before = counts(model.generate(incidents, torch.Generator().manual_seed(2)), model.threshold_mev)
    showers = replace(made_up(load_detector("zdc_ecal"), SHOWERS, seed=5), energies=true.numpy())
    model.calibrate(showers, draws(3))
    after = counts(model.generate(incidents, torch.Generator().manual_seed(4)), model.threshold_mev)
    off = [float(np.abs(found[:6].sum() / right[:6].sum() - 1)) for found in (before, after)]
    assert off[0] > 0.1
    assert off[1] < 0.6 * off[0]


def test_models_without_it_are_left() -> None:
    settings = SMALL.model_copy(update={"near_threshold": False})
    assert isinstance(settings, CascadeSettings)
    model = shaken(load_detector("zdc_ecal"), settings)
    before = {name: one.clone() for name, one in model.state_dict().items()}
    model.calibrate(made_up(load_detector("zdc_ecal"), 50), draws(1))
    now = model.state_dict()
    assert all(torch.equal(one, now[name]) for name, one in before.items() if not name.endswith(".rarest"))
