"""Thresholds belong to the detector, or are chosen from the showers, and are told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calokit.detector import Detector, load_detector
from calokit.evaluation import EvaluationSettings, evaluate_showers
from calokit.recipes import load_recipe
from calokit.showers import Showers, ShowerWriter, open_showers
from calokit.showers.memory import as_view
from calokit.showers.threshold import choose_judging_threshold, doubt_threshold, part_below, settle_threshold
from made_up_runs import MakeFile, MakeShowers
from toy_showers import toy_showers

FAST = EvaluationSettings(classifier_seeds=0, kept_metrics=False, gallery_events=0)


def silicon(name: str = "mine", **changed: object) -> Detector:
    """Return a detector like the ZDC's by name and threshold of its own."""
    mapping = load_detector("zdc_ecal").to_mapping() | {"name": name, **changed}
    if "threshold_mev" not in changed:
        del mapping["threshold_mev"]
    return Detector.from_mapping(mapping, "here")


def thin(showers: Showers, detector: Detector) -> Showers:
    """Return showers of a thousandth of the energy in another detector."""
    return replace(showers, energies=showers.energies / 1000, detector=detector)


def test_a_thin_detector_is_not_judged_at_the_threshold_of_a_crystal() -> None:
    mine = silicon()
    truth, generated = thin(toy_showers(1, 200), mine), thin(toy_showers(2, 200), mine)
    assert part_below(truth, 0.1) > 0.02
    card = evaluate_showers(truth, generated, settings=FAST)
    assert part_below(truth, card.threshold_mev) < 2e-3
    assert card.threshold_origin.startswith("chosen")
    assert card.settings["threshold_mev"] == card.threshold_mev
    named = evaluate_showers(truth, generated, settings=FAST.model_copy(update={"threshold_mev": 0.1}))
    assert (named.threshold_mev, named.threshold_origin) == (0.1, "")


def test_a_detector_says_its_threshold() -> None:
    said = silicon(threshold_mev=0.02)
    assert settle_threshold(as_view(thin(toy_showers(1, 50), said))) == (0.02, "of detector mine")
    assert Detector.from_mapping(said.to_mapping(), "again") == said
    assert "threshold_mev" not in silicon().to_mapping()


def test_files_written_before_take_the_threshold_of_their_preset() -> None:
    old = silicon("zdc_ecal")
    assert settle_threshold(as_view(replace(toy_showers(1, 20), detector=old)))[0] == 0.1
    other = silicon("zdc_ecal", front_mm=1.0)
    assert other.is_same(load_detector("zdc_ecal"))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_a_chosen_threshold_leaves_out_a_thousandth(scale: float, make_showers: MakeShowers) -> None:
    showers = make_showers(100, 1)
    scaled = replace(showers, energies=showers.energies * np.float32(scale))
    threshold = choose_judging_threshold(scaled)
    assert part_below(scaled, threshold) <= 1.01e-3
    assert part_below(scaled, 3 * threshold) > 1e-3
    assert choose_judging_threshold(replace(showers, energies=0 * showers.energies)) == 0.0


def test_training_tells_of_a_threshold_that_cuts(tmp_path: Path) -> None:
    view = as_view(thin(toy_showers(1, 200), silicon()))
    threshold = load_recipe("zdc_flow").model.threshold_mev  # type: ignore[attr-defined]
    (words,) = doubt_threshold(view, threshold, "model.threshold_mev")
    assert "model.threshold_mev of 0.1 MeV leaves out" in words
    assert doubt_threshold(as_view(toy_showers(1, 200)), threshold, "model.threshold_mev") == []


def test_the_shipped_detectors_keep_their_showers(shared_showers: Path) -> None:
    for name in ("zdc_ecal_positrons_test", "luxe_positrons_a_test", "par04_electrons_test"):
        view = open_showers(shared_showers / f"{name}.h5").head(300)
        threshold, origin = settle_threshold(view)
        assert origin.startswith("of detector")
        assert part_below(view.read_all(), threshold) < 0.01, name


def test_showers_are_judged_at_no_lower_threshold_than_they_were_made_with(
    shower_file: MakeFile, make_showers: MakeShowers, tmp_path: Path
) -> None:
    truth = open_showers(shower_file(80, name="truth.h5"))
    path = tmp_path / "made.h5"
    showers = make_showers(80, 2).with_threshold(2.0)
    with ShowerWriter(path, showers.detector, "e+", "made up", {"threshold_mev": 2.0}) as writer:
        writer.write(showers)
    threshold, origin = settle_threshold(truth, [open_showers(path)])
    assert threshold == 2.0
    assert origin.startswith("of made.h5, which holds nothing up to it; in truth.h5 cells up to it hold ")
    assert settle_threshold(truth, [truth]) == settle_threshold(truth)
    card = evaluate_showers(truth, open_showers(path), settings=FAST)
    assert (card.threshold_mev, card.threshold_origin) == (2.0, origin)
