from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch

from calokit.detector import load_detector
from calokit.errors import CalokitError, ConfigurationError, DetectorError, ShowerFileError
from calokit.evaluation import (
    Evaluation,
    EvaluationSettings,
    Scorecard,
    evaluate_showers,
    read_scorecard,
)
from calokit.evaluation.comparison import PARTS
from calokit.evaluation.measures.kept import LEAST_SHOWERS
from calokit.evaluation.metrics import precision_recall
from calokit.evaluation.samples import streams
from calokit.evaluation.samples.kept_showers import spread_positions
from calokit.evaluation.samples.survey import choose_cells
from calokit.showers import Showers, open_showers
from calokit.showers.damages import scale_energies
from calokit.showers.digitisation import Digitisation
from calokit.showers.memory import as_view
from made_up_runs import calling
from quick_judges import quick_judges
from toy_showers import toy_showers, write_showers

EVENTS = 600
QUICK = EvaluationSettings(classifier_seeds=0, energy_bins=4, kept_metrics=False, cells=(130, 210))


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Truth, truth of the same incidents, the latter scaled by 1.1, and independent truth."""
    folder = tmp_path_factory.mktemp("evaluation")
    truth, alike = toy_showers(1, EVENTS), toy_showers(2, EVENTS, incident_seed=1)
    written = {
        "truth": truth,
        "alike": alike,
        "scaled": scale_energies(alike, 1.1),
        "floor": toy_showers(3, EVENTS),
        "short": alike[:250],
        "without": replace(alike, positions=None),
    }
    return {
        name: open_showers(write_showers(folder / f"{name}.h5", showers)) for name, showers in written.items()
    }


@pytest.fixture(scope="module")
def alike(files) -> Scorecard:
    return evaluate_showers(files["truth"], files["alike"], floor=files["floor"], settings=QUICK)


@pytest.fixture(scope="module")
def scaled(files) -> Scorecard:
    return evaluate_showers(files["truth"], files["scaled"], floor=files["floor"], settings=QUICK)


def test_truth_of_the_same_law_stands_at_the_floor(alike):
    deviations = {m.name: m.deviation for m in alike.measurements if m.name != "mse.mean"}
    assert max(deviations.values()) < 3.5, deviations
    assert len(deviations) >= 14
    assert all(m.error > 0 and m.floor_error > 0 for m in alike.measurements)


def test_a_scale_of_10_percent_is_flagged_in_the_response(scaled):
    flagged = scaled.measurement("response.mean_deviation")
    assert flagged.value == pytest.approx(0.1, abs=0.015)
    assert flagged.deviation > 8
    assert scaled.measurement("response.max_deviation").deviation > 4
    assert scaled.measurement("separation.visible_energy").deviation > 5
    assert scaled.measurement("resolution.mean_deviation").deviation < 3
    assert scaled.measurement("separation.centre").deviation < 3
    curve = next(c for c in scaled.curves if c.name == "response")
    assert [g / r for g, r in zip(curve.generated, curve.reference, strict=True)] == pytest.approx(
        [1.1] * 4, abs=0.03
    )


def test_squared_error_is_that_of_the_paired_showers(files, alike):
    one, two = (files[name].read_all().with_threshold(0.1) for name in ("truth", "alike"))
    expected = (((one.energies - two.energies) / one.incident_energies[:, None]) ** 2).mean()
    measured = alike.measurement("mse.mean")
    assert measured.value == pytest.approx(expected, rel=1e-4)
    assert measured.value < measured.floor < 3 * measured.value, (
        "matched incidents differ, so the floor is high"
    )
    same = evaluate_showers(files["truth"], files["scaled"], floor=files["alike"], settings=QUICK)
    assert same.measurement("mse.mean").floor == pytest.approx(expected, rel=1e-4)
    assert "each incident" in same.measurement("mse.mean").note


def test_showers_without_impacts_are_held_to_the_same_floor(files, alike, tmp_path):
    """The floor's pairs are found by what the truths know, not by what the generated file leaves out."""
    without = replace(files["alike"].read_all(), positions=None, directions=None)
    card = evaluate_showers(files["truth"], as_view(without, "alike"), floor=files["floor"], settings=QUICK)
    assert any("impact positions are not used" in warning for warning in card.warnings)
    assert card.measurement("mse.mean").floor == alike.measurement("mse.mean").floor


