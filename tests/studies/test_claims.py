"""Claims of studies: which rows count, how they are decided together, and what is told of a wrong one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from calokit.errors import ConfigurationError
from calokit.studies.claims import decide_claims, read_entries
from calokit.studies.description import Claim, StudyFile
from calokit.studies.table import append_row

SEEDS = (1, 2, 3)


def claim(better: str, worse: str, metric: str = "mse.mean", **more: Any) -> dict[str, Any]:
    return {
        "statement": f"{better} beats {worse}",
        "better": better,
        "worse": worse,
        "metric": metric,
        **more,
    }


def write_study(
    folder: Path, name: str, values: dict[str, list[float]], claims: list[dict[str, Any]], **more: Any
) -> StudyFile:
    """Write a study whose entries have the given squared errors, a value a seed."""
    entries = [{"recipe": "zdc_regression", "label": label} for label in values]
    content = {"name": name, "title": name, "data": "a.h5", "test": "b.h5", "recipes": entries}
    content |= {"seeds": list(SEEDS), "claims": claims, **more}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content))
    file = StudyFile.read(path)
    for label, found in values.items():
        for seed, value in enumerate(found, start=1):
            row = {"label": label, "seed": seed, "showers": 100, "metrics": {"mse.mean": [value, 0, 0, 0]}}
            append_row(file.table_path, {**row, "curves": {"mse": {"value": [value, 10.0 / value]}}})
    return file


VALUES = {"low": [1.0, 1.1, 0.9], "high": [2.0, 2.2, 1.9], "same": [1.02, 1.1, 0.95]}


def test_claims_hold_fall_or_stay_open(tmp_path: Path) -> None:
    claims = [claim("low", "high"), claim("high", "low"), claim("low", "same"), claim("low", "later")]
    file = write_study(tmp_path, "a", {**VALUES, "later": []}, claims)
    found = decide_claims([file])
    assert [one.verdict for one in found] == ["holds", "falls", "undecided", "not run"]
    assert found[0].better == VALUES["low"]
    assert found[0].deviations == pytest.approx(-found[1].deviations)
    assert found[3].probability is None


def test_claims_can_wait_for_all_seeds(tmp_path: Path) -> None:
    file = write_study(
        tmp_path, "a", {**VALUES, "few": [3.0, 3.1]}, [claim("low", "few"), claim("low", "high")]
    )
    assert [one.verdict for one in decide_claims([file])] == ["holds", "holds"]
    waiting, decided = decide_claims([file], all_seeds=True)
    assert (waiting.verdict, waiting.worse) == ("not run", [3.0, 3.1])
    assert decided.verdict == "holds"


def test_what_is_not_decided_counts_in_the_correction(tmp_path: Path) -> None:
    values = {"low": [1.0, 1.1, 0.9], "other": [1.25, 1.2, 1.3], "later": []}
    alone = write_study(tmp_path, "alone", values, [claim("low", "other")])
    among = write_study(tmp_path, "among", values, [claim("low", "other"), *[claim("low", "later")] * 40])
    assert decide_claims([alone])[0].verdict == "holds"
    assert decide_claims([among])[0].verdict == "undecided"


def test_a_bin_of_a_curve_is_compared(tmp_path: Path) -> None:
    """The highest bin of these rows runs the other way."""
    claims = [claim("low", "high", "mse", energy_bin=0), claim("low", "high", "mse", energy_bin=-1)]
    found = decide_claims([write_study(tmp_path, "a", VALUES, claims)])
    assert [one.verdict for one in found] == ["holds", "falls"]


def test_many_claims_need_more_than_one(tmp_path: Path) -> None:
    """A difference that is clear alone is not among a hundred that chance explains."""
    values = {"low": [1.0, 1.1, 0.9], "high": [1.25, 1.4, 1.15]}
    alone = write_study(tmp_path, "alone", values, [claim("low", "high")])
    assert decide_claims([alone])[0].verdict == "holds"
    many = write_study(tmp_path, "many", values, [claim("low", "high"), *[claim("low", "low")] * 99])
    assert {one.verdict for one in decide_claims([many])} == {"undecided"}


def test_seeds_that_the_study_does_not_name_do_not_count(tmp_path: Path) -> None:
    file = write_study(tmp_path, "a", {"low": [1.0, 1.1, 0.9, 7.0, 8.0]}, [])
    compared = Claim(statement="", better="low", worse="low", metric="mse.mean")
    assert read_entries([file])["low"].values(compared) == [1.0, 1.1, 0.9]


def test_a_claim_may_name_an_entry_of_another_study_and_of_one_size(tmp_path: Path) -> None:
    first = write_study(tmp_path, "a", {"low": VALUES["low"]}, [], showers=[100, 50])
    second = write_study(tmp_path, "b", {"high": VALUES["high"]}, [claim("low, 100 showers", "high")])
    assert decide_claims([first, second])[0].verdict == "holds"
    with pytest.raises(ConfigurationError, match=r"names 'low, 100 showers', which no study has"):
        decide_claims([second])
