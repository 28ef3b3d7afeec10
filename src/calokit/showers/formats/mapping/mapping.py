"""What the datasets of a user's own file mean: one YAML file says it, and how hits are put onto cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, model_validator

from calokit.config import Description, read_yaml
from calokit.detector.library import detector_beside
from calokit.errors import ConfigurationError, suggest_near_miss
from calokit.showers.formats.mapping.hit_mapping import HitMapping
from calokit.showers.formats.mapping.quantities import ENERGY_UNITS, LENGTH_UNITS, EnergyUnit, LengthUnit


class Quantity(Description):
    """A number of each event or hit: a dataset, array or branch of the file, or the same value for all.

    Attributes:
        name: Path of the dataset in an HDF5 file, or name of the array or branch.
        index: Which column of a dataset with two axes, from 0; several numbers for one with more axes, one an
            axis behind that of the events.
        value: Instead of a name, the value that every event has.
    """

    name: str | None = Field(default=None, min_length=1)
    index: NonNegativeInt | tuple[NonNegativeInt, ...] | None = None
    value: float | None = None

    @model_validator(mode="after")
    def _check_origin(self) -> Self:
        """Refuse a quantity that comes from nowhere or from two places."""
        if (self.name is None) == (self.value is None) or (self.index is not None and self.name is None):
            raise ConfigurationError("a quantity needs either name (and index, if it has columns) or value.")
        return self

    @property
    def factor(self) -> float:
        """What the numbers are multiplied by."""
        return 1.0


class Energy(Quantity):
    """An energy or momentum.

    Attributes:
        unit: eV, keV, MeV, GeV or TeV.
        scale: How many units the file means by 1, such as 0.0885 MeV for a MIP.
    """

    unit: EnergyUnit
    scale: PositiveFloat = 1.0

    @property
    def factor(self) -> float:
        """MeV that the file means by 1."""
        return ENERGY_UNITS[self.unit] * self.scale


class Length(Quantity):
    """A length.

    Attributes:
        unit: um, mm, cm or m.
    """

    unit: LengthUnit

    @property
    def factor(self) -> float:
        """Length in mm that the file means by 1."""
        return LENGTH_UNITS[self.unit]


class Index(Quantity):
    """The number of a layer, row or column.

    Attributes:
        first: The file's number of the first layer (row, column) of the detector.
    """

    first: int = 0


class CellPlaces(Description):
    """Where the cells of each layer lie, as maps (layer, cell): for layers that differ in their cells.

    Attributes:
        file: HDF5 or npz file (seen from the mapping's folder) that holds the maps; the file of the showers
            where not given.
        x: Distance of each cell's centre from the detector's axis along x, the rows.
        y: The same along y, the columns.
    """

    file: str | None = None
    x: Length
    y: Length

    @model_validator(mode="after")
    def _check_maps(self) -> Self:
        """Refuse maps that are one column or one number."""
        if any(one.name is None or one.index is not None for one in (self.x, self.y)):
            raise ConfigurationError("places: give the names of the maps of x and y, without index or value.")
        return self


class CellArray(Energy):
    """The energies of all cells of each event, as one array.

    Attributes:
        section: The section of the detector whose cells these are, where it has several.
        axes: What the axes behind that of the events are; where not given, the cells are in calokit's order
            (layer, row, column), flat or with three axes. `[layer, cell]` needs `places`.
        places: Where the cells of each layer lie; their energies then go to the detector's cells there.
    """

    section: str | None = None
    axes: tuple[Literal["layer", "row", "column", "cell"], ...] | None = None
    places: CellPlaces | None = None

    @model_validator(mode="after")
    def _check_axes(self) -> Self:
        """Refuse axes that repeat, or lack the rows or columns."""
        if self.name is None or self.index is not None:
            raise ConfigurationError("cells: give the name of the array, without index or value.")
        if (self.places is not None) != (self.axes is not None and "cell" in self.axes):
            raise ConfigurationError("cells: axes [layer, cell] and places (maps of x and y) go together.")
        if self.axes is not None and sorted(self.axes) not in (
            ["column", "layer", "row"],
            ["column", "row"],
            ["cell", "layer"],
        ):
            raise ConfigurationError(
                f"cells: axes must be layer, row and column in the file's order (layer may be left out), or "
                f"layer and cell, each once; {list(self.axes)} given."
            )
        return self


class HitColumns(Description):
    """The hits of all events: lists in each event (ROOT), or long columns with the number of the event.

    Attributes:
        energy: Energy of each hit.
        section: The section of the detector whose hits these are, where it has several; layers then count
            from its front.
        event: Number of the event of each hit, not falling along the file; not for lists in each event.
        layer: Number of the readout layer.
        row: Number of the row, along x.
        column: Number of the column, along y.
        x: Distance from the detector's axis along x, instead of row.
        y: Distance from the detector's axis along y, instead of column.
        depth: Depth from the front face, instead of layer.
    """

    energy: Energy
    section: str | None = None
    event: Index | None = None
    layer: Index | None = None
    row: Index | None = None
    column: Index | None = None
    x: Length | None = None
    y: Length | None = None
    depth: Length | None = None

    @model_validator(mode="after")
    def _check_places(self) -> Self:
        """Refuse hits whose place is given twice, in part or not at all."""
        indices, lengths = (self.row, self.column), (self.x, self.y)
        complete = [None not in pair for pair in (indices, lengths)]
        partial = [any(one is not None for one in pair) for pair in (indices, lengths)]
        if complete != partial or sum(complete) != 1:
            raise ConfigurationError("hits: give either row and column, or x and y.")
        if self.layer is not None and self.depth is not None:
            raise ConfigurationError("hits: give either layer or depth, not both.")
        return self

    def quantities(self) -> dict[str, Quantity]:
        """Return what is known of every hit, by its key."""
        keys = ("energy", "layer", "row", "column", "x", "y", "depth")
        return {key: getattr(self, key) for key in keys if getattr(self, key) is not None}


class Place(Description):
    """The impact at the front face, from the detector's axis."""

    x: Length
    y: Length


class Direction(Description):
    """A direction of any length, z into the calorimeter."""

    x: Quantity
    y: Quantity
    z: Quantity


class Momentum(Description):
    """A momentum, z into the calorimeter."""

    x: Energy
    y: Energy
    z: Energy


class OwnMapping(Description):
    """What the datasets of a user's own HDF5, npz or ROOT file mean.

    Attributes:
        kind: `columns`.
        detector: Name or YAML file (seen from the mapping's folder) of the detector.
        tree: The tree of a ROOT file; not needed where it has only one.
        cells: The energies of all cells: one array, or a list of arrays, each of a section.
        hits: Instead of cells, the hits: of the whole detector, or a list, each of a section.
        incident_energy: Kinetic energy of the incident particle.
        momentum: Instead, its momentum; the energy follows with the mass of `pdg` (massless without).
        impact: Where it hits the front face.
        direction: Where it flies.
        pdg: Its PDG number.
        particle: Its name, for a file without PDG numbers.

    Example:
        >>> cells, energy = {"name": "image", "unit": "GeV"}, {"value": 10, "unit": "GeV"}
        >>> mapping = OwnMapping.from_mapping({"cells": cells, "incident_energy": energy}, "here")
        >>> mapping.incident_energy.factor
        1000.0
    """

    kind: Literal["columns"] = "columns"
    detector: str | None = None
    tree: str | None = None
    cells: CellArray | tuple[CellArray, ...] | None = None
    hits: HitColumns | tuple[HitColumns, ...] | None = None
    incident_energy: Energy | None = None
    momentum: Momentum | None = None
    impact: Place | None = None
    direction: Direction | None = None
    pdg: Quantity | None = None
    particle: str | None = None

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        """Refuse a mapping that lacks the energies or has them twice."""
        if (self.cells is None) == (self.hits is None):
            raise ConfigurationError("a mapping needs either cells or hits.")
        for key, parts in (("cells", self.cell_arrays), ("hits", self.hit_columns)):
            named = [one.section for one in parts]
            if len(named) > 1 and (None in named or len(set(named)) < len(named)):
                raise ConfigurationError(f"{key}: several of them need the key section each, each its own.")
        if len({one.event is None for one in self.hit_columns}) > 1:
            raise ConfigurationError("hits: give the number of the event in all sections or in none.")
        if (self.incident_energy is None) == (self.momentum is None):
            raise ConfigurationError("a mapping needs either incident_energy or momentum.")
        if self.momentum is not None and self.direction is not None:
            raise ConfigurationError("a mapping with momentum takes the direction from it; remove direction.")
        return self

    @property
    def cell_arrays(self) -> tuple[CellArray, ...]:
        """The arrays of cells; none for a file of hits."""
        if self.cells is None:
            return ()
        return (self.cells,) if isinstance(self.cells, CellArray) else self.cells

    @property
    def hit_columns(self) -> tuple[HitColumns, ...]:
        """The hits, by section where said so; none for a file of cells."""
        if self.hits is None:
            return ()
        return (self.hits,) if isinstance(self.hits, HitColumns) else self.hits

    def incident_quantities(self) -> dict[str, Quantity]:
        """Return what is known of every event, by its key."""
        found: dict[str, Quantity | None] = {"incident_energy": self.incident_energy, "pdg": self.pdg}
        for key in ("momentum", "impact", "direction"):
            part = getattr(self, key)
            if part is not None:
                found |= {f"{key}.{axis}": getattr(part, axis) for axis in type(part).model_fields}
        return {key: quantity for key, quantity in found.items() if quantity is not None}


def read_mapping(path: Path) -> OwnMapping | HitMapping:
    """Read a mapping; its key `kind` says of which kind it is.

    Args:
        path: The YAML file.

    Returns:
        The mapping; a detector file that lies in the mapping's folder is given with that folder.

    Raises:
        ConfigurationError: The file is missing, is not YAML, or does not fit the description.
    """
    content = read_yaml(path)
    kinds: dict[str, type[OwnMapping | HitMapping]] = {"columns": OwnMapping, "hits": HitMapping}
    kind: Any = content.get("kind") if isinstance(content, dict) else None
    if not isinstance(kind, str) or kind not in kinds:
        given = "is missing" if kind is None else f"is {kind!r}"
        raise ConfigurationError(
            f"{path}: key 'kind' {given}; write kind: columns (what the columns of your own file mean) or "
            f"kind: hits (how hits are put onto cells). {suggest_near_miss(str(kind), kinds)}"
        )
    try:
        mapping = kinds[kind].from_mapping(content, str(path))
    except ConfigurationError as error:
        text = str(error)
        raise ConfigurationError(text if text.startswith(str(path)) else f"{path}: {text}") from None
    if isinstance(mapping, OwnMapping):
        mapping = mapping.model_copy(update={"cells": _find_places(mapping, path.parent)})
    if mapping.detector is None:
        return mapping
    return mapping.model_copy(update={"detector": detector_beside(mapping.detector, path.parent)})


def _find_places(mapping: OwnMapping, folder: Path) -> tuple[CellArray, ...] | None:
    """Return the arrays of cells with the files of their maps as they stand beside the mapping."""
    found = []
    for one in mapping.cell_arrays:
        places = one.places
        if places is not None and places.file is not None and (folder / places.file).is_file():
            places = places.model_copy(update={"file": str((folder / places.file).resolve())})
        found.append(one.model_copy(update={"places": places}))
    return tuple(found) or None