def test_blocks_and_files_give_the_same_scorecard(files, alike, monkeypatch):
    monkeypatch.setattr(streams, "BLOCK_BYTES", 4 * 400 * 37)
    pieces = evaluate_showers(files["truth"], files["alike"], floor=files["floor"], settings=QUICK)
    assert [m.name for m in pieces.measurements] == [m.name for m in alike.measurements]
    for one, two in zip(pieces.measurements, alike.measurements, strict=True):
        assert one.value == pytest.approx(two.value, rel=0.05, abs=2e-4), one.name


def test_images_spectra_and_gallery_hold_the_showers(files, alike):
    truth = files["truth"].read_all().with_threshold(0.1)
    (image,) = alike.images
    assert np.array(image.reference) == pytest.approx(truth.images.mean(axis=(0, 1)), rel=1e-4, abs=1e-6)
    assert len(image.row_edges) == 21
    assert image.row_edges[0] == pytest.approx(-303.0)
    spectra = {spectrum.name: spectrum for spectrum in alike.spectra}
    assert {"visible_fraction", "hits", "cell_energy", "width_x", "centre_y", "cell_130", "cell_210"} <= set(
        spectra
    )
    for name in ("visible_fraction", "hits", "cell_energy"):
        assert np.dot(spectra[name].reference, np.diff(spectra[name].edges)) == pytest.approx(1.0)
    shown = spectra["cell_210"]
    hit = (truth.energies[:, 210] > 0).mean()
    assert np.dot(shown.reference, np.diff(shown.edges)) == pytest.approx(hit), "the rest misses the cell"
    assert len(alike.events) == 6
    energies = [event.incident_energy_gev for event in alike.events]
    assert energies == sorted(energies)
    event = alike.events[3]
    position = int(np.argmin(np.abs(truth.incident_energies / 1000 - event.incident_energy_gev)))
    assert np.array(event.reference) == pytest.approx(truth.images[position, 0], rel=1e-5)
    assert event.position_mm == pytest.approx(truth.positions[position], rel=1e-5)


def test_scorecard_survives_its_file(alike, tmp_path):
    path = tmp_path / "scorecard.json"
    path.write_text(alike.to_json(), encoding="utf-8")
    assert read_scorecard(path) == alike
    assert alike.reference.showers == EVENTS
    assert alike.reference.label == "toy 1"
    assert alike.detector == "zdc_ecal"


