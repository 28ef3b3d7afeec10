"""Showers out to a file of the library showerdata: each hit cell as a point x, y, layer, energy."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from calokit.errors import DetectorError
from calokit.files import check_writable, write_hdf5
from calokit.progress import Progress, show_progress
from calokit.showers.files import ShowerFile
from calokit.showers.hits import find_hits
from calokit.showers.particle_names import PDG_NUMBERS
from calokit.units import MEV_PER_GEV

SHOWERDATA_VERSION = "0.7.0"
"""The release of showerdata whose form is written."""


def write_showerdata(
    view: ShowerFile, target: Path, threshold_mev: float = 0.0, progress: Progress = show_progress
) -> int:
    """Write showers as showerdata reads them: points in mm, layer and GeV, energies in GeV.

    Impacts are not part of that form; PDG numbers are those of the showers, else that of the file's particle,
    else 0.

    Args:
        view: The showers.
        target: The file; it appears only when complete.
        threshold_mev: Cells at or below it become no point.
        progress: Shows how far it is.

    Returns:
        Number of points.

    Raises:
        DetectorError: The places of the detector's cells are not known.
        OutputError: The file cannot be written there.
    """
    cells = view.detector.cells
    if not (np.isfinite(cells.x).all() and np.isfinite(cells.y).all()):
        raise DetectorError(f"detector {view.detector.name!r} does not say where its cells are.")
    check_writable(target, view.path)
    total = len(view)
    number = PDG_NUMBERS.get(view.particle, 0)
    places = np.column_stack([cells.x, cells.y, cells.layer]).astype(np.float32)
    points = most = done = 0
    with (
        write_hdf5(target) as (file, raise_error),
        progress(total, f"writing {target.name}", "showers") as advance,
    ):
        lists = file.create_dataset("showers", (total,), h5py.vlen_dtype(np.float32))
        columns = {
            "energies": file.create_dataset("energies", (total, 1), "f4"),
            "directions": file.create_dataset("directions", (total, 3), "f4"),
            "pdg": file.create_dataset("pdg", (total,), "i4"),
            "num_points": file.create_dataset("num_points", (total,), "i4"),
        }
        for showers in view.chunks():
            hits = find_hits(showers, threshold_mev)
            energies = (hits.energy / MEV_PER_GEV).astype(np.float32)
            flat = np.column_stack([places[hits.cell], energies])
            counts = np.bincount(hits.event, minlength=len(showers))
            for place, one in enumerate(np.split(flat, np.cumsum(counts)[:-1])):
                lists[done + place] = one.reshape(-1)
            part = slice(done, done + len(showers))
            columns["energies"][part] = showers.incident_energies[:, None] / np.float32(MEV_PER_GEV)
            straight = np.tile(np.array([0, 0, 1], np.float32), (len(showers), 1))
            columns["directions"][part] = straight if showers.directions is None else showers.directions
            columns["pdg"][part] = number if showers.pdg is None else showers.pdg
            columns["num_points"][part] = counts
            done += len(showers)
            points += len(flat)
            most = max(most, int(counts.max(initial=0)))
            raise_error()
            advance(len(showers))
        file["shower_ids"] = np.arange(total, dtype=np.int32)
        file["shape"] = np.array([total, most, 4], dtype=np.int64)
        file.attrs["showerdata_version"] = SHOWERDATA_VERSION
    return points
