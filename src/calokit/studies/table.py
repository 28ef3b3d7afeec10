"""The table of a study: one JSON line a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from calokit.config import digest_of
from calokit.errors import RunError
from calokit.files import write_text


def read_table(path: Path) -> list[dict[str, Any]]:
    """Read the rows of a table and check that each is as a run wrote it.

    Raises:
        RunError: A line is not a row, or was changed after it was written.
    """
    if not path.is_file():
        return []
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        try:
            row = json.loads(line)
            digest = row.pop("row_digest")
        except (json.JSONDecodeError, KeyError, AttributeError, TypeError):
            raise RunError(f"{path}, line {number}: not a row that a run wrote; remove the line.") from None
        if digest != digest_of(row):
            raise RunError(
                f"{path}, line {number}: the row {row.get('key')!r} is not as a run wrote it; "
                "remove the line and run the study again."
            )
        rows.append(row)
    return rows


def append_row(path: Path, row: dict[str, Any]) -> None:
    """Add a finished row; the table is replaced in one move."""
    before = path.read_text() if path.is_file() else ""
    write_text(path, before + json.dumps({**row, "row_digest": digest_of(row)}) + "\n")
