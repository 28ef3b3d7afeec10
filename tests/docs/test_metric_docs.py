"""docs/metrics.md tells the truth: its tables are those measured, and every metric tested is explained."""

from __future__ import annotations

import json
import re
import runpy
from importlib.util import find_spec
from pathlib import Path

import pytest
from page_tables import fill

HOME = Path(__file__).resolve().parents[2]
PAGE = HOME / "docs" / "metrics.md"
MEASURED = json.loads((HOME / "benchmarks" / "results" / "metric_agreement.json").read_text())["rows"]
EXPLANATIONS = PAGE.read_text().split("## What each was tested against")[0]


def test_tables_are_those_the_benchmarks_wrote() -> None:
    script = runpy.run_path(str(HOME / "docs" / "update_metrics.py"))
    page = PAGE.read_text()
    assert fill(page, script["TABLES"]) == page


@pytest.mark.parametrize("row", MEASURED, ids=lambda row: row["metric"])
def test_every_metric_that_was_tested_is_explained(row: dict[str, object]) -> None:
    name = str(row["metric"]).removesuffix(" (prdc)")
    titles = re.findall(r"^\| ([^|]+) \|", EXPLANATIONS, flags=re.MULTILINE)
    assert any(name in title for title in titles)


def test_modules_on_the_page_exist() -> None:
    modules = set(re.findall(r"; `([a-z_/]+)` \|", EXPLANATIONS))
    assert len(modules) > 15
    for module in modules:
        assert find_spec(f"calokit.evaluation.{module.replace('/', '.')}") is not None, module
