"""What the scripts that write the tables of docs/ share: Markdown tables and their marks in a page."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from calokit.report.rounding import round_to_error

RESULTS = Path(__file__).resolve().parent.parent / "benchmarks" / "results"
NOT_YET = "Not measured yet."
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
    own = [row for row in record["rows"] if (row["threads"], row["format"]) == (1, "float32")]
    largest = max(own, key=lambda row: int(row["batch"]))
    geant4 = record["settings"]["geant4"]
    told = f"{geant4['processor_ms_per_shower']:.3g}" if geant4 else ""
    return f"{largest['processor ms/shower']:.2g}", told


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
