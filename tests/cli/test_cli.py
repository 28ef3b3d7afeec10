"""The command line: what works, and one line with exit code 2 for every mistake."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml

from calokit.bundles.bundle import read_bundle
from calokit.detector import load_detector
from calokit.showers import Showers, open_showers
from made_up_runs import TINY_MODELS, TINY_TRAINING, MakeFile
from made_up_scorecards import make_scorecard

TINY = [
    part
    for change in [*TINY_MODELS["zdc_flow"], *TINY_TRAINING, "training.steps=4"]
    for part in ("--set", change)
]


Outcome = Any
"""How a command ended: `code`, `out` and `err` (see `command` in conftest.py)."""
Run = Callable[..., Outcome]


@pytest.fixture
def calokit(command: Run) -> Run:
    """Call the command line in this process, in an empty folder."""
    return command


def assert_mistake(outcome: Outcome, *words: str) -> None:
    """Exit code 2, one line that says what is wrong, no traceback."""
    assert outcome.code == 2, outcome
    lines = [line for line in outcome.err.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("calokit: error: ")]
    assert len(errors) == 1, outcome.err
    assert "Traceback" not in outcome.err
    assert lines == errors, outcome.err
    for word in words:
        assert word in errors[0]


@pytest.fixture
def bundle(calokit: Run, shower_file: MakeFile, tmp_path: Path) -> Path:
    """A bundle that `calokit train` made in four steps."""
    done = calokit("train", "zdc_flow", "--data", shower_file(), "-o", "made", "--threads", "1", *TINY)
    assert done.code == 0, done.err
    assert "4 steps on 120 showers" in done.out
    return tmp_path / "made" / "zdc_flow.calokit"


def spoil(path: Path, name: str, index: tuple[int, ...], value: float) -> None:
    with h5py.File(path, "r+") as file:
        file[name][index] = value


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def misshape(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["showers"]
        file["showers"] = np.ones((200, 399), np.float32)


DAMAGE: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "missing": (lambda path: path.unlink(), ("bad_one.h5: no such file",)),
    "truncated": (truncate, ("bad_one.h5", "truncated")),
    "misshaped": (misshape, ("bad_one.h5", "(200, 399)", "(events, 400)")),
    "NaN": (lambda path: spoil(path, "showers", (3, 3), np.nan), ("bad_one.h5", "NaN", "shower 3")),
    "negative": (lambda path: spoil(path, "showers", (3, 3), -1.0), ("bad_one.h5", "negative", "-1 MeV")),
    "zero": (lambda path: spoil(path, "incident_energies", (3, 0), 0.0), ("bad_one.h5", "must be positive")),
}


@pytest.mark.parametrize("case", DAMAGE)
@pytest.mark.parametrize("word", ["inspect", "train"])
def test_bad_shower_files(calokit: Run, shower_file: MakeFile, case: str, word: str) -> None:
    damage, words = DAMAGE[case]
    path = shower_file(name="bad_one.h5")
    damage(path)
    arguments = [path] if word == "inspect" else ["zdc_flow", "--data", path, "--threads", 1, *TINY]
    assert_mistake(calokit(word, *arguments), *words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "zdc_flw", "--data", "x.h5"], ["no recipe 'zdc_flw'. Did you mean 'zdc_flow'?"]),
        (["recipes", "zdc_regresion"], ["Did you mean 'zdc_regression'?"]),
        (["train", "none.yaml", "--data", "x.h5"], ["none.yaml: no such file"]),
        (
            ["train", "zdc_flow", "--data", "x.h5", "--set", "training.stepz=3"],
            ["unknown key 'training.stepz'. Did you mean 'steps'?"],
        ),
        (
            ["train", "zdc_flow", "--data", "x.h5", "--set", "model.chanels=3"],
            ["unknown key 'model.chanels'. Did you mean 'channels'?"],
        ),
        (
            ["train", "zdc_flow", "--data", "x.h5", "--set", "training.steps=many"],
            ["training.steps", "'many'"],
        ),
        (["train", "zdc_flow", "--data", "x.h5", "--set", "training.steps"], ["write key=value"]),
        (["train", "zdc_flow", "--data", "x.h5", "--set", "training.steps=[1"], ["not readable as YAML"]),
        (["train", "zdc_flow", "--data", "x.h5", "--set", "model.kind=flw"], ["Did you mean 'flow'?"]),
        (["train", "zdc_flow"], ["--data FILE is missing"]),
        (["train", "zdc_flow", "--resume", "-o", "nowhere"], ["nowhere holds no run to continue"]),
        (["detectors", "zdc_ecla"], ["unknown detector 'zdc_ecla'. Did you mean 'zdc_ecal'?"]),
        (
            ["generate", "none.calokit", "-o", "x.h5", "--energy", "5", "-n", "3"],
            ["none.calokit: no such file"],
        ),
        (["generate", "none.calokit", "-o", "x.h5"], ["either --like FILE or --energy GEV"]),
        (["generate", "none.calokit", "-o", "x.h5", "--energy", "5"], ["--energy needs --count"]),
    ],
)
def test_mistakes(calokit: Run, arguments: list[str], words: list[str]) -> None:
    assert_mistake(calokit(*arguments), *words)


def test_a_printed_detector_can_be_edited_and_described(calokit: Run, tmp_path: Path) -> None:
    printed = calokit("detectors", "luxe_ecal", "--yaml").out
    (tmp_path / "mine.yaml").write_text(printed.replace("repeats: 20", "repeats: 5"))
    assert "# a third of a MIP" in printed
    assert "in 5 readout layers" in calokit("detectors", tmp_path / "mine.yaml").out
    assert "--yaml needs the name of a detector" in calokit("detectors", "--yaml").err


def test_misspelt_detector_and_split(calokit: Run, shower_file: MakeFile) -> None:
    path = shower_file()
    assert_mistake(calokit("inspect", path, "--detector", "zdc_ecel"), "Did you mean 'zdc_ecal'?")
    assert_mistake(calokit("inspect", path, "--split", "trian"), "Did you mean 'train'?")


def test_another_detector(calokit: Run, bundle: Path, shower_file: MakeFile) -> None:
    lhcb = load_detector("lhcb_ecal")
    other = Showers(np.ones((99, 900), np.float32), np.full(99, 1e4, np.float32), lhcb)
    path = shower_file(name="other.h5", showers=other)
    outcome = calokit("generate", bundle, "--like", path, "-o", "made.h5", "--threads", "1")
    assert_mistake(outcome, "'zdc_ecal'", "other.h5", "'lhcb_ecal'")
    assert_mistake(calokit("train", "zdc_flow", "--data", path, "-o", "again"), "'zdc_ecal'", "'lhcb_ecal'")
    assert not Path("made.h5").exists()
    assert not Path("again").exists()


@pytest.mark.parametrize("end", [0, 50, -1])
def test_damaged_bundle(calokit: Run, tmp_path: Path, end: int) -> None:
    from safetensors.numpy import save_file

    path = tmp_path / "damaged.calokit"
    save_file({"weight": np.zeros(9, np.float32)}, path)
    path.write_bytes(path.read_bytes()[:end])
    outcome = calokit("generate", path, "--energy", "5", "-n", "3", "-o", "made.h5")
    assert_mistake(outcome, "damaged.calokit: not a readable safetensors file")


def test_foreign_bundle(calokit: Run, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"weight": np.zeros(9, np.float32)}, tmp_path / "foreign.calokit")
    outcome = calokit("generate", "foreign.calokit", "--energy", "5", "-n", "3", "-o", "made.h5")
    assert_mistake(outcome, "foreign.calokit: a safetensors file without calokit's metadata")


@pytest.mark.filterwarnings("default::calokit.errors.ConditionWarning")
def test_generate(calokit: Run, bundle: Path, shower_file: MakeFile) -> None:
    like = shower_file()
    done = calokit(
        "generate", bundle, "--like", like, "--split", "test", "-n", 30, "-o", "made.h5", "--threads", 1
    )
    assert done.code == 0, done.err
    assert done.out.startswith("30 showers, ")
    made, given = open_showers("made.h5").read_all(), open_showers(like, "test").read(0, 30)
    np.testing.assert_array_equal(made.incident_energies, given.incident_energies)
    np.testing.assert_array_equal(made.positions, given.positions)
    far = calokit(
        "generate", bundle, "--energy", 500, "-n", 20, "-o", "far.h5", "--threads", 1, "--position", 1, 2
    )
    assert far.code == 0
    (line,) = [line for line in far.err.splitlines() if line.startswith("calokit: warning: ")]
    assert "20 of 20 incident particles lie outside the training range of zdc_flow" in line
    assert open_showers("far.h5").attributes["outside_training_range"] == 1.0
    one = ("generate", bundle, "--energy", 5, "-n", 2, "--threads", 1)
    tilted = calokit(*one, "-o", "tilted.h5", "--direction", 0.03, 0, 10)
    assert tilted.code == 0, tilted.err
    directions = open_showers("tilted.h5").read_all().directions
    np.testing.assert_allclose(directions, [[0.003, 0.0, 1.0]] * 2, atol=1e-5)
    assert_mistake(calokit(*one, "-o", "back.h5", "--direction", 0, 0, -1), "direction")
    wrong = calokit(*one, "-o", "no/made.h5")
    assert_mistake(wrong, "the folder no does not exist")
    precise = calokit("generate", bundle, "--energy", 5, "-n", 2, "-o", "made.h5", "--precision", "float64")
    assert_mistake(precise, "no precision 'float64'")


def test_resume_and_start_over(calokit: Run, bundle: Path) -> None:
    before = bundle.read_bytes()
    assert_mistake(
        calokit("train", "zdc_flow", "--data", "showers.h5", "-o", "made", *TINY), "holds a run already"
    )
    done = calokit("train", "zdc_flow", "--resume", "-o", "made", "--threads", "1")
    assert done.code == 0, done.err
    assert bundle.read_bytes() == before


def test_what_is_typed_beside_resume_is_refused_or_honoured(calokit: Run, bundle: Path) -> None:
    def resume(*words: object) -> Outcome:
        return calokit("train", *words, "--resume", "-o", "made", "--threads", "1")

    before = bundle.read_bytes()
    for words, told in (
        (["nonsense"], "no recipe 'nonsense'"),
        (["zdc_regression"], "name is 'zdc_flow', not 'zdc_regression'"),
        (["zdc_flow", "--set", "training.batch_size=9"], "training.batch_size is"),
        (["--seed", "77"], "training.seed is"),
        (["--minutes", "1"], "--minutes is for a new run"),
        (["--start-from", bundle], "did not start from"),
        (["zdc_flow", "--set", "training.steps=2"], "has 4 steps done already; 2 are fewer"),
    ):
        assert_mistake(resume(*words), told)
    assert bundle.read_bytes() == before
    for words in (["zdc_flow", *TINY], [], ["zdc_flow"], ["made/recipe.yaml"]):
        done = resume(*words)
        assert done.code == 0, done.err
        assert bundle.read_bytes() == before
    more = resume("zdc_flow", "--set", "training.steps=6")
    assert more.code == 0, more.err
    assert "made: the run goes on to 6 steps." in more.out
    assert read_bundle(bundle).provenance["steps_changed"] == [{"at": 4, "from": 4, "to": 6}]
    assert read_bundle(bundle).provenance["steps"] == 6
    assert "steps: 6" in Path("made/recipe.yaml").read_text()


def test_outputs_that_cannot_be_written_are_found_before_the_work(
    calokit: Run, shower_file: MakeFile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data = shower_file()
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("kept")

    def fail(*_: object, **__: object) -> None:
        pytest.fail("the work has begun")

    for work in (
        "evaluation.Evaluation",
        "showers.digitisation.Digitisation.apply",
        "inference.read_bundle",
        "training.run.build_model",
        "simulation.production._merge",
        "showers.formats.open_foreign",
        "simulation.geometry.LocalExecutor",
        "detector.library.load_detector",
    ):
        monkeypatch.setattr(f"calokit.{work}", fail)
    bundle = tmp_path / "file"
    for words, told in (
        (["evaluate", data, data, "-o", "file"], "file is a file, not a folder"),
        (["digitise", data, "-o", data], "is read by this command"),
        (["digitise", data, "-o", "folder"], "is a folder"),
        (["generate", bundle, "--energy", 5, "-n", 3, "-o", "folder"], "is a folder"),
        (["generate", bundle, "--like", data, "-o", data], "is read by this command"),
        (["reconstruct", bundle, data, "-o", "a.h5", "--csv", "folder"], "is a folder"),
        (["reconstruct", bundle, data, "-o", "a.h5", "--report", "file", "--train", data], "not a folder"),
        (["calibrate", bundle, "--data", data, "-o", "none/a.calokit"], "does not exist"),
        (["convert", data, "folder"], "is a folder"),
        (["train", "zdc_flow", "--data", data, "-o", "file", *TINY], "is a file, not a folder"),
        (["geometry", "zdc_ecal", "--gdml", "none/a.gdml"], "does not exist"),
        (["detectors", "zdc_ecal", "--draw", "folder"], "is a folder"),
    ):
        assert_mistake(calokit(*words), told)
    assert bundle.read_text() == "kept"
    assert not list((tmp_path / "folder").iterdir())


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_any_encoding_of_the_output(
    calokit: Run, shower_file: MakeFile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, encoding: str
) -> None:
    card = make_scorecard(showers=60, events=0).model_copy(update={"curves": [], "spectra": [], "images": []})
    monkeypatch.setattr("calokit.evaluation.Evaluation.judge", lambda *_: card)
    files = [shower_file(60, seed, f"{seed}.h5") for seed in (1, 2)]
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding, write_through=True))
    done = calokit("evaluate", *files, "--threads", 1)
    assert done.code == 0, done.err
    text = raw.getvalue().decode(encoding)
    assert ("sigma" in text) is (encoding != "utf-8")
    assert ("±" in text) is (encoding != "ascii")
    assert "?" not in text
    assert (tmp_path / "report" / "report.html").is_file()


def test_python_m_and_the_version() -> None:
    words = [sys.executable, "-m", "calokit", "--version"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == f"calokit {version('calokit')}\n"


@pytest.mark.parametrize("name", ["zdc_flow", "zdc_regression"])
def test_printed_recipe_trains(calokit: Run, shower_file: MakeFile, name: str) -> None:
    printed = calokit("recipes", name)
    assert printed.code == 0
    content = yaml.safe_load(printed.out)
    assert content["name"] == name
    for change in [*TINY_MODELS[name], *TINY_TRAINING, "training.steps=2"]:
        key, text = change.split("=")
        part, field = key.split(".")
        assert field in content[part]
        content[part][field] = yaml.safe_load(text)
    content["name"] = "mine"
    Path("mine.yaml").write_text(yaml.safe_dump(content))
    done = calokit(
        "train", "mine.yaml", "--data", shower_file(), "-o", "mine", "--threads", "1", "--seed", "5"
    )
    assert done.code == 0, done.err
    bundle = read_bundle("mine/mine.calokit")
    assert bundle.recipe.training.seed == 5
    assert bundle.provenance["steps"] == 2
    assert json.loads(Path("mine/run.json").read_text())["recipe"]["name"] == "mine"


def test_lists(calokit: Run) -> None:
    recipes = calokit("recipes")
    assert recipes.code == 0
    assert "zdc_flow" in recipes.out
    assert "zdc_regression" in recipes.out
    detectors = calokit("detectors")
    assert detectors.code == 0
    assert "luxe_ecal" in detectors.out


def test_inspect(calokit: Run, shower_file: MakeFile) -> None:
    sane = calokit("inspect", shower_file(split="train"), "--threshold", "0.1")
    assert sane.code == 0
    assert "200 in split all" in sane.out
    assert sane.out.splitlines()[-1] == "sane"
    showers = open_showers(shower_file(name="a.h5")).read_all()
    wrong = Showers(showers.energies, showers.incident_energies / 1e3, showers.detector)
    strange = calokit("inspect", shower_file(name="gev.h5", showers=wrong))
    assert strange.code == 1
    assert "the incident energies are in GeV and read as MeV" in " ".join(strange.out.split())
    assert strange.out.splitlines()[-1] == "1 finding(s)"


def test_inspect_of_a_bundle(calokit: Run, tmp_path: Path) -> None:
    shipped = Path(__file__).parents[2] / "zoo"
    told = calokit("inspect", shipped / "zdc_gan.calokit")
    assert told.code == 0
    words = " ".join(told.out.split())
    assert "leg 1 zdc_regression_log, seed not recorded: 2,000 steps, 128,000 presentations" in words
    assert "in all 384,000 presentations" in words
    assert "standing baseline (response up to 20 %, resolution 118 % off; " in words
    damaged = tmp_path / "damaged.calokit"
    damaged.write_bytes((shipped / "zdc_gan.calokit").read_bytes()[:-9])
    assert_mistake(calokit("inspect", damaged), "not a readable safetensors file")


def test_exit_codes_of_the_installed_program(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("calokit")
    if not program.exists():
        pytest.skip("calokit is not installed beside this Python")
    done = subprocess.run(
        [program, "inspect", "none.h5"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.strip() == "calokit: error: none.h5: no such file."
