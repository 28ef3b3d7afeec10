"""How hits with positions and cell numbers are put onto a detector's cells: what a user may say of it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from calokit.config import Description
from calokit.detector import Detector
from calokit.errors import ConfigurationError
from calokit.showers.formats.mapping.frames import Frame


class CellIdIndex(Description):
    """An index that a field of the cell number gives.

    Attributes:
        field: Name of the field in the encoding string.
        first: The field's value in the first layer (row, column) of the detector.
    """

    field: str = Field(min_length=1)
    first: int = 0


class HitMapping(Description):
    """How the hits of an EDM4hep file or a file of steps are put onto cells.

    Attributes:
        kind: `hits`.
        detector: Name or YAML file (seen from the mapping's folder) of the detector that gets the hits.
        collections: The collections (sub-detectors) of hits that are read; all where not given.
        particles: The collection of true particles; those of generator status 1 are incident.
        encoding: Encoding string of the cell numbers, where the file does not hold it.
        frame: Where the axis of the detector lies.
        layer: The field of the cell number that gives the layer; where not given, the depth along the axis.
        row: The field that gives the row; where not given, x across the axis.
        column: The field that gives the column; where not given, y across the axis.

    Example:
        >>> HitMapping(layer=CellIdIndex(field="layer", first=1)).frame.axis is None
        True
    """

    kind: Literal["hits"] = "hits"
    detector: str | None = None
    collections: tuple[str, ...] | None = None
    particles: str = "MCParticles"
    encoding: str | None = None
    frame: Frame = Frame()
    layer: CellIdIndex | None = None
    row: CellIdIndex | None = None
    column: CellIdIndex | None = None

    @model_validator(mode="after")
    def _check_indices(self) -> Self:
        """Refuse a row without a column."""
        if (self.row is None) != (self.column is None):
            raise ConfigurationError("a mapping of hits needs both row and column, or neither.")
        return self

    @property
    def needs_cell_ids(self) -> bool:
        """Whether cell numbers must be taken apart."""
        return self.layer is not None or self.row is not None

    def describe_frame(self, detector: Detector) -> list[str]:
        """Return where the axis of the detector is taken to lie, a sentence each."""
        frame = self.frame
        front = detector.front_mm if frame.front_mm is None else frame.front_mm
        origin = "the vertex" if frame.origin_mm is None else f"{frame.origin_mm} mm"
        axis = "the incident particle's direction" if frame.axis is None else f"{frame.axis}"
        across = (
            "the smallest rotation of the axis into z" if frame.x_axis is None else f"x along {frame.x_axis}"
        )
        lies = f"The detector's axis starts at {origin} and runs along {axis}; its front is {front:g} mm on."
        if self.row is None or self.column is None:
            return [lies, f"Rows and columns follow {across}."]
        return [lies, f"Row and column are {self.row.field} and {self.column.field} of the cell number."]
