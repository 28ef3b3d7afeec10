"""The geometry in Geant4, built from a detector's description.

Slabs stand one behind the other along z, the front face at z = 0. Each sensitive slab is divided into cells,
but for those of cylinders; a cell's copy numbers and those of the volumes around it give its place in the
readout, so that Geant4 can sum its deposits by itself (`scoring.py`). The copy number of a slab is its
readout layer: slabs that are summed into one layer share it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import geant4_pybind as g4
import numpy as np

from calokit.detector import CartesianReadout, CylindricalReadout, Detector, Section
from calokit.detector.grids import PolarGrid
from calokit.detector.schema import Slab
from calokit.detector.tile_sharing import clipped_tiles
from calokit.simulation.geant4.materials import build_material

AROUND_MM = 200.0
"""Air around the detector on every side."""


@dataclass(frozen=True)
class CellVolume:
    """A volume whose deposits are scored, and how its place is numbered.

    Attributes:
        volume: The logical volume.
        section: Number of its section.
        shape: Number of layers, rows and columns that copy numbers count; for tiles (layers, 1, tiles).
        depths: How many volumes up the copy numbers of layer, row and column stand.
        grids: Of each layer, where the volume holds all its cells and the place of a deposit tells which.
    """

    volume: Any
    section: int
    shape: tuple[int, int, int]
    depths: tuple[int, int, int]
    grids: tuple[PolarGrid, ...] = ()


class DetectorGeometry(g4.G4VUserDetectorConstruction):
    """Builds a detector's volumes.

    Args:
        detector: What to build; every section needs slabs.

    Attributes:
        cells: The volumes that are scored, filled when Geant4 has built the geometry.
        placements: Every placed volume, for the overlap check.
    """

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector
        self.cells: list[CellVolume] = []
        self.placements: list[Any] = []
        self.score: Any = None
        self._kept: list[Any] = []  # Geant4 does not own what Python made

    def Construct(self) -> Any:  # noqa: N802
        """Build the world and everything in it; called by Geant4."""
        detector = self.detector
        sizes = np.array([section.size_mm for section in detector.sections]).max(axis=0)
        depth = float(detector.section_fronts[-1]) + detector.sections[-1].depth_mm
        half = (sizes[0] / 2 + AROUND_MM, sizes[1] / 2 + AROUND_MM, depth + AROUND_MM)
        world = self.box("world", half[0] * 2, half[1] * 2, half[2] * 2, "G4_AIR")
        placed = g4.G4PVPlacement(None, g4.G4ThreeVector(), world, "world", None, False, 0)
        self._kept.append(placed)
        for number, (section, front) in enumerate(
            zip(detector.sections, detector.section_fronts, strict=True)
        ):
            self._build_section(number, section, float(front), world)
        return placed

    def ConstructSDandField(self) -> None:  # noqa: N802
        """Attach the scoring, where there is any; called by Geant4."""
        if self.score is not None:
            self.score(self)

    def keep(self, thing: Any) -> Any:
        """Keep a Python reference to what Geant4 uses, and return it."""
        self._kept.append(thing)
        return thing

    def _build_section(self, number: int, section: Section, front: float, world: Any) -> None:
        """Place the slabs of a section one behind the other."""
        builder = SlabBuilder(self, number, section)
        z = front
        for repeat in range(section.repeats):
            layer = repeat // section.layers_per_readout
            for place, slab in enumerate(section.slabs):
                self.place(builder.slab(place, layer), world, z + slab.thickness_mm / 2, layer)
                z += slab.thickness_mm
        for place, slab in enumerate(section.back_plates):
            plate = self.box(
                f"{section.name}_back_{place}", *section.size_mm, slab.thickness_mm, slab.material
            )
            self.place(plate, world, z + slab.thickness_mm / 2, 0)
            z += slab.thickness_mm

    def place(self, volume: Any, mother: Any, z: float, copy: int) -> None:
        """Place a volume on the axis of its mother at z in mm."""
        placed = g4.G4PVPlacement(
            None, g4.G4ThreeVector(0, 0, z), volume, volume.GetName(), mother, False, copy
        )
        self.placements.append(self.keep(placed))

    def box(self, name: str, width: float, height: float, depth: float, material: str) -> Any:
        """Return a box of full sizes in mm."""
        solid = self.keep(g4.G4Box(name, width / 2, height / 2, depth / 2))
        return self.keep(g4.G4LogicalVolume(solid, build_material(self.detector, material), name))


class SlabBuilder:
    """Builds the slabs of a section, each kind once, and divides the sensitive ones into cells."""

    def __init__(self, geometry: DetectorGeometry, number: int, section: Section) -> None:
        self.geometry, self.number, self.section = geometry, number, section
        self._built: dict[tuple[int, int], Any] = {}

    def slab(self, place: int, layer: int) -> Any:
        """Return the volume of the slab at a place of the stack, for a readout layer."""
        slab = self.section.slabs[place]
        key = (place, self._kind_of(layer) if slab.sensitive else 0)
        if key not in self._built:
            name = f"{self.section.name}_{place}_{key[1]}"
            self._built[key] = (
                self._sensitive(name, slab, layer) if slab.sensitive else self._plain(name, slab)
            )
        return self._built[key]

    def _kind_of(self, layer: int) -> int:
        """Return which division a layer has: one for all, or one for each phase of the staggered tiles."""
        section = self.section
        if section.tiles is not None:
            return layer % section.tiles.cycle
        return 0 if isinstance(section.readout, CartesianReadout | CylindricalReadout) else layer

    def _plain(self, name: str, slab: Slab) -> Any:
        return self.geometry.box(name, *self.section.size_mm, slab.thickness_mm, slab.material)

    def _sensitive(self, name: str, slab: Slab, layer: int) -> Any:
        """Return a slab that is divided into cells."""
        section, geometry = self.section, self.geometry
        if isinstance(section.readout, CartesianReadout):
            around = "G4_AIR" if section.cell_gap_mm else slab.material
            mother = geometry.box(name, *section.size_mm, slab.thickness_mm, around)
            if section.tiles is not None:
                self._tile(mother, name, slab, layer)
            else:
                self._grid(mother, name, slab, around)
            return mother
        mother = self._plain(name, slab)
        self._disc(mother, name, slab, layer)
        return mother

    def _grid(self, mother: Any, name: str, slab: Slab, around: str) -> None:
        """Divide a slab into rows along x and columns along y."""
        readout, geometry = self.section.readout, self.geometry
        assert isinstance(readout, CartesianReadout)
        depth = slab.thickness_mm
        pitch_x, pitch_y = readout.row_pitch_mm, readout.column_pitch_mm
        width, height = readout.extent_mm
        inner = geometry.box(f"{name}_readout", width, height, depth, around)
        row = geometry.box(f"{name}_row", pitch_x, height, depth, around)
        cell = geometry.box(f"{name}_cell", pitch_x, pitch_y, depth, around)
        geometry.place(inner, mother, 0.0, 0)
        geometry.keep(g4.G4PVReplica(f"{name}_row", row, inner, g4.kXAxis, readout.rows, pitch_x))
        geometry.keep(g4.G4PVReplica(f"{name}_cell", cell, row, g4.kYAxis, readout.columns, pitch_y))
        depths = (3, 1, 0)
        gap = self.section.cell_gap_mm
        if gap:
            piece = geometry.box(f"{name}_piece", pitch_x - gap, pitch_y - gap, depth, slab.material)
            geometry.place(piece, cell, 0.0, 0)
            cell, depths = piece, (4, 2, 1)
        shape = (self.section.number_of_layers, readout.rows, readout.columns)
        geometry.cells.append(CellVolume(cell, self.number, shape, depths))

    def _disc(self, mother: Any, name: str, slab: Slab, layer: int) -> None:
        """Put a disc into a slab, whose deposits are scored; what lies outside it is not.

        It is not divided into volumes, which would all meet on the axis: the many short steps between them in
        the core of a shower lose 1 % of its energy.
        """
        geometry, section = self.geometry, self.section
        layers = section.number_of_layers
        grids = section.readout.grids(layers)
        polar = tuple(grid for grid in grids if isinstance(grid, PolarGrid))
        radii = polar[layer].radius_edges
        label = f"{name}_disc"
        solid = geometry.keep(
            g4.G4Tubs(label, float(radii[0]), float(radii[-1]), slab.thickness_mm / 2, 0.0, 2 * np.pi)
        )
        material = build_material(geometry.detector, slab.material)
        disc = geometry.keep(g4.G4LogicalVolume(solid, material, label))
        geometry.place(disc, mother, 0.0, 0)
        geometry.cells.append(CellVolume(disc, self.number, (layers, *polar[layer].shape), (1, 0, 0), polar))

    def _tile(self, mother: Any, name: str, slab: Slab, layer: int) -> None:
        """Fill a slab with hexagonal tiles, those at the border cut by it."""
        geometry, section = self.geometry, self.section
        assert section.tiles is not None
        material = build_material(geometry.detector, slab.material)
        outlines = clipped_tiles(section.tiles, layer, *section.size_mm)
        phases = range(section.tiles.cycle)
        largest = max(len(clipped_tiles(section.tiles, phase, *section.size_mm)) for phase in phases)
        shape = (section.number_of_layers, 1, largest)
        for number, outline in enumerate(outlines):
            label = f"{name}_tile_{number}"
            points = g4.G4TwoVectorVector(
                [g4.G4TwoVector(float(x), float(y)) for x, y in outline[::-1]]
            )  # clockwise
            flat = g4.G4TwoVector(0.0, 0.0)
            solid = geometry.keep(
                g4.G4ExtrudedSolid(label, points, slab.thickness_mm / 2, flat, 1.0, flat, 1.0)
            )
            volume = geometry.keep(g4.G4LogicalVolume(solid, material, label))
            placed = g4.G4PVPlacement(None, g4.G4ThreeVector(), volume, label, mother, False, number)
            geometry.placements.append(geometry.keep(placed))
            geometry.cells.append(CellVolume(volume, self.number, shape, (1, 2, 0)))
