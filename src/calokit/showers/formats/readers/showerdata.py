"""Files of the library showerdata: `showers`, a list of points an event, and the incident particles."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import h5py
import numpy as np

from calokit.arrays import Float64
from calokit.detector import Detector
from calokit.detector.locate import locate_cells
from calokit.errors import ShowerFileError
from calokit.showers.formats.containers.contents import Container, Contents
from calokit.showers.formats.mapping.deposits import sum_deposits
from calokit.showers.formats.mapping.incidents import unit_vectors
from calokit.showers.formats.pieces import Piece, events_at_a_time, make_piece, require_same_rows
from calokit.showers.formats.source import UNITS, Choices, ForeignShowers, Format
from calokit.showers.hdf5 import open_hdf5, require_dataset, require_shape
from calokit.showers.incidents import Incidents

MOST_EVENTS = 1000
"""Most events read at a time: their points may need more memory than their cells."""


def recognises(contents: Contents) -> bool:
    """Tell whether a file has the datasets of this form."""
    needed = {"showers", "energies", "num_points", "shape"}
    return contents.container is Container.HDF5 and needed <= set(contents.shapes)


def open_file(contents: Contents, choices: Choices) -> ForeignShowers:
    """Open a file.

    Of a point, x (mm) gives the row, the whole part of the third number the layer, y (mm) the column; then
    energy (GeV), and perhaps a time, which is left aside. Directions point into the calorimeter along z.

    Raises:
        ShowerFileError: A dataset is missing or of the wrong shape.
        DetectorError: No detector is named.
    """
    path = contents.path
    detector = choices.choose_detector(None, f"{path}: a point cloud does not describe a grid of cells")
    with open_hdf5(path) as file:
        total, width = _check_datasets(file, path)
    units = choices.cell_factor("GeV"), choices.energy_factor("GeV")
    size = min(events_at_a_time(detector), MOST_EVENTS)

    def pieces() -> Generator[Piece, None, None]:
        with open_hdf5(path) as file:
            for start in range(0, total, size):
                stop = min(start + size, total)
                where = f"{path}, events {start} to {stop - 1}"
                lists = file["showers"][start:stop]
                events, points = _join_points(lists, width, where)
                cells, source = _place_points(detector, events, points, units[0], len(lists), where)
                yield make_piece(detector, cells, _read_incidents(file, start, stop, units[1], where), source)

    assumed = (
        "A point is x (mm; the row), y (mm; the column), layer (whole part, from 0), energy"
        + (" and time, which is left aside." if width == 5 else "."),
        "x and y are measured from the detector's axis; the impact is not in the file.",
    )
    conversion = f"points times {units[0]:g} MeV, put onto the cells"
    return ForeignShowers("showerdata", path, detector, total, conversion, pieces, assumed)


def _check_datasets(file: h5py.File, path: Path) -> tuple[int, int]:
    """Return how many events there are, and how many numbers a point has."""
    showers = file["showers"]
    if h5py.check_vlen_dtype(showers.dtype) is None or showers.ndim != 1:
        raise ShowerFileError(
            f"{path}: dataset 'showers' has shape {showers.shape} of {showers.dtype}, expected a list of "
            "numbers for each event."
        )
    shape = require_dataset(file, path, "shape")
    require_shape(shape, path, (3,))
    width = int(shape[2])
    if width not in (4, 5):
        raise ShowerFileError(f"{path}: a point has {width} numbers, expected 4 (x, y, layer, energy) or 5.")
    rows = {"showers": int(showers.shape[0])}
    for name, trailing in (("energies", (1,)), ("directions", (3,)), ("pdg", ())):
        if name in file:
            dataset = require_dataset(file, path, name)
            if dataset.shape != dataset.shape[:1] or trailing == (3,):
                require_shape(dataset, path, (None, *(trailing or (1,))))
            rows[name] = int(dataset.shape[0])
    return require_same_rows(path, rows), width


def _join_points(lists: object, width: int, where: str) -> tuple[np.ndarray, Float64]:
    """Return the event of each point, from 0, and its numbers (point, 4 or 5)."""
    arrays = [np.asarray(one, dtype=np.float64) for one in lists]  # type: ignore[attr-defined]
    bad = [number for number, one in enumerate(arrays) if one.size % width]
    if bad:
        raise ShowerFileError(
            f"{where}: event {bad[0]} of these has {arrays[bad[0]].size} numbers, no whole points of {width}."
        )
    counts = [one.size // width for one in arrays]
    points = np.concatenate([np.zeros(0), *arrays]).reshape(-1, width)
    events = np.repeat(np.arange(len(arrays), dtype=np.int64), counts)
    if not np.isfinite(points[:, :4]).all():
        place = int(events[~np.isfinite(points[:, :4]).all(axis=1)][0])
        raise ShowerFileError(f"{where}: a point of event {place} of these is not finite.")
    return events, points


def _place_points(
    detector: Detector, events: np.ndarray, points: Float64, unit: float, count: int, where: str
) -> tuple[np.ndarray, Float64]:
    """Return the cells (event, cell) in MeV and the energy of each event in the file, MeV."""
    # The library itself takes layers a little below a whole number for it.
    layer = np.clip(np.floor(points[:, 2] + 0.1), -1, detector.number_of_layers).astype(np.int64)
    cells = locate_cells(detector, layer, points[:, 0], points[:, 1])
    return sum_deposits(events, cells, points[:, 3] * unit, (count, detector.number_of_cells), where)


def _read_incidents(file: h5py.File, start: int, stop: int, unit: float, where: str) -> Incidents:
    """Return the incident particles of some events."""
    energies = np.asarray(file["energies"][start:stop], dtype=np.float64).reshape(stop - start) * unit
    directions = unit_vectors(file["directions"][start:stop], where) if "directions" in file else None
    pdg = np.asarray(file["pdg"][start:stop]).reshape(stop - start) if "pdg" in file else None
    return Incidents.of(energies, directions=directions, pdg=pdg)


FORMAT = Format(
    "showerdata",
    "showerdata HDF5: showers (lists of x, y, layer, energy), energies in GeV, pdg, directions",
    recognises,
    open_file,
    UNITS,
)
