"""A family that calokit has never heard of is listed, trained, shipped, generates and is judged.

All of it by the command line: `toy_family.py` is on Python's path and named in CALOKIT_FAMILIES, and nothing
else is touched.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from calokit.models.settings import FAMILIES_VARIABLE
from calokit.showers import ShowerWriter, open_showers
from made_up_runs import MakeShowers

HERE = Path(__file__).parent
PATH = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))
INSTALLED = {"PYTHONPATH": PATH, FAMILIES_VARIABLE: "toy_family"}
FAST = ["training.validate_every=150", "training.precision=float32", "training.memory_format=contiguous"]


def calokit(
    folder: Path, *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Call the command line in a process of its own, as a user does."""
    known = {name: value for name, value in os.environ.items() if name != FAMILIES_VARIABLE}
    return subprocess.run(
        [sys.executable, "-m", "calokit", *arguments],
        cwd=folder,
        env={**known, "COLUMNS": "100", **(INSTALLED if environment is None else environment)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, make_showers: MakeShowers) -> Path:
    """Showers, and the bundle that was trained on them."""
    folder = tmp_path_factory.mktemp("toy")
    for name, count, seed, split in (("train.h5", 600, 1, "train"), ("test.h5", 200, 2, "test")):
        showers = make_showers(count, seed)
        made_by = ("e+", "made up for a test", {"split": split})
        with ShowerWriter(folder / name, showers.detector, *made_by) as writer:
            writer.write(showers)
    changes = [part for change in FAST for part in ("--set", change)]
    done = calokit(folder, "train", "toy", "--data", "train.h5", "-o", "run", "--threads", "1", *changes)
    assert done.returncode == 0, done.stderr
    return folder


def test_it_is_one_short_file() -> None:
    lines = [line for line in (HERE / "toy_family.py").read_text().splitlines() if line.strip()]
    code = [line for line in lines if not line.startswith(("from ", "import ", '"""'))]
    assert len(code) <= 40


def test_it_is_listed_for_every_detector(tmp_path: Path) -> None:
    assert "Mean shares, from outside" in calokit(tmp_path, "recipes").stdout
    assert "Mean shares, from outside" in calokit(tmp_path, "recipes", "--for", "par04_siw").stdout
    assert "Mean shares" not in calokit(tmp_path, "recipes", environment={}).stdout


def test_it_ships_generates_and_is_judged(folder: Path) -> None:
    made = calokit(folder, "generate", "run/toy.calokit", "--like", "test.h5", "-o", "made.h5")
    assert made.returncode == 0, made.stderr
    true, generated = open_showers(folder / "test.h5").read_all(), open_showers(folder / "made.h5").read_all()
    np.testing.assert_array_equal(generated.incident_energies, true.incident_energies)
    ratio = generated.visible_energies.mean() / true.visible_energies.mean()
    assert ratio == pytest.approx(1.0, abs=0.1)  # it has learned the mean
    judged = calokit(
        folder, "evaluate", "test.h5", "made.h5", "--classifiers", "0", "--no-page", "-o", "judged"
    )
    assert judged.returncode == 0, judged.stderr
    card = json.loads((folder / "judged" / "scorecard.json").read_text())
    assert "toy" in json.dumps(card["generated"])


def test_where_it_is_not_installed_its_bundle_says_what_to_do(folder: Path) -> None:
    made = calokit(folder, "generate", "run/toy.calokit", "--like", "test.h5", "-o", "no.h5", environment={})
    assert made.returncode == 2
    assert "family 'toy', which is not installed here" in made.stderr.replace("\n", " ")
    assert FAMILIES_VARIABLE in made.stderr
    assert not (folder / "no.h5").exists()


def test_mistakes_are_named(folder: Path) -> None:
    unknown = calokit(folder, "recipes", environment={FAMILIES_VARIABLE: "toy_familly"})
    assert unknown.returncode == 2
    assert f"{FAMILIES_VARIABLE} names 'toy_familly', which cannot be loaded" in unknown.stderr
    misspelt = calokit(folder, "train", "toy", "--data", "train.h5", "-o", "new", "--set", "model.kind=toi")
    assert misspelt.returncode == 2
    assert "no kind 'toi'. Did you mean 'toy'?" in misspelt.stderr
