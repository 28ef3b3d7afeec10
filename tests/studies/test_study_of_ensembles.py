"""Studies of ensembles: members are trained once for all their numbers, and judged by what they minimise."""

from __future__ import annotations

import pytest
import yaml

from calokit.errors import ConfigurationError
from calokit.showers import ShowerWriter
from calokit.studies.description import StudyEntry, StudyFile
from calokit.studies.study import run_study
from calokit.studies.table import read_table
from made_up_runs import TINY_MODELS, TINY_TRAINING, MakeShowers, silent

pytestmark = pytest.mark.filterwarnings("ignore::calokit.errors.ConditionWarning")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, make_showers: MakeShowers) -> StudyFile:
    """A study that has been run; its runs are in the folder `runs` beside it."""
    folder = tmp_path_factory.mktemp("study")
    for name, count, seed in (("train", 200, 1), ("test", 120, 2)):
        showers = make_showers(count, seed)
        made_by = ("e+", "made up for a test", {"split": name})
        with ShowerWriter(folder / f"{name}.h5", showers.detector, *made_by) as writer:
            writer.write(showers)
    entry = {"recipe": "zdc_flow", "set": TINY_MODELS["zdc_flow"]}
    content = {
        "name": "tiny",
        "title": "One, two and three members",
        "data": "train.h5",
        "test": "test.h5",
        "floor": "train.h5",
        "recipes": [
            {**entry, "label": f"{rule}-{members}", "ensemble": {"members": members, "rule": rule}}
            for rule, members in (("star", 1), ("star", 2), ("even", 2))
        ],
        "seeds": [100],
        "set": [*TINY_TRAINING, "training.steps=3"],
        "classifier_seeds": 0,
        "kept_metrics": False,
        "ensemble_metrics": True,
    }
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(content))
    study = StudyFile.read(path)
    run_study(study, folder / "runs", silent)
    return study


def test_members_are_trained_once_and_every_number_is_judged(study: StudyFile) -> None:
    folder = study.table_path.parent / "runs"
    rows = {row["label"]: row for row in read_table(study.table_path)}
    assert {label: row["presentations"] for label, row in rows.items()} == {
        "star-1": 96,
        "star-2": 192,
        "even-2": 192,
    }
    assert sorted(path.name for path in folder.glob("*star*/member_*")) == ["member_01", "member_02"]
    assert len(list(folder.iterdir())) == 2
    assert [len(rows[label]["adagan"]) for label in ("star-1", "star-2", "even-2")] == [0, 1, 0]
    for row in rows.values():
        value, error, floor, _ = row["metrics"]["divergence.shannon"]
        assert 0 <= floor < value <= 1
        assert 0 <= error < 0.1
        assert len(row["metrics"]["edges.mean_deviation"]) == 4
        assert "sampling_fraction" in row["curves"]


def test_rows_of_fewer_members_are_made_from_a_longer_ensemble(study: StudyFile) -> None:
    before = {row["label"]: row for row in read_table(study.table_path)}
    study.table_path.unlink()
    run_study(study, study.table_path.parent / "runs", silent)
    again = read_table(study.table_path)
    assert len(again) == len(before) == 3
    for row in again:
        assert row["metrics"] == before[row["label"]]["metrics"]


def test_an_ensemble_starts_from_nothing() -> None:
    with pytest.raises(ConfigurationError, match="starts from no earlier entry"):
        StudyEntry.from_mapping(
            {"recipe": "zdc_flow", "label": "two", "start": "one", "ensemble": {"members": 2}}, "test"
        )
