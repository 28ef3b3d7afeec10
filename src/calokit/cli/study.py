"""`calokit study`: recipes x seeds x data sizes, resumable, one table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from calokit.cli.options import Threads, make_console, use_threads

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


def study(
    file: Annotated[Path, typer.Argument(help="The study, a YAML file; its table stands beside it.")],
    table: Annotated[bool, typer.Option("--table", help="Print the finished rows and stop.")] = False,
    metrics: Annotated[
        str | None, typer.Option(help="Metrics to print, with commas; each beside its floor.")
    ] = None,
    runs: Annotated[
        Path | None, typer.Option(help="Folder of the runs (default: .cache/studies/NAME beside the study).")
    ] = None,
    sets: Annotated[
        Path | None, typer.Option(help="Folder of the shower files, if not relative to the study.")
    ] = None,
    background: Annotated[
        bool, typer.Option("--background", help="Go on after this terminal closes; writes study.log.")
    ] = False,
    threads: Threads = 1,
) -> None:
    """Do every run of a study that is not done yet, or print its table."""
    from calokit.studies.description import StudyFile
    from calokit.studies.study import run_study
    from calokit.studies.table import read_table

    described = StudyFile.read(file, sets)
    if table:
        make_console().print(_tabulate(read_table(described.table_path), metrics))
        return
    folder = runs or file.parent / ".cache" / "studies" / described.study.name
    folder.mkdir(parents=True, exist_ok=True)
    if background:
        command = [sys.executable, "-m", "calokit.cli", "study", str(file), "--threads", str(threads)]
        command += [] if sets is None else ["--sets", str(sets)]
        with (folder / "study.log").open("a") as log:
            process = subprocess.Popen(
                [*command, "--runs", str(folder)], stdout=log, stderr=log, start_new_session=True
            )
        make_console().print(f"process {process.pid} works on it; log: {folder / 'study.log'}")
        return
    use_threads(threads)
    run_study(described, folder)
    make_console().print(_tabulate(read_table(described.table_path), metrics))


def _tabulate(rows: list[dict[str, Any]], wanted: str | None) -> Table:
    """Print rows with the wanted metrics, or with the usual ones that they have."""
    from calokit.errors import CalokitError, suggest_near_miss

    known = {name for row in rows for name in row["metrics"]}
    metrics = [name for name in SHOWN if name in known] if wanted is None else wanted.split(",")
    for name in metrics:
        if rows and name not in known:
            raise CalokitError(f"no metric {name!r} in the table. {suggest_near_miss(name, known)}")
    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    shown.add_column("label", overflow="fold", min_width=12)
    for column in ("seed", "showers", "steps", "CPU\nmin", "ms a\nshower"):
        shown.add_column(column, justify="right", no_wrap=True)
    for name in metrics:
        shown.add_column(name.replace(".", "\n").replace("_", "\n"), justify="right", no_wrap=True)
    for row in rows:
        cells = [_with_floor(row["metrics"][name]) if name in row["metrics"] else "-" for name in metrics]
        shown.add_row(
            row["label"],
            str(row["seed"]),
            str(row["showers"]),
            str(row["steps"]),
            f"{row['cpu_minutes']:.1f}",
            f"{row['milliseconds_per_shower']:.2f}",
            *cells,
        )
    shown.caption = "dim: the floor, truth against truth; of a reconstruction, the best classical method"
    return shown


def _with_floor(measured: list[float]) -> str:
    """Write value and error, and below them the floor."""
    from calokit.report.rounding import round_to_error

    value, error, floor, floor_error = measured
    return f"{round_to_error(value, error).plain()}\n[dim]{round_to_error(floor, floor_error).plain()}[/]"
