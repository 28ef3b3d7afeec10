"""Studies of reconstructions: a row beside the classical methods, done once, and its table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from benchmarks.overlay import overlay_showers
from calokit.cli import app
from calokit.detector import load_detector
from calokit.showers import ShowerWriter
from calokit.studies.description import StudyFile
from calokit.studies.study import run_study
from calokit.studies.table import read_table
from made_up_positrons import made_up_positrons

BUDGET = [
    "training.steps=20",
    "training.batch_size=32",
    "training.warmup_steps=2",
    "training.moving_average=0.8",
]
SMALL = {
    "luxe_shared": ["model.width=8", "model.channels=2", "model.head_width=8"],
    "luxe_particles": ["model.channels=8", "model.blocks=1", "model.most=2"],
}


def write_study(folder: Path, recipe: str) -> Path:
    """A study of one recipe on made-up showers, single or overlaid."""
    luxe = load_detector("luxe_ecal")
    for seed, name in ((1, "train"), (2, "test")):
        showers = made_up_positrons(luxe, 360, seed)
        if recipe == "luxe_particles":
            showers = overlay_showers(showers, 300, (1, 2), 40, np.random.default_rng(seed))
        with ShowerWriter(
            folder / f"{name}.h5", luxe, "e+", "made up", {"split": name}, compression=1
        ) as writer:
            writer.write(showers)
    path = folder / "tiny.yaml"
    study = {
        "name": "tiny",
        "title": "tiny",
        "data": "train.h5",
        "test": "test.h5",
        "recipes": [{"recipe": recipe, "label": "tiny", "set": SMALL[recipe]}],
        "set": BUDGET,
    }
    path.write_text(yaml.safe_dump(study))
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "metrics"),
    [
        ("luxe_shared", {"energy.rms_ratio", "energy.coverage_683", "position.rms_x", "angle.slope_y"}),
        ("luxe_particles", {"particles.right_count", "particles.rms_x"}),
    ],
)
def test_a_row_stands_beside_the_classical_methods(tmp_path: Path, recipe: str, metrics: set[str]) -> None:
    path = write_study(tmp_path, recipe)
    file = StudyFile.read(path)
    run_study(file, tmp_path / "runs")
    (row,) = read_table(file.table_path)
    assert metrics <= set(row["metrics"])
    for name, (value, error, floor, _) in row["metrics"].items():
        assert np.isfinite([value, error, floor]).all(), name
    assert row["test_showers"] == (300 if recipe == "luxe_particles" else 360)
    assert "reconstructed_sha256" in row
    before = file.table_path.read_text()
    run_study(file, tmp_path / "runs")
    assert file.table_path.read_text() == before
    shown = CliRunner().invoke(app, ["study", str(path), "--table"])
    assert shown.exit_code == 0, shown.output
    assert "tiny" in shown.output
