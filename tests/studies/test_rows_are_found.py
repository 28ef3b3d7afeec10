"""Rows of the studies in the repository are found under what their entries are called today."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from calokit.studies.description import StudyFile

STUDIES = Path(__file__).resolve().parents[2] / "studies"
STALE = {"zdc_small"}
"""Its recipes have changed since: its rows are shown, and would be run anew."""
TABLES = sorted(path for path in STUDIES.glob("*.jsonl") if path.stem not in STALE)


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.stem)
def test_a_study_does_not_run_again_what_its_table_holds(table: Path) -> None:
    runs = {run.key: run for run in StudyFile.read(table.with_suffix(".yaml")).runs()}
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    assert rows
    for row in rows:
        run = runs.pop(row["key"])
        assert (row["label"], row["seed"]) == (run.label, run.recipe.training.seed)
        assert row["recipe_digest"] == run.recipe.digest()
        assert row["start"] == (None if run.start is None else run.start.key)
