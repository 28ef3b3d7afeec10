"""The samples of a comparison, read side by side in blocks, so that files may be larger than memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.stats import ks_2samp

from calokit.detector import Detector
from calokit.errors import CalokitError, DetectorError
from calokit.showers import ShowerFile, Showers
from calokit.showers.units_check import require_same_units

BLOCK_BYTES = 8 * 2**20
"""How much of one sample is in memory at a time."""


SAME_LAW = 1e-3
"""Incident energies further along a file are of the same law unless chance says less than this."""
GOLDEN_RATIO = 0.6180339887498949
"""Inverse golden ratio; its multiples spread evenly and follow no period of a file."""


@dataclass(frozen=True)
class SampleStream:
    """The showers of a file, or one half of them.

    A file is halved by taking one of each two neighbours, now the first and now the second in an order
    without a period, so that neither sorted energies nor energies in a cycle make the halves differ.

    Attributes:
        file: The shower file.
        half: None for all showers, 0 or 1 for one half.
    """

    file: ShowerFile
    half: int | None = None

    def __len__(self) -> int:
        return len(self.file) if self.half is None else len(self.file) // 2

    def read(self, start: int, stop: int) -> Showers:
        """Return showers `start` up to (not including) `stop` of the stream."""
        if self.half is None:
            return self.file.read(start, stop)
        pairs = np.arange(start, stop)
        second = (2.0 * np.modf(pairs * GOLDEN_RATIO)[0]).astype(np.int64)
        return self.file.read(2 * start, 2 * stop)[2 * (pairs - start) + (second ^ self.half)]


@dataclass(frozen=True)
class Comparison:
    """What is compared with what: the streams of the three samples, cut to one size.

    Attributes:
        reference: The truth.
        generated: The sample that is judged.
        floor: Independent truth, judged in the same way to give the floor of every number.
        showers: How many showers of each are used.
        floor_sample: How the floor was made, in words.
        warnings: What the reader of the numbers should know.
        with_positions: Whether all three know the impacts; else none is used.
        with_directions: Whether all three know the directions; else none is used.
    """

    reference: SampleStream
    generated: SampleStream
    floor: SampleStream
    showers: int
    floor_sample: str
    warnings: tuple[str, ...] = field(default=())
    with_positions: bool = True
    with_directions: bool = True

    @property
    def detector(self) -> Detector:
        """The detector of all three."""
        return self.reference.file.detector

    @property
    def circumstances(self) -> tuple[object, ...]:
        """What decides how reference and floor compare, whatever was generated."""
        return self.showers, self.floor.half, self.with_positions, self.with_directions

    def read(self, stream: SampleStream, start: int, stop: int) -> Showers:
        """Return showers of a stream, with only those columns that all samples have."""
        return self.common(stream.read(start, stop))

    def common(self, showers: Showers) -> Showers:
        """Return showers with only those columns that all samples have."""
        return replace(
            showers,
            positions=showers.positions if self.with_positions else None,
            directions=showers.directions if self.with_directions else None,
        )

    def blocks(self) -> Iterator[tuple[int, int]]:
        """Go through the ranges of showers that fit into memory together."""
        size = block_size(self.detector)
        for start in range(0, self.showers, size):
            yield start, min(start + size, self.showers)


def block_size(detector: Detector) -> int:
    """Return how many showers of a detector make a block."""
    size = max(1, BLOCK_BYTES // (4 * detector.number_of_cells))
    return size - size % 256 if size > 256 else size


def plan_comparison(reference: ShowerFile, generated: ShowerFile, floor: ShowerFile | None) -> Comparison:
    """Decide which showers of which file are compared.

    All samples are cut to the smallest, since most distances depend on the number of showers. Without a
    second truth file, reference showers beyond the compared ones make the floor; where there are too few (or
    of other energies, as in a sorted file) the reference is split: one half against the generated showers of
    the same positions, the other half for the floor.

    Raises:
        DetectorError: The files belong to different detectors.
        ShowerFileError: The energies of two files differ by a thousand, a unit.
        CalokitError: The floor holds showers of the reference, or there are fewer than two showers.
    """
    files = [file for file in (generated, floor) if file is not None]
    for file in files:
        require_same_detector(reference, file)
        require_same_units(reference, file)
    warnings: list[str] = []
    beyond = floor is None and _can_serve_as_floor(reference, len(generated))
    if len(reference) != len(generated) and not beyond:
        warnings.append(
            f"sizes differ: {len(reference)} reference and {len(generated)} generated showers; "
            f"the first {min(len(reference), len(generated))} of both are compared."
        )
    if beyond:
        floor = replace(reference, first=reference.first + len(generated))
        streams = (SampleStream(reference), SampleStream(generated), SampleStream(floor))
    elif floor is None:
        streams = (
            SampleStream(reference, 0),
            SampleStream(generated, 0),
            SampleStream(reference, 1),
        )
        warnings.append(
            "no second truth sample was given: half of the reference serves as the floor, and every number "
            "rests on half of the showers."
        )
    else:
        _refuse_overlap(reference, floor)
        streams = (SampleStream(reference), SampleStream(generated), SampleStream(floor))
        if len(floor) < min(len(reference), len(generated)):
            warnings.append(f"the floor sample has only {len(floor)} showers; all samples are cut to that.")
    showers = min(len(stream) for stream in streams)
    if showers < 2:
        raise CalokitError(
            f"{reference.path} and {generated.path}: {showers} showers to compare; at least 2 are needed."
        )
    presence = _common_columns([reference, *files], warnings)
    words = _describe_floor(reference, None if beyond else floor, showers)
    return Comparison(*streams, showers, words, tuple(warnings), *presence)


def _can_serve_as_floor(reference: ShowerFile, compared: int) -> bool:
    """Tell whether the reference has as many showers beyond the compared ones, of the same energies."""
    if len(reference) < 2 * compared:
        return False
    energies = np.concatenate([one.energies for one in reference.incident_chunks()]).astype(np.float64)
    alike = ks_2samp(energies[:compared], energies[compared : 2 * compared])
    return float(alike.pvalue) > SAME_LAW


def require_same_detector(reference: ShowerFile, other: ShowerFile) -> None:
    """Refuse files whose cells are not the same.

    Raises:
        DetectorError: The number of cells or their places differ.
    """
    first, second = reference.detector, other.detector
    same = first.number_of_cells == second.number_of_cells and all(
        np.allclose(getattr(first.cells, name), getattr(second.cells, name), equal_nan=True)
        for name in ("layer", "x", "y", "z", "radius")
    )
    if not same:
        raise DetectorError(
            f"{other.path} has showers of detector {second.name!r} ({second.number_of_cells} cells), but "
            f"{reference.path} of {first.name!r} ({first.number_of_cells} cells); only showers of the same "
            "cells can be compared."
        )


def _refuse_overlap(reference: ShowerFile, floor: ShowerFile) -> None:
    same = reference.path.resolve() == floor.path.resolve()
    if same and reference.first < floor.last and floor.first < reference.last:
        raise CalokitError(
            f"{floor.path}: the floor sample holds showers of the reference; give truth of other seeds, or "
            "none, and the reference is split in two."
        )


def _common_columns(files: list[ShowerFile], warnings: list[str]) -> tuple[bool, bool]:
    presence = []
    for title, known in (
        ("impact positions", ["incident_positions" in file.columns for file in files]),
        ("directions", ["incident_directions" in file.columns for file in files]),
    ):
        if any(known) and not all(known):
            without = ", ".join(str(file.path) for file, has in zip(files, known, strict=True) if not has)
            warnings.append(f"{title} are not used, since they are missing in {without}.")
        presence.append(all(known))
    return presence[0], presence[1]


def _describe_floor(reference: ShowerFile, floor: ShowerFile | None, showers: int) -> str:
    if floor is None:
        return f"{showers} showers of {reference.path.name} against as many others of the same file"
    return f"{showers} showers of {floor.path.name} against {showers} of {reference.path.name}"
