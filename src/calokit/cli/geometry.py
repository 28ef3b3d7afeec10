"""`calokit geometry`: a detector as Geant4 builds it, checked for overlaps and written as GDML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calokit.cli.options import make_console


def geometry(
    detector: Annotated[str, typer.Argument(help="A detector's name or YAML file.")],
    gdml: Annotated[Path | None, typer.Option(help="Write the geometry to this GDML file.")] = None,
) -> None:
    """Build a detector in Geant4, look for overlaps, and write it as GDML."""
    from calokit.detector import load_detector
    from calokit.simulation.geometry import check_geometry

    checked = check_geometry(load_detector(detector), gdml)
    console = make_console()
    overlapping = ", ".join(checked.overlapping) or "none"
    console.print(f"{detector}: {checked.volumes} placed volumes, overlapping: {overlapping}")
    if gdml is not None:
        console.print(f"geometry: {gdml}")
    if checked.overlapping:
        raise typer.Exit(code=1)
