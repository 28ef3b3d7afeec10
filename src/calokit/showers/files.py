"""The native shower file: CaloChallenge HDF5 with impact, direction and provenance added, read in chunks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from calokit.detector import Detector
from calokit.errors import ShowerFileError, SplitError
from calokit.showers.batch import Showers
from calokit.showers.checks import check_energies, check_incidents
from calokit.showers.file_detector import find_detector
from calokit.showers.hdf5 import name_damage, open_hdf5, open_to_keep, require_dataset
from calokit.showers.hdf5_storage import keep_chunks
from calokit.showers.incidents import INCIDENT_COLUMNS, Incidents
from calokit.showers.particles import PARTICLE_COLUMNS
from calokit.showers.splits import Split, parse_split, split_range
from calokit.showers.writer import SHOWER_FORMAT_VERSION, stored_kind

READ_BYTES = 16 * 2**20
"""How much of a file one chunk holds in memory."""


@dataclass(frozen=True, repr=False)
class ShowerFile:
    """A view on one split of a native shower file; it never holds more than what is asked for.

    Attributes:
        path: The file.
        split: Which showers the view holds.
        meant_for: The file's own `split` attribute, where it has one.
        first: Position in the file of the view's first shower.
        last: Position in the file behind the view's last shower.
        detector: The detector of the showers.
        attributes: The file's attributes, as plain Python values.
        columns: Names of the datasets that the file has, of those that calokit knows.
    """

    path: Path
    split: Split
    meant_for: Split | None
    first: int
    last: int
    detector: Detector
    attributes: dict[str, Any]
    columns: frozenset[str]

    def __len__(self) -> int:
        return self.last - self.first

    def __repr__(self) -> str:
        return (
            f"ShowerFile({str(self.path)!r}, split {self.split}: {len(self)} of {self.detector.name}, "
            f"particle {self.particle})"
        )

    @property
    def particle(self) -> str:
        """The incident particle, or `unknown`."""
        return str(self.attributes.get("particle", "unknown"))

    @property
    def generator(self) -> str:
        """The program and settings that made the showers, or `unknown`."""
        return str(self.attributes.get("generator", "unknown"))

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the file's bytes, hexadecimal."""
        return file_sha256(self.path)

    def read(self, start: int, stop: int) -> Showers:
        """Read the showers from `start` up to (not including) `stop`, counted within the view.

        Raises:
            ShowerFileError: The range is empty or outside the view, or the showers are not sane
                (NaN, negative energies, impossible directions).
        """
        if not 0 <= start < stop <= len(self):
            raise ShowerFileError(f"{self.path}: showers {start} to {stop} asked for, it has {len(self)}.")
        return self._read_within(start + self.first, stop + self.first, None)

    def read_all(self) -> Showers:
        """Read every shower of the view into memory."""
        return self.read(0, len(self))

    def head(self, showers: int) -> ShowerFile:
        """Return a view on the first `showers` showers of this one (all, if it has fewer)."""
        return replace(self, last=min(self.last, self.first + showers))

    def chunks(self, size: int | None = None) -> Iterator[Showers]:
        """Go through the view in file order, `size` showers at a time (default: about 16 MB).

        The file is open while the iteration runs; the last chunk may be shorter.
        """
        size = size or max(1, READ_BYTES // (4 * self.detector.number_of_cells))
        with open_hdf5(self.path) as file:
            for start in range(self.first, self.last, size):
                yield self._read_within(start, min(start + size, self.last), file)

    def incident_chunks(self, size: int = 65536) -> Iterator[Incidents]:
        """Go through the incident particles alone, without their showers, which is much faster."""
        with open_hdf5(self.path) as file:
            for start in range(self.first, self.last, size):
                yield self._read_incidents(file, start, min(start + size, self.last))

    @cached_property
    def _kept_open(self) -> tuple[h5py.File, list[h5py.h5d.DatasetID]] | None:
        """The open file with its last chunks in memory, where unpacking them at every read would be slow."""
        file = open_to_keep(self.path)
        kept = keep_chunks(file)
        if kept:
            return file, kept
        file.close()
        return None

    def _read_within(self, start: int, stop: int, file: h5py.File | None) -> Showers:
        if file is None:
            if self._kept_open is not None:
                with name_damage(self.path):
                    return self._read_within(start, stop, self._kept_open[0])
            with open_hdf5(self.path) as opened:
                return self._read_within(start, stop, opened)
        energies = _read_rows(file, self.path, "showers", start, stop)
        incidents = self._read_incidents(file, start, stop)
        counted = "entries" in self.columns
        entries = _read_rows(file, self.path, "entries", start, stop) if counted else None
        showers = Showers.of(energies, self.detector, incidents, entries)
        check_energies(showers, f"{self.path}, showers {start} to {stop - 1}")
        return showers

    def _read_incidents(self, file: h5py.File, start: int, stop: int) -> Incidents:
        """Read and check the incident particles."""
        known = sorted(self.columns - {"showers", "entries"})
        incidents = Incidents.from_columns(
            {name: _read_rows(file, self.path, name, start, stop) for name in known}
        )
        check_incidents(incidents, f"{self.path}, showers {start} to {stop - 1}")
        return incidents


def open_showers(
    path: str | Path,
    split: str | Split = Split.ALL,
    detector: Detector | None = None,
    like: Detector | None = None,
) -> ShowerFile:
    """Open a native or CaloChallenge shower file and check its form, without reading the showers.

    Args:
        path: The HDF5 file.
        split: `train`, `validation`, `test` or `all`.
        detector: The detector, for a file that does not name its own (a CaloChallenge file).
        like: Instead, a detector that such a file gets if it has as many cells; one of another size gets the
            data set of the CaloChallenge that has as many.

    Raises:
        ShowerFileError: The file is missing, is not HDF5, is truncated, or lacks or misshapes a dataset.
        SplitError: The file has no showers of that split.
        DetectorError: The file names no known detector, or another one than given.
    """
    path = Path(path)
    split = parse_split(split)
    with open_hdf5(path) as file:
        attributes = {name: _plain(value) for name, value in file.attrs.items()}
        _check_version(path, attributes)
        _check_present(path, file)
        cells = _count_cells(path, file)
        detector = find_detector(path, attributes, cells, detector, like)
        events = _check_shapes(path, file, detector)
        present = set(file)
    try:
        meant_for = parse_split(str(attributes["split"])) if "split" in attributes else None
        first, last = split_range(events, split, meant_for)
    except SplitError as error:
        raise SplitError(f"{path}: {error}") from None
    if first == last:
        raise ShowerFileError(f"{path}: no showers in split {split} (the file holds {events}).")
    return ShowerFile(
        path,
        split,
        meant_for,
        first,
        last,
        detector,
        attributes,
        _known_columns(path, present),
    )


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _read_rows(file: h5py.File, path: Path, name: str, start: int, stop: int) -> Any:
    kind = np.dtype(stored_kind(name))
    try:
        given = file[name][start:stop]
    except OSError:
        raise ShowerFileError(
            f"{path}: dataset {name!r} cannot be read from row {start}; the file is damaged. Copy it again."
        ) from None
    if np.issubdtype(kind, np.integer) and given.size:
        span = np.iinfo(kind.name)
        whole = np.issubdtype(given.dtype, np.integer) or np.array_equal(given, np.rint(given))
        if not whole or given.min() < span.min or given.max() > span.max:
            raise ShowerFileError(
                f"{path}: {name} holds numbers from {given.min()} to {given.max()}; they must be whole ones "
                f"from {span.min} to {span.max}."
            )
    return given.astype(kind, copy=False)


def _check_version(path: Path, attributes: dict[str, Any]) -> None:
    version = attributes.get("format_version", SHOWER_FORMAT_VERSION)
    if not isinstance(version, int) or version > SHOWER_FORMAT_VERSION:
        raise ShowerFileError(
            f"{path}: shower format version {version!r}; this release reads up to {SHOWER_FORMAT_VERSION}. "
            "Update calokit."
        )


def _check_present(path: Path, file: h5py.File) -> None:
    """Refuse a file without the columns that every shower file has, or whose numbers cannot all be read."""
    if "num_points" in file and "showerdata_version" in file.attrs:
        raise ShowerFileError(
            f"{path}: a file of showerdata; make a native one of it first: calokit convert {path.name} "
            "OUT.h5 --detector NAME."
        )
    for name in ("showers", "incident_energies"):
        require_dataset(file, path, name)
    for name in {*(column.dataset for column in INCIDENT_COLUMNS), *PARTICLE_COLUMNS, "entries"} & set(file):
        require_dataset(file, path, name)


def _count_cells(path: Path, file: h5py.File) -> int:
    """Return how many cells a shower of the file has."""
    shape = file["showers"].shape
    if len(shape) != 2:
        raise ShowerFileError(f"{path}: showers have shape {shape}, expected (events, cells).")
    return int(shape[1])


def _check_shapes(path: Path, file: h5py.File, detector: Detector) -> int:
    showers = file["showers"]
    if showers.shape[1] != detector.number_of_cells:
        raise ShowerFileError(
            f"{path}: showers have shape {showers.shape}, but detector {detector.name!r} needs "
            f"(events, {detector.number_of_cells})."
        )
    if "entries" in file and file["entries"].shape != showers.shape:
        raise ShowerFileError(
            f"{path}: entries have shape {file['entries'].shape}, expected that of showers {showers.shape}."
        )
    _check_particle_shapes(path, file)
    events = int(showers.shape[0])
    for column in INCIDENT_COLUMNS:
        if column.dataset in file:
            column.check_stored(file[column.dataset].shape, events, path)
    return events


def _check_particle_shapes(path: Path, file: h5py.File) -> None:
    events = file["showers"].shape[0]
    shapes = {file[name].shape for name in PARTICLE_COLUMNS if name in file}
    if shapes and (len(shapes) > 1 or len(shape := shapes.pop()) != 2 or shape[0] != events):
        raise ShowerFileError(
            f"{path}: the particle_* columns differ in shape; expected ({events}, particles an event)."
        )


def _known_columns(path: Path, present: set[str]) -> frozenset[str]:
    """Return the datasets that this release knows; columns of several particles are all there or none."""
    missing = [name for name in PARTICLE_COLUMNS if name not in present]
    if missing and len(missing) < len(PARTICLE_COLUMNS):
        raise ShowerFileError(f"{path}: of the particle_* columns {', '.join(missing)} are missing.")
    incident = (column.dataset for column in INCIDENT_COLUMNS)
    return frozenset(present & {"showers", "entries", *incident, *PARTICLE_COLUMNS})


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, bytes):
        return value.decode()
    return value
