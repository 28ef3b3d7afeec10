"""A detector's geometry as Geant4 builds it: checked for overlaps, and written as GDML."""

from __future__ import annotations

import importlib.util
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from calokit.detector import Detector
from calokit.engine.local import LocalExecutor
from calokit.engine.tasks import Task, Work
from calokit.errors import SimulationError
from calokit.files import check_writable, write_whole
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
        SimulationError: geant4-pybind is not installed.
        OutputError: The GDML file cannot be written.
        DetectorError: A section describes no material.
    """
    require_material(detector)
    if importlib.util.find_spec("geant4_pybind") is None:
        raise SimulationError("Geant4 is not installed; run pip install geant4-pybind==0.1.3.")
    settings = {"detector": detector.to_mapping()}
    no_question = {"GEANT4_DATA_DIR": str(Path.home())}  # without it, importing asks for a download
    work = Work("calokit.simulation.geant4.geometry_worker:make_geometry_worker", settings, no_question)
    if gdml is not None:
        check_writable(gdml)
    with nullcontext() if gdml is None else write_whole(gdml) as partial:
        task: Task = {} if partial is None else {"gdml": str(partial)}
        (result,) = LocalExecutor(1).run(work, [task])
    return GeometryCheck(int(result["volumes"]), tuple(result["overlapping"]))
