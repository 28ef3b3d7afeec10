"""What the scripts that write the tables of docs/ share: Markdown tables and their marks in a page."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from calokit.report.rounding import round_to_error
from calokit.studies.claims import decide_claims
from calokit.studies.description import StudyFile

Row = dict[str, Any]

RESULTS = Path(__file__).resolve().parent.parent / "benchmarks" / "results"
NOT_YET = "Not measured yet."
NOT_DECIDED = "Not decided before all seeds are there."
TREES, READ_OUT = "classifier.auc_boosted", "readout.auc_boosted"
NETWORKS = ("classifier.auc_low", "classifier.auc_high")
"""Measurements: the strong judge raw and behind a readout, and networks on cells and on observables."""


def result(name: str) -> dict[str, Any] | None:
    """Read what a benchmark wrote, if it did."""
    path = RESULTS / f"{name}.json"
    if not path.is_file():
        return None
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def plain(value: float, error: float) -> str:
    """Return a number with its error."""
    return round_to_error(value, error).plain()


def beside_floor(value: float, error: float, floor: float, floor_error: float) -> str:
    """Return a measurement with its error, its floor in brackets."""
    return f"{plain(value, error)} ({plain(floor, floor_error)})"


def processor_time(bundle: str) -> tuple[str, str]:
    """Return the processor milliseconds of a shower by a bundle, batch 10,000 on one core, and by Geant4.

    Empty where they were not measured.
    """
    record = result(f"generation_speed_{bundle}")
    if record is None:
        return "", ""
    geant4 = record["settings"]["geant4"]
    told = f"{geant4['processor_ms_per_shower']:.3g}" if geant4 else ""
    times = times_by_batch(bundle)
    return times[max(times)], told


def times_by_batch(bundle: str) -> dict[int, str]:
    """Return the processor milliseconds of a shower by a bundle on one core, by batch, if measured."""
    rows = (result(f"generation_speed_{bundle}") or {"rows": []})["rows"]
    own = [row for row in rows if (row["threads"], row["format"]) == (1, "float32")]
    times = {int(row["batch"]): float(row["processor ms/shower"]) for row in own}
    return {batch: f"{time:.2g}" if time < 100 else f"{time:.0f}" for batch, time in times.items()}


def mean_over_seeds(rows: Sequence[Row], metric: str, scale: float = 1.0, floor: bool = False) -> str:
    """Return the mean of a metric over a study's rows, or of its floor, times a scale; empty if in none.

    Its error is of the scatter of the rows or, where larger, of the rows' own errors.
    """
    found = [row["metrics"][metric] for row in rows if metric in row["metrics"]]
    if not found:
        return ""
    place = 2 if floor else 0
    values = [scale * one[place] for one in found]
    own = scale * math.sqrt(float(np.mean([one[place + 1] ** 2 for one in found])) / len(found))
    scatter = float(np.std(values, ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return plain(float(np.mean(values)), max(own, scatter))


def decided(file: StudyFile) -> str | None:
    """Return what became of a study's claims; None before all seeds of the entries of one are there."""
    decisions = decide_claims([file], all_seeds=True)
    if all(one.probability is None for one in decisions):
        return None
    table = [["claim", "metric", "the smaller", "the other", "σ", "chance", "here"]]
    for one in decisions:
        told = ["", "", "", "", one.verdict]
        if one.deviations is not None and one.probability is not None:
            values = [f"{np.mean(seeds):.3g}" for seeds in (one.better, one.worse)]
            told = [*values, f"{one.deviations:+.1f}", f"{one.probability:.1g}", one.verdict]
        table.append([one.claim.statement, f"`{one.claim.metric}`", *told])
    return markdown(table)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Lay out rows, the first of which holds the titles."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def fill(text: str, tables: Mapping[str, Callable[[], str]]) -> str:
    """Return a page with what stands between `<!-- NAME:begin -->` and `<!-- NAME:end -->` made anew."""
    for name, table in tables.items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        before, rest = text.split(begin)
        text = f"{before}{begin}\n{table()}\n{end}{rest.split(end)[1]}"
    return text
