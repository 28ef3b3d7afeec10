"""Studies of ensembles: members are trained once for all their numbers, and judged by what they minimise."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from calokit.errors import ConfigurationError
from calokit.studies.description import StudyEntry, StudyFile
from calokit.studies.study import run_study
from calokit.studies.table import read_table
from made_up_runs import TINY_MODELS, TINY_TRAINING, MakeFile, silent

pytestmark = pytest.mark.filterwarnings("ignore::calokit.errors.ConditionWarning")


@pytest.fixture
def study(tmp_path: Path, shower_file: MakeFile) -> StudyFile:
    shower_file(200, 1, "train.h5", split="train")
    shower_file(120, 2, "test.h5", split="test")
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
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(content))
    return StudyFile.read(path)


def test_members_are_trained_once_and_every_number_is_judged(study: StudyFile, tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    run_study(study, folder, silent)
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


def test_rows_of_fewer_members_are_made_from_a_longer_ensemble(study: StudyFile, tmp_path: Path) -> None:
    run_study(study, tmp_path / "runs", silent)
    before = {row["label"]: row for row in read_table(study.table_path)}
    study.table_path.unlink()
    run_study(study, tmp_path / "runs", silent)
    for row in read_table(study.table_path):
        assert row["metrics"] == before[row["label"]]["metrics"]


def test_an_ensemble_starts_from_nothing() -> None:
    with pytest.raises(ConfigurationError, match="starts from no earlier entry"):
        StudyEntry.from_mapping(
            {"recipe": "zdc_flow", "label": "two", "start": "one", "ensemble": {"members": 2}}, "test"
        )
