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
from calokit.showers.formats.mapping.hit_mapping import CellRule, HitMapping
from calokit.showers.formats.mapping.placement import Deposits, PlacingRule, Primaries, place_events
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
    rules: dict[str, tuple[PlacingRule, ...]]
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
        rules = _find_rules(file, path, mapping.rules(detector, names, str(path)))
        width = _most_primaries(tree, path, mapping, total)
    plan = _Plan(path, mapping, rules, width)
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
        f"Incident are particles of {mapping.particles} of generator status {_either(mapping.statuses)}.",
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
    branches = {str(name) for name in tree.keys(recursive=True)}
    known = [str(name) for name in tree.keys(recursive=False) if _holds_hits(tree, str(name), branches)]
    if not known:
        raise ShowerFileError(f"{path}: no collection of {_HIT_TYPE}.")
    for name in mapping.named_collections or ():
        if name not in known:
            raise ConfigurationError(
                f"{path}: no collection {name!r} of calorimeter hits. {suggest_near_miss(name, known)}"
            )
    return list(mapping.named_collections or known)


def _holds_hits(tree: Any, name: str, branches: set[str]) -> bool:
    """Tell whether a collection is of simulated hits, by its type, or by members that no other type has."""
    if name.startswith("_"):
        return False
    if _HIT_TYPE in str(tree[name].typename):
        return True
    members = ("cellID", "energy", "position.x", "contributions_begin")
    return all(f"{name}.{member}" in branches for member in members)


def _find_rules(
    file: Any, path: Path, rules: list[tuple[str, CellRule]]
) -> dict[str, tuple[PlacingRule, ...]]:
    """Return the rules of each collection, with the encoding of its cell numbers where one is needed."""
    found: dict[str, tuple[PlacingRule, ...]] = {}
    for name, rule in rules:
        encoding = _find_encoding(file, path, name, rule)
        found[name] = (*found.get(name, ()), (rule, encoding))
    return found


def _find_encoding(file: Any, path: Path, name: str, rule: CellRule) -> CellIdEncoding | None:
    """Return the encoding of the cell numbers of a collection; None where none is needed."""
    if not rule.needs_cell_ids:
        return None
    text = rule.encoding or _read_parameters(file).get(f"{name}__CellIDEncoding")
    if text is None:
        raise ConfigurationError(
            f"{path}: the file does not hold the encoding of the cell numbers of {name} in a form that "
            "is read; give it in the mapping, such as encoding: 'system:8,layer:8,x:32:-16,y:-16'."
        )
    return CellIdEncoding.parse(text)


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
    whole = f"{name.split('.')[0]}/{name}"
    # In a tree a member stands inside its collection's branch; in an RNTuple it is a field by its own name.
    branch = whole if whole in tree or name not in tree else name
    return flatten_lists(read_branch(tree, plan_path, branch, start, stop), plan_path, name)


def _vectors(tree: Any, path: Path, name: str, start: int, stop: int) -> NDArray[np.float64]:
    """Return the vectors (member, 3) of a collection."""
    columns = [_column(tree, path, f"{name}.{axis}", start, stop)[0] for axis in "xyz"]
    return np.stack(columns, axis=1).astype(np.float64)


def _most_primaries(tree: Any, path: Path, mapping: HitMapping, total: int) -> int:
    """Return the largest number of incident particles in an event; an event without one is refused."""
    most = 1
    for start in range(0, total, 1000):
        stop = min(start + 1000, total)
        status, counts = _column(tree, path, f"{mapping.particles}.generatorStatus", start, stop)
        events = np.repeat(np.arange(stop - start), counts)
        incident = np.bincount(events[np.isin(status, mapping.statuses)], minlength=stop - start)
        lacking = np.flatnonzero(incident == 0)
        if len(lacking):
            held = np.unique(status[events == lacking[0]]).tolist()
            raise ShowerFileError(
                f"{path}: event {start + lacking[0]} has no particle in {mapping.particles} of generator "
                f"status {_either(mapping.statuses)}; it has those of status "
                f"{', '.join(map(str, held)) or '(none)'}. Say in the mapping which are incident: "
                f"generator_status: {held[0] if held else 1}, or particles: another collection."
            )
        most = max(most, int(incident.max()))
    return most


def _either(statuses: tuple[int, ...]) -> str:
    """Return statuses in words."""
    return " or ".join(map(str, statuses))


def _read_primaries(tree: Any, plan: _Plan, start: int, stop: int) -> Primaries:
    """Return the incident particles of some events."""
    path, name = plan.path, plan.mapping.particles
    status, counts = _column(tree, path, f"{name}.generatorStatus", start, stop)
    kept = np.isin(status, plan.mapping.statuses)
    pdg, mass = (_column(tree, path, f"{name}.{what}", start, stop)[0][kept] for what in ("PDG", "mass"))
    return Primaries(
        np.repeat(np.arange(stop - start), counts)[kept],
        _vectors(tree, path, f"{name}.vertex", start, stop)[kept],
        _vectors(tree, path, f"{name}.momentum", start, stop)[kept] * MEV_PER_GEV,
        mass.astype(np.float64) * MEV_PER_GEV,
        pdg.astype(np.int64),
    )


def _read_hits(tree: Any, plan: _Plan, name: str, start: int, stop: int) -> Deposits:
    """Return the hits of a collection in some events."""
    path, rules = plan.path, plan.rules[name]
    energies, counts = _column(tree, path, f"{name}.energy", start, stop)
    points = _vectors(tree, path, f"{name}.position", start, stop)
    cell_ids = None
    if any(encoding is not None for _, encoding in rules):
        cell_ids = _column(tree, path, f"{name}.cellID", start, stop)[0].astype(np.uint64)
    events = np.repeat(np.arange(stop - start), counts)
    return Deposits(events, energies.astype(np.float64) * MEV_PER_GEV, points, cell_ids, rules, name)


FORMAT = Format(
    "edm4hep",
    "EDM4hep ROOT: collections of simulated calorimeter hits",
    recognises,
    open_file,
    mapping=HitMapping,
)
