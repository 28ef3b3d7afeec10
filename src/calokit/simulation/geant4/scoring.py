"""Scoring: deposits summed into cells by Geant4 itself, and read once an event."""

from __future__ import annotations

import math
from typing import Any

import geant4_pybind as g4
import numpy as np
from numpy.typing import NDArray

from calokit.arrays import Float32, Float64
from calokit.detector import CartesianReadout, Detector
from calokit.detector.tile_sharing import share_matrix
from calokit.errors import SimulationError
from calokit.simulation.geant4.geometry import CellVolume, DetectorGeometry
from calokit.simulation.geant4.polar_steps import PolarSteps

UInt16 = NDArray[np.uint16]


class ScorerDeposits:
    """Deposits summed in C++ by one primitive scorer a section.

    Hand `attach` to the geometry before Geant4 builds it; call `read` at the end of each event.

    Args:
        count_entries: Also count the charged particles that enter each cell, which must be a box, through
            the side that faces the front. This changes no deposit.
    """

    def __init__(self, count_entries: bool = False) -> None:
        self.count_entries = count_entries
        self._kept: list[Any] = []
        self._collections: dict[str, list[int]] = {}
        self._sizes: list[int] = []

    def attach(self, geometry: DetectorGeometry) -> None:
        """Attach a scorer to the cells of every section."""
        manager = g4.G4SDManager.GetSDMpointer()
        for section, cells in _by_section(geometry).items():
            if cells[0].grids:
                raise SimulationError("the cells of a cylinder are no volumes that Geant4 could score.")
            name = f"section{section}"
            detector = g4.G4MultiFunctionalDetector(name)
            first = cells[0]
            deposits = g4.G4PSEnergyDeposit3D("deposits", *first.shape, *first.depths)
            detector.RegisterPrimitive(deposits)
            self._kept += [detector, deposits]
            if self.count_entries:
                self._count_entries(detector, first)
            manager.AddNewDetector(detector)
            for cell in cells:
                geometry.SetSensitiveDetector(cell.volume, detector)
            self._sizes.append(math.prod(first.shape))

    def _count_entries(self, detector: Any, cell: CellVolume) -> None:
        """Register the scorer of charged particles that enter through the front."""
        inwards = g4.G4PSCurrentFlag.fCurrent_In
        entries = g4.G4PSFlatSurfaceCurrent3D("entries", inwards, *cell.shape, *cell.depths)
        entries.DivideByArea(False)
        charged = g4.G4SDChargedFilter("charged")
        entries.SetFilter(charged)
        detector.RegisterPrimitive(entries)
        self._kept += [entries, charged]

    def read(self, event: Any) -> list[Float64]:
        """Return the deposits of an event in MeV, one flat array (layer, row, column) a section."""
        return self._read("deposits", event)

    def read_entries(self, event: Any) -> list[Float64]:
        """Return how many charged particles entered each cell, one flat array a section, or nothing."""
        return self._read("entries", event) if self.count_entries else []

    def _read(self, name: str, event: Any) -> list[Float64]:
        """Return what the scorers of a name summed up in an event, one flat array a section."""
        if name not in self._collections:
            manager = g4.G4SDManager.GetSDMpointer()
            sections = range(len(self._sizes))
            self._collections[name] = [manager.GetCollectionID(f"section{k}/{name}") for k in sections]
        found = event.GetHCofThisEvent()
        sums = []
        for collection, size in zip(self._collections[name], self._sizes, strict=True):
            values = np.zeros(size)
            for index, value in found.GetHC(collection):
                values[index] = value
            sums.append(values)
        return sums


