"""A detector's geometry as Geant4 builds it: checked for overlaps, and written as GDML."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from calokit.detector import Detector
from calokit.engine.local import LocalExecutor
from calokit.engine.tasks import Task, Work
from calokit.errors import SimulationError
from calokit.simulation.backends import require_material


@dataclass(frozen=True)
class GeometryCheck:
    """What Geant4 says of a geometry.

    Attributes:
        volumes: Number of placed volumes (cells that divide a slab not counted).
        overlapping: Names of volumes that overlap others or stick out of their mother.
    """

    volumes: int
    overlapping: tuple[str, ...]


def check_geometry(detector: Detector, gdml: Path | None = None) -> GeometryCheck:
    """Build a detector in Geant4, in a process of its own, and look for overlaps; no data sets are needed.

    Args:
        detector: The detector.
        gdml: Where to write the geometry as GDML, if anywhere.

    Raises:
        SimulationError: geant4-pybind is not installed, or the folder of the GDML file is missing.
        DetectorError: A section describes no material.
    """
    require_material(detector)
    if importlib.util.find_spec("geant4_pybind") is None:
        raise SimulationError("Geant4 is not installed; run pip install 'calokit[geant4]'.")
    task: Task = {}
    partial = None if gdml is None else gdml.with_name(gdml.stem + ".partial.gdml")
    if gdml is not None and partial is not None:
        if not gdml.parent.is_dir():
            raise SimulationError(f"{gdml}: the folder {gdml.parent} does not exist.")
        task["gdml"] = str(partial)
    settings = {"detector": detector.to_mapping()}
    no_question = {"GEANT4_DATA_DIR": str(Path.home())}  # without it, importing asks for a download
    work = Work("calokit.simulation.geant4.geometry_worker:make_geometry_worker", settings, no_question)
    (result,) = LocalExecutor(1).run(work, [task])
    if gdml is not None and partial is not None:
        partial.replace(gdml)
    return GeometryCheck(int(result["volumes"]), tuple(result["overlapping"]))
