"""Single showers that forbid trust, whatever the distances say: impossible ones and copies of the truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calokit.detector import load_detector
from calokit.evaluation import EvaluationSettings, evaluate_showers
from calokit.evaluation.samples.every_shower import Looks, find_alarms, look_at_every_shower
from calokit.report.verdict import state_verdict
from calokit.showers import Showers, open_showers
from calokit.showers.memory import as_view
from toy_showers import toy_showers, write_showers

FAST = EvaluationSettings(classifier_seeds=0, kept_metrics=False, gallery_events=0)


def look(showers: Showers) -> Looks:
    return look_at_every_shower(as_view(showers))


def changed(showers: Showers, rows: np.ndarray, energies: np.ndarray) -> Showers:
    cells = showers.energies.copy()
    cells[rows] = energies
    return replace(showers, energies=cells.astype(np.float32))


def test_one_impossible_shower_is_a_verdict_of_its_own() -> None:
    truth, generated = toy_showers(1, 600), toy_showers(2, 600)
    generated.energies[101, 200] = 1e9
    card = evaluate_showers(truth, generated, settings=FAST)
    (alarm,) = card.alarms
    assert (alarm.kind, alarm.showers, alarm.count) == ("impossible", [101], 1)
    assert card.verdict is not None
    assert not card.verdict.agrees
    words = state_verdict(card)
    assert words.startswith("NOT TO BE TRUSTED")
    assert "shower 101 holds 1e+09 MeV" in words


def test_every_shower_is_looked_at_also_those_beyond_the_compared_ones(tmp_path: Path) -> None:
    truth, generated = toy_showers(1, 60), toy_showers(2, 300)
    generated.energies[250, 7] = 1e9
    path = write_showers(tmp_path / "generated.h5", generated)
    card = evaluate_showers(truth, open_showers(path), settings=FAST)
    assert card.generated.showers == 30
    assert [alarm.showers for alarm in card.alarms] == [[250]]


def test_a_sampling_calorimeter_knows_its_own_largest_response() -> None:
    """Half of the incident energy in a calorimeter that samples 3 % is far beyond any truth."""
    truth, generated = look(toy_showers(1, 1000)), look(toy_showers(2, 1000))
    thin, high = replace(truth, visible=0.1 * truth.visible), generated.visible * 0.1
    high[5] = 0.5 * generated.incident[5]
    assert [alarm.showers for alarm in find_alarms(thin, replace(generated, visible=high), None)] == [[5]]
    high[5] = 0.1 * generated.incident[5]
    assert find_alarms(thin, replace(generated, visible=high), None) == []


def test_truth_beside_truth_raises_no_alarm() -> None:
    luxe = load_detector("luxe_ecal")
    for detector in (None, luxe):
        samples = [look(toy_showers(seed, 40 if detector else 2000, detector)) for seed in (1, 2, 3)]
        assert find_alarms(*samples) == []


@pytest.mark.parametrize("rounding", [0.0, 1e-6, 1e-4])
def test_copies_are_found_in_any_order_and_up_to_rounding(rounding: float) -> None:
    truth, generated, floor = toy_showers(1, 300), toy_showers(2, 300), toy_showers(3, 300)
    for one in (truth, generated, floor):
        one.energies[one.energies < 5.0] = 0.0
    factor = 1.0 + rounding * np.random.default_rng(4).standard_normal(400)
    copies = changed(generated, np.array([3, 200]), truth.energies[[250, 17]] * factor)
    copies = changed(copies, np.array([9]), floor.energies[[100]] * factor)
    alarms = find_alarms(look(truth), look(copies), look(floor), first=1000)
    (alarm,) = (one for one in alarms if one.kind == "copied")
    assert (alarm.kind, alarm.showers, alarm.count) == ("copied", [1003, 1009, 1200], 3)
    assert find_alarms(look(truth), look(generated), look(floor)) == []


def test_an_exact_copy_of_the_reference_is_not_praised() -> None:
    truth = toy_showers(1, 200)
    card = evaluate_showers(truth, truth, settings=FAST)
    assert [(alarm.kind, alarm.count) for alarm in card.alarms] == [("copied", 200)]
    assert "200 generated showers (100 %) are copies" in state_verdict(card)


def test_empty_showers_and_single_hits_are_no_copies() -> None:
    truth, generated = toy_showers(1, 100), toy_showers(2, 100)
    cells = np.zeros((100, 400))
    cells[:, 200] = 1.0
    for energies in (0 * cells, cells):
        same = [changed(one, np.arange(100), energies) for one in (truth, generated)]
        assert find_alarms(look(same[0]), look(same[1]), None) == []


def test_showers_in_memory_are_judged_as_their_file_is(tmp_path: Path) -> None:
    truth, generated = toy_showers(1, 300), toy_showers(2, 300)
    paths = [write_showers(tmp_path / name, one) for name, one in (("t.h5", truth), ("g.h5", generated))]
    there = evaluate_showers(*(open_showers(path) for path in paths), settings=FAST)
    here = evaluate_showers(truth, generated, settings=FAST)
    assert here.measurements == there.measurements
    assert here.reference.sha256 != here.generated.sha256


def test_reference_showers_beyond_the_compared_ones_make_the_floor() -> None:
    truth, generated = toy_showers(1, 700), toy_showers(2, 300)
    card = evaluate_showers(truth, generated, settings=FAST)
    assert card.generated.showers == 300
    assert not any("half of the reference" in text for text in card.warnings)
    order = np.argsort(truth.incident_energies)
    sorted_card = evaluate_showers(truth[order], generated, settings=FAST)
    assert any("half of the reference" in text for text in sorted_card.warnings)
