"""Cells about the impact, folded so that showers that differ by a mirror of the readout look the same."""

from __future__ import annotations

import numpy as np

from calokit.arrays import Flags, Float64
from calokit.detector import Detector
from calokit.detector.readout import CartesianReadout
from calokit.evaluation.topology.columns import Columns, FlightOffsets
from calokit.showers import Showers
from calokit.showers.hits import Hits

REACH = 3
"""Cells on each side of the impact's own."""


def measure_impact_cells(showers: Showers, hits: Hits, offsets: FlightOffsets, threshold: float) -> Columns:
    """Return the cells about the impact of each shower, summed over layers, for rows and columns.

    The impact lies in a cell, `impact_u` and `impact_v` pitches from its middle along x and y. Mirrors in x
    and in y make both positive, and where the pitches are equal an exchange of x and y makes u the larger: 8
    showers that are images of each other give the same columns. In deeper layers a cell's place is counted
    from the line of flight.

    Columns: `impact_u`, `impact_v`, with directions `slope_u`, `slope_v` (the same mirrors on the slopes),
    and `impact_cell_I_J` (ln(1 + energy / threshold) of the cell I pitches towards the side where the impact
    lies and J across). None without impacts, or where cells are not in rows and columns.

    Args:
        showers: The showers.
        hits: Their hits.
        offsets: Where they lie about the line of flight.
        threshold: MeV; 1 keV stands in for 0.
    """
    pitches = _pitches(showers.detector)
    if pitches is None or not offsets.known or showers.positions is None:
        return {}
    pitch_x, pitch_y = (pitch[showers.detector.cells.section[hits.cell]] for pitch in pitches)
    row, column = _nearest(offsets.x / pitch_x), _nearest(offsets.y / pitch_y)
    within = _within_cell(showers, pitches)
    sign = np.where(within < 0, -1.0, 1.0)
    square = bool(np.allclose(pitches[0], pitches[1]))
    exchanged = square & (np.abs(within[:, 1]) > np.abs(within[:, 0]))
    row, column = row * sign[hits.event, 0], column * sign[hits.event, 1]
    turned = exchanged[hits.event]
    row, column = np.where(turned, column, row), np.where(turned, row, column)
    columns = _folded("impact", np.abs(within), exchanged)
    if showers.directions is not None:
        direction = showers.directions.astype(np.float64)
        slopes = direction[:, :2] / np.maximum(direction[:, 2:], 1e-9)
        columns |= _folded("slope", slopes * sign, exchanged)
    side = 2 * REACH + 1
    near = (np.abs(row) <= REACH) & (np.abs(column) <= REACH)
    cell = ((row + REACH) * side + column + REACH)[near].astype(np.int64)
    place = hits.event[near] * side**2 + cell
    sums = np.bincount(place, weights=hits.energy[near], minlength=hits.events * side**2)
    values = np.log1p(sums.reshape(hits.events, side**2) / (threshold or 1e-3))
    for number in range(side**2):
        i, j = divmod(number, side)
        columns[f"impact_cell_{i - REACH}_{j - REACH}"] = values[:, number]
    return columns


def _folded(name: str, values: Float64, exchanged: Flags) -> Columns:
    return {
        f"{name}_u": np.where(exchanged, values[:, 1], values[:, 0]),
        f"{name}_v": np.where(exchanged, values[:, 0], values[:, 1]),
    }


def _nearest(places: Float64) -> Float64:
    """Return the cell, counted from the one that the line of flight passes through."""
    return np.floor(places + 0.5)


def _within_cell(showers: Showers, pitches: tuple[Float64, Float64]) -> Float64:
    """Return where in its cell the impact lies, in pitches from the middle; (event, 2)."""
    assert showers.positions is not None
    cells = showers.detector.cells
    pitch = np.array([pitches[0][0], pitches[1][0]])
    away = (showers.positions.astype(np.float64) - [cells.x[0], cells.y[0]]) / pitch
    within: Float64 = away - np.floor(away + 0.5)
    return within


def _pitches(detector: Detector) -> tuple[Float64, Float64] | None:
    """Return the pitches along x and y of each section, or None where one has no rows and columns."""
    readouts = [section.readout for section in detector.sections]
    cartesian = [readout for readout in readouts if isinstance(readout, CartesianReadout)]
    if len(cartesian) < len(readouts):
        return None
    return (
        np.array([readout.row_pitch_mm for readout in cartesian]),
        np.array([readout.column_pitch_mm for readout in cartesian]),
    )
