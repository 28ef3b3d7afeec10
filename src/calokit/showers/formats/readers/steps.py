"""Steps in HDF5: `steps/...` with position, energy and number of the event, `primary/...` the particles."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from calokit.detector import Detector
from calokit.errors import ConfigurationError, ShowerFileError, suggest_near_miss
from calokit.showers.formats.containers.contents import Container, Contents
from calokit.showers.formats.containers.event_runs import EventRuns, find_runs
from calokit.showers.formats.mapping.cell_ids import CellIdEncoding
from calokit.showers.formats.mapping.hit_mapping import CellRule, HitMapping
from calokit.showers.formats.mapping.incidents import masses_mev
from calokit.showers.formats.mapping.placement import Deposits, PlacingRule, Primaries, place_events
from calokit.showers.formats.pieces import Piece, events_at_a_time, require_same_rows
from calokit.showers.formats.source import Choices, ForeignShowers, Format
from calokit.showers.hdf5 import open_hdf5, require_dataset, require_shape
from calokit.units import MEV_PER_GEV

_NEEDED = ("steps/energy", "steps/position", "steps/event_id")
_PRIMARY = ("primary/event_id", "primary/momentum", "primary/vertex", "primary/pdg")
_NAMES = "metadata/subdetector_names"


@dataclass(frozen=True)
class _Plan:
    """What is read: the steps of each event, and how those of each sub-detector are put onto cells.

    The number of a sub-detector is None where all steps are read as one.
    """

    runs: EventRuns
    particles: Primaries
    parts: tuple[tuple[str, int | None, tuple[PlacingRule, ...]], ...]
    with_cell_ids: bool


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
        parts = _choose_parts(file, contents, mapping, detector)
        rules = [rule for _, _, several in parts for rule, _ in several]
        plan = _Plan(runs, particles, parts, any(rule.needs_cell_ids for rule in rules))
    width = int(np.bincount(particles.events).max()) if len(numbers) else 1

    def pieces() -> Generator[Piece, None, None]:
        with open_hdf5(path) as file:
            for start, stop in runs.pieces(events_at_a_time(detector)):
                where = f"{path}, events {start} to {stop - 1}"
                hits = _read_hits(file, plan, start, stop)
                primaries = _select(particles, start, stop)
                yield place_events(detector, mapping, primaries, hits, stop - start, width, where)

    named = ", ".join(name for name, number, _ in parts if number is not None)
    assumed = [
        f"Steps of {named or 'all sub-detectors'}.",
        "Energies and momenta are in GeV, lengths in mm.",
        *mapping.describe_frame(detector),
    ]
    return ForeignShowers(
        "steps", path, detector, len(numbers), "steps GeV to MeV, put onto the cells", pieces, tuple(assumed)
    )


def _check_datasets(file: h5py.File, contents: Contents) -> None:
    """Refuse datasets that are missing or do not fit each other."""
    path = contents.path
    if not any(name.startswith("primary/") for name in contents.shapes):
        raise ShowerFileError(
            f"{path}: the steps stand without their particles (no group 'primary'). Say what is known with a "
            "mapping of kind columns: hits with energy, event, x: {name: steps/position, index: 0, unit: "
            "mm}, y and depth alike, and incident_energy: {value: 10, unit: GeV}."
        )
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


def _choose_parts(
    file: h5py.File, contents: Contents, mapping: HitMapping, detector: Detector
) -> tuple[tuple[str, int | None, tuple[PlacingRule, ...]], ...]:
    """Return the sub-detectors that are read: name, number and the rules for each."""
    path = contents.path
    known = _subdetectors(file)
    named = mapping.named_collections
    for name in named or ():
        if name not in known:
            raise ConfigurationError(f"{path}: no sub-detector {name!r}. {suggest_near_miss(name, known)}")
    chosen = tuple(known) if named is None else named
    rules: dict[str, list[PlacingRule]] = {name: [] for name in chosen}
    for name, rule in mapping.rules(detector, chosen, str(path)):
        rules[name].append((rule, _choose_encoding(contents, rule)))
    return tuple((name, known[name], tuple(several)) for name, several in rules.items())


def _subdetectors(file: h5py.File) -> dict[str, int | None]:
    """Return the number of each sub-detector by its name, or by that number where the file has no names.

    A file that tells none apart has one, `steps`, without a number.
    """
    if "steps/subdetector" not in file:
        return {"steps": None}
    present = np.unique(file["steps/subdetector"][:]).tolist()
    if not isinstance(file.get(_NAMES), h5py.Dataset):
        return {str(number): int(number) for number in present}
    names = [name.decode() if isinstance(name, bytes) else str(name) for name in file[_NAMES][()]]
    unnamed = {str(number): int(number) for number in present if number >= len(names)}
    found: dict[str, int | None] = {name: number for number, name in enumerate(names)}
    return found | unnamed


def _choose_encoding(contents: Contents, rule: CellRule) -> CellIdEncoding | None:
    """Return the encoding of cell numbers; None where none is needed."""
    if not rule.needs_cell_ids:
        return None
    if rule.encoding is None or "steps/cell_id" not in contents.shapes:
        raise ConfigurationError(
            f"{contents.path}: a file of steps does not hold the encoding of its cell numbers; give it in "
            "the mapping, such as encoding: 'system:8,layer:8,x:32:-16,y:-16', or leave out layer, row "
            "and column."
        )
    return CellIdEncoding.parse(rule.encoding)


def _read_hits(file: h5py.File, plan: _Plan, start: int, stop: int) -> list[Deposits]:
    """Return the steps of some events, those of each sub-detector together."""
    first, last, events = plan.runs.members(start, stop)
    energies = file["steps/energy"][first:last].astype(np.float64) * MEV_PER_GEV
    points = file["steps/position"][first:last].astype(np.float64)
    cell_ids = file["steps/cell_id"][first:last].astype(np.uint64) if plan.with_cell_ids else None
    numbered = any(number is not None for _, number, _ in plan.parts)
    numbers = file["steps/subdetector"][first:last] if numbered else None
    found = []
    for name, number, rules in plan.parts:
        kept: Any = slice(None) if numbers is None or number is None else numbers == number
        ids = None if cell_ids is None else cell_ids[kept]
        found.append(Deposits(events[kept], energies[kept], points[kept], ids, rules, name))
    return found


FORMAT = Format(
    "steps",
    "Steps in HDF5: steps/position, energy and event_id, primary/momentum and vertex",
    recognises,
    open_file,
    mapping=HitMapping,
)
