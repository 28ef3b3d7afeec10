"""Trainings by the clock: they end when they should, and their recipe repeats them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from calokit.errors import ConfigurationError, RunError
from calokit.recipes import load_recipe
from calokit.recipes.recipe import TrainingSettings
from calokit.training.pace import TimeBudget, find_place
from calokit.training.rates import rate_factor
from calokit.training.run import continue_training, is_unfinished, start_training
from made_up_runs import MakeFile, calling, silent, tiny_recipe


def test_schedules_rise_to_the_end_whatever_the_plans() -> None:
    pace = ((0, 1000), (100, 400), (250, 300), (290, 310))
    places = [find_place(step, 310, pace) for step in range(311)]
    progress = [place.step / place.steps for place in places]
    assert progress[0] == 0.0
    assert progress == sorted(progress)
    assert progress[100] == pytest.approx(0.1)
    assert progress[250] == pytest.approx(0.1 + 0.9 * 0.5)
    assert progress[310] == pytest.approx(1.0)
    settings = TrainingSettings(steps=310, pace=pace, warmup_steps=0)
    assert rate_factor(0, settings) == 1.0
    assert rate_factor(310, settings) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("slow_from", [0.0, 20.0, 90.0, 119.0])
def test_plans_end_with_the_time(slow_from: float) -> None:
    budget, step, now, steps, plans = TimeBudget(120.0), 0, 0.0, 1, 0
    while step < steps:
        if budget.due(step):
            steps = budget.plan(step, now, guess=0.2)
            plans += 1
        now += 0.03 if now < slow_from else 0.15
        step += 1
    assert now == pytest.approx(120.0, abs=0.02 * 120.0)
    assert plans < 150


@pytest.mark.parametrize(
    ("pace", "words"),
    [
        ([[0, 20]], "pace leads to 20 steps, and steps are 10"),
        ([[1, 10]], "pace begins at step 0"),
        ([[0, 30], [10, 10]], "each plan ends behind where it begins"),
    ],
)
def test_broken_paces_are_refused(pace: list[list[int]], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        load_recipe("zdc_flow", ["training.steps=10", f"training.pace={pace}"])


def test_its_recipe_repeats_a_training_by_the_clock(shower_file: MakeFile, tmp_path: Path) -> None:
    data = shower_file(150)
    run = start_training(tiny_recipe("zdc_flow"), data, tmp_path / "clock", silent, seconds=1.5)
    made = run.bundle.recipe.training
    assert run.seconds == pytest.approx(1.5, abs=1.0)
    assert made.steps == run.bundle.provenance["steps"] == made.pace[-1][1]
    again = start_training(
        load_recipe(str(tmp_path / "clock" / "recipe.yaml")), data, tmp_path / "steps", silent
    )
    assert again.bundle.recipe == run.bundle.recipe
    found = again.bundle.model.state_dict()
    for name, tensor in run.bundle.model.state_dict().items():
        assert torch.equal(found[name], tensor), name


def test_an_interrupted_training_by_the_clock_goes_on(
    shower_file: MakeFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calokit.training.loop.CHECKPOINT_SECONDS", 0.0)
    taken: list[int] = []

    def stop_after_five(n: int, note: str) -> None:
        del note
        taken.append(n)
        if sum(taken) > 5:
            raise KeyboardInterrupt

    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        start_training(
            tiny_recipe("zdc_flow"), shower_file(150), folder, calling(stop_after_five), seconds=1.5
        )
    assert is_unfinished(folder)
    run = continue_training(folder, silent)
    assert not is_unfinished(folder)
    assert run.bundle.provenance["steps"] > 5
    assert run.seconds == pytest.approx(1.5, abs=1.0)
    longer = continue_training(folder, silent, steps=run.bundle.provenance["steps"] + 3)
    assert longer.bundle.recipe.training.pace == ()
    with pytest.raises(RunError, match="steps done already"):
        continue_training(folder, silent, steps=1)
