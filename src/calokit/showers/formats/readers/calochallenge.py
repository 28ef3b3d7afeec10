"""The HDF5 form of the CaloChallenge: `incident_energies` and `showers` in MeV, cells flat.

Impacts (mm), directions and PDG numbers are taken over where a file has them by the names of the native form.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from calokit.detector import Detector, load_detector
from calokit.errors import DetectorError, ShowerFileError
from calokit.showers.file_detector import DETECTORS_BY_CELLS
from calokit.showers.formats.containers.contents import Container, Contents
from calokit.showers.formats.pieces import Piece, event_ranges, make_piece, require_same_rows
from calokit.showers.formats.source import UNITS, Choices, ForeignShowers, Format
from calokit.showers.hdf5 import open_hdf5, require_dataset, require_shape
from calokit.showers.incidents import INCIDENT_COLUMNS, Incidents


def recognises(contents: Contents) -> bool:
    """Tell whether a file has the datasets of this form."""
    return contents.container is Container.HDF5 and {"showers", "incident_energies"} <= set(contents.shapes)


def open_file(contents: Contents, choices: Choices) -> ForeignShowers:
    """Open a file.

    Raises:
        ShowerFileError: A dataset is missing or of the wrong shape, or the file is a native one.
        DetectorError: The number of cells fits no data set of the challenge, or not the named detector.
    """
    path = contents.path
    with open_hdf5(path) as file:
        if "detector_description" in file.attrs or "format_version" in file.attrs:
            raise ShowerFileError(f"{path}: already a native shower file; there is nothing to convert.")
        showers = require_dataset(file, path, "showers")
        energies = require_dataset(file, path, "incident_energies")
        require_shape(showers, path, (None, None))
        if energies.ndim == 0 or energies.size != energies.shape[0]:
            require_shape(energies, path, (showers.shape[0], 1))
        total = require_same_rows(path, {"showers": showers.shape[0], "incident_energies": energies.shape[0]})
        cells = int(showers.shape[1])
        columns = [column for column in INCIDENT_COLUMNS[1:] if column.dataset in file]
        for column in columns:
            column.check_stored(require_dataset(file, path, column.dataset).shape, total, path)
    detector = _choose_detector(contents, choices, cells)
    unit, energy_unit = choices.cell_factor("MeV"), choices.energy_factor("MeV")

    def pieces() -> Generator[Piece, None, None]:
        with open_hdf5(path) as file:
            for start, stop in event_ranges(total, detector):
                incident = file["incident_energies"][start:stop].reshape(stop - start) * energy_unit
                known = {column.name: file[column.dataset][start:stop] for column in columns}
                energies = np.asarray(file["showers"][start:stop])
                energies = energies if unit == 1.0 else energies * unit
                yield make_piece(detector, energies, Incidents.of(incident, **known))

    taken = "".join(f", {column.dataset} as they are" for column in columns)
    conversion = (
        f"cells times {unit:g} MeV, incident energies times {energy_unit:g} MeV{taken}; order as it is"
    )
    assumed = () if choices.detector else (f"{cells} cells mean detector {detector.name}.",)
    return ForeignShowers("calochallenge", path, detector, total, conversion, pieces, assumed)


def _choose_detector(contents: Contents, choices: Choices, cells: int) -> Detector:
    """Return the detector that is named or has that many cells."""
    if choices.detector is None:
        if cells not in DETECTORS_BY_CELLS:
            known = ", ".join(f"{count} {name}" for count, name in DETECTORS_BY_CELLS.items())
            raise DetectorError(
                f"{contents.path}: {cells} cells are those of no data set of the CaloChallenge ({known}); "
                "name the detector with --detector."
            )
        return load_detector(DETECTORS_BY_CELLS[cells])
    if choices.detector.number_of_cells != cells:
        raise DetectorError(
            f"{contents.path}: showers of {cells} cells, but detector {choices.detector.name!r} has "
            f"{choices.detector.number_of_cells}."
        )
    return choices.detector


FORMAT = Format(
    "calochallenge",
    "CaloChallenge HDF5: showers and incident_energies in MeV",
    recognises,
    open_file,
    UNITS,
)