class StepDeposits:
    """Deposits summed step by step in Python, quenched by Birks' law where asked for.

    A step in a cylinder counts in every cell that it passes, by its part of the length.

    A step of length L that deposits E counts E / (1 + kB E / L) (J. B. Birks, Proc. Phys. Soc. A64 (1951)
    874); deposits of neutral particles are taken as they are, because their secondaries deposited nearby.

    Args:
        birks_mm_per_mev: Birks' constant kB; None leaves deposits as they are.
    """

    def __init__(self, birks_mm_per_mev: float | None) -> None:
        self.birks = birks_mm_per_mev
        self._kept: list[_StepSummer] = []

    def attach(self, geometry: DetectorGeometry) -> None:
        """Attach a summer to the cells of every section."""
        manager = g4.G4SDManager.GetSDMpointer()
        for section, cells in _by_section(geometry).items():
            summer = _StepSummer(f"section{section}", cells[0], self.birks or 0.0)
            manager.AddNewDetector(summer)
            for cell in cells:
                geometry.SetSensitiveDetector(cell.volume, summer)
            self._kept.append(summer)

    def read(self, event: Any) -> list[Float64]:
        """Return the deposits of an event in MeV, one flat array (layer, row, column) a section."""
        del event
        return [summer.take() for summer in self._kept]

    def read_entries(self, event: Any) -> list[Float64]:
        """Return nothing: entries are not counted step by step."""
        del event
        return []


class _StepSummer(g4.G4VSensitiveDetector):
    """Sums the deposits of the steps in one section."""

    def __init__(self, name: str, cell: CellVolume, birks: float) -> None:
        super().__init__(name)
        self.cell, self.birks = cell, birks
        self.energies = np.zeros(math.prod(cell.shape))
        self.polar = [PolarSteps(grid) for grid in cell.grids]

    def ProcessHits(self, step: Any, history: Any) -> bool:  # noqa: N802
        """Add a step; called by Geant4."""
        del history
        energy = step.GetTotalEnergyDeposit()
        if energy <= 0.0:
            return False
        if self.birks and step.GetTrack().GetDefinition().GetPDGCharge() != 0.0:
            energy /= 1.0 + self.birks * energy / max(step.GetStepLength(), 1e-9)
        touched = step.GetPreStepPoint().GetTouchable()
        _, rows, columns = self.cell.shape
        if self.polar:
            i = touched.GetReplicaNumber(self.cell.depths[0])
            start, end = step.GetPreStepPoint().GetPosition(), step.GetPostStepPoint().GetPosition()
            for (j, k), part in self.polar[i].shares((start.x, start.y), (end.x, end.y)):
                self.energies[(i * rows + j) * columns + k] += part * energy
            return True
        i, j, k = (touched.GetReplicaNumber(depth) for depth in self.cell.depths)
        self.energies[(i * rows + j) * columns + k] += energy
        return True

    def take(self) -> Float64:
        """Return the sums and start again."""
        taken, self.energies = self.energies, np.zeros_like(self.energies)
        return taken


def choose_scoring(detector: Detector, birks_mm_per_mev: float | None) -> ScorerDeposits | StepDeposits:
    """Return the scoring in C++ where it can do what is asked for, else the one in Python."""
    boxes = all(isinstance(section.readout, CartesianReadout) for section in detector.sections)
    return ScorerDeposits() if boxes and birks_mm_per_mev is None else StepDeposits(birks_mm_per_mev)


def flatten_sections(detector: Detector, sums: list[Float64]) -> Float32:
    """Put the deposits of an event into the order of the shower files.

    Args:
        detector: The detector.
        sums: Deposits of each section; those of hexagonal tiles (layer, tile) are shared onto the grid.

    Returns:
        (cell,) float32 in MeV.
    """
    flat = []
    for section, energies in zip(detector.sections, sums, strict=True):
        if section.tiles is None:
            flat.append(energies)
            continue
        tiles = energies.reshape(section.number_of_layers, -1)
        for layer, values in enumerate(tiles):
            matrix = share_matrix(section, layer)
            flat.append(values[: matrix.shape[0]] @ matrix)
    return np.concatenate(flat).astype(np.float32)


def _by_section(geometry: DetectorGeometry) -> dict[int, list[CellVolume]]:
    """Return the scored volumes of each section, in the order of the sections."""
    sections: dict[int, list[CellVolume]] = {}
    for cell in geometry.cells:
        sections.setdefault(cell.section, []).append(cell)
    return dict(sorted(sections.items()))
