"""The LHCb ECAL form: npz with `EnergyDeposit`, `ParticlePoint`, `ParticleMomentum` and `ParticlePDG`."""

from __future__ import annotations

import math
from collections.abc import Generator

import numpy as np

from calokit.errors import DetectorError, ShowerFileError
from calokit.showers.formats.containers.contents import Container, Contents
from calokit.showers.formats.containers.npz import NpzArrays, open_npz
from calokit.showers.formats.mapping.incidents import kinetic_energies, masses_mev, unit_vectors
from calokit.showers.formats.pieces import Piece, event_ranges, make_piece, require_same_rows
from calokit.showers.formats.source import Choices, ForeignShowers, Format
from calokit.showers.incidents import Incidents
from calokit.units import MEV_PER_GEV, MM_PER_CM

_COLUMNS = {"ParticlePoint": 3, "ParticleMomentum": 3, "ParticlePDG": 1}
_ENERGIES = "EnergyDeposit"


def recognises(contents: Contents) -> bool:
    """Tell whether a file has the arrays of this form."""
    return contents.container is Container.NPZ and {_ENERGIES, "ParticleMomentum"} <= set(contents.shapes)


def open_file(contents: Contents, choices: Choices) -> ForeignShowers:
    """Open a file.

    The first axis of an image is x (row), the second y (column).

    Raises:
        ShowerFileError: An array is missing or of the wrong shape.
        DetectorError: The named detector has other cells.
    """
    path = contents.path
    detector = choices.choose_detector("lhcb_ecal")
    with open_npz(path) as arrays:
        total = _check_arrays(arrays)
        images = arrays.shapes[_ENERGIES][1:]
    fitting = [section.shape for section in detector.sections] == [(1, *images[:2])]
    if not fitting:
        raise DetectorError(
            f"{path}: images of {images[:2]} cells, but detector {detector.name!r} has other layers, rows or "
            "columns; name the detector with --detector."
        )

    def pieces() -> Generator[Piece, None, None]:
        with open_npz(path) as arrays:
            for start, stop in event_ranges(total, detector):
                cells = arrays.read(_ENERGIES, start, stop).reshape(stop - start, -1)
                incidents = _read_incidents(arrays, start, stop, f"{path}, events {start} to {stop - 1}")
                yield make_piece(detector, cells, incidents)

    pitch = detector.sections[0].readout.extent_mm[0] / images[0]
    assumed = [
        "Axes of an image are x (row) and y (column).",
        "EnergyDeposit is in MeV; ParticlePoint in cm lies on the front face; ParticleMomentum in GeV.",
    ]
    if choices.detector is None:
        assumed.append(f"Cells of {pitch:g} mm (the file does not say it; an older set has 4.04 mm).")
    conversion = "MeV as they are; points cm to mm, momenta to kinetic energies"
    return ForeignShowers("lhcb", path, detector, total, conversion, pieces, tuple(assumed))


def _check_arrays(arrays: NpzArrays) -> int:
    """Check the shapes of the arrays and return the number of events."""
    path = arrays.path
    shape = arrays.require(_ENERGIES)
    if not (len(shape) == 3 or (len(shape) == 4 and shape[3] == 1)):
        raise ShowerFileError(f"{path}: array {_ENERGIES!r} has shape {shape}, expected (events, x, y).")
    rows = {_ENERGIES: shape[0]}
    for name, width in _COLUMNS.items():
        given = arrays.require(name)
        if not given or math.prod(given[1:]) != width:
            raise ShowerFileError(f"{path}: array {name!r} has shape {given}, expected (events, {width}).")
        rows[name] = given[0]
    return require_same_rows(path, rows)


def _read_incidents(arrays: NpzArrays, start: int, stop: int, where: str) -> Incidents:
    """Return the incident particles of some events."""
    point, momentum, pdg = (
        arrays.read(name, start, stop).astype(np.float64).reshape(stop - start, width)
        for name, width in _COLUMNS.items()
    )
    numbers = pdg[:, 0]
    if not np.isfinite(numbers).all():
        raise ShowerFileError(f"{where}: ParticlePDG holds values that are no numbers.")
    numbers = numbers.astype(np.int64)
    momentum = momentum * MEV_PER_GEV
    directions = unit_vectors(momentum, where)
    energies = kinetic_energies(momentum, masses_mev(numbers))
    return Incidents.of(energies, point[:, :2] * MM_PER_CM, directions, numbers)


FORMAT = Format(
    "lhcb",
    "LHCb ECAL npz: EnergyDeposit, ParticlePoint, ParticleMomentum, ParticlePDG",
    recognises,
    open_file,
)
