"""What every benchmark notes beside its numbers: the machine, its load, the versions, the date."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from calokit.processors import usable_processors

REPOSITORY = Path(__file__).resolve().parent.parent
RESULTS = REPOSITORY / "benchmarks" / "results"

Row = dict[str, Any]


def default_showers(ending: str = "") -> Path:
    """Return the first shower file of the repository's `samples/` whose name ends so.

    Raises:
        SystemExit: There is none.
    """
    found = sorted((REPOSITORY / "samples").glob(f"*{ending}.h5"))
    if not found:
        raise SystemExit("samples/ holds no showers; name a file with --data.")
    return found[0]


def describe_circumstances(threads: int) -> dict[str, Any]:
    """Return machine, load, threads, versions and date, as plain data."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": _processor_name(),
        "cores": os.cpu_count(),
        "cores_allowed": usable_processors(),
        "threads": threads,
        "load_average_one_minute": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        **{name: _version(name) for name in ("calokit", "torch", "numpy", "numba", "h5py", "geant4-pybind")},
    }


def write_record(name: str, rows: Sequence[Row], circumstances: dict[str, Any], **settings: object) -> Path:
    """Write the rows of a benchmark to benchmarks/results/NAME.json and return the path."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    content = {"benchmark": name, **circumstances, "settings": settings, "rows": list(rows)}
    path.write_text(json.dumps(content, indent=1, default=str) + "\n")
    return path


def recorded_rows(name: str) -> list[Row]:
    """Return the rows that benchmarks/results/NAME.json holds; none where there is no such file."""
    path = RESULTS / f"{name}.json"
    rows: list[Row] = json.loads(path.read_text())["rows"] if path.is_file() else []
    return rows


def keep_row(name: str, title: str, row: Row) -> None:
    """Print and record a new row of one bundle, taken on one thread, among the rows of the others."""
    circumstances = describe_circumstances(1)
    rows = [one for one in recorded_rows(name) if one["bundle"] != row["bundle"]] + [row]
    print_rows(title, rows, circumstances)
    write_record(name, rows, circumstances)


def print_rows(title: str, rows: Sequence[Row], circumstances: dict[str, Any]) -> None:
    """Print rows of equal keys as one table, with the circumstances below it."""
    table = Table(title=title, title_justify="left")
    for key in rows[0]:
        table.add_column(key, justify="left" if isinstance(rows[0][key], str) else "right")
    for row in rows:
        table.add_row(*[_text(value) for value in row.values()])
    console = Console(width=None if Console().is_terminal else 170)
    console.print(table)
    told = [
        f"{circumstances['processor']}, {circumstances['cores']} cores, {circumstances['threads']} thread(s)",
        f"load {circumstances['load_average_one_minute']} before the start",
        *[f"{name} {circumstances[name]}" for name in ("calokit", "torch")],
        circumstances["date"],
    ]
    console.print(", ".join(told), highlight=False, soft_wrap=True)


def _text(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()
