"""The LUXE ECAL form: binary records of one event each, deposits in MIP."""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from calokit.detector import Detector
from calokit.detector.locate import index_cells
from calokit.errors import ConfigurationError, ShowerFileError
from calokit.showers.formats.containers.contents import Container, Contents
from calokit.showers.formats.mapping.deposits import sum_deposits
from calokit.showers.formats.pieces import Piece, event_ranges, make_piece
from calokit.showers.formats.source import Choices, ForeignShowers, Format
from calokit.showers.incidents import Incidents
from calokit.units import MEV_PER_GEV

MEV_PER_MIP = 0.0885
"""Most probable loss of a minimum-ionising particle in 0.32 mm of silicon (about 277 eV a micrometre)."""

_HEADER_BYTES = 64
_MOST_CELLS = 10_000_000
_INT = np.dtype("<i8")
_FLOAT = np.dtype("<f8")


@dataclass(frozen=True)
class _Index:
    """Where each record begins and how many cells it has (event,)."""

    offsets: NDArray[np.int64]
    cells: NDArray[np.int64]


def recognises(contents: Contents) -> bool:
    """Tell whether the first record of a file could be one of this form."""
    if contents.container is not Container.BINARY:
        return False
    size = contents.path.stat().st_size
    with contents.path.open("rb") as stream:
        head = stream.read(_HEADER_BYTES)
        if len(head) < _HEADER_BYTES:
            return False
        cells = int(np.frombuffer(head, _INT, 4)[3])
        if not 0 <= cells <= (size - _HEADER_BYTES) // 16 or not np.isfinite(_floats(head)).all():
            return False
        ids = np.frombuffer(stream.read(8 * min(cells, 1000)), _INT)
    return bool(((ids >= 0) & (ids < 100 * 100_000)).all())


def open_file(contents: Contents, choices: Choices) -> ForeignShowers:
    """Open a file.

    A record is four int64 (event, deposits, smear index, n), four float64 (shift of the impact in x and y in
    mm, angles in x and y in degrees), n int64 (100000 layer + 100 row + column) and n float64 (MIP).

    Raises:
        ShowerFileError: The file is truncated.
        ConfigurationError: The incident energy is neither in the file's name nor given.
    """
    path = contents.path
    detector = choices.choose_detector("luxe_ecal")
    energy_mev, energy_words = _find_energy(path, choices)
    mev_per_mip = MEV_PER_MIP if choices.mev_per_mip is None else choices.mev_per_mip
    tilt_deg = 0.0 if choices.tilt_deg is None else choices.tilt_deg
    index = _index_records(path)

    def pieces() -> Generator[Piece, None, None]:
        with path.open("rb") as stream:
            for start, stop in event_ranges(len(index.cells), detector):
                shifts, places, deposits = _read_records(stream, path, index, start, stop)
                counts = index.cells[start:stop]
                events = np.repeat(np.arange(stop - start), counts)
                where = f"{path}, events {start} to {stop - 1}"
                cells, total = sum_deposits(
                    events,
                    _cells_of(detector, places),
                    deposits * mev_per_mip,
                    (stop - start, detector.number_of_cells),
                    where,
                )
                yield make_piece(detector, cells, _make_incidents(shifts, energy_mev, tilt_deg, where), total)

    assumed = [energy_words, "The impact is its stored shift from the middle of the grid, in mm."]
    if choices.mev_per_mip is None:
        assumed.append(f"1 MIP is {MEV_PER_MIP} MeV (0.32 mm of silicon); set it with --mev-per-mip.")
    if choices.tilt_deg is None:
        assumed.append("The beam is perpendicular apart from the stored angles; set --tilt for a tilted one.")
    conversion = f"MIP times {mev_per_mip:g} MeV; x is the row, y the column"
    return ForeignShowers("luxe", path, detector, len(index.cells), conversion, pieces, tuple(assumed))


