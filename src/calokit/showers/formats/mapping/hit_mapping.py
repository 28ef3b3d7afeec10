"""How hits with positions and cell numbers are put onto a detector's cells: what a user may say of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from calokit.config import Description
from calokit.detector import Detector
from calokit.errors import ConfigurationError, suggest_near_miss
from calokit.showers.formats.mapping.frames import Frame


class CellIdIndex(Description):
    """An index that a field of the cell number gives.

    Attributes:
        field: Name of the field in the encoding string.
        first: The field's value in the first layer (row, column) of the detector.
    """

    field: str = Field(min_length=1)
    first: int = 0


class CellRule(Description):
    """How the place of a hit follows from its cell number, and from where it is for all else.

    Attributes:
        encoding: Encoding string of the cell numbers, where the file does not hold it.
        layer: The field of the cell number that gives the layer; where not given, the depth along the axis.
        row: The field that gives the row; where not given, x across the axis.
        column: The field that gives the column; where not given, y across the axis.
    """

    encoding: str | None = None
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


class SectionHits(CellRule):
    """Which hits are those of one section of the detector; its layers count from the section's front.

    Attributes:
        section: Name of the section.
        collections: The collections (sub-detectors) whose hits are in it.
        only: Fields of the cell number and the value of each that these hits have (`{system: 8}`); all hits
            of the collections where not given.
    """

    section: str
    collections: tuple[str, ...] = Field(min_length=1)
    only: dict[str, int] = {}

    @property
    def needs_cell_ids(self) -> bool:
        """Whether cell numbers must be taken apart."""
        return super().needs_cell_ids or bool(self.only)


class HitMapping(CellRule):
    """How the hits of an EDM4hep file or a file of steps are put onto cells.

    Attributes:
        kind: `hits`.
        detector: Name or YAML file (seen from the mapping's folder) of the detector that gets the hits.
        collections: The collections (sub-detectors) of hits that are read; all where not given.
        sections: Which collection is which section, and how each counts its layers; then `collections`,
            `layer`, `row` and `column` are said there. Needed where several collections count their layers in
            a detector of several sections.
        particles: The collection of true particles.
        generator_status: Those of this status, or of one of these, are incident.
        frame: Where the axis of the detector lies.

    Example:
        >>> HitMapping(layer=CellIdIndex(field="layer", first=1)).frame.axis is None
        True
    """

    kind: Literal["hits"] = "hits"
    detector: str | None = None
    collections: tuple[str, ...] | None = None
    sections: tuple[SectionHits, ...] | None = None
    particles: str = "MCParticles"
    generator_status: int | tuple[int, ...] = 1
    frame: Frame = Frame()

    @model_validator(mode="after")
    def _check_sections(self) -> Self:
        """Refuse what is said for all sections and for each."""
        if self.sections is None:
            return self
        for key in ("collections", "layer", "row", "column"):
            if getattr(self, key) is not None:
                raise ConfigurationError(f"with sections, give {key} in each of them, not for all.")
        return self

    @property
    def statuses(self) -> tuple[int, ...]:
        """Every generator status that makes a particle incident."""
        return (self.generator_status,) if isinstance(self.generator_status, int) else self.generator_status

    @property
    def named_collections(self) -> tuple[str, ...] | None:
        """The collections that are read, each once; None for all of the file."""
        if self.sections is None:
            return self.collections
        return tuple(dict.fromkeys(name for one in self.sections for name in one.collections))

    def rules(self, detector: Detector, names: Sequence[str], where: str) -> list[tuple[str, CellRule]]:
        """Return each collection that is read with the rule that puts its hits onto cells.

        Args:
            detector: The detector that gets the hits.
            names: The collections that are read.
            where: The file, for messages.

        Raises:
            ConfigurationError: A section is unknown, or several collections count layers in several sections
                and nothing says which is which.
        """
        known = [section.name for section in detector.sections]
        if self.sections is not None:
            for one in self.sections:
                if one.section not in known:
                    raise ConfigurationError(
                        f"{where}: detector {detector.name!r} has no section {one.section!r}. "
                        + suggest_near_miss(one.section, known)
                    )
            return [
                (name, one if one.encoding else one.model_copy(update={"encoding": self.encoding}))
                for one in self.sections
                for name in one.collections
            ]
        if self.layer is not None and len(names) > 1 and (len(known) > 1 or self.collections is None):
            each = f"{{section: {known[0]}, collections: [{names[0]}], layer: {{field: {self.layer.field}}}}}"
            raise ConfigurationError(
                f"{where}: {', '.join(names)} each count their field {self.layer.field!r} for themselves; "
                f"nothing says which are in section {' and in section '.join(known)} of detector "
                f"{detector.name!r}. Say it in the mapping: sections: [{each}, ...]; or name with "
                "collections those of the only section; or leave layer out, and the depth decides."
            )
        return [(name, self) for name in names]

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
        said = [
            f"Section {one.section}: hits of {', '.join(one.collections)}"
            + "".join(f" with {field} {value}" for field, value in one.only.items())
            + (f", layer from {one.layer.field}." if one.layer else ", layer from the depth.")
            for one in self.sections or ()
        ]
        by_place = [one for one in (self.sections or (self,)) if one.row is None or one.column is None]
        if by_place:
            return [lies, *said, f"Rows and columns follow {across}."]
        row = next(one for one in (self.sections or (self,)))
        assert row.row is not None
        assert row.column is not None
        return [lies, *said, f"Row and column are {row.row.field} and {row.column.field} of the cell number."]
