"""One look at every shower of a comparison's files: energy that cannot be, and copies of the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calokit.arrays import Flags, Float64, Integer
from calokit.evaluation.scorecard import Alarm
from calokit.showers import ShowerFile, Showers
from calokit.showers.units_check import LARGEST_RESPONSE
from calokit.units import MEV_PER_GEV

UInt64 = NDArray[np.uint64]

NAMED = 10
"""At most so many showers are named one by one."""
FAR_ABOVE = 5.0
"""A shower this many times above the largest response of the reference's is out of reach of its law."""
LEAST_REFERENCE = 1000
"""With fewer reference showers their largest response says little."""
LEAST_HITS = 5
"""Showers with fewer hits may be equal by chance."""
LEAST_PATTERN = 10
"""Patterns of hits with fewer cells that are hit, or that are not, may be equal by chance."""
SAME_ENERGY = 1e-3
"""Showers of one pattern of hits whose visible energies differ by less are copies that were rounded."""


@dataclass(frozen=True)
class Looks:
    """What one look at every shower of a file found.

    Attributes:
        incident: (event,) incident energies, MeV.
        visible: (event,) visible energies, MeV.
        hits: (event,) cells with energy.
        bits: (event,) fingerprint of the cells and their energies to the last bit.
        pattern: (event,) fingerprint of the cells that have energy.
        cells: Cells of a shower.
    """

    incident: Float64
    visible: Float64
    hits: Integer
    bits: UInt64
    pattern: UInt64
    cells: int

    @property
    def response(self) -> Float64:
        """(event,) visible over incident energy."""
        ratio: Float64 = self.visible / self.incident
        return ratio


def look_at_every_shower(file: ShowerFile) -> Looks:
    """Go once through a file.

    Raises:
        ShowerFileError: A shower holds values that no shower has.
    """
    cells = file.detector.number_of_cells
    weights = np.random.default_rng(0).integers(0, 2**64, cells, dtype=np.uint64) | np.uint64(1)
    parts = [_look_at(showers, weights) for showers in file.chunks()]
    incident, visible, hits, bits, pattern = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Looks(incident, visible, hits, bits, pattern, cells)


def _look_at(showers: Showers, weights: UInt64) -> tuple[Float64, Float64, Integer, UInt64, UInt64]:
    """Return the columns of `Looks` for some showers."""
    energies = np.ascontiguousarray(showers.energies)
    flat = np.flatnonzero(energies)
    event, cell = np.divmod(flat, energies.shape[1])
    hits = np.bincount(event, minlength=len(showers)).astype(np.int64)
    bits, pattern = np.zeros(len(showers), np.uint64), np.zeros(len(showers), np.uint64)
    filled = hits > 0
    if filled.any():
        starts = np.concatenate([[0], np.cumsum(hits[filled])[:-1]])
        hashed = weights[cell]
        pattern[filled] = np.add.reduceat(hashed, starts)
        raw = energies.ravel()[flat].view(np.uint32).astype(np.uint64)
        bits[filled] = np.add.reduceat(hashed * (raw | np.uint64(1 << 40)), starts)
    return showers.incident_energies.astype(np.float64), showers.visible_energies, hits, bits, pattern


def find_alarms(reference: Looks, generated: Looks, floor: Looks | None, first: int = 0) -> list[Alarm]:
    """Return what alone forbids to trust the generated showers.

    Args:
        reference: Looks at the truth, all of its file.
        generated: Looks at the generated showers, all of their file.
        floor: Looks at a second file of truth, where there is one.
        first: Position in its file of the first generated shower.
    """
    alarms = []
    impossible = find_impossible(reference, generated)
    if impossible.any():
        alarms.append(_tell_impossible(generated, impossible, first))
    truths = [reference] if floor is None else [reference, floor]
    copied = np.zeros(len(generated.bits), dtype=bool)
    for truth in truths:
        copied |= find_copies(truth, generated)
    if copied.any():
        count = int(copied.sum())
        share = 100 * count / len(copied)
        alarms.append(
            Alarm(
                kind="copied",
                text=f"{count} generated shower{'s' if count > 1 else ''} ({share:.3g} %) "
                f"{'are copies' if count > 1 else 'is a copy'} of reference showers (in the file "
                f"{_name_some(np.flatnonzero(copied) + first)}): nothing was generated there, and no "
                "measurement says anything about it",
                showers=(np.flatnonzero(copied)[:NAMED] + first).tolist(),
                count=count,
            )
        )
    return alarms


def find_impossible(reference: Looks, generated: Looks) -> Flags:
    """Return which generated showers hold more energy than their particle can have brought.

    That is 1.2 times the incident energy (times the largest response of the reference's where that is above
    1); or five times the largest response of a reference of at least 1,000 showers.

    Returns:
        (event,) of the generated showers.
    """
    largest = float(reference.response.max())
    limit = LARGEST_RESPONSE * max(1.0, largest)
    if len(reference.visible) >= LEAST_REFERENCE and largest > 0:
        limit = min(limit, FAR_ABOVE * largest)
    flags: Flags = generated.response > limit
    return flags


def find_copies(truth: Looks, generated: Looks) -> Flags:
    """Return which generated showers are copies of true ones, to the last bit or up to rounding.

    Returns:
        (event,) of the generated showers.
    """
    exact = np.isin(generated.bits, truth.bits[truth.hits >= LEAST_HITS]) & (generated.hits >= LEAST_HITS)
    known = _has_pattern(truth)
    order = np.flatnonzero(known)[np.argsort(truth.pattern[known], kind="stable")]
    patterns = truth.pattern[order]
    place = np.searchsorted(patterns, generated.pattern)
    inside = place < len(patterns)
    same = np.zeros(len(generated.pattern), dtype=bool)
    same[inside] = patterns[place[inside]] == generated.pattern[inside]
    partner = order[place[inside]] if len(order) else np.zeros(0, dtype=np.int64)
    energy = np.full(len(same), np.inf)
    energy[inside] = truth.visible[partner]
    close = np.abs(generated.visible - energy) <= SAME_ENERGY * generated.visible
    flags: Flags = exact | (same & close & _has_pattern(generated))
    return flags


def _has_pattern(looks: Looks) -> Flags:
    """Tell which showers have a pattern of hits that none other has by chance."""
    flags: Flags = (looks.hits >= LEAST_PATTERN) & (looks.hits <= looks.cells - LEAST_PATTERN)
    return flags


def _tell_impossible(generated: Looks, impossible: Flags, first: int) -> Alarm:
    """Return the alarm about showers with more energy than can be."""
    chosen = np.flatnonzero(impossible)
    worst = int(chosen[np.argmax(generated.response[chosen])])
    count = len(chosen)
    return Alarm(
        kind="impossible",
        text=f"{count} generated shower{'s' if count > 1 else ''} cannot be (in the file "
        f"{_name_some(chosen + first)}): shower {worst + first} holds {generated.visible[worst]:.4g} MeV, "
        f"{generated.response[worst]:.3g} times its incident energy of "
        f"{generated.incident[worst] / MEV_PER_GEV:.4g} GeV",
        showers=(chosen[:NAMED] + first).tolist(),
        count=count,
    )


def _name_some(positions: Integer) -> str:
    """Return positions in words, the first ten of many."""
    shown = ", ".join(map(str, positions[:NAMED].tolist()))
    words = "number" if len(positions) == 1 else "numbers"
    return f"{words} {shown}" + (", ..." if len(positions) > NAMED else "")
