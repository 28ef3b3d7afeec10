"""What users met in commands that otherwise work: units, directions, interruptions, half-finished work."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml

from calokit.detector import load_detector
from calokit.errors import ShowerFileError
from calokit.showers import open_showers
from made_up_runs import MakeFile
from made_up_scorecards import make_scorecard

Run = Callable[..., Any]
HELP = Path(__file__).resolve().parents[1] / "golden" / "help"


def test_cells_in_another_unit_are_converted_by_an_option(command: Run, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "lcd.h5", "w") as file:
        file["ECAL"] = np.full((4, 24, 24, 25), 0.1)
        file["HCAL"] = np.zeros((4, 4, 4, 60))
        file["target"] = np.tile([1.0, 100.0], (4, 1))[:, None, :]
    refused = command("convert", "lcd.h5", "native.h5")
    assert refused.code == 2
    assert "--unit" in refused.err
    assert not (tmp_path / "native.h5").exists()
    done = command("convert", "lcd.h5", "native.h5", "--unit", "MeV")
    assert done.code == 0, done.err
    assert open_showers("native.h5").read_all().energies.sum() == pytest.approx(4 * 1440.0, rel=1e-4)
    misspelt = command("convert", "lcd.h5", "again.h5", "--unit", "mev")
    assert misspelt.code == 2
    assert "MeV" in misspelt.err


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--backend", "parametric", "--physics-list", "em4"], "--physics-list and --cut are for Geant4"),
        (["--backend", "parametric", "--cut", "0.1"], "--physics-list and --cut are for Geant4"),
        (
            ["--backend", "parametric", "--dask", "tcp://127.0.0.1:1", "--workers", "2"],
            "--workers 2: the cluster at tcp",
        ),
    ],
)
def test_what_a_simulation_could_not_heed_is_refused(command: Run, words: list[str], found: str) -> None:
    ended = command("simulate", "zdc_ecal_positrons", "-n", 4, "-o", "made.h5", *words)
    assert ended.code == 2
    assert found in " ".join(ended.err.split())


def test_a_file_that_cannot_be_judged_leaves_the_scorecards_of_those_before(
    command: Run, shower_file: MakeFile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    card = make_scorecard(showers=60, events=0).model_copy(update={"curves": [], "spectra": [], "images": []})

    def judge(_: Any, view: Any) -> Any:
        if view.path.stem == "bad":
            raise ShowerFileError("bad.h5: shower 7 holds NaN.")
        return card

    monkeypatch.setattr("calokit.evaluation.Evaluation.judge", judge)
    files = [shower_file(60, seed, f"{name}.h5") for seed, name in ((1, "truth"), (2, "good"), (3, "bad"))]
    ended = command("evaluate", *files, "--threads", 1)
    assert ended.code == 2
    assert "bad.h5: shower 7 holds NaN." in ended.err
    kept = json.loads((tmp_path / "report" / "scorecard_good.json").read_text())
    assert kept["generated"]["label"] == "good"
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == ["scorecard_good.json"]


@pytest.mark.parametrize(
    ("where", "words", "told"),
    [
        (
            "calokit.simulation.sample.load_sample",
            ("simulate", "zdc_ecal_positrons", "-o", "a.h5", "-n", 3),
            "what was finished is kept; the same command goes on.",
        ),
        (
            "calokit.training.run.start_training",
            ("train", "zdc_flow", "--data", "a.h5"),
            (
                "the training is kept up to its last checkpoint; the same command with --resume goes on "
                "(without it, where the training had not begun)."
            ),
        ),
        (
            "calokit.showers.open_showers",
            ("inspect", "a.h5"),
            "nothing half done was written; run the same command again.",
        ),
    ],
)
def test_an_interrupted_command_says_how_to_go_on(
    command: Run, monkeypatch: pytest.MonkeyPatch, where: str, words: tuple[object, ...], told: str
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(where, interrupt)
    ended = command(*words)
    assert ended.code == 130
    (line,) = ended.err.splitlines()
    assert line == f"calokit: interrupted: {told}"


def test_an_unknown_material_is_shown_how_to_be_described(command: Run, tmp_path: Path) -> None:
    described = load_detector("lhcb_ecal").to_mapping()
    described["sections"][0]["slabs"][0]["material"] = "G4_PbWO5"
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(described))
    ended = command("detectors", "mine.yaml")
    assert ended.code == 2
    assert "unknown material 'G4_PbWO5'" in ended.err
    assert "materials: [{name: G4_PbWO5, density_g_cm3: 8.28, atoms: {Pb: 1, W: 1, O: 4}}]" in ended.err
    described["materials"] = [{"name": "G4_PbWO5", "density_g_cm3": 8.28, "atoms": {"Pb": 1, "W": 1, "O": 5}}]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(described))
    assert command("detectors", "mine.yaml").code == 0


@pytest.mark.parametrize("page", sorted(HELP.glob("*.txt")), ids=lambda page: page.stem)
def test_no_help_shows_a_section_of_a_docstring(page: Path) -> None:
    text = page.read_text()
    assert not [title for title in ("Args:", "Raises:", "Returns:", "Example:") if title in text]
