"""`calokit evaluate --readout`: raw and behind a readout, each with its headline."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py

from made_up_runs import MakeFile
from quick_judges import quick_judges

Run = Callable[..., Any]


def test_both_headlines_stand_in_the_scorecard_and_the_terminal(
    command: Run, shower_file: MakeFile, tmp_path: Path
) -> None:
    truth, floor = shower_file(250, seed=1, name="truth.h5"), shower_file(250, seed=2, name="floor.h5")
    fake = shower_file(250, seed=3, name="fake.h5")
    with h5py.File(fake, "r+") as file:
        # Small energies are on a lattice of 1 MeV, which noise of 5 MeV hides.
        cells = file["showers"][:]
        file["showers"][:] = cells.round() * (cells > 1.0)
    with quick_judges():
        ended = command(
            "evaluate", truth, fake, "--floor", floor, "--classifiers", "0", "--threshold", "0.1",
            "--readout", "5", "20", "--readout-spread", "0.03", "--no-page", "-o", "report",
        )  # fmt: skip
    assert ended.code == 0, ended.err
    card = json.loads((tmp_path / "report" / "scorecard.json").read_text())
    assert card["headline"] == "classifier.auc_boosted"
    assert card["headline_read_out"] == "readout.auc_boosted"
    assert card["settings"]["readout"]["noise"] == 5.0
    assert card["settings"]["readout"]["spread"] == 0.03
    assert card["settings"]["readout"]["threshold"] == 20.0
    raw, read_out = (
        next(one for one in card["measurements"] if one["name"] == card[key])
        for key in ("headline", "headline_read_out")
    )
    assert raw["value"] > 0.9
    assert read_out["value"] < 0.65
    told = " ".join(ended.out.split())
    assert "Largest area of all classifiers: classifier AUC, boosted trees" in told
    assert "Behind the readout: classifier AUC, boosted trees, read out" in told


def test_a_readout_needs_noise_and_a_threshold_above_nothing(command: Run, shower_file: MakeFile) -> None:
    truth = shower_file(40)
    assert "requires 2 arguments" in command("evaluate", truth, truth, "--readout", "5").err
    refused = command("evaluate", truth, truth, "--readout", "5", "0", "--classifiers", "0")
    assert refused.code == 2
    assert "threshold" in refused.err
    assert "Traceback" not in refused.err
