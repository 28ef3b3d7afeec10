"""Samplers: what each law draws and from what; rates that make one cycle; the history of a training."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.diagnostics.training_figures import draw_against_setting, draw_history, read_history
from calokit.compute.device import CPU
from calokit.errors import CalokitError
from calokit.models.batches import TrainingBatch
from calokit.recipes.recipe import OneCycle, TrainingSettings
from calokit.showers import open_showers
from calokit.training import data as data_module
from calokit.training.data import ShuffledShowers
from calokit.training.prepared import BatchSource
from calokit.training.rates import learning_rate, one_cycle_rate
from calokit.training.run import start_training
from calokit.training.samplers import EnergyWeights
from made_up_runs import MakeFile, silent, tiny_recipe

LAWS = {
    "inverse_energy": lambda e: 1 / e,
    "inverse_root_energy": lambda e: 1 / np.sqrt(e),
    "inverse_distance_to_mean": lambda e: 1 / np.abs(e - e.mean()),
}


def log_uniform(count: int) -> np.ndarray:
    return np.exp(np.random.default_rng(1).uniform(np.log(1e3), np.log(1e5), count))


@pytest.mark.parametrize("sampler", sorted(LAWS))
def test_weights_are_the_reports(sampler: str) -> None:
    energies = log_uniform(2000)
    found = EnergyWeights.measure(sampler, energies).of(energies)
    law = LAWS[sampler](energies)
    np.testing.assert_allclose(found, np.clip(law, 0, np.percentile(law, 99)), rtol=1e-12)


def test_even_over_energy_gives_every_bin_the_same_weight() -> None:
    energies = log_uniform(20_000)
    weights = EnergyWeights.measure("even_over_energy", energies).of(energies)
    in_bins, _ = np.histogram(energies, np.linspace(energies.min(), energies.max(), 21), weights=weights)
    assert in_bins.min() > 0.85 * in_bins.mean()
    assert in_bins.max() < 1.15 * in_bins.mean()


def test_weights_of_showers_hold_over_all_pools_together(
    shower_file: MakeFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_module, "chunk_rows", lambda _: 16)
    monkeypatch.setattr(data_module, "POOL_BYTES", 4 * 16 * 400 * 4)
    view = open_showers(shower_file(400), "train")
    known = view.read_all().incident_energies
    weights = np.zeros(len(view))
    weights[3:9], weights[-1] = 1.0, 6.0
    source = ShuffledShowers(view, 20, seed=1, weights=weights)
    batches = [batch for batch, _ in zip(source.batches(), range(5 * source.batches_an_epoch), strict=False)]
    drawn = np.concatenate([batch.incident_energies for batch in batches])
    assert set(drawn.tolist()) == set(known[weights > 0].tolist())
    assert np.mean(drawn == known[-1]) == pytest.approx(0.5, abs=0.07)
    np.testing.assert_array_equal(next(source.batches(7)).energies, batches[7].energies)


def test_batches_are_weighted_and_follow_from_their_number(shower_file: MakeFile) -> None:
    view = open_showers(shower_file(400), "train")
    even, weighted = (ShuffledShowers(view, 30, 1, sampler) for sampler in ("even", "inverse_energy"))
    means = []
    for source in (even, weighted):
        batches = [batch for batch, _ in zip(source.batches(), range(8), strict=False)]
        means.append(np.mean([np.log(batch.incident_energies).mean() for batch in batches]))
        again = next(source.batches(5))
        np.testing.assert_array_equal(again.energies, batches[5].energies)
    assert means[1] < means[0] - 0.3
    np.testing.assert_array_equal(even.sample(50).energies, weighted.sample(50).energies)


class KeepsInputs:
    """What `BatchSource` asks of a model that keeps its inputs."""

    keeps_inputs = True
    device = CPU
    prepare = staticmethod(TrainingBatch.of)


def test_kept_inputs_are_drawn_by_weight_too(shower_file: MakeFile) -> None:
    view = open_showers(shower_file(2000), "train")
    drawn = {}
    for sampler in ("even", "inverse_energy"):
        data = ShuffledShowers(view, 100, 1, sampler)
        batches = BatchSource(KeepsInputs(), data, view.head(100), 100).training()
        energies = [next(batches).incidents.energies for _ in range(20 * data.batches_an_epoch)]
        drawn[sampler] = float(torch.cat(energies).mean())
    known = view.read_all().incident_energies.astype(np.float64)
    weights = EnergyWeights.measure("inverse_energy", known).of(known)
    assert drawn["even"] == pytest.approx(known.mean(), rel=0.02)
    assert drawn["inverse_energy"] == pytest.approx((weights * known).sum() / weights.sum(), rel=0.06)
    assert drawn["inverse_energy"] < 0.5 * drawn["even"]


def test_one_cycle_whose_top_is_its_first_step() -> None:
    cycle = OneCycle(highest_rate=1e-3, rising_part=0.1)
    assert one_cycle_rate(0, 10, cycle) == pytest.approx(1e-3)


@pytest.mark.parametrize("rising", [0.35, 0.8])
def test_one_cycle_is_torchs(rising: float) -> None:
    cycle = OneCycle(highest_rate=9e-4, rising_part=rising)
    optimiser = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=9e-4, total_steps=200, pct_start=rising, cycle_momentum=False
    )
    for step in range(200):
        assert one_cycle_rate(step, 200, cycle) == pytest.approx(schedule.get_last_lr()[0], rel=1e-9)
        optimiser.step()
        if step < 199:
            schedule.step()


def test_parts_have_their_own_rates() -> None:
    settings = TrainingSettings(steps=100, one_cycle={"generator": OneCycle(highest_rate=0.5)})
    assert learning_rate("generator", 29, settings) == pytest.approx(0.5)
    assert learning_rate("discriminator", 29, settings) < 1e-3


def test_history_of_a_run(shower_file: MakeFile, tmp_path: Path) -> None:
    recipe = tiny_recipe(
        "zdc_regression", "training.steps=20", "training.monitor_showers=24", "training.validate_every=5"
    )
    run = start_training(recipe, shower_file(), tmp_path / "run", silent)
    history = read_history(tmp_path / "run")
    assert history.steps.tolist() == [5, 10, 15, 20]
    assert set(history.losses) == {"mask", "value"}
    assert history.squared_errors.shape == (4, len(history.edges_gev) - 1)
    assert (history.overall > 0).all()
    assert run.bundle.provenance["validation"] == pytest.approx(
        {name: values[-1] for name, values in history.losses.items()}
    )
    assert len(draw_history({"run": history}, {"run": 32}).axes) == 2
    lines = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    assert "regression" in json.loads(lines[-1])["learning_rate"]


def test_metric_against_a_setting() -> None:
    rows = [
        {"label": f"w{weight}", "metrics": {"mse.mean": [value, 0.1, 0.5, 0.1]}}
        for weight, value in ((1, 3.0), (1, 5.0), (200, 2.0))
    ]
    axes = draw_against_setting(rows, "mse.mean", {"w1": 1, "w200": 200}, "weight").axes[0]
    mean = next(line for line in axes.lines if len(line.get_xdata()) == 2 and line.get_linestyle() == "-")
    assert mean.get_xydata().tolist() == [[1, 4.0], [200, 2.0]]
    assert axes.get_xscale() == "log"
    with pytest.raises(CalokitError, match="no metric 'mse'"):
        draw_against_setting(rows, "mse", {"w1": 1}, "weight")
