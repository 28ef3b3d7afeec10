"""PRD areas in groups of cells: near the floor for truth, far below it for showers of other particles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calokit.detector import load_detector
from calokit.showers import Showers, ShowerWriter, open_showers
from calokit.studies.judging import prd_areas
from calokit.studies.judging.prd_areas import ScoreByGroup
from tiny_families import make_showers_in


def write(path: Path, showers: Showers) -> Path:
    with ShowerWriter(path, showers.detector, "e-", "made up") as writer:
        writer.write(showers)
    return path


def test_areas_beside_their_floor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prd_areas, "SETTINGS", replace(prd_areas.SETTINGS, runs=2))
    detector = load_detector("lhcb_ecal")
    truth, floor, made = (make_showers_in(detector, 200, seed) for seed in (1, 2, 3))
    shuffled = np.random.default_rng(1).permutation(900)
    wrong = Showers(
        made.energies[:, shuffled], made.incident_energies, detector, made.positions, made.directions
    )
    views = [
        open_showers(write(tmp_path / f"{name}.h5", one), "all")
        for name, one in (("truth", truth), ("floor", floor), ("made", made), ("wrong", wrong))
    ]
    judge = ScoreByGroup.of(views[0], views[1], 0.1)
    good, bad = judge.metrics(views[2], [1, 3]), judge.metrics(views[3], [1, 3])
    areas = {f"prd_{group}.{name}" for group in (1, 3) for name in ("images", "physics", "smaller")}
    assert set(good) == areas | {"prd_1.published"}
    for group in (1, 3):
        value, error, least, least_error = good[f"prd_{group}.smaller"]
        assert value == min(good[f"prd_{group}.images"][0], good[f"prd_{group}.physics"][0])
        assert abs(value - least) < 5 * np.hypot(error, least_error)
        assert bad[f"prd_{group}.smaller"][0] < 0.6 * least
        assert bad[f"prd_{group}.smaller"][2:] == pytest.approx([least, least_error])
    published = bad["prd_1.published"][0]
    assert published == pytest.approx(bad["prd_1.physics"][0], abs=0.5)
