"""A calorimeter described as data: sections, stacks of slabs, readout grids and materials."""

from __future__ import annotations

import functools
import math
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from calokit.config import Description
from calokit.detector.cells import Cells, ReadoutLayer, lay_out_cells
from calokit.detector.materials import MATERIALS, Material
from calokit.detector.readout import CartesianReadout, Readout, RingReadout
from calokit.detector.tiles import HexagonalTiles
from calokit.errors import DetectorError, suggest_near_miss


class Slab(Description):
    """A plate of one material across the beam; the energy deposited in sensitive slabs is read out.

    Attributes:
        material: A name of Geant4's NIST list (`G4_W`) or of the detector's own materials.
        thickness_mm: Along the beam.
        sensitive: Whether what is deposited here is read out.
    """

    material: str
    thickness_mm: PositiveFloat
    sensitive: bool = False


class Section(Description):
    """One calorimeter of a detector (an ECAL, an HCAL): what it is made of and how it is read out.

    Attributes:
        name: Name of the section, unique in its detector.
        readout: The division of a layer into cells.
        slabs: One repeat of the stack, along the beam. Empty where only the readout is known.
        repeats: How often the slabs stand one behind the other.
        layers_per_readout: Number of repeats whose deposits are summed into one readout layer.
        gap_before_mm: Air between the section before (or the front face) and this section.
        back_plates: Slabs behind the last repeat, not read out.
        cell_gap_mm: Air between the sensitive pieces of neighbouring cells, part of the pitch.
        width_mm: Extent of the slabs in x; that of the readout where not given.
        height_mm: Extent of the slabs in y; that of the readout where not given.
        tiles: Hexagonal tiles whose energies are given on the readout's grid.
        layers: Number of readout layers of a regular readout without slabs.
        layer_edges_mm: Depths where readout layers without slabs begin and end, from the section's front.
    """

    name: str = Field(min_length=1)
    readout: Readout
    slabs: tuple[Slab, ...] = ()
    repeats: PositiveInt = 1
    layers_per_readout: PositiveInt = 1
    gap_before_mm: NonNegativeFloat = 0.0
    back_plates: tuple[Slab, ...] = ()
    cell_gap_mm: NonNegativeFloat = 0.0
    width_mm: PositiveFloat | None = None
    height_mm: PositiveFloat | None = None
    tiles: HexagonalTiles | None = None
    layers: PositiveInt | None = None
    layer_edges_mm: tuple[float, ...] | None = None

    @model_validator(mode="after")
    def _check_stack(self) -> Self:
        """Refuse a stack that cannot be read out as described."""
        if not self.slabs:
            return self._check_readout_alone()
        if self.layers is not None or self.layer_edges_mm is not None:
            raise self._mistake("layers and layer_edges_mm are for a section without slabs; remove them.")
        if not any(slab.sensitive for slab in self.slabs):
            raise self._mistake("no slab is sensitive; mark the one that is read out with sensitive: true.")
        if any(slab.sensitive for slab in self.back_plates):
            raise self._mistake("a back plate cannot be sensitive; make it a slab of the stack.")
        if self.repeats % self.layers_per_readout:
            raise self._mistake(
                f"{self.repeats} repeats cannot be summed in groups of {self.layers_per_readout}; "
                "layers_per_readout must divide repeats."
            )
        layers = self.repeats // self.layers_per_readout
        if isinstance(self.readout, RingReadout) and len(self.readout.layers) != layers:
            rings = len(self.readout.layers)
            raise self._mistake(f"the stack has {layers} readout layers, the rings have {rings}.")
        return self

    def _check_readout_alone(self) -> Self:
        """Refuse a section without slabs that describes a stack or leaves its layers open."""
        grouped = self.repeats > 1 or self.layers_per_readout > 1
        if grouped or self.back_plates or self.cell_gap_mm or self.tiles:
            raise self._mistake(
                "repeats, layers_per_readout, back_plates, cell_gap_mm and tiles need slabs; "
                "add slabs or remove them."
            )
        if isinstance(self.readout, RingReadout) == (self.layers is not None):
            raise self._mistake("a section without slabs needs layers, unless its readout is of rings.")
        edges = self.layer_edges_mm
        if edges is not None and (len(edges) != self.number_of_layers + 1 or np.any(np.diff(edges) <= 0)):
            raise self._mistake(
                f"layer_edges_mm: {self.number_of_layers + 1} growing depths expected, {edges} given."
            )
        return self

    @model_validator(mode="after")
    def _check_extent(self) -> Self:
        """Refuse cells that do not fit into the slabs, and gaps or tiles that do not fit the cells."""
        extent = self.readout.extent_mm
        if self.size_mm[0] < extent[0] - 1e-9 or self.size_mm[1] < extent[1] - 1e-9:
            raise self._mistake(f"slabs of {self.size_mm} mm are smaller than the readout of {extent} mm.")
        if not isinstance(self.readout, CartesianReadout):
            if self.cell_gap_mm or self.tiles:
                raise self._mistake("cell_gap_mm and tiles are for a cartesian readout; remove them.")
        elif self.cell_gap_mm >= min(self.readout.row_pitch_mm, self.readout.column_pitch_mm):
            raise self._mistake(f"cell_gap_mm {self.cell_gap_mm} leaves no cell; the pitch must be larger.")
        return self

    def _mistake(self, text: str) -> DetectorError:
        """Return an error that names the section."""
        return DetectorError(f"section {self.name!r}: {text}")

    @property
    def number_of_layers(self) -> int:
        """Number of readout layers."""
        if self.slabs:
            return self.repeats // self.layers_per_readout
        return len(self.readout.layers) if isinstance(self.readout, RingReadout) else self.layers or 0

    @property
    def shape(self) -> tuple[int, int, int] | None:
        """(layers, rows, columns) or (layers, phi, r); None where the layers differ."""
        layer_shape = self.readout.layer_shape
        return None if layer_shape is None else (self.number_of_layers, *layer_shape)

    @property
    def number_of_cells(self) -> int:
        """Number of cells over all layers."""
        if isinstance(self.readout, RingReadout):
            return sum(layer.number_of_cells for layer in self.readout.layers)
        return self.number_of_layers * math.prod(self.readout.layer_shape)

    @property
    def size_mm(self) -> tuple[float, float]:
        """Extent of the slabs in x and y, in mm."""
        width, height = self.readout.extent_mm
        return self.width_mm or width, self.height_mm or height

    @property
    def repeat_mm(self) -> float:
        """Thickness of one repeat of the stack in mm; 0 without slabs."""
        return sum(slab.thickness_mm for slab in self.slabs)

    @property
    def layer_edges(self) -> NDArray[np.float64]:
        """Edges of the readout layers in mm from the section's front (layers + 1,); NaN where unknown."""
        if self.slabs:
            thickness = self.layers_per_readout * self.repeat_mm
            return np.asarray(np.arange(self.number_of_layers + 1) * thickness, dtype=np.float64)
        if self.layer_edges_mm is not None:
            return np.array(self.layer_edges_mm, dtype=np.float64)
        return np.full(self.number_of_layers + 1, np.nan)

    @property
    def depth_mm(self) -> float:
        """Depth in mm from the section's front to the back of its back plates; NaN where unknown."""
        return float(self.layer_edges[-1]) + sum(slab.thickness_mm for slab in self.back_plates)

    @property
    def sensitive_depth_mm(self) -> float:
        """Mean depth of the sensitive material in mm from the front of its layer; NaN without slabs."""
        if not self.slabs:
            return math.nan
        thickness = np.array([slab.thickness_mm for slab in self.slabs])
        middles = np.cumsum(thickness) - thickness / 2
        weights = thickness * np.array([slab.sensitive for slab in self.slabs])
        mean = float((middles * weights).sum() / weights.sum())
        return mean + self.repeat_mm * (self.layers_per_readout - 1) / 2


