"""Arrays of all cells of each event, of one section or of several, put into calokit's order."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calokit.arrays import Float64
from calokit.detector import Detector
from calokit.detector.locate import locate_cells
from calokit.detector.schema import Section
from calokit.errors import ConfigurationError, DetectorError, ShowerFileError, suggest_near_miss
from calokit.showers.formats.containers.contents import look_inside
from calokit.showers.formats.containers.tables import Table, open_table
from calokit.showers.formats.mapping.deposits import sum_deposits
from calokit.showers.formats.mapping.mapping import CellArray, CellPlaces

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class PlacedArray:
    """An array of cells and where its numbers go.

    Attributes:
        array: What the mapping says of it.
        section: The section whose cells it holds.
        first_cell: First cell of the section over the whole detector.
        first_layer: First layer of the section over the whole detector.
        targets: For an array with maps: the detector's cell of each of its cells (layer, cell), -1 outside.
    """

    array: CellArray
    section: Section
    first_cell: int
    first_layer: int
    targets: Int64 | None = None


def place_arrays(table: Table, arrays: tuple[CellArray, ...], detector: Detector) -> list[PlacedArray]:
    """Find where the numbers of each array go.

    Raises:
        ConfigurationError: A section is unknown, or none is named and the detector has several.
        DetectorError: An array has other cells than its section.
        ShowerFileError: A map is missing, or of another shape than its array.
    """
    placed = []
    for array in arrays:
        whole = array.section is None and array.places is None and array.axes is None
        place = 0 if whole else _find_section(table.path, array, detector)
        section = detector.sections[place]
        first_cell = sum(one.number_of_cells for one in detector.sections[:place])
        first_layer, _ = detector.layers_of_section(section.name)
        targets = None
        if array.places is not None:
            targets = _read_targets(table, array, array.places, detector, first_layer, section)
        placed.append(PlacedArray(array, section, first_cell, first_layer, targets))
    return placed


def _find_section(path: Path, array: CellArray, detector: Detector) -> int:
    """Return the number of the section whose cells an array holds."""
    names = [section.name for section in detector.sections]
    if array.section is None and len(names) == 1:
        return 0
    if array.section not in names:
        given = "names no section" if array.section is None else f"names section {array.section!r}"
        raise ConfigurationError(
            f"{path}: the array {array.name!r} {given}, and detector {detector.name!r} has "
            f"{', '.join(names)}. {suggest_near_miss(array.section or '', names)}"
        )
    return names.index(array.section or "")


def _read_targets(
    table: Table, array: CellArray, places: CellPlaces, detector: Detector, first_layer: int, section: Section
) -> Int64:
    """Return the detector's cell of each cell of an array (layer, cell) by its maps."""
    if places.file is None:
        maps = [_read_map(table, quantity.name or "") * quantity.factor for quantity in (places.x, places.y)]
    else:
        with open_table(look_inside(Path(places.file)), None) as other:
            maps = [_read_map(other, one.name or "") * one.factor for one in (places.x, places.y)]
    x, y = maps
    if x.shape != y.shape or x.ndim != 2 or len(x) != section.number_of_layers:
        raise ShowerFileError(
            f"{table.path}: the maps of {array.name!r} have shapes {x.shape} and {y.shape}; both must be "
            f"({section.number_of_layers}, cells), the layers of section {section.name!r}."
        )
    layer = np.repeat(np.arange(len(x)), x.shape[1]) + first_layer
    known = np.isfinite(x.ravel()) & np.isfinite(y.ravel())
    inside = [np.where(known, one.ravel(), 0.0) for one in (x, y)]
    cells = np.where(known, locate_cells(detector, layer, *inside), -1)
    return cells.reshape(x.shape)


def _read_map(table: Table, name: str) -> Float64:
    return table.read(name, 0, table.count_rows(name)).astype(np.float64)


def read_cells(
    table: Table, placed: list[PlacedArray], detector: Detector, start: int, stop: int
) -> tuple[Float64, Float64]:
    """Return cells (event, cell) in MeV, in calokit's order, and the energy of each event in the file.

    Raises:
        DetectorError: An array has other cells than its section.
    """
    events = stop - start
    cells = np.zeros((events, detector.number_of_cells))
    total = np.zeros(events)
    for one in placed:
        values = table.read(one.array.name or "", start, stop).astype(np.float64) * one.array.factor
        if one.targets is not None:
            added, source = _add_by_targets(table, one, values, detector, start)
            cells += added
            total += source
            continue
        whole = one.array.section is None and len(detector.sections) > 1
        arranged = _arrange(table.path, one, values, detector if whole else None)
        cells[:, one.first_cell : one.first_cell + arranged.shape[1]] += arranged
        total += arranged.sum(axis=1)
    return cells, total


def _add_by_targets(
    table: Table, one: PlacedArray, values: Float64, detector: Detector, start: int
) -> tuple[NDArray[Any], Float64]:
    """Return the energies of an array with maps on the detector's cells, and its energy by event."""
    assert one.targets is not None
    order = one.array.axes or ("layer", "cell")
    if order == ("cell", "layer"):
        values = values.transpose(0, 2, 1)
    if values.shape[1:] != one.targets.shape:
        raise ShowerFileError(
            f"{table.path}: {one.array.name!r} has shape (events, {', '.join(map(str, values.shape[1:]))}), "
            f"its maps {one.targets.shape}."
        )
    event, layer, cell = np.nonzero(values)
    shape = (len(values), detector.number_of_cells)
    where = f"{table.path}, events {start} to {start + len(values) - 1}"
    return sum_deposits(event, one.targets[layer, cell], values[event, layer, cell], shape, where)


def _arrange(path: Path, one: PlacedArray, values: Float64, whole: Detector | None) -> Float64:
    """Return the values (event, cell) of a section, or of a whole detector, in calokit's order."""
    array, given = one.array, values.shape[1:]
    own: tuple[int, ...] = () if whole is not None else one.section.shape or ()
    number = one.section.number_of_cells if whole is None else whole.number_of_cells
    if array.axes is None:
        fits = int(np.prod(given)) == number and (len(given) == 1 or given == own)
    else:
        order = [array.axes.index(axis) for axis in ("layer", "row", "column") if axis in array.axes]
        wanted = own[3 - len(order) :] if len(own) == 3 else ()
        fits = len(given) == len(order) and tuple(given[k] for k in order) == wanted
        fits = fits and number == int(np.prod(given))
        if fits:
            values = values.transpose(0, *(1 + k for k in order))
    if not fits:
        name = one.section.name if whole is None else whole.name
        raise DetectorError(
            f"{path}: {array.name!r} has shape (events, {', '.join(map(str, given))}) with axes "
            f"{list(array.axes) if array.axes else 'layer, row, column'}; {name!r} has "
            f"{own or f'{number} cells'} (layers, rows, columns). Give cells.axes or another detector."
        )
    return values.reshape(len(values), -1)
