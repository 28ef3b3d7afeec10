"""The CLIC (LCD) form: HDF5 with `ECAL`, perhaps `HCAL`, and `target` or `energy` and `theta`."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from calokit.detector import Detector, load_detector
from calokit.errors import DetectorError, ShowerFileError
from calokit.showers.formats.containers.contents import Container, Contents
from calokit.showers.formats.pieces import Piece, event_ranges, make_piece, require_same_rows
from calokit.showers.formats.source import UNITS, Choices, ForeignShowers, Format
from calokit.showers.hdf5 import open_hdf5, require_dataset, require_shape
from calokit.showers.incidents import Incidents

HCAL_PITCH_MM = 30.0
"""Cells of the HCAL of the CLIC detector."""

ANGLE_UNIT_MEV = 20.0
"""What a file with angles means by 1 in a cell: 1/50 GeV, which gives the sampling fraction of about 2 %."""

Shape = tuple[int, int, int]


def recognises(contents: Contents) -> bool:
    """Tell whether a file has the datasets of this form."""
    names = set(contents.shapes)
    return contents.container is Container.HDF5 and "ECAL" in names and bool(names & {"target", "energy"})


def open_file(contents: Contents, choices: Choices) -> ForeignShowers:
    """Open a file.

    The axes of the file are x, y and depth: row, column and layer. `theta` is the angle from the axis y.

    Raises:
        ShowerFileError: A dataset is missing or of the wrong shape.
        DetectorError: The named detector has other cells.
    """
    path = contents.path
    with open_hdf5(path) as file:
        sections = [name for name in ("ECAL", "HCAL") if name in file]
        sections = sections if "ECAL" in sections else ["ECAL", *sections]
        datasets = {name: require_dataset(file, path, name) for name in sections}
        for dataset in datasets.values():
            trailing = (1,) if dataset.ndim == 5 else ()
            require_shape(dataset, path, (None, None, None, None, *trailing))
        rows = {name: int(dataset.shape[0]) for name, dataset in datasets.items()}
        rows |= _check_incidents(file, contents)
        total = require_same_rows(path, rows)
        shapes = [_layer_first(dataset.shape) for dataset in datasets.values()]
        angles = "theta" in file
    detector = _choose_detector(contents, choices, shapes)
    own = ANGLE_UNIT_MEV if angles and choices.cell_unit is None else None
    unit = choices.cell_factor("GeV") if own is None else own
    energy_unit = choices.energy_factor("GeV")

    def pieces() -> Generator[Piece, None, None]:
        with open_hdf5(path) as file:
            for start, stop in event_ranges(total, detector):
                blocks = [_read_cells(file[name], start, stop) for name in sections]
                cells = np.concatenate(blocks, axis=1) * unit
                yield make_piece(detector, cells, _read_incidents(file, start, stop, energy_unit))

    assumed = ["Axes of the file are x (row), y (column) and depth (layer)."]
    assumed.append(f"1 in a cell is {unit:g} MeV" + (" (files with theta)." if own else "."))
    if angles:
        assumed.append("theta is the angle from the axis y, in the plane of y and depth (no part along x).")
    if len(sections) > 1 and choices.detector is None:
        assumed.append(f"HCAL cells of {HCAL_PITCH_MM:g} mm; the depth of its layers is not known.")
    conversion = f"cells times {unit:g} MeV, axes (x, y, depth) to (layer, row, column)"
    return ForeignShowers("clic", path, detector, total, conversion, pieces, tuple(assumed))


def _layer_first(shape: tuple[int, ...]) -> Shape:
    """Return layers, rows and columns of a dataset (event, row, column, layer)."""
    return int(shape[3]), int(shape[1]), int(shape[2])


def _check_incidents(file: h5py.File, contents: Contents) -> dict[str, int]:
    """Check the datasets of the incident particles and return how many events each has."""
    path = contents.path
    if "energy" not in file and "target" not in file:
        raise ShowerFileError(f"{path}: neither dataset 'target' nor 'energy' with the incident energies.")
    names = ["energy" if "energy" in file else "target", *(["theta"] if "theta" in file else [])]
    for name in names:
        dataset = require_dataset(file, path, name)
        if name == "target":
            middle = (1,) if dataset.ndim == 3 else ()
            require_shape(dataset, path, (None, *middle, None))
            if dataset.shape[-1] < 2:
                raise ShowerFileError(
                    f"{path}: dataset 'target' has shape {dataset.shape}; its second column must be the "
                    "incident energy in GeV."
                )
        elif dataset.ndim == 0 or dataset.size != dataset.shape[0]:
            require_shape(dataset, path, (None,))
    return {name: int(file[name].shape[0]) for name in names}


def _read_cells(dataset: h5py.Dataset, start: int, stop: int) -> NDArray[np.float64]:
    """Return cells (event, cell) in calokit's order."""
    read = np.asarray(dataset[start:stop], dtype=np.float64).reshape(stop - start, *dataset.shape[1:4])
    return read.transpose(0, 3, 1, 2).reshape(stop - start, -1)


def _read_incidents(file: h5py.File, start: int, stop: int, energy_unit: float) -> Incidents:
    """Return the incident particles of some events."""
    count = stop - start
    if "energy" in file:
        energies: NDArray[Any] = np.asarray(file["energy"][start:stop], dtype=np.float64).reshape(count)
    else:
        energies = np.asarray(file["target"][start:stop], dtype=np.float64).reshape(count, -1)[:, 1]
    directions = None
    if "theta" in file:
        theta = np.asarray(file["theta"][start:stop], dtype=np.float64).reshape(count)
        directions = np.stack([np.zeros(count), np.cos(theta), np.sin(theta)], axis=1)
    return Incidents.of(energies * energy_unit, directions=directions)


def _choose_detector(contents: Contents, choices: Choices, shapes: list[Shape]) -> Detector:
    """Return the named detector, or the CLIC ECAL with the rows and columns of the file."""
    if choices.detector is not None:
        own = [section.shape for section in choices.detector.sections]
        if own != list(shapes):
            raise DetectorError(
                f"{contents.path}: layers, rows and columns are {shapes}, but detector "
                f"{choices.detector.name!r} has {own}."
            )
        return choices.detector
    preset = load_detector("clic_ecal")
    layers, rows, columns = shapes[0]
    if layers != preset.number_of_layers:
        raise DetectorError(
            f"{contents.path}: {layers} layers, where the CLIC ECAL has {preset.number_of_layers}; "
            "name the detector with --detector."
        )
    if shapes == [preset.shape]:
        return preset
    description = preset.to_mapping()
    description["sections"][0]["readout"] |= {"rows": rows, "columns": columns}
    description["name"] = f"clic_ecal_{rows}x{columns}"
    description["title"] += f", {rows} x {columns} cells a layer"
    if len(shapes) > 1:
        layers, rows, columns = shapes[1]
        readout = {"kind": "cartesian", "rows": rows, "columns": columns}
        readout |= {"row_pitch_mm": HCAL_PITCH_MM, "column_pitch_mm": HCAL_PITCH_MM}
        description["sections"].append({"name": "HCAL", "readout": readout, "layers": layers})
        description["name"] += f"_hcal_{rows}x{columns}"
        description["title"] += f", HCAL of {layers} layers"
    return Detector.from_mapping(description, str(contents.path))


FORMAT = Format(
    "clic", "CLIC (LCD) HDF5: ECAL, HCAL, target or energy and theta", recognises, open_file, UNITS
)
