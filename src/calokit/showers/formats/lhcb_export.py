"""Showers out to the LHCb form: an npz file of energies, points, momenta and PDG numbers."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from calokit.detector.readout import CartesianReadout
from calokit.errors import DetectorError, ShowerFileError
from calokit.files import check_writable, write_whole
from calokit.progress import Progress, show_progress
from calokit.showers.batch import Showers
from calokit.showers.files import ShowerFile
from calokit.showers.formats.mapping.incidents import masses_mev
from calokit.showers.particle_names import PDG_NUMBERS
from calokit.units import MEV_PER_GEV, MM_PER_CM

_COLUMNS = ("ParticlePoint", "ParticleMomentum", "ParticlePDG")


def write_lhcb(view: ShowerFile, target: Path, progress: Progress = show_progress) -> None:
    """Write showers as the LHCb form has them, which `calokit convert` reads back.

    `EnergyDeposit` (event, x, y) in MeV; `ParticlePoint` (event, 3) in cm, on the front face, z from the
    middle of the calorimeter; `ParticleMomentum` (event, 3) in GeV; `ParticlePDG` (event,).

    Args:
        view: Showers in one layer of rows and columns, with impacts and directions.
        target: The file; it appears only when complete.
        progress: Shows how far it is.

    Raises:
        DetectorError: The detector has several layers or no rows and columns.
        ShowerFileError: The showers have no impacts or no directions.
        OutputError: The file cannot be written there.
    """
    shape = _image_shape(view)
    check_writable(target, view.path)
    total, number = len(view), PDG_NUMBERS.get(view.particle, 0)
    face_mm = -0.5 * float(np.nan_to_num(view.detector.sections[0].depth_mm))
    columns: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    with (
        write_whole(target) as partial,
        zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive,
        progress(total, f"writing {target.name}", "showers") as advance,
    ):
        with archive.open("EnergyDeposit.npy", "w", force_zip64=True) as entry:
            header = {"descr": "<f4", "fortran_order": False, "shape": (total, *shape)}
            np.lib.format.write_array_header_1_0(entry, header)
            for showers in view.chunks():
                entry.write(showers.energies.astype("<f4").tobytes())
                columns.append(_particles(showers, number, face_mm, view.path))
                advance(len(showers))
        for name, parts in zip(_COLUMNS, zip(*columns, strict=True), strict=True):
            with archive.open(f"{name}.npy", "w") as entry:
                np.lib.format.write_array(entry, np.concatenate(parts))


def _image_shape(view: ShowerFile) -> tuple[int, int]:
    """Return rows and columns of the only layer."""
    detector = view.detector
    readouts = [section.readout for section in detector.sections]
    if len(readouts) > 1 or detector.number_of_layers > 1 or not isinstance(readouts[0], CartesianReadout):
        raise DetectorError(
            f"detector {detector.name!r}: the LHCb form holds one layer of rows and columns, nothing else."
        )
    return readouts[0].layer_shape


def _particles(
    showers: Showers, number: int, face_mm: float, path: Path
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return points in cm, momenta in GeV and PDG numbers of the incident particles."""
    if showers.positions is None or showers.directions is None:
        missing = "impacts" if showers.positions is None else "directions"
        raise ShowerFileError(f"{path}: the LHCb form needs {missing}, and these showers have none.")
    pdg = np.full(len(showers), number, np.int32) if showers.pdg is None else showers.pdg
    kinetic = showers.incident_energies.astype(np.float64)
    momentum = np.sqrt(kinetic * (kinetic + 2.0 * masses_mev(pdg)))
    face = np.full(len(showers), face_mm)
    points = np.column_stack([showers.positions, face]) / MM_PER_CM
    momenta = showers.directions.astype(np.float64) * momentum[:, None] / MEV_PER_GEV
    return points, momenta, pdg
