"""What the event display of a page is drawn from: cell volumes, outline and hits, packed into text."""

from __future__ import annotations

import base64
import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from numpy.typing import ArrayLike, NDArray

from calokit.detector import Detector
from calokit.detector.cell_volumes import CIRCLE_PIECES, CellVolumes, cell_volumes, outline_detector
from calokit.errors import CalokitError
from calokit.evaluation.scorecard import ShowerHits
from calokit.report.compared import ComparedCards

COLOURS = 256
"""Steps of the colour scale."""


@dataclass(frozen=True)
class PackedDisplay:
    """What the event display is drawn from.

    Attributes:
        text: JSON that may stand inside a page.
        layers: Readout layers of the detector.
        to_scale: Whether depths are in mm; without material they are layers of equal thickness.
        cut: Whether some shower has more hits than are listed.
    """

    text: str
    layers: int
    to_scale: bool
    cut: bool


def pack_display(compared: ComparedCards) -> PackedDisplay:
    """Return the content of the event display; its JSON text may stand inside a page.

    Only cells that some shower hits are described. Arrays are base64 of little-endian float32, uint32 and
    uint8: `low` and `high` (cell, 3) as in `CellVolumes`, `sector` and `layer` (cell,), `outline`
    (piece, 2, 3) in mm, and for each shower `cells` (hit,), places in those arrays, and `energies` (hit,)
    in MeV.

    Args:
        compared: The scorecards; the events are those of the leading one, and the others join with the
            incidents they share.

    Raises:
        CalokitError: No scorecard has hits, or one lies in a cell that the detector does not have.
    """
    leading = compared.leading
    if leading is None or leading.detector_description is None:
        raise CalokitError("no scorecard has hits; evaluate with at least one event to show.")
    detector = leading.detector_description
    volumes = cell_volumes(detector)
    generated = compared.incidents
    showers = [event.reference for event in leading.hits]
    showers += [event.generated for row in generated for event in row if event is not None]
    for shower in showers:
        _check_shower(shower, detector)
    used = np.unique(np.concatenate([np.asarray(s.cells, dtype=np.int64) for s in showers]))
    content = {
        "cells": _pack_volumes(volumes, used),
        "outline": _pack(outline_detector(detector), "<f4"),
        "segments": _count_segments(volumes),
        "sections": _describe_sections(detector),
        "toScale": volumes.to_scale,
        "threshold": leading.threshold_mev,
        "reference": leading.reference.label,
        "samples": compared.labels,
        "colours": [[round(float(part), 3) for part in colour[:3]] for colour in _colours()],
        "events": [
            {
                "energy": event.incident_energy_gev,
                "position": event.position_mm,
                "direction": event.direction,
                "reference": _pack_shower(event.reference, used),
                "generated": [None if e is None else _pack_shower(e.generated, used) for e in row],
            }
            for event, row in zip(leading.hits, generated, strict=True)
        ],
    }
    text = _escape(json.dumps(content, separators=(",", ":"), allow_nan=False))
    cut = any(shower.hits > len(shower.cells) for shower in showers)
    return PackedDisplay(text, detector.number_of_layers, volumes.to_scale, cut)


def _check_shower(shower: ShowerHits, detector: Detector) -> None:
    cells = detector.number_of_cells
    if len(shower.cells) != len(shower.energies_mev) or not all(0 <= cell < cells for cell in shower.cells):
        raise CalokitError(
            f"the scorecard's hits do not fit {detector.name!r}, which has {cells} cells; "
            "run `calokit evaluate` again."
        )


def _pack_volumes(volumes: CellVolumes, used: NDArray[np.int64]) -> dict[str, str]:
    return {
        "low": _pack(volumes.low[used], "<f4"),
        "high": _pack(volumes.high[used], "<f4"),
        "layer": _pack(volumes.layer[used], "<u4"),
        "sector": _pack(volumes.is_sector[used], "u1"),
    }


def _pack_shower(shower: ShowerHits, used: NDArray[np.int64]) -> dict[str, Any]:
    return {
        "cells": _pack(np.searchsorted(used, shower.cells), "<u4"),
        "energies": _pack(shower.energies_mev, "<f4"),
        "hits": shower.hits,
        "energy": shower.energy_mev,
    }


def _count_segments(volumes: CellVolumes) -> int:
    """Return how many straight pieces the arc of the widest sector needs; 1 for boxes alone."""
    if not volumes.is_sector.any():
        return 1
    opening = float((volumes.high[:, 0] - volumes.low[:, 0])[volumes.is_sector].max())
    return max(1, math.ceil(opening / (2.0 * math.pi) * CIRCLE_PIECES - 1e-9))


def _describe_sections(detector: Detector) -> list[dict[str, Any]]:
    """Return name, first and last readout layer of each section."""
    counts = [section.number_of_layers for section in detector.sections]
    ends = np.cumsum(counts)
    return [
        {"name": section.name, "first": int(end) - count, "last": int(end) - 1}
        for section, count, end in zip(detector.sections, counts, ends, strict=True)
    ]


def _colours() -> NDArray[np.float64]:
    return np.asarray(colormaps["viridis"](np.linspace(0.0, 1.0, COLOURS)))


def _pack(values: ArrayLike, kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(np.asarray(values), dtype=np.dtype(kind)).tobytes()).decode()


def _escape(text: str) -> str:
    """Write JSON so that no text in it can end a script element."""
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
