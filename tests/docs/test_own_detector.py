"""The page "Your own detector in an afternoon" works as it says, on a small size."""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from page_tables import fill

from benchmarks.systems import own_detector
from benchmarks.systems.own_detector import PAGE, commands_of
from calokit.showers import open_showers

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.filterwarnings("ignore::calokit.errors.ConditionWarning")
def test_the_page_works_up_to_the_judge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[..., Any]
) -> None:
    """All in one process, which loads torch once; `test_the_page_works` calls a process a command."""
    monkeypatch.setitem(own_detector.SMALL, "4000", "60")

    def call(words: list[str], folder: Path) -> int:
        assert folder == Path.cwd()
        ended = command(*words)
        assert ended.code == 0, ended.err
        return 0

    monkeypatch.setattr(own_detector, "call", call)
    kept = [words for words in commands_of(PAGE.read_text(), True, "parametric") if words[0] != "evaluate"]
    monkeypatch.setattr(own_detector, "commands_of", lambda *_: kept)
    rows = own_detector.run_page(tmp_path, small=True, backend="parametric")
    assert [row["command"].split()[0] for row in rows] == [
        "detectors", "simulate", "simulate", "inspect", "train", "generate",
    ]  # fmt: skip
    assert len(open_showers(tmp_path / "generated.h5")) == 60
    assert (tmp_path / "prototype.png").stat().st_size > 10_000


@pytest.mark.slow
def test_the_page_works(tmp_path: Path) -> None:
    own_detector.run_page(tmp_path, small=True, backend="parametric")
    found = own_detector.findings(tmp_path)
    assert found["showers"] == {"showers": 400, "test": 240}
    assert "classifier.auc_boosted" in found["areas"]  # type: ignore[operator]
    assert (tmp_path / "report" / "report.html").is_file()


def test_small_changes_every_size_that_takes_long() -> None:
    large, small = (commands_of(PAGE.read_text(), size, "geant4") for size in (False, True))
    sizes = [
        [float(word) for words in commands for word in words if re.fullmatch(r"[\d.]+", word)]
        for commands in (large, small)
    ]
    assert max(sizes[0]) == 10_000
    assert max(sizes[1]) <= 400


def test_what_the_run_found_stands_on_the_page() -> None:
    script = runpy.run_path(str(DOCS / "update_guide.py"))
    text = PAGE.read_text()
    if script["found"]() == script["NOT_YET"]:
        pytest.skip("the page's run is not recorded")
    assert fill(text, script["TABLES"]) == text
