"""A family that calokit has never heard of is listed, trained, shipped, generates and is judged.

All of it by the command line: `toy_family.py` is on Python's path and named in CALOKIT_FAMILIES, and nothing
else is touched.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
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


CALLS = """
import contextlib, io, json, sys
from calokit.cli import main

ended = []
for words in json.load(sys.stdin):
    sys.argv = ["calokit", *words]
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
    ended.append([code, out.getvalue(), err.getvalue()])
json.dump(ended, sys.stdout)
"""
"""Calls the command line several times in one process, as each loads torch anew."""


@dataclass
class Ended:
    """How a command ended: its exit code and what it printed."""

    code: int
    out: str
    err: str


def calokit(folder: Path, *commands: str, environment: dict[str, str] | None = None) -> list[Ended]:
    """Call the command line in a process of its own, as a user does, with the words of some commands."""
    known = {name: value for name, value in os.environ.items() if name != FAMILIES_VARIABLE}
    done = subprocess.run(
        [sys.executable, "-c", CALLS],
        input=json.dumps([shlex.split(words) for words in commands]),
        cwd=folder,
        env={**known, "COLUMNS": "100", **(INSTALLED if environment is None else environment)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return [Ended(*each) for each in json.loads(done.stdout)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, make_showers: MakeShowers) -> Path:
    """Showers, and the bundle that was trained on them."""
    folder = tmp_path_factory.mktemp("toy")
    for name, count, seed, split in (("train.h5", 600, 1, "train"), ("test.h5", 60, 2, "test")):
        showers = make_showers(count, seed)
        made_by = ("e+", "made up for a test", {"split": split})
        with ShowerWriter(folder / name, showers.detector, *made_by) as writer:
            writer.write(showers)
    changes = " ".join(f"--set {change}" for change in FAST)
    (done,) = calokit(folder, f"train toy --data train.h5 -o run --threads 1 {changes}")
    assert done.code == 0, done.err
    return folder


@pytest.fixture(scope="module")
def used(folder: Path) -> list[Ended]:
    """What came of the bundle in a process that has not trained it, and of questions to that process."""
    return calokit(
        folder,
        "generate run/toy.calokit --like test.h5 -o made.h5",
        "evaluate test.h5 made.h5 --classifiers 0 --no-page -o judged",
        "recipes",
        "recipes --for par04_siw",
        "train toy --data train.h5 -o new --set model.kind=toi",
    )


@pytest.fixture(scope="module")
def without(folder: Path) -> list[Ended]:
    """The same where the family is not installed."""
    return calokit(folder, "recipes", "generate run/toy.calokit --like test.h5 -o no.h5", environment={})


def test_it_is_one_short_file() -> None:
    lines = [line for line in (HERE / "toy_family.py").read_text().splitlines() if line.strip()]
    code = [line for line in lines if not line.startswith(("from ", "import ", '"""'))]
    assert len(code) <= 40


def test_it_is_listed_for_every_detector(used: list[Ended], without: list[Ended]) -> None:
    assert "Mean shares, from outside" in used[2].out
    assert "Mean shares, from outside" in used[3].out
    assert without[0].code == 0
    assert "Mean shares" not in without[0].out


def test_it_ships_generates_and_is_judged(folder: Path, used: list[Ended]) -> None:
    made, judged = used[:2]
    assert made.code == 0, made.err
    true, generated = open_showers(folder / "test.h5").read_all(), open_showers(folder / "made.h5").read_all()
    np.testing.assert_array_equal(generated.incident_energies, true.incident_energies)
    ratio = generated.visible_energies.mean() / true.visible_energies.mean()
    assert ratio == pytest.approx(1.0, abs=0.1)  # it has learned the mean
    assert judged.code == 0, judged.err
    card = json.loads((folder / "judged" / "scorecard.json").read_text())
    assert "toy" in json.dumps(card["generated"])


def test_where_it_is_not_installed_its_bundle_says_what_to_do(folder: Path, without: list[Ended]) -> None:
    made = without[1]
    assert made.code == 2
    assert "family 'toy', which is not installed here" in made.err.replace("\n", " ")
    assert FAMILIES_VARIABLE in made.err
    assert not (folder / "no.h5").exists()


def test_mistakes_are_named(folder: Path, used: list[Ended]) -> None:
    (unknown,) = calokit(folder, "recipes", environment={FAMILIES_VARIABLE: "toy_familly"})
    assert unknown.code == 2
    assert f"{FAMILIES_VARIABLE} names 'toy_familly', which cannot be loaded" in unknown.err
    misspelt = used[4]
    assert misspelt.code == 2
    assert "no kind 'toi'. Did you mean 'toy'?" in misspelt.err
