"""Few showers and degenerate ones: every measurement has a number, or says why it has none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calokit.evaluation import EvaluationSettings, Scorecard, evaluate_showers, read_scorecard
from calokit.report.verdict import state_verdict
from calokit.showers import Showers
from toy_showers import toy_showers

SETTINGS = EvaluationSettings(classifier_seeds=0)


def check(card: Scorecard, tmp_path: Path) -> None:
    """Every number is one, every lack has its reason, and the verdict tells of it; JSON holds all."""
    for one in card.measurements:
        numbers = (one.value, one.error, one.floor, one.floor_error)
        assert np.isfinite(numbers).all(), one.name
    assert all(one.reason for one in card.unmeasured)
    assert not {one.name for one in card.measurements} & {one.name for one in card.unmeasured}
    words = state_verdict(card)
    assert not card.unmeasured or f"Not measured ({len(card.unmeasured)})" in words
    (tmp_path / "scorecard.json").write_text(card.to_json())
    assert read_scorecard(tmp_path / "scorecard.json").unmeasured == card.unmeasured


@pytest.mark.parametrize("events", [4, 5, 10, 20, 40, 60, 100])
def test_few_showers_are_judged(tmp_path: Path, events: int) -> None:
    card = evaluate_showers(toy_showers(1, events), toy_showers(2, events), settings=SETTINGS)
    check(card, tmp_path)
    assert card.measurements


def emptied(showers: Showers) -> Showers:
    return replace(showers, energies=np.zeros_like(showers.energies))


@pytest.mark.parametrize("which", ["generated", "reference", "both"])
def test_showers_that_are_all_empty_are_judged(tmp_path: Path, which: str) -> None:
    truth, generated = toy_showers(1, 100), toy_showers(2, 100)
    truth = emptied(truth) if which in ("reference", "both") else truth
    generated = emptied(generated) if which in ("generated", "both") else generated
    card = evaluate_showers(truth, generated, settings=SETTINGS)
    check(card, tmp_path)
    assert card.unmeasured
    assert card.verdict is not None
    if which == "generated":
        assert not card.verdict.agrees


@pytest.mark.parametrize("events", [20, 60])
def test_one_energy_and_one_place_are_judged(tmp_path: Path, events: int) -> None:
    def alike(showers: Showers) -> Showers:
        energies = np.full(len(showers), 1e4, np.float32)
        places = np.zeros((len(showers), 2), np.float32)
        return replace(showers, incident_energies=energies, positions=places)

    card = evaluate_showers(alike(toy_showers(1, events)), alike(toy_showers(2, events)), settings=SETTINGS)
    check(card, tmp_path)


def test_one_hit_a_shower_is_judged(tmp_path: Path) -> None:
    def single(showers: Showers) -> Showers:
        energies = np.zeros_like(showers.energies)
        energies[:, 210] = showers.energies.sum(axis=1)
        return replace(showers, energies=energies)

    card = evaluate_showers(single(toy_showers(1, 60)), single(toy_showers(2, 60)), settings=SETTINGS)
    check(card, tmp_path)


def test_few_showers_of_one_law_are_seldom_told_apart() -> None:
    """Bins of two or three showers have errors that cannot be believed; the worst of many must not decide."""
    told = [
        evaluate_showers(toy_showers(10 + 3 * seed, 20), toy_showers(11 + 3 * seed, 20), settings=SETTINGS)
        for seed in range(6)
    ]
    assert not any(name.startswith("conditions.") for card in told for name in _flagged(card))
    assert all("conditions.hits" in {one.name for one in card.unmeasured} for card in told)


def _flagged(card: Scorecard) -> list[str]:
    assert card.verdict is not None
    return card.verdict.flagged
