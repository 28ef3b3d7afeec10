"""Steps in HDF5: `steps/...` with position, energy and number of the event, `primary/...` the particles."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from calokit.errors import ConfigurationError, ShowerFileError, suggest_near_miss
from calokit.showers.formats.containers.contents import Container, Contents
from calokit.showers.formats.containers.event_runs import EventRuns, find_runs
from calokit.showers.formats.containers.hdf5 import open_hdf5, require_dataset, require_shape
from calokit.showers.formats.mapping.cell_ids import CellIdEncoding
from calokit.showers.formats.mapping.hit_mapping import HitMapping
from calokit.showers.formats.mapping.incidents import masses_mev
from calokit.showers.formats.mapping.placement import Hits, Primaries, place_events
from calokit.showers.formats.pieces import Piece, events_at_a_time, require_same_rows
from calokit.showers.formats.source import Choices, ForeignShowers, Format
from calokit.units import MEV_PER_GEV

_NEEDED = ("steps/energy", "steps/position", "steps/event_id")
_PRIMARY = ("primary/event_id", "primary/momentum", "primary/vertex", "primary/pdg")
_NAMES = "metadata/subdetector_names"


@dataclass(frozen=True)
class _Plan:
    """What is read: the steps of each event, which sub-detectors, and the encoding of cell numbers."""

    runs: EventRuns
    particles: Primaries
    chosen: NDArray[np.int64] | None
    encoding: CellIdEncoding | None


def recognises(contents: Contents) -> bool:
    """Tell whether a file has the datasets of this form."""
    return contents.container is Container.HDF5 and set(_NEEDED) <= set(contents.shapes)


def open_file(contents: Contents, choices: Choices) -> ForeignShowers:
    """Open a file.

    Raises:
        ShowerFileError: A dataset is missing or of the wrong shape, or the steps are not sorted by event.
        ConfigurationError: Cell numbers must be taken apart and their encoding is not known.
        DetectorError: No detector is named.
    """
    path = contents.path
    mapping = choices.mapping if isinstance(choices.mapping, HitMapping) else HitMapping()
    detector = choices.choose_detector(None, f"{path}: a file of steps does not describe a grid of cells")
    with open_hdf5(path) as file:
        _check_datasets(file, contents)
        numbers, particles = _read_particles(file, contents)
        ids = file["steps/event_id"]
        runs = find_runs(lambda start, stop: ids[start:stop], int(ids.shape[0]), str(path), numbers)
        names, chosen = _choose_subdetectors(file, contents, mapping)
        plan = _Plan(runs, particles, chosen, _choose_encoding(contents, mapping))
    width = int(np.bincount(particles.events).max()) if len(numbers) else 1

    def pieces() -> Generator[Piece, None, None]:
        with open_hdf5(path) as file:
            for start, stop in runs.pieces(events_at_a_time(detector)):
                where = f"{path}, events {start} to {stop - 1}"
                hits = [_read_hits(file, plan, start, stop)]
                primaries = _select(particles, start, stop)
                yield place_events(detector, mapping, primaries, hits, stop - start, width, where)

    assumed = [
        f"Steps of {names}.",
        "Energies and momenta are in GeV, lengths in mm.",
        *mapping.describe_frame(detector),
    ]
    return ForeignShowers(
        "steps", path, detector, len(numbers), "steps GeV to MeV, put onto the cells", pieces, tuple(assumed)
    )


def _check_datasets(file: h5py.File, contents: Contents) -> None:
    """Refuse datasets that are missing or do not fit each other."""
    path = contents.path
    for group, names in (("steps", _NEEDED), ("primary", _PRIMARY)):
        rows = {}
        for name in names:
            dataset = require_dataset(file, path, name)
            vector = name.endswith(("position", "momentum", "vertex"))
            require_shape(dataset, path, (None, 3) if vector else (None,))
            rows[name] = int(dataset.shape[0])
        for name in ("cell_id", "subdetector"):
            if f"{group}/{name}" in file:
                rows[name] = int(require_dataset(file, path, f"{group}/{name}").shape[0])
        require_same_rows(path, rows)


def _read_particles(file: h5py.File, contents: Contents) -> tuple[NDArray[np.int64], Primaries]:
    """Return the numbers of the events (event,), and the incident particles of all of them."""
    ids, momenta, vertices, pdg = (np.asarray(file[name]) for name in _PRIMARY)
    ids = ids.astype(np.int64)
    if (np.diff(ids) < 0).any():
        raise ShowerFileError(f"{contents.path}: primary/event_id must not fall; sort the events.")
    numbers, events = np.unique(ids, return_inverse=True)
    kinds = pdg.astype(np.int64)
    momenta = momenta.astype(np.float64) * MEV_PER_GEV
    return numbers, Primaries(events, vertices.astype(np.float64), momenta, masses_mev(kinds), kinds)


def _select(all_particles: Primaries, start: int, stop: int) -> Primaries:
    """Return the incident particles of events from `start` up to `stop`."""
    first, last = np.searchsorted(all_particles.events, [start, stop])
    kept = slice(int(first), int(last))
    return Primaries(
        all_particles.events[kept] - start,
        all_particles.vertices_mm[kept],
        all_particles.momenta_mev[kept],
        all_particles.masses_mev[kept],
        all_particles.pdg[kept],
    )


def _choose_subdetectors(
    file: h5py.File, contents: Contents, mapping: HitMapping
) -> tuple[str, NDArray[np.int64] | None]:
    """Return the sub-detectors that are read, in words and by number; None for all."""
    known: list[str] = []
    if isinstance(file.get(_NAMES), h5py.Dataset):
        known = [name.decode() if isinstance(name, bytes) else str(name) for name in file[_NAMES][()]]
    if mapping.collections is None:
        return ", ".join(known) or "all sub-detectors", None
    for name in mapping.collections:
        if name not in known or "steps/subdetector" not in file:
            raise ConfigurationError(
                f"{contents.path}: no sub-detector {name!r}. {suggest_near_miss(name, known)}"
            )
    numbers = np.array([known.index(name) for name in mapping.collections], dtype=np.int64)
    return ", ".join(mapping.collections), numbers


def _choose_encoding(contents: Contents, mapping: HitMapping) -> CellIdEncoding | None:
    """Return the encoding of cell numbers; None where none is needed."""
    if not mapping.needs_cell_ids:
        return None
    if mapping.encoding is None or "steps/cell_id" not in contents.shapes:
        raise ConfigurationError(
            f"{contents.path}: a file of steps does not hold the encoding of its cell numbers; give it in "
            "the mapping, such as encoding: 'system:8,layer:8,x:32:-16,y:-16', or leave out layer, row "
            "and column."
        )
    return CellIdEncoding.parse(mapping.encoding)


def _read_hits(file: h5py.File, plan: _Plan, start: int, stop: int) -> Hits:
    """Return the steps of some events."""
    first, last, events = plan.runs.members(start, stop)
    kept: Any = slice(None)
    if plan.chosen is not None:
        kept = np.isin(file["steps/subdetector"][first:last], plan.chosen)
    cell_ids = None
    if plan.encoding is not None:
        cell_ids = file["steps/cell_id"][first:last][kept].astype(np.uint64)
    return Hits(
        events[kept],
        file["steps/energy"][first:last][kept].astype(np.float64) * MEV_PER_GEV,
        file["steps/position"][first:last][kept].astype(np.float64),
        cell_ids,
        plan.encoding,
    )


FORMAT = Format(
    "steps",
    "Steps in HDF5: steps/position, energy and event_id, primary/momentum and vertex",
    recognises,
    open_file,
    mapping=HitMapping,
)
