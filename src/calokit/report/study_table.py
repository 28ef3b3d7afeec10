"""The rows of a study as a table in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from calokit.errors import CalokitError, suggest_near_miss
from calokit.report.plain_text import fit_encoding
from calokit.report.rounding import round_to_error

SHOWN = (
    "classifier.auc_low",
    "classifier.auc_high",
    "mse.mean",
    "energy.rms_ratio",
    "energy.largest_bias",
    "position.rms_ratio_x",
    "angle.rms_ratio_x",
    "particles.right_count",
    "particles.energy_over_root",
)
"""Metrics that are printed where the rows have them, unless others are asked for."""


def study_table(
    rows: Sequence[dict[str, Any]], metrics: Sequence[str] | None = None, encoding: str = "utf-8"
) -> Table:
    """Lay out the rows of a study, each metric above its floor; steps and time are those of all legs.

    Args:
        rows: As `calokit.studies.table.read_table` gives them.
        metrics: Which metrics; those of `SHOWN` that the rows have, where not given.
        encoding: Of the output; signs that it cannot write are replaced.

    Raises:
        CalokitError: No row has a metric of that name.
    """
    known = {name for row in rows for name in row["metrics"]}
    chosen = [name for name in SHOWN if name in known] if metrics is None else metrics
    for name in chosen:
        if rows and name not in known:
            raise CalokitError(f"no metric {name!r} in the table. {suggest_near_miss(name, known)}")
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("label", overflow="fold", min_width=12)
    for column in ("seed", "showers", "steps", "CPU\nmin", "ms a\nshower"):
        table.add_column(column, justify="right", no_wrap=True)
    for name in chosen:
        table.add_column(name.replace(".", "\n").replace("_", "\n"), justify="right", no_wrap=True)
    for row in rows:
        found = [row["metrics"].get(name) for name in chosen]
        table.add_row(
            row["label"],
            str(row["seed"]),
            str(row["showers"]),
            str(_in_all(row, "steps")),
            f"{_in_all(row, 'cpu_minutes'):.1f}",
            f"{row['milliseconds_per_shower']:.2f}",
            *("-" if one is None else _with_floor(one, encoding) for one in found),
        )
    table.caption = "dim: the floor, truth against truth; of a reconstruction, the best classical method"
    return table


def _in_all(row: dict[str, Any], name: str) -> Any:
    """Return a sum over the legs of a row's training, where it has more than its own."""
    return sum(leg[name] for leg in row.get("legs", [row]))


def _with_floor(measured: Sequence[float], encoding: str) -> Text:
    """Write value and error, and below them the floor."""
    value, error, floor, floor_error = measured
    words = [
        fit_encoding(round_to_error(*one).plain(), encoding) for one in ((value, error), (floor, floor_error))
    ]
    return Text.assemble(words[0], "\n", (words[1], "dim"))
