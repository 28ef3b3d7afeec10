"""`calokit study`: recipes x seeds x data sizes, resumable, one table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from calokit.cli.options import DeviceName, Threads, make_console


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
    device_name: DeviceName = "auto",
) -> None:
    """Do every run of a study that is not done yet, or print its table."""
    from calokit.compute.device import Device
    from calokit.compute.threads import use_threads
    from calokit.files import check_writable, make_folder
    from calokit.report.study_table import study_table
    from calokit.studies.description import StudyFile
    from calokit.studies.study import run_study
    from calokit.studies.table import read_table

    described = StudyFile.read(file, sets)
    console = make_console()
    chosen = None if metrics is None else metrics.split(",")
    if table:
        console.print(study_table(read_table(described.table_path), chosen, console.encoding))
        return
    check_writable(described.table_path)
    folder = runs or file.parent / ".cache" / "studies" / described.study.name
    make_folder(folder)
    if background:
        command = [sys.executable, "-m", "calokit", "study", str(file), "--threads", str(threads)]
        command += ["--device", device_name]
        command += [] if sets is None else ["--sets", str(sets)]
        with (folder / "study.log").open("a") as log:
            process = subprocess.Popen(
                [*command, "--runs", str(folder)], stdout=log, stderr=log, start_new_session=True
            )
        console.print(f"process {process.pid} works on it; log: {folder / 'study.log'}")
        return
    use_threads(threads)
    run_study(described, folder, device=Device.of(device_name))
    console.print(study_table(read_table(described.table_path), chosen, console.encoding))
