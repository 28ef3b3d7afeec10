"""Looking at a detector's geometry in Geant4 without simulating: overlaps, masses, GDML."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import geant4_pybind as g4

from calokit.detector import Detector
from calokit.engine.tasks import Result, Task, Worker
from calokit.simulation.geant4.geometry import DetectorGeometry

CHECK_POINTS = 1000
"""Points on the surface of each volume that are looked at for an overlap."""


def make_geometry_worker(settings: dict[str, Any]) -> Worker:
    """Build the geometry of a description in this process, to look at it."""
    return look_at_geometry(Detector.from_mapping(settings["detector"], "worker"))


def look_at_geometry(detector: Detector) -> Worker:
    """Build a detector in this process; each task writes it where it says and lists what overlaps."""
    with contextlib.redirect_stdout(io.StringIO()):
        geometry = DetectorGeometry(detector)
        world = geometry.Construct()

    def look(task: Task) -> Result:
        with contextlib.redirect_stdout(io.StringIO()):
            if "gdml" in task:
                parser = g4.G4GDMLParser()
                parser.SetOutputFileOverwrite(True)
                parser.Write(task["gdml"], world, False)
            overlapping = [
                str(placed.GetName())
                for placed in geometry.placements
                if placed.CheckOverlaps(CHECK_POINTS, 0.0, False)
            ]
        return {"volumes": len(geometry.placements), "overlapping": sorted(set(overlapping))}

    return look