def test_without_second_truth_the_reference_is_split(files):
    card = evaluate_showers(files["truth"], files["alike"], settings=QUICK)
    assert card.reference.showers == EVENTS // 2
    assert "of the same file" in card.floor_sample
    assert any("half" in warning for warning in card.warnings)
    half = streams.SampleStream(files["truth"], 0).read(0, EVENTS // 2).with_threshold(0.1)
    (image,) = card.images
    assert np.array(image.reference) == pytest.approx(half.images.mean(axis=(0, 1)), rel=1e-4, abs=1e-6)
    assert card.measurement("response.mean_deviation").deviation < 4


def test_halves_share_no_shower_and_follow_no_period(files):
    one, two = (streams.SampleStream(files["truth"], half) for half in (0, 1))
    assert len(one) == len(two) == EVENTS // 2
    first, second = (
        np.concatenate([half.read(start, start + 100).incident_energies for start in (0, 100, 200)])
        for half in (one, two)
    )
    whole = files["truth"].read_all().incident_energies
    assert np.array_equal(np.sort(np.concatenate([first, second])), np.sort(whole))
    place = np.array([np.flatnonzero(whole == energy)[0] for energy in first])
    for period in (2, 4, 6, 18):
        shares = np.bincount(place % period) / len(place) * period
        assert shares == pytest.approx(np.ones(period), abs=0.25), period


def test_other_incidents_leave_the_squared_error_out(files):
    card = evaluate_showers(files["truth"], files["floor"], floor=files["alike"], settings=QUICK)
    assert "mse.mean" not in {m.name for m in card.measurements}
    assert card.events == []
    assert any("same incidents" in warning for warning in card.warnings)


def test_unequal_sizes_are_cut_and_said(files):
    card = evaluate_showers(files["truth"], files["short"], floor=files["floor"], settings=QUICK)
    assert card.reference.showers == card.generated.showers == 250
    assert any("sizes differ" in warning for warning in card.warnings)
    short_floor = evaluate_showers(files["truth"], files["floor"], floor=files["short"], settings=QUICK)
    assert short_floor.reference.showers == 250


def test_positions_that_one_file_lacks_are_not_used(files):
    card = evaluate_showers(files["truth"], files["without"], floor=files["floor"], settings=QUICK)
    assert any("impact positions are not used" in warning for warning in card.warnings)
    assert card.measurement("separation.centre").deviation < 3.5


def test_classifiers_are_trained_and_the_damage_is_found(files):
    settings = EvaluationSettings(
        classifier_seeds=1,
        classifier_epochs=4,
        classifier_showers=500,
        energy_bins=4,
        cells=(5,),
        group_areas=False,
    )
    told: list[int] = []
    with quick_judges():
        card = evaluate_showers(
            files["truth"],
            files["scaled"],
            floor=files["floor"],
            settings=settings,
            progress=calling(lambda n, _: told.append(n)),
        )
    high, low = card.measurement("classifier.auc_high"), card.measurement("classifier.auc_low")
    assert high.showers_per_class == 500
    assert high.value > 0.65
    assert high.deviation > 2
    assert abs(low.floor - 0.5) < 4 * low.floor_error
    assert min(told) >= 0
    assert sum(told) == PARTS
    assert [s.name for s in card.spectra if s.name.startswith("cell_")] == ["cell_energy", "cell_5"]


def test_detectors_must_be_the_same(files, tmp_path):
    detector = load_detector("clic_ecal")
    energies = np.ones((3, detector.number_of_cells), np.float32)
    other = open_showers(
        write_showers(tmp_path / "clic.h5", Showers(energies, np.full(3, 1e4, np.float32), detector))
    )
    with pytest.raises(DetectorError, match="clic_ecal"):
        evaluate_showers(files["truth"], other, settings=QUICK)


def test_floor_must_not_hold_the_reference(files):
    with pytest.raises(CalokitError, match="showers of the reference"):
        evaluate_showers(files["truth"], files["alike"], floor=files["truth"], settings=QUICK)


def test_a_copy_of_the_reference_is_no_floor(files, tmp_path):
    copy = open_showers(write_showers(tmp_path / "copy.h5", files["truth"].read_all()))
    with pytest.raises(CalokitError, match="600 showers of the floor sample are copies"):
        evaluate_showers(files["truth"], files["alike"], floor=copy, settings=QUICK)


def test_empty_showers_of_low_energies_are_seen_in_the_response(files):
    truth = files["alike"].read_all()
    energies = truth.energies.copy()
    energies[truth.incident_energies < np.quantile(truth.incident_energies, 0.3)] = 0.0
    generated = as_view(replace(truth, energies=energies), "half empty")
    card = evaluate_showers(files["truth"], generated, floor=files["floor"], settings=QUICK)
    assert card.measurement("response.max_deviation").value == pytest.approx(1.0, abs=1e-6)
    assert card.measurement("response.max_deviation").deviation > 5
    nothing = as_view(replace(truth, energies=np.zeros_like(energies)), "empty")
    card = evaluate_showers(files["truth"], nothing, floor=files["floor"], settings=QUICK)
    assert card.measurement("response.mean_deviation").value == pytest.approx(1.0)
    assert not any("inf MeV" in warning for warning in card.warnings)


def test_incidents_that_differ_by_rounding_are_the_same(files):
    """Trees would tell 16666.7 from 16666.666 MeV without a look at the showers."""
    truth = files["alike"].read_all()
    rounded = replace(truth, incident_energies=truth.incident_energies * np.float32(1.00001))
    cards = [
        evaluate_showers(files["truth"], as_view(showers, "alike"), floor=files["floor"], settings=QUICK)
        for showers in (truth, rounded)
    ]
    assert cards[0].measurements == cards[1].measurements


def test_a_time_that_is_none_is_refused_before_the_work(files, tmp_path):
    path = write_showers(tmp_path / "timed.h5", files["alike"].read_all())
    with h5py.File(path, "r+") as file:
        file.attrs["milliseconds_per_shower"] = "0.5 ms"
    with pytest.raises(ShowerFileError, match=r"milliseconds_per_shower is '0\.5 ms'"):
        evaluate_showers(files["truth"], open_showers(path), floor=files["floor"], settings=QUICK)


def test_unknown_cell_is_refused(files):
    settings = QUICK.model_copy(update={"cells": (400,)})
    with pytest.raises(ConfigurationError, match="0 to 399"):
        evaluate_showers(files["truth"], files["alike"], settings=settings)


def test_values_no_shower_has_are_refused(files, tmp_path):
    import h5py

    path = tmp_path / "nan.h5"
    path.write_bytes(files["alike"].path.read_bytes())
    with h5py.File(path, "r+") as file:
        file["showers"][400, 3] = np.nan
    with pytest.raises(ShowerFileError, match="NaN"):
        evaluate_showers(files["truth"], open_showers(path), floor=files["floor"], settings=QUICK)


def test_cylinders_and_many_layers(tmp_path):
    detector = load_detector("par04_siw")
    made = [toy_showers(seed, 60, detector, incident_seed=seed % 2) for seed in (0, 2, 1)]
    truth, generated, floor = (
        open_showers(write_showers(tmp_path / f"{index}.h5", showers)) for index, showers in enumerate(made)
    )
    card = evaluate_showers(truth, generated, floor=floor, settings=QUICK)
    (image,) = card.images
    assert image.row_label == "phi (rad)"
    assert (len(image.row_edges), len(image.column_edges)) == (17, 10)
    profile = next(curve for curve in card.curves if curve.name == "longitudinal_profile")
    total = made[0].with_threshold(card.threshold_mev).energies.sum(axis=1).mean()
    assert sum(profile.reference) == pytest.approx(total, rel=1e-4)
    assert profile.log_y
    assert {"separation.depth", "separation.length"} <= {m.name for m in card.measurements}
    assert not any(curve.name.startswith("lateral_profile") for curve in card.curves)


def test_the_average_shower_across_the_beam_has_all_of_its_energy(tmp_path):
    detector = load_detector("clic_ecal")
    made = [toy_showers(seed, 60, detector, incident_seed=seed % 2) for seed in (0, 2, 1)]
    truth, generated, floor = (
        open_showers(write_showers(tmp_path / f"{index}.h5", showers)) for index, showers in enumerate(made)
    )
    card = evaluate_showers(truth, generated, floor=floor, settings=QUICK)
    mean = made[0].with_threshold(card.threshold_mev).energies.reshape(60, 25, 25, 25).mean(0)
    for name, axes in (("x", (0, 2)), ("y", (0, 1))):
        profile = next(curve for curve in card.curves if curve.name == f"lateral_profile_{name}")
        np.testing.assert_allclose(profile.reference, mean.sum(axes), rtol=1e-4)
        assert profile.log_y
        assert len(profile.edges) == 26


def test_what_is_remembered_of_truth_changes_no_number(files, monkeypatch):
    settings = EvaluationSettings(
        classifier_seeds=1,
        classifier_epochs=1,
        energy_bins=4,
        readout=Digitisation(threshold=2.0),
        group_areas=False,
    )
    clustered = []
    cluster = precision_recall._cluster
    monkeypatch.setattr(
        precision_recall, "_cluster", lambda *given: clustered.append(given) or cluster(*given)
    )
    truth, scaled, alike, floor = (
        files[name].head(LEAST_SHOWERS) for name in ("truth", "scaled", "alike", "floor")
    )
    with quick_judges():
        several = Evaluation(truth, floor, settings)
        several.judge(scaled)
        first = len(clustered)
        known = several.judge(alike)
        again = len(clustered) - first
        alone = Evaluation(truth, floor, settings).judge(alike)
    assert known.to_json() == alone.to_json()
    assert 0 < again < first


def test_kept_showers_are_bounded_and_evenly_spread():
    assert spread_positions(10, 4).tolist() == [0, 2, 5, 7]
    assert spread_positions(3, 10).tolist() == [0, 1, 2]


def test_cells_are_chosen_by_the_mean_energy():
    mean = np.zeros(400)
    mean[[7, 9, 11, 13]] = [4.0, 3.0, 2.0, 1.0]
    assert choose_cells(mean) == (7, 9)
