"""Every shipped bundle carries what was measured of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from calokit.bundles.tensors import read_tensors

REPOSITORY = Path(__file__).parents[2]
ZOO = sorted((REPOSITORY / "zoo").glob("*.calokit"))


@pytest.mark.parametrize("path", ZOO, ids=lambda path: path.stem)
def test_a_shipped_bundle_carries_its_scorecard(path: Path) -> None:
    scorecard = read_tensors(path)[1]["scorecard"]
    measured = scorecard.get("measurements") or scorecard["metrics"]
    assert measured
    assert all(len(numbers) == 4 for numbers in measured.values())


def test_the_energy_bundle_carries_what_was_recorded_of_it() -> None:
    metrics = read_tensors(REPOSITORY / "zoo" / "luxe_energy.calokit")[1]["scorecard"]["metrics"]
    for record, suffix in (("fresh_test", ""), ("reference_b_test", "_on_b")):
        path = REPOSITORY / "benchmarks" / "results" / f"luxe_reconstruction_{record}.json"
        facts = json.loads(path.read_text())["settings"]
        assert metrics[f"energy.rms_ratio{suffix}"] == [*facts["rms_ratio"], *facts["best_classical"]]
        assert metrics[f"energy.coverage_683{suffix}"][:2] == facts["coverage"]["0.683"]