def _find_energy(path: Path, choices: Choices) -> tuple[float, str]:
    """Return the incident energy in MeV, and where it comes from."""
    if choices.energy_gev is not None:
        return (
            choices.energy_gev * MEV_PER_GEV,
            f"The incident energy is {choices.energy_gev:g} GeV, as given.",
        )
    found = re.search(r"_(\d+)$", path.stem)
    if found is None or int(found[1]) == 0:
        raise ConfigurationError(
            f"{path}: the incident energy is not in the file's name (NAME_55.dat means 5.5 GeV); "
            "give it in GeV with --energy."
        )
    gev = int(found[1]) / 10
    return gev * MEV_PER_GEV, f"The incident energy is {gev:g} GeV, by the file's name."


def _index_records(path: Path) -> _Index:
    """Go through the headers of all records."""
    size = path.stat().st_size
    offsets: list[int] = []
    cells: list[int] = []
    here = 0
    with path.open("rb") as stream:
        while here < size:
            stream.seek(here)
            head = stream.read(_HEADER_BYTES)
            count = int(np.frombuffer(head, _INT, 4)[3]) if len(head) == _HEADER_BYTES else -1
            if not 0 <= count <= _MOST_CELLS or here + _HEADER_BYTES + 16 * count > size:
                raise ShowerFileError(
                    f"{path}: record {len(cells)} (from byte {here}) is not complete; the file is truncated, "
                    "or not of the LUXE form. Copy it again."
                )
            offsets.append(here)
            cells.append(count)
            here += _HEADER_BYTES + 16 * count
    return _Index(np.array(offsets, dtype=np.int64), np.array(cells, dtype=np.int64))


def _read_records(
    stream: IO[bytes], path: Path, index: _Index, start: int, stop: int
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Return shifts and angles (event, 4), cell numbers (deposit,) and deposits in MIP (deposit,)."""
    shifts, places, deposits = [], [], []
    stream.seek(int(index.offsets[start]))
    for count in index.cells[start:stop].tolist():
        data = stream.read(_HEADER_BYTES + 16 * count)
        if len(data) < _HEADER_BYTES + 16 * count:
            raise ShowerFileError(f"{path}: the file became shorter while it was read.")
        shifts.append(_floats(data))
        places.append(np.frombuffer(data, _INT, count, _HEADER_BYTES))
        deposits.append(np.frombuffer(data, _FLOAT, count, _HEADER_BYTES + 8 * count))
    return (
        np.array(shifts, dtype=np.float64),
        np.concatenate(places).astype(np.int64),
        np.concatenate(deposits).astype(np.float64),
    )


def _floats(head: bytes) -> NDArray[Any]:
    """Return the four float64 of a record's header."""
    return np.frombuffer(head, _FLOAT, 4, 32)


def _cells_of(detector: Detector, places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the cell of each number, -1 outside the detector."""
    return index_cells(detector, places // 100_000, places % 100_000 // 100, places % 100)


def _make_incidents(shifts: NDArray[np.float64], energy_mev: float, tilt_deg: float, where: str) -> Incidents:
    """Return the incident particles: one energy, stored impacts, stored angles on the nominal tilt."""
    if not np.isfinite(shifts).all():
        raise ShowerFileError(f"{where}: shifts or angles of the incident particle are not finite.")
    angles = np.radians(shifts[:, 2:] + [tilt_deg, 0.0])
    if (np.abs(angles) >= np.pi / 2).any():
        raise ShowerFileError(f"{where}: angles of 90 degrees and more do not lead into the calorimeter.")
    slopes = np.column_stack([np.tan(angles), np.ones(len(shifts))])
    directions = slopes / np.linalg.norm(slopes, axis=1, keepdims=True)
    return Incidents.of(np.full(len(shifts), energy_mev), shifts[:, :2], directions)


FORMAT = Format(
    "luxe",
    "LUXE ECAL binary records, deposits in MIP",
    recognises,
    open_file,
    frozenset({"energy_gev", "mev_per_mip", "tilt_deg"}),
)
