"""Write the tables of docs/clic.md from what the benchmarks measured: `python docs/update_clic.py`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from page_tables import NOT_YET, fill, markdown, result

from calokit.report.rounding import round_to_error

PAGE = Path(__file__).resolve().parent / "clic.md"


def toy() -> str:
    """Return modes found and coverage against the number of members."""
    record = result("adagan_toy")
    if record is None:
        return NOT_YET
    facts = record["settings"]
    rules = list(dict.fromkeys(row["rule"] for row in record["rows"]))
    table = [["members", *(f"{kind}, {rule}" for rule in rules for kind in ("modes found", "coverage"))]]
    for members in dict.fromkeys(row["members"] for row in record["rows"]):
        own = {row["rule"]: row for row in record["rows"] if row["members"] == members}
        cells = [
            round_to_error(own[rule][kind], own[rule][f"{kind}, error"]).plain()
            for rule in rules
            for kind in ("modes found", "coverage")
        ]
        table.append([str(members), *cells])
    words = (
        f"Means over {facts['seeds']} sets of {facts['modes']} clusters, {facts['steps']:,} steps a member; "
        "as parts of all modes and of all data."
    )
    return f"{markdown(table)}\n\n{words}"


TABLES: dict[str, Callable[[], str]] = {"toy": toy}


if __name__ == "__main__":
    PAGE.write_text(fill(PAGE.read_text(), TABLES))