class Detector(Description):
    """A calorimeter: sections one behind the other, and the materials that only it uses.

    Attributes:
        name: Short name, also of files (letters, digits, `_`, `-` and `.`).
        title: What it is, in a line.
        source: Where the numbers come from.
        front_mm: Distance in mm of the front face from the point where particles start (0: at the face).
        threshold_mev: Energy of a cell up to which it counts as empty, where nobody names another; None
            leaves it to be chosen from showers.
        materials: Materials besides those every detector may use.
        sections: The sections along the beam.

    Example:
        >>> from calokit.detector import load_detector
        >>> load_detector("clic_ecal").shape
        (25, 25, 25)
    """

    name: str = Field(pattern=r"^[A-Za-z0-9_.\-]+$")
    title: str = Field(min_length=1)
    source: str = ""
    front_mm: NonNegativeFloat = 0.0
    threshold_mev: NonNegativeFloat | None = None
    materials: tuple[Material, ...] = ()
    sections: tuple[Section, ...] = Field(min_length=1)

    @classmethod
    def from_mapping(cls, mapping: Any, where: str) -> Self:
        """Build the detector from plain data.

        Raises:
            ConfigurationError: An unknown key, a missing key or a value of the wrong kind.
            DetectorError: Values that do not fit together.
        """
        try:
            return super().from_mapping(mapping, where)
        except DetectorError as error:
            raise DetectorError(f"{where}: {error}") from None

    def to_mapping(self) -> dict[str, Any]:
        """Return plain data that `from_mapping` reads back; a threshold only where there is one."""
        mapping = super().to_mapping()
        if self.threshold_mev is None:
            del mapping["threshold_mev"]
        return mapping

    def is_same(self, other: Detector) -> bool:
        """Tell whether another description is of the same calorimeter (titles and sources may differ)."""
        return self is other or all(
            getattr(self, field) == getattr(other, field) for field in ("name", "sections", "materials")
        )

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        """Refuse unknown materials and names that are taken twice."""
        own = [material.name for material in self.materials]
        taken = [name for name in own if name in MATERIALS or own.count(name) > 1]
        if taken:
            raise DetectorError(f"material name {taken[0]!r} is taken; give yours another name.")
        sections = [section.name for section in self.sections]
        if len(set(sections)) != len(sections):
            raise DetectorError(f"the names of the sections repeat ({sections}); give each its own.")
        known = {*MATERIALS, *own}
        for section in self.sections:
            for slab in (*section.slabs, *section.back_plates):
                if slab.material not in known:
                    near = suggest_near_miss(slab.material, known)
                    raise DetectorError(
                        f"section {section.name!r}: unknown material {slab.material!r}. {near} "
                        "A material of your own goes under the detector's key materials: "
                        f"[{{name: {slab.material}, density_g_cm3: 8.28, atoms: {{Pb: 1, W: 1, O: 4}}}}]."
                    )
        return self

    def material(self, name: str) -> Material:
        """Return a material that a slab of this detector may be of.

        Raises:
            DetectorError: Neither the detector nor calokit describes it.
        """
        known = MATERIALS | {material.name: material for material in self.materials}
        if name not in known:
            near = suggest_near_miss(name, known)
            raise DetectorError(f"detector {self.name!r}: unknown material {name!r}. {near}")
        return known[name]

    def layers_of_section(self, name: str | None) -> tuple[int, int]:
        """Return the first layer of a section and the one behind its last, counted over all sections.

        Args:
            name: Of the section; None means the whole detector.

        Raises:
            DetectorError: There is no such section.

        Example:
            >>> from calokit.detector import load_detector
            >>> load_detector("clic_ecal").layers_of_section("ECAL")
            (0, 25)
        """
        if name is None:
            return 0, self.number_of_layers
        names = [section.name for section in self.sections]
        if name not in names:
            raise DetectorError(
                f"detector {self.name!r} has no section {name!r}. {suggest_near_miss(name, names)}"
            )
        before = sum(section.number_of_layers for section in self.sections[: names.index(name)])
        return before, before + self.sections[names.index(name)].number_of_layers

    @property
    def number_of_cells(self) -> int:
        """Number of cells over all sections."""
        return sum(section.number_of_cells for section in self.sections)

    @property
    def number_of_layers(self) -> int:
        """Number of readout layers over all sections."""
        return sum(section.number_of_layers for section in self.sections)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(layers, rows, columns) or (layers, phi, r) of a detector with one section of equal layers.

        Raises:
            DetectorError: The detector has several sections, or layers that differ.
        """
        if len(self.sections) > 1:
            names = ", ".join(section.name for section in self.sections)
            raise DetectorError(
                f"detector {self.name!r} has no single shape: it has the sections {names}. "
                "Use the shape of each of detector.sections."
            )
        shape = self.sections[0].shape
        if shape is None:
            raise DetectorError(
                f"detector {self.name!r} has no shape: its layers differ in their cells. Use detector.cells."
            )
        return shape

    @property
    def section_fronts(self) -> NDArray[np.float64]:
        """Fronts of the sections in mm from the front face (section,); NaN behind one of unknown depth."""
        gaps = [section.gap_before_mm for section in self.sections]
        depths = [section.depth_mm for section in self.sections]
        return np.asarray(np.cumsum(gaps) + np.cumsum([0.0, *depths[:-1]]), dtype=np.float64)

    @property
    def layer_edges(self) -> NDArray[np.float64]:
        """Front and back of each readout layer in mm from the front face (layer, 2); NaN where unknown."""
        edges = zip(self.section_fronts, (section.layer_edges for section in self.sections), strict=True)
        return np.concatenate([np.column_stack([e[:-1], e[1:]]) + front for front, e in edges])

    @property
    def layer_z(self) -> NDArray[np.float64]:
        """Middle of each readout layer in mm from the front face (layer,); NaN where unknown."""
        return np.asarray(self.layer_edges.mean(axis=1))

    @property
    def sensitive_z(self) -> NDArray[np.float64]:
        """Mean depth of the sensitive material of each readout layer in mm from the front face (layer,)."""
        layers = [section.number_of_layers for section in self.sections]
        depths = np.repeat([section.sensitive_depth_mm for section in self.sections], layers)
        return np.asarray(self.layer_edges[:, 0] + depths)

    @property
    def radiation_lengths(self) -> NDArray[np.float64]:
        """Thickness of each readout layer in radiation lengths along the beam (layer,).

        Raises:
            DetectorError: A section describes no material.
        """
        repeats = [self._depth(section, section.slabs) for section in self.sections]
        layers = [
            repeat * section.layers_per_readout
            for repeat, section in zip(repeats, self.sections, strict=True)
        ]
        return np.repeat(layers, [section.number_of_layers for section in self.sections])

    @property
    def cumulated_radiation_lengths(self) -> NDArray[np.float64]:
        """Radiation lengths from the front face to the back of each readout layer (layer,).

        Back plates of the sections before count; air between sections does not.

        Raises:
            DetectorError: A section describes no material.
        """
        plates = [0.0, *(self._depth(section, section.back_plates) for section in self.sections[:-1])]
        layers = [section.number_of_layers for section in self.sections]
        return np.asarray(np.cumsum(self.radiation_lengths) + np.repeat(np.cumsum(plates), layers))

    def _depth(self, section: Section, slabs: tuple[Slab, ...]) -> float:
        """Return the radiation lengths of slabs of a section."""
        if not section.slabs:
            raise DetectorError(
                f"detector {self.name!r}: section {section.name!r} describes a readout but no material, "
                "so its radiation lengths are unknown; add slabs to the section."
            )
        return sum(slab.thickness_mm / self.material(slab.material).radiation_length_mm for slab in slabs)

    @property
    def cells(self) -> Cells:
        """The cells of all sections, in the order of the shower files; built once."""
        return _cells_of(self)


@functools.lru_cache(maxsize=64)
def _cells_of(detector: Detector) -> Cells:
    """Build the cells of a detector; equal detectors share them."""
    layers: list[ReadoutLayer] = []
    edges = detector.layer_edges
    for number, section in enumerate(detector.sections):
        for grid in section.readout.grids(section.number_of_layers):
            front, back = edges[len(layers)]
            layers.append(ReadoutLayer(number, grid, float(front), float(back)))
    return lay_out_cells(layers)
