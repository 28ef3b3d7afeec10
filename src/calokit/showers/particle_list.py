"""Lists of incident particles without showers: CSV, or HDF5 with the incident columns of a shower file."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from calokit.arrays import Float64
from calokit.detector import Detector
from calokit.errors import ShowerFileError, suggest_near_miss
from calokit.files import say_no_file
from calokit.showers.checks import check_incidents
from calokit.showers.files import ShowerFile, open_showers
from calokit.showers.hdf5 import open_hdf5, require_dataset
from calokit.showers.incidents import INCIDENT_COLUMNS, Incidents
from calokit.showers.splits import Split
from calokit.units import MEV_PER_GEV

ENERGIES = {"energy_mev": 1.0, "energy_gev": MEV_PER_GEV}
POSITION = ("position_x_mm", "position_y_mm")
DIRECTION = ("direction_x", "direction_y", "direction_z")
COLUMNS = (*ENERGIES, *POSITION, *DIRECTION)
"""What the columns of a CSV may be called; an energy is needed, the others come whole or not at all."""


def is_particle_list(path: Path) -> bool:
    """Tell whether a file lists incident particles and holds no showers."""
    if path.suffix.lower() == ".csv":
        return True
    if path.suffix.lower() not in (".h5", ".hdf5") or not path.is_file():
        return False
    with open_hdf5(path) as file:
        return "showers" not in file and INCIDENT_COLUMNS[0].dataset in file


def open_particles(
    path: str | Path,
    split: str | Split = Split.ALL,
    detector: Detector | None = None,
    like: Detector | None = None,
) -> ShowerFile | Incidents:
    """Open what names incident particles: showers (see `open_showers`), or a list of them, which is read."""
    path = Path(path)
    return read_particle_list(path) if is_particle_list(path) else open_showers(path, split, detector, like)


def read_particle_list(path: Path) -> Incidents:
    r"""Read incident particles.

    Args:
        path: A CSV whose first line names its columns (`COLUMNS`; energies in MeV or GeV, impacts in mm at
            the front face, directions of any length with z forward), or an HDF5 file with
            `incident_energies` (event, 1) in MeV and, where known, `incident_positions` and
            `incident_directions`.

    Raises:
        ShowerFileError: A column is unknown or missing, a value is no number, or a particle cannot be.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "particles.csv"
        >>> _ = path.write_text("energy_gev,position_x_mm,position_y_mm\n20,1.5,-3\n")
        >>> particles = read_particle_list(path)
        >>> particles.energies.tolist(), particles.positions.tolist()
        ([20000.0], [[1.5, -3.0]])
    """
    particles = _read_csv(path) if path.suffix.lower() == ".csv" else _read_hdf5(path)
    check_incidents(particles, str(path))
    return particles


def _read_hdf5(path: Path) -> Incidents:
    with open_hdf5(path) as file:
        columns = [column for column in INCIDENT_COLUMNS if column.dataset in file]
        datasets = {column.name: require_dataset(file, path, column.dataset) for column in columns}
        energies = datasets["energies"]
        events = energies.shape[0] if energies.ndim else 0
        for column in columns:
            column.check_stored(datasets[column.name].shape, events, path)
        return Incidents.of(**{name: dataset[:] for name, dataset in datasets.items()})


def _read_csv(path: Path) -> Incidents:
    if not path.is_file():
        raise ShowerFileError(say_no_file(path))
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = csv.reader(file)
            names = [name.strip().lower() for name in next(lines, [])]
            _check_names(path, names)
            rows = [_numbers(path, names, number, line) for number, line in enumerate(lines, start=2) if line]
    except (csv.Error, OSError, UnicodeDecodeError) as error:
        raise ShowerFileError(f"{path}: not readable as a table of text ({error}).") from None
    if not rows:
        raise ShowerFileError(f"{path}: no particle stands below the names of the columns.")
    values = dict(zip(names, np.array(rows).T, strict=True))
    (energy,) = ENERGIES.keys() & values.keys()
    return Incidents.of(
        values[energy] * ENERGIES[energy],
        np.stack([values[name] for name in POSITION], axis=1) if POSITION[0] in values else None,
        _unit_vectors(values) if DIRECTION[0] in values else None,
    )


def _check_names(path: Path, names: list[str]) -> None:
    """Refuse names of columns that are not known, stand twice, or lack others."""
    for name in names:
        if name not in COLUMNS:
            raise ShowerFileError(f"{path}: unknown column {name!r}. {suggest_near_miss(name, COLUMNS)}")
    missing = [
        name for group in (POSITION, DIRECTION) for name in group if {*group} & {*names} and name not in names
    ]
    if missing:
        raise ShowerFileError(f"{path}: column {missing[0]!r} is missing beside its like.")
    if len({*names}) < len(names) or len(ENERGIES.keys() & {*names}) != 1:
        raise ShowerFileError(
            f"{path}: one column of energy is needed (energy_mev or energy_gev), and none twice."
        )


def _numbers(path: Path, names: list[str], number: int, line: list[str]) -> list[float]:
    """Return the numbers of a line."""
    try:
        values = [float(one) for one in line]
    except ValueError:
        raise ShowerFileError(
            f"{path}, line {number}: {','.join(line)[:60]!r} are not all numbers."
        ) from None
    if len(values) != len(names):
        raise ShowerFileError(f"{path}, line {number}: {len(values)} values for {len(names)} columns.")
    return values


def _unit_vectors(values: dict[str, Float64]) -> Float64:
    """Return directions of length one; those that have none stay as they are, to be refused."""
    directions = np.stack([values[name] for name in DIRECTION], axis=1)
    length = np.linalg.norm(directions, axis=1, keepdims=True)
    unit: Float64 = np.divide(directions, length, out=directions.copy(), where=length > 0)
    return unit
