"""The whole main job from showers to report, small."""

from __future__ import annotations

from pathlib import Path

import pytest

from calokit.cli.demo import demo
from calokit.evaluation import read_scorecard


@pytest.mark.slow
def test_demo_runs_and_judges_both_surrogates(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).resolve().parents[2])
    demo(output=tmp_path / "demo", minutes=0.1, seed=1, threads=1)
    printed = capsys.readouterr().out
    assert "classifier AUC" in printed
    page = tmp_path / "demo" / "report" / "report.html"
    assert page.stat().st_size > 100_000
    shipped = read_scorecard(tmp_path / "demo" / "report" / "scorecard_shipped.json")
    here = read_scorecard(tmp_path / "demo" / "report" / "scorecard_trained_here.json")
    for name in ("classifier.auc_low", "classifier.auc_high"):
        assert shipped.measurement(name).value < 0.6
        assert shipped.measurement(name).value < here.measurement(name).value
