"""What the scripts that write the tables of docs/ share: Markdown tables and their marks in a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence


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
