"""What the scripts that write the tables of docs/ share: Markdown tables and their marks in a page."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent.parent / "benchmarks" / "results"
NOT_YET = "Not measured yet."


def result(name: str) -> dict[str, Any] | None:
    """Read what a benchmark wrote, if it did."""
    path = RESULTS / f"{name}.json"
    if not path.is_file():
        return None
    content: dict[str, Any] = json.loads(path.read_text())
    return content


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
