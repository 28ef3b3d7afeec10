"""Studies: every run once, the table as runs wrote it, continued where it stopped."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml

import calokit.studies.study as study_module
from calokit.cli import main
from calokit.errors import CalokitError, ConfigurationError, RunError
from calokit.studies.description import StudyFile
from calokit.studies.study import run_study
from calokit.studies.table import append_row, read_table
from made_up_runs import TINY_MODELS, TINY_TRAINING, MakeFile


@pytest.fixture
def study_path(tmp_path: Path, shower_file: MakeFile) -> Path:
    shower_file(300, 1, "train.h5", split="train")
    shower_file(200, 2, "test.h5", split="test")
    content = {
        "name": "tiny",
        "title": "Two tiny recipes",
        "data": "train.h5",
        "test": "test.h5",
        "recipes": [
            {"recipe": name, "label": f"{name}-tiny", "set": changes} for name, changes in TINY_MODELS.items()
        ],
        "seeds": [1],
        "showers": [64, None],
        "set": [*TINY_TRAINING, "training.steps=3"],
        "test_showers": 120,
        "classifier_seeds": 1,
    }
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.filterwarnings("ignore::calokit.errors.ConditionWarning")
def test_study_is_continued_and_each_run_done_once(
    study_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = StudyFile.read(study_path)
    append = study_module.append_row
    written = []

    def append_twice_then_stop(path: Path, row: dict[str, object]) -> None:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(row["key"])
        append(path, row)

    monkeypatch.setattr(study_module, "append_row", append_twice_then_stop)
    with pytest.raises(KeyboardInterrupt):
        run_study(file, tmp_path / "runs")
    assert len(read_table(file.table_path)) == 2
    monkeypatch.setattr(study_module, "append_row", append)
    run_study(file, tmp_path / "runs")
    rows = read_table(file.table_path)
    assert [row["key"] for row in rows] == [run.key for run in file.runs()]
    assert [row["showers"] for row in rows] == [64, 64, 270, 270]
    for row in rows:
        assert row["steps"] == 3
        value, error, floor, _ = row["metrics"]["classifier.auc_low"]
        assert 0 < value < 1.01
        assert error > 0
        assert 0 < floor < 1.01
    before = file.table_path.read_bytes()
    run_study(file, tmp_path / "runs")
    assert file.table_path.read_bytes() == before


def test_a_row_that_no_run_made_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "table.jsonl"
    append_row(table, {"key": "honest", "metrics": {"classifier.auc_low": [0.6, 0.01, 0.5, 0.01]}})
    assert read_table(table)[0]["key"] == "honest"
    row = json.loads(table.read_text())
    row["metrics"]["classifier.auc_low"][0] = 0.5
    table.write_text(json.dumps(row) + "\n")
    with pytest.raises(RunError, match=r"line 1: the row 'honest' is not as a run wrote it"):
        read_table(table)
    table.write_text('{"key": "by hand"}\n')
    with pytest.raises(RunError, match="line 1: not a row that a run wrote"):
        read_table(table)


def test_table_is_printed_and_a_misspelt_metric_is_told(
    study_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"label": "flow", "seed": 1, "showers": 64, "steps": 3, "cpu_minutes": 0.1}
    row |= {"milliseconds_per_shower": 1.2, "metrics": {"mse.mean": [2.5e-4, 1e-5, 1e-4, 1e-5]}}
    append_row(StudyFile.read(study_path).table_path, {"key": "flow", **row})
    legs = [{"steps": 4100, "cpu_minutes": 7.3}, {"steps": 17, "cpu_minutes": 0.4}]
    append_row(StudyFile.read(study_path).table_path, {"key": "gan", **row, "label": "gan", "legs": legs})
    monkeypatch.setattr(
        sys, "argv", ["calokit", "study", str(study_path), "--table", "--metrics", "mse.mean"]
    )
    with pytest.raises(SystemExit) as stopped:
        main()
    assert not stopped.value.code
    printed = capsys.readouterr().out
    assert "flow" in printed
    assert "4117" in printed
    assert "7.7" in printed
    assert "2.5" in printed
    monkeypatch.setattr(
        sys, "argv", ["calokit", "study", str(study_path), "--table", "--metrics", "mse.maen"]
    )
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert "mse.mean" in capsys.readouterr().err


def test_unknown_key_and_missing_data(study_path: Path, tmp_path: Path) -> None:
    content = yaml.safe_load(study_path.read_text())
    study_path.write_text(yaml.safe_dump({**content, "seds": [1]}))
    with pytest.raises(ConfigurationError, match="seeds"):
        StudyFile.read(study_path)
    study_path.write_text(yaml.safe_dump({**content, "data": "absent.h5"}))
    with pytest.raises(CalokitError, match=r"absent\.h5"):
        run_study(StudyFile.read(study_path), tmp_path / "runs")


def test_another_recipe_or_other_data_get_folders_of_their_own(study_path: Path) -> None:
    """A bundle that another recipe left in the folder of the runs cannot come into a row."""
    before = next(StudyFile.read(study_path).runs())
    content = yaml.safe_load(study_path.read_text())
    study_path.write_text(yaml.safe_dump({**content, "set": [*TINY_TRAINING, "training.steps=4"]}))
    after = next(StudyFile.read(study_path).runs())
    assert before.folder_name("a") != after.folder_name("a")
    assert before.folder_name("a") != before.folder_name("b")
    assert before.folder_name("a") == before.folder_name("a")
