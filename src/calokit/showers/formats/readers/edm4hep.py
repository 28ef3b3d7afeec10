"""EDM4hep files of podio: collections of `SimCalorimeterHit` put onto a detector's cells."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calokit.errors import ConfigurationError, ShowerFileError, suggest_near_miss
from calokit.showers.formats.containers.contents import Container, Contents
from calokit.showers.formats.containers.root import flatten_lists, open_root, read_branch
from calokit.showers.formats.mapping.cell_ids import CellIdEncoding
from calokit.showers.formats.mapping.hit_mapping import HitMapping
from calokit.showers.formats.mapping.placement import Hits, Primaries, place_events
from calokit.showers.formats.pieces import Piece, events_at_a_time
from calokit.showers.formats.source import Choices, ForeignShowers, Format
from calokit.units import MEV_PER_GEV

MOST_EVENTS = 100
"""Most events read at a time: their hits need more memory than their cells."""

_HIT_TYPE = "edm4hep::SimCalorimeterHitData"


@dataclass(frozen=True)
class _Plan:
    """What is read: the collections with their encodings, and the incident particles."""

    path: Path
    mapping: HitMapping
    encodings: dict[str, CellIdEncoding | None]
    width: int


def recognises(contents: Contents) -> bool:
    """Tell whether a file has a tree `events` with hits that have cell numbers."""
    names = contents.shapes
    return (
        contents.container is Container.ROOT
        and "events" in names
        and any(name.endswith(".cellID") for name in names)
    )


def open_file(contents: Contents, choices: Choices) -> ForeignShowers:
    """Open a file.

    Raises:
        ShowerFileError: Collections are missing, or the file is damaged.
        ConfigurationError: Cell numbers must be taken apart and their encoding is not known.
        DetectorError: No detector is named.
    """
    path = contents.path
    mapping = choices.mapping if isinstance(choices.mapping, HitMapping) else HitMapping()
    detector = choices.choose_detector(None, f"{path}: an EDM4hep file does not describe a grid of cells")
    with open_root(path) as file:
        tree = _events_of(file, path)
        total = int(tree.num_entries)
        names = _choose_collections(tree, path, mapping)
        encodings = _find_encodings(file, path, names, mapping)
        width = _most_primaries(tree, path, mapping, total)
    plan = _Plan(path, mapping, encodings, width)
    size = min(events_at_a_time(detector), MOST_EVENTS)

    def pieces() -> Generator[Piece, None, None]:
        with open_root(path) as file:
            tree = _events_of(file, path)
            for start in range(0, total, size):
                stop = min(start + size, total)
                where = f"{path}, events {start} to {stop - 1}"
                primaries = _read_primaries(tree, plan, start, stop)
                hits = [_read_hits(tree, plan, name, start, stop) for name in names]
                yield place_events(detector, mapping, primaries, hits, stop - start, width, where)

    assumed = [
        f"Hits of {', '.join(names)}.",
        f"Incident are the particles of {mapping.particles} with generator status 1.",
        *mapping.describe_frame(detector),
    ]
    return ForeignShowers(
        "edm4hep", path, detector, total, "hits GeV to MeV, put onto the cells", pieces, tuple(assumed)
    )


def _events_of(file: Any, path: Path) -> Any:
    """Return the tree of the events."""
    if "events" not in file:
        raise ShowerFileError(f"{path}: no tree 'events', as EDM4hep files have.")
    return file["events"]


def _choose_collections(tree: Any, path: Path, mapping: HitMapping) -> list[str]:
    """Return the collections of hits that are read."""
    known = [str(name) for name in tree.keys(recursive=False) if _HIT_TYPE in str(tree[name].typename)]
    if not known:
        raise ShowerFileError(f"{path}: no collection of {_HIT_TYPE}.")
    for name in mapping.collections or ():
        if name not in known:
            raise ConfigurationError(
                f"{path}: no collection {name!r} of calorimeter hits. {suggest_near_miss(name, known)}"
            )
    return list(mapping.collections or known)


def _find_encodings(
    file: Any, path: Path, names: list[str], mapping: HitMapping
) -> dict[str, CellIdEncoding | None]:
    """Return the encoding of the cell numbers of each collection; None where none is needed."""
    if not mapping.needs_cell_ids:
        return dict.fromkeys(names)
    if mapping.encoding is not None:
        return dict.fromkeys(names, CellIdEncoding.parse(mapping.encoding))
    held = _read_parameters(file)
    lacking = [name for name in names if f"{name}__CellIDEncoding" not in held]
    if lacking:
        raise ConfigurationError(
            f"{path}: the file does not hold the encoding of the cell numbers of {lacking[0]} in a form that "
            "is read; give it in the mapping, such as encoding: 'system:8,layer:8,x:32:-16,y:-16'."
        )
    return {name: CellIdEncoding.parse(held[f"{name}__CellIDEncoding"]) for name in names}


def _read_parameters(file: Any) -> dict[str, str]:
    """Return the texts that podio keeps about the collections."""
    if "metadata" not in file or "GPStringKeys" not in file["metadata"]:
        return {}
    tree = file["metadata"]
    keys = tree["GPStringKeys"].array(library="ak").to_list()
    values = tree["GPStringValues"].array(library="ak").to_list()
    held: dict[str, str] = {}
    for names, texts in zip(keys, values, strict=True):
        held |= {str(name): str(text[0]) for name, text in zip(names, texts, strict=True) if text}
    return held


def _column(tree: Any, plan_path: Path, name: str, start: int, stop: int) -> tuple[Any, NDArray[np.int64]]:
    """Return a quantity of all members of a collection (member,), and their number in each event."""
    collection = name.split(".")[0]
    return flatten_lists(read_branch(tree, plan_path, f"{collection}/{name}", start, stop), plan_path, name)


def _vectors(tree: Any, path: Path, name: str, start: int, stop: int) -> NDArray[np.float64]:
    """Return the vectors (member, 3) of a collection."""
    columns = [_column(tree, path, f"{name}.{axis}", start, stop)[0] for axis in "xyz"]
    return np.stack(columns, axis=1).astype(np.float64)


def _most_primaries(tree: Any, path: Path, mapping: HitMapping, total: int) -> int:
    """Return the largest number of incident particles in an event."""
    most = 1
    for start in range(0, total, 1000):
        stop = min(start + 1000, total)
        status, counts = _column(tree, path, f"{mapping.particles}.generatorStatus", start, stop)
        events = np.repeat(np.arange(stop - start), counts)[status == 1]
        most = max(most, int(np.bincount(events, minlength=1).max()))
    return most


def _read_primaries(tree: Any, plan: _Plan, start: int, stop: int) -> Primaries:
    """Return the incident particles of some events."""
    path, name = plan.path, plan.mapping.particles
    status, counts = _column(tree, path, f"{name}.generatorStatus", start, stop)
    kept = status == 1
    pdg, mass = (_column(tree, path, f"{name}.{what}", start, stop)[0][kept] for what in ("PDG", "mass"))
    return Primaries(
        np.repeat(np.arange(stop - start), counts)[kept],
        _vectors(tree, path, f"{name}.vertex", start, stop)[kept],
        _vectors(tree, path, f"{name}.momentum", start, stop)[kept] * MEV_PER_GEV,
        mass.astype(np.float64) * MEV_PER_GEV,
        pdg.astype(np.int64),
    )


def _read_hits(tree: Any, plan: _Plan, name: str, start: int, stop: int) -> Hits:
    """Return the hits of a collection in some events."""
    path, encoding = plan.path, plan.encodings[name]
    energies, counts = _column(tree, path, f"{name}.energy", start, stop)
    points = _vectors(tree, path, f"{name}.position", start, stop)
    cell_ids = None
    if encoding is not None:
        cell_ids = _column(tree, path, f"{name}.cellID", start, stop)[0].astype(np.uint64)
    events = np.repeat(np.arange(stop - start), counts)
    return Hits(events, energies.astype(np.float64) * MEV_PER_GEV, points, cell_ids, encoding)


FORMAT = Format(
    "edm4hep",
    "EDM4hep ROOT: collections of simulated calorimeter hits",
    recognises,
    open_file,
    mapping=HitMapping,
)
