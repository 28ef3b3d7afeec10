"""Point clouds in HDF5: `events` (event, point, 4) with x, layer, y and energy; `energy` of the particle."""

from __future__ import annotations

from collections.abc import Generator

import h5py
import numpy as np

from calokit.detector import Detector
from calokit.detector.locate import locate_cells
from calokit.errors import ShowerFileError
from calokit.showers.formats.containers.contents import Container, Contents
from calokit.showers.formats.mapping.deposits import sum_deposits
from calokit.showers.formats.pieces import Piece, events_at_a_time, make_piece, require_same_rows
from calokit.showers.formats.source import UNITS, Choices, ForeignShowers, Format
from calokit.showers.hdf5 import open_hdf5, require_dataset, require_shape
from calokit.showers.incidents import Incidents

MOST_POINTS = 2**20
"""Most points read at a time."""


def recognises(contents: Contents) -> bool:
    """Tell whether a file has the datasets of this form."""
    shape = contents.shapes.get("events", ())
    return (
        contents.container is Container.HDF5
        and "energy" in contents.shapes
        and len(shape) == 3
        and 4 in shape[1:]
    )


def open_file(contents: Contents, choices: Choices) -> ForeignShowers:
    """Open a file.

    Of a point, x (mm) gives the row, the whole part of the second number is the layer, the third (mm) gives
    the column, the fourth is the energy (GeV). Points without energy are padding.

    Raises:
        ShowerFileError: A dataset is missing or of the wrong shape.
        DetectorError: No detector is named.
    """
    path = contents.path
    detector = choices.choose_detector(None, f"{path}: a point cloud does not describe a grid of cells")
    with open_hdf5(path) as file:
        events, energy = require_dataset(file, path, "events"), require_dataset(file, path, "energy")
        if tuple(events.shape[2:]) != (4,):
            require_shape(events, path, (None, None, 4))
        if energy.ndim == 0 or energy.size != energy.shape[0]:
            require_shape(energy, path, (events.shape[0], 1))
        total = require_same_rows(path, {"events": int(events.shape[0]), "energy": int(energy.shape[0])})
        points = max(int(events.shape[1]), 1)
    units = choices.cell_factor("GeV"), choices.energy_factor("GeV")
    size = max(1, min(events_at_a_time(detector), MOST_POINTS // points))

    def pieces() -> Generator[Piece, None, None]:
        with open_hdf5(path) as file:
            for start in range(0, total, size):
                yield _read_piece(file, contents, detector, (start, min(start + size, total)), units)

    conversion = f"points times {units[0]:g} MeV, put onto the cells"
    assumed = (
        "A point is x (mm; the row), layer (whole part, from 0), y (mm; the column) and energy.",
        "x and y are measured from the detector's axis; impact and direction are not taken from the file.",
    )
    return ForeignShowers("point_clouds", path, detector, total, conversion, pieces, assumed)


def _read_piece(
    file: h5py.File,
    contents: Contents,
    detector: Detector,
    events_range: tuple[int, int],
    units: tuple[float, float],
) -> Piece:
    """Return the showers of some events; the units are those of points and of incident energies."""
    start, stop = events_range
    where = f"{contents.path}, events {start} to {stop - 1}"
    cloud = np.asarray(file["events"][start:stop], dtype=np.float64)
    events, point = np.nonzero(cloud[:, :, 3])
    x, layer, y, energies = cloud[events, point].T
    if not np.isfinite(cloud).all():
        bad = int(np.flatnonzero(~np.isfinite(cloud).all(axis=(1, 2)))[0])
        raise ShowerFileError(f"{where}: a point of event {bad} of these is not finite.")
    number = np.clip(np.floor(layer), -1, detector.number_of_layers).astype(np.int64)
    cells, total = sum_deposits(
        events,
        locate_cells(detector, number, x, y),
        energies * units[0],
        (stop - start, detector.number_of_cells),
        where,
    )
    incident = np.asarray(file["energy"][start:stop], dtype=np.float64).reshape(stop - start)
    return make_piece(detector, cells, Incidents.of(incident * units[1]), total)


FORMAT = Format(
    "point_clouds",
    "Point clouds in HDF5: events (event, point, x layer y energy) and energy in GeV",
    recognises,
    open_file,
    UNITS,
)
