"""Measurements of the kept showers: alike at the floor, damaged far from it, warnings said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calokit.errors import ConfigurationError
from calokit.evaluation import Evaluation, EvaluationSettings, evaluate_showers
from calokit.report.verdict import state_verdict
from calokit.showers import Showers, open_showers
from calokit.showers.damages import collapse_showers, kill_cell, scale_energies, widen_showers
from calokit.showers.digitisation import Digitisation
from quick_judges import quick_judges
from toy_showers import toy_showers, write_showers

EVENTS = 400
SETTINGS = EvaluationSettings(classifier_seeds=0, energy_bins=4)


def written(folder: Path, name: str, showers: Showers):
    return open_showers(write_showers(folder / f"{name}.h5", showers))


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("samples")
    truth, floor = (written(folder, str(seed), toy_showers(seed, EVENTS)) for seed in (1, 2))
    alike = toy_showers(3, EVENTS)
    collapsed = collapse_showers(alike, 0.5, 1)
    samples = {"alike": alike, "wider": widen_showers(alike, 1.3), "collapsed": collapsed}
    evaluation = Evaluation(truth, floor, SETTINGS)
    with quick_judges(telling=6):
        return {name: evaluation.judge(written(folder, name, showers)) for name, showers in samples.items()}


def test_showers_of_one_law_stand_at_the_floor(cards):
    card = cards["alike"]
    assert card.verdict is not None
    assert card.verdict.agrees
    assert card.verdict.tested > 20
    assert all(abs(m.deviation) < 4 for m in card.measurements)


def test_wider_showers_are_found(cards):
    card = cards["wider"]
    flagged = card.verdict.flagged
    assert {"classifier.auc_boosted", "distance.fpd_clipped", "separation.width"} <= set(flagged)
    assert card.measurement("precision_recall.area").deviation > 0


def test_lost_variety_is_found_and_leaves_the_response_alone(cards):
    card = cards["collapsed"]
    assert "classifier.auc_boosted" in card.verdict.flagged
    assert card.measurement("neighbours.coverage").deviation > 2
    assert abs(card.measurement("response.mean_deviation").deviation) < 4


def test_the_headline_is_the_largest_area_and_groups_stand_beside_it(cards):
    card = cards["wider"]
    assert card.headline == "classifier.auc_boosted"
    assert card.headline_read_out == ""
    groups = {m.name.split(".")[1] for m in card.measurements if m.name.startswith("classifier_group.")}
    assert {"topology", "spectrum", "hot_cells", "lateral", "impact_cells", "totals"} == groups
    assert card.measurement("classifier_group.lateral").deviation > 5
    spectra = [spectrum.name for spectrum in card.spectra]
    assert "topology_isolated_hits" in spectra
    assert len(spectra) == len(set(spectra))


def test_every_condition_is_calibrated_in_bins(cards):
    names = [m.name for m in cards["alike"].measurements if m.name.startswith("conditions.")]
    assert names == [f"conditions.{name}" for name in ("response", "resolution", "width", "hits")]
    assert cards["wider"].measurement("conditions.width").deviation > 5
    assert "worst bin: " in cards["wider"].measurement("conditions.width").note
    curves = [curve.name for curve in cards["alike"].curves if curve.topic == "conditions"]
    assert "conditions_response_impact_x" in curves
    assert len(curves) == 3 + 3  # the response over every condition, the others over one each


def test_samples_are_judged_once_more_behind_a_readout(tmp_path):
    truth, alike = (written(tmp_path, str(seed), toy_showers(seed, 300)) for seed in (1, 3))
    floor = written(tmp_path, "2", toy_showers(2, 300))
    settings = EvaluationSettings(
        classifier_seeds=0,
        energy_bins=4,
        gallery_events=0,
        readout=Digitisation(noise=4.0, spread=0.03, threshold=20.0),
        frechet_topology=True,
        group_areas=False,
    )
    with quick_judges():
        card = evaluate_showers(truth, alike, floor=floor, settings=settings)
    assert card.headline_read_out == "readout.auc_boosted"
    assert abs(card.measurement("readout.auc_boosted").deviation) < 4
    assert abs(card.measurement("distance.fpd_topology").deviation) < 4
    assert card.settings["readout"]["threshold"] == 20.0
    assert "Behind the readout: classifier AUC, boosted trees, read out" in state_verdict(card)
    with pytest.raises(ConfigurationError, match="threshold"):
        EvaluationSettings(readout=Digitisation())


def test_one_monstrous_shower_does_not_own_the_clipped_distance(tmp_path):
    truth, floor, alike = (toy_showers(seed, EVENTS) for seed in (1, 2, 3))
    energies = alike.energies.copy()
    energies[7] *= 300.0
    monster = replace(alike, energies=energies)
    files = [written(tmp_path, name, s) for name, s in (("t", truth), ("f", floor), ("m", monster))]
    settings = SETTINGS.model_copy(update={"group_areas": False})
    with quick_judges():
        card = evaluate_showers(files[0], files[2], floor=files[1], settings=settings)
    assert any("generated shower 7 of those compared alone makes" in warning for warning in card.warnings)
    assert card.measurement("distance.fpd_clipped").deviation < 4


def test_empty_showers_and_other_particles_are_said(tmp_path):
    truth, alike = toy_showers(1, EVENTS), toy_showers(3, EVENTS)
    energies = alike.energies.copy()
    energies[:50] = 0.0
    half = alike.incident_energies * np.float32(0.1)
    files = [
        written(tmp_path, name, s)
        for name, s in (("t", truth), ("e", replace(alike, energies=energies, incident_energies=half)))
    ]
    quick = SETTINGS.model_copy(update={"kept_metrics": False})
    warnings = evaluate_showers(files[0], files[1], settings=quick).warnings
    assert any("of the generated showers are empty" in warning for warning in warnings)
    assert any(warning.startswith("incident energies of the generated") for warning in warnings)
    assert not any("of the floor's" in warning for warning in warnings)
    warnings = evaluate_showers(files[0], toy_showers(4, EVENTS), floor=files[1], settings=quick).warnings
    assert any(warning.startswith("incident energies of the floor's") for warning in warnings)
    assert not any("of the generated showers follow" in warning for warning in warnings)


def test_classifiers_of_the_challenge_stand_in_the_scorecard(tmp_path, monkeypatch):
    from calokit.evaluation.classifiers import challenge as classifier_challenge
    from calokit.evaluation.measures import challenge as challenge_measurements

    def small(**given):
        return classifier_challenge.ChallengeSettings(
            hidden=64, epochs=20, batch_size=64, learning_rate=2e-3, **given
        )

    monkeypatch.setattr(challenge_measurements, "ChallengeSettings", small)
    truth, scaled = toy_showers(1, EVENTS), scale_energies(toy_showers(3, EVENTS), 3.0)
    files = [written(tmp_path, name, showers) for name, showers in (("t", truth), ("s", scaled))]
    settings = SETTINGS.model_copy(update={"kept_metrics": False, "challenge_seeds": 1})
    card = evaluate_showers(files[0], files[1], settings=settings)
    found = card.measurement("challenge.auc_high")
    assert found.value > 0.8 > found.floor + 0.1
    assert found.showers_per_class == EVENTS // 2
    assert "challenge.jsd_low" in [m.name for m in card.measurements]
    assert "challenge.auc_image" not in [m.name for m in card.measurements]  # one layer makes no 3D image


def test_a_dead_cell_and_a_wrong_scale_are_found_by_their_own_measurements(tmp_path):
    truth, floor, alike = (toy_showers(seed, 2000) for seed in (1, 2, 3))
    hottest = int(truth.energies.sum(axis=0).argmax())
    quick = SETTINGS.model_copy(update={"kept_metrics": False})
    found = {}
    for name, damaged in (("dead", kill_cell(alike, hottest)), ("scaled", scale_energies(alike, 1.05))):
        files = [written(tmp_path, name + key, s) for key, s in (("t", truth), ("f", floor), ("d", damaged))]
        found[name] = evaluate_showers(files[0], files[2], floor=files[1], settings=quick).verdict.flagged
    assert "occupancy.worst_cell" in found["dead"]
    assert "response.scale" in found["scaled"]


def test_another_threshold_is_said(tmp_path):
    cut = toy_showers(3, EVENTS).with_threshold(1.0)
    files = [
        written(tmp_path, name, showers) for name, showers in (("t", toy_showers(1, EVENTS)), ("c", cut))
    ]
    quick = SETTINGS.model_copy(update={"kept_metrics": False})
    warnings = evaluate_showers(files[0], files[1], settings=quick).warnings
    assert any("compare at a threshold of 1" in warning for warning in warnings)
