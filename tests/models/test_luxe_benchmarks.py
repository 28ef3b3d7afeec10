"""The whole-shower learner and the summed pads of the LUXE benchmarks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.systems.luxe_pads import LayerCounts, add_pads, estimate
from calokit.detector import load_detector
from calokit.models.settings import ModelSettings
from calokit.showers import Showers
from made_up_positrons import made_up_positrons
from made_up_runs import draws

FINE = Path(__file__).parents[2] / "studies" / "luxe_samples" / "luxe_ecal_1mm.yaml"


def test_an_untrained_whole_shower_learner_is_the_sum_and_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ModelSettings, "families", dict(ModelSettings.families))
    from benchmarks.models.whole_shower import WholeShowerSettings

    torch.manual_seed(1)
    model = WholeShowerSettings(channels=(4, 4, 4), dense=(8, 8)).build(load_detector("luxe_ecal"))
    showers = made_up_positrons(load_detector("luxe_ecal"), 120, seed=1)
    model.fit_transforms(showers)
    batch = model.prepare(showers)
    torch.testing.assert_close(model(batch), model.classical_energy(batch))
    noise = draws()
    before = float(model.losses(batch, noise)["shower"].detach())
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(30):
        optimiser.zero_grad()
        loss = model.losses(batch, noise)["shower"]
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 0.8 * before


def test_pads_of_one_millimetre_add_up() -> None:
    fine = load_detector(str(FINE))
    rng = np.random.default_rng(2)
    energies = np.zeros((3, *fine.shape), np.float32)
    energies[0, 4, 100, 10] = energies[0, 4, 104, 14] = 1.0  # one pad of 5 mm: row 20, column 2
    energies[0, 4, 105, 14] = 0.01  # the next row, below the threshold
    energies[1, 0, rng.integers(0, 550, 40), rng.integers(0, 55, 40)] = 0.5
    entries = (energies > 0).astype(np.uint16)
    showers = Showers(
        energies.reshape(3, -1), np.full(3, 5e3, np.float32), fine, entries=entries.reshape(3, -1)
    )
    coarse = add_pads(showers)
    assert coarse.images[0, 4, 20, 2] == 2.0
    assert coarse.images[0, 4, 21, 2] == np.float32(0.01)
    np.testing.assert_allclose(coarse.visible_energies, showers.visible_energies, rtol=1e-6)
    counts = LayerCounts.of(showers, coarse)
    assert counts.wide[0, 4] == 1
    assert counts.narrow[0, 4] == 2
    assert counts.entries[0, 4] == 3
    assert counts.entries[2].sum() == 0


def test_the_lines_of_pads_are_judged_on_showers_they_never_saw() -> None:
    rng = np.random.default_rng(3)
    energies = np.tile([3e3, 9e3], 200)
    columns = rng.normal(size=(400, 60)) + energies[:, None] / 1e3
    whole = (columns.mean(axis=1) * 1e3 - energies).std()
    error = (estimate(columns, energies) - energies).std()
    assert error > whole  # fitted to the showers it is judged on, the line would come out below
