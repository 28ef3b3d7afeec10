"""Shower files of one detector as one file, evenly mixed, so that its last tenth is like all of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from calokit.errors import ConfigurationError, DetectorError, ShowerFileError
from calokit.files import check_writable
from calokit.progress import Progress, show_progress
from calokit.showers.batch import Showers
from calokit.showers.digitisation import CARRIED
from calokit.showers.files import ShowerFile, open_showers
from calokit.showers.incidents import Incidents
from calokit.showers.particles import PARTICLE_COLUMNS
from calokit.showers.splits import Split
from calokit.showers.units_check import states_its_unit
from calokit.showers.writer import ShowerWriter

BLOCK = 256
"""Showers that stay together."""

ALIKE = ("digitisation", "regrouped", "split")
"""Attributes in which files must agree."""

JOINED_OF, THRESHOLD = "joined_of", "threshold_mev"


def join_files(
    sources: Sequence[ShowerFile],
    path: Path,
    split: Split | None = None,
    compression: int = 4,
    progress: Progress = show_progress,
) -> int:
    """Write the showers of several files into one; what stands there and is made of the same is left.

    Columns that not every file has (entries, PDG numbers) are left out.

    Args:
        sources: Files of one detector and particle, each of other showers.
        path: The new file; its attribute `joined_of` names the sources.
        split: What the new file is meant for; None takes what all sources are meant for.
        compression: Level of gzip, 1 (fast) to 9 (small).
        progress: Shows how far it is.

    Returns:
        How many showers the file holds.

    Raises:
        ConfigurationError: There are none, two hold the same showers, or they differ in their particle,
            readout or purpose.
        DetectorError: They are of several detectors.
        OutputError: The new file cannot be written, or is one of the sources.
    """
    _check_sources(sources, split)
    for source in sources:
        check_writable(path, source.path)
    total = sum(len(source) for source in sources)
    first = sources[0]
    attributes = {
        key: value
        for key, value in first.attributes.items()
        if key in (*CARRIED, *ALIKE)
        and key != THRESHOLD
        and all(source.attributes.get(key) == value for source in sources)
    }
    if split is not None:
        attributes["split"] = str(split)
    thresholds = [float(source.attributes[THRESHOLD]) for source in sources if THRESHOLD in source.attributes]
    if thresholds:
        attributes[THRESHOLD] = max(thresholds)
    if not all(states_its_unit(source) for source in sources):
        attributes.setdefault("source_format", "unknown")
    attributes[JOINED_OF] = json.dumps(
        [[source.path.name, source.sha256, *sorted(_marks(source) - {source.sha256})] for source in sources]
    )
    if path.is_file() and _is_of(path, attributes):
        return total
    generators = "; ".join(dict.fromkeys(source.generator for source in sources))
    columns = frozenset.intersection(*(source.columns for source in sources))
    with (
        ShowerWriter(path, first.detector, first.particle, generators, attributes, compression) as writer,
        progress(total, f"joining {path.stem}", "showers") as advance,
    ):
        for showers in _in_turn(sources):
            writer.write(_of_columns(showers, columns))
            advance(len(showers))
    return total


def left_out(sources: Sequence[ShowerFile]) -> list[str]:
    """Return the columns that some files have and others lack."""
    every = [source.columns for source in sources]
    return sorted(frozenset.union(*every) - frozenset.intersection(*every))


def _check_sources(sources: Sequence[ShowerFile], split: Split | None) -> None:
    """Refuse files that make no one set."""
    if not sources:
        raise ConfigurationError("there are no files to join.")
    first = sources[0]
    for other in sources[1:]:
        if not other.detector.is_same(first.detector):
            raise DetectorError(
                f"{other.path}: showers of detector {other.detector.name!r} cannot be joined to those of "
                f"{first.detector.name!r} ({first.path})."
            )
        for what, one, another in _compared(first, other, split):
            if one != another:
                way_on = (
                    "say what the new file is meant for (--split)" if what == "split" else "join files alike"
                )
                raise ConfigurationError(
                    f"{other.path} has {what} {another!r}, {first.path} {one!r}; {way_on}."
                )
    for one_file, other in combinations(sources, 2):
        if _marks(one_file) & _marks(other):
            raise ConfigurationError(
                f"{one_file.path} and {other.path} hold the same showers (one file, a file and one "
                "joined of it, or one sample and seed); simulate with another --seed."
            )


def _marks(source: ShowerFile) -> set[str]:
    """Return what tells the showers of a file: digests and seeds of it and of the files it was joined of."""
    joined = json.loads(source.attributes.get(JOINED_OF, "[]"))
    marks = {source.sha256, *(mark for _, *known in joined for mark in known)}
    made = [source.attributes.get(key) for key in ("sample", "seed")]
    if None in made:
        return marks
    twins = source.attributes.get("twins_of_sha256")
    return marks | {json.dumps(made if twins is None else [*made, twins])}


def _is_of(path: Path, attributes: dict[str, Any]) -> bool:
    """Return whether a file is joined of the same, for the same purpose."""
    try:
        there = open_showers(path).attributes
    except ShowerFileError:
        return False
    return attributes.items() <= there.items() and attributes.get("split") == there.get("split")


def _compared(first: ShowerFile, other: ShowerFile, split: Split | None) -> Iterator[tuple[str, Any, Any]]:
    """Yield what two files must agree in."""
    yield "particle", first.particle, other.particle
    one, another = (sorted(source.columns & frozenset(PARTICLE_COLUMNS)) for source in (first, other))
    yield "columns of several particles", one, another
    for key in ALIKE:
        if key != "split" or split is None:
            yield key, first.attributes.get(key), other.attributes.get(key)


def _in_turn(sources: Sequence[ShowerFile]) -> Iterator[Showers]:
    """Yield blocks of all files, spread evenly."""
    blocks = [
        ((start + 0.5 * BLOCK) / len(source), number, start)
        for number, source in enumerate(sources)
        for start in range(0, len(source), BLOCK)
    ]
    for _, number, start in sorted(blocks):
        source = sources[number]
        yield source.read(start, min(start + BLOCK, len(source)))


def _of_columns(showers: Showers, columns: frozenset[str]) -> Showers:
    """Return showers with no other columns than these."""
    known = {name: values for name, values in showers.incidents.columns().items() if name in columns}
    entries = showers.entries if "entries" in columns else None
    return Showers.of(showers.energies, showers.detector, Incidents.from_columns(known), entries)
