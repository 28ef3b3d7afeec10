"""Geant4 on the incident particles of a shower file, in the EIC ZDC ECAL: milliseconds a shower.

The geometry is built from calokit's description of the detector: one layer of crystals with air between them.
Physics: G4EmStandardPhysics, range cut 0.7 mm; the deposits are scored in C++ (G4PSEnergyDeposit3D). Each
particle starts 1 mm before the front face, on the line through its impact position. The last line of the
output is one JSON object. geant4-pybind must be installed, and GEANT4_DATA_DIR name the folder of the Geant4
tables.

    GEANT4_DATA_DIR=tables python benchmarks/geant4_zdc.py showers.h5 --count 300 --write out.h5
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geant4_pybind as g4
import numpy as np
from numpy.typing import NDArray

from calokit.detector import Detector, load_detector
from calokit.detector.readout import CartesianReadout
from calokit.showers import Showers, ShowerWriter, open_showers

RANGE_CUT_MM = 0.7
START_MM = 1.0
"""Distance before the front face at which particles start."""
WARM_UP = 3
"""Showers made before the time counts."""
QUIET = ("/control/verbose 0", "/run/verbose 0", "/process/verbose 0", "/process/em/verbose 0")

Float32 = NDArray[np.float32]


class CrystalGeometry(g4.G4VUserDetectorConstruction):
    """One layer of crystals in rows (x) and columns (y), with air between and around them.

    Args:
        detector: One Cartesian section of one sensitive slab.
    """

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        section = detector.sections[0]
        if (
            len(detector.sections) != 1
            or len(section.slabs) != 1
            or not isinstance(section.readout, CartesianReadout)
        ):
            raise SystemExit(f"{detector.name}: only one layer of crystals can be built here.")
        self.detector = detector
        self.section = section
        self.readout = section.readout
        self._kept: list[Any] = []  # Geant4 does not own what Python made

    def Construct(self) -> Any:  # noqa: N802
        """Build world, slab, columns of cells, cells of air and the crystal in each cell."""
        depth = self.section.slabs[0].thickness_mm
        pitch_x, pitch_y = self.readout.row_pitch_mm, self.readout.column_pitch_mm
        width, height = self.readout.extent_mm
        gap = self.section.cell_gap_mm
        air = g4.G4NistManager.Instance().FindOrBuildMaterial("G4_AIR")
        world = self._volume("world", 4 * width, 4 * height, 10 * depth, air)
        slab = self._volume("slab", width, height, depth, air)
        row = self._volume("row", pitch_x, height, depth, air)
        cell = self._volume("cell", pitch_x, pitch_y, depth, air)
        self.crystal = self._volume("crystal", pitch_x - gap, pitch_y - gap, depth, self._crystal_material())
        placed = g4.G4PVPlacement(None, g4.G4ThreeVector(), world, "world", None, False, 0)
        self._kept += [
            placed,
            g4.G4PVPlacement(None, g4.G4ThreeVector(0, 0, depth / 2), slab, "slab", world, False, 0),
            g4.G4PVReplica("row", row, slab, g4.kXAxis, self.readout.rows, pitch_x),
            g4.G4PVReplica("cell", cell, row, g4.kYAxis, self.readout.columns, pitch_y),
            g4.G4PVPlacement(None, g4.G4ThreeVector(), self.crystal, "crystal", cell, False, 0),
        ]
        return placed

    def ConstructSDandField(self) -> None:  # noqa: N802
        """Score the deposits in the crystals, numbered as in the shower files (layer, row, column)."""
        self.scorer = g4.G4MultiFunctionalDetector("calorimeter")
        rows, columns = self.readout.rows, self.readout.columns
        deposits = g4.G4PSEnergyDeposit3D("deposits", 1, rows, columns, 3, 2, 1)
        self._kept.append(deposits)
        self.scorer.RegisterPrimitive(deposits)
        g4.G4SDManager.GetSDMpointer().AddNewDetector(self.scorer)
        self.SetSensitiveDetector(self.crystal, self.scorer)

    def _volume(self, name: str, width: float, height: float, depth: float, material: Any) -> Any:
        """Return a box of full sizes in mm."""
        solid = g4.G4Box(name, width / 2, height / 2, depth / 2)
        volume = g4.G4LogicalVolume(solid, material, name)
        self._kept += [solid, volume]
        return volume

    def _crystal_material(self) -> Any:
        """Return the crystals' material, by composition."""
        name = self.section.slabs[0].material
        nist = g4.G4NistManager.Instance()
        if name.startswith("G4_"):
            return nist.FindOrBuildMaterial(name)
        described = self.detector.material(name)
        material = g4.G4Material(name, described.density_g_cm3 * g4.g / g4.cm3, len(described.weights))
        for symbol, weight in described.weights.items():
            material.AddElement(nist.FindOrBuildElement(symbol), weight)
        return material


class IncidentGun(g4.G4VUserPrimaryGeneratorAction):
    """Shoots the incident particles of a batch of showers, one an event, each with a seed of its own."""

    def __init__(self, showers: Showers, particle: str, seed: int) -> None:
        super().__init__()
        self.showers, self.seed, self.next = showers, seed, 0
        self.gun = g4.G4ParticleGun(1)
        self.particle = g4.G4ParticleTable.GetParticleTable().FindParticle(particle)

    def GeneratePrimaries(self, event: Any) -> None:  # noqa: N802
        """Place the next particle; behind the last one the first follows."""
        index = self.next % len(self.showers)
        self.next += 1
        assert self.showers.positions is not None
        assert self.showers.directions is not None
        x, y = self.showers.positions[index].astype(float)
        direction = self.showers.directions[index].astype(float)
        back = START_MM / direction[2]
        g4.G4Random.setTheSeed(self.seed * 1_000_003 + self.next)
        self.gun.SetParticleDefinition(self.particle)
        self.gun.SetParticleEnergy(float(self.showers.incident_energies[index]))  # MeV is Geant4's own unit
        self.gun.SetParticlePosition(
            g4.G4ThreeVector(x - back * direction[0], y - back * direction[1], -START_MM)
        )
        self.gun.SetParticleMomentumDirection(g4.G4ThreeVector(*direction))
        self.gun.GeneratePrimaryVertex(event)


class DepositReader(g4.G4UserEventAction):
    """Collects the deposits of each event, and the time that this takes."""

    def __init__(self, cells: int) -> None:
        super().__init__()
        self.cells, self.rows, self.collection, self.seconds = cells, list[Float32](), -1, 0.0

    def EndOfEventAction(self, event: Any) -> None:  # noqa: N802
        """Append the event's deposits in MeV."""
        started = time.perf_counter()
        if self.collection < 0:
            self.collection = g4.G4SDManager.GetSDMpointer().GetCollectionID("calorimeter/deposits")
        deposits = np.zeros(self.cells, np.float32)
        for cell, energy in event.GetHCofThisEvent().GetHC(self.collection):
            deposits[cell] = energy
        self.rows.append(deposits)
        self.seconds += time.perf_counter() - started


class Actions(g4.G4VUserActionInitialization):
    """Hands the actions to the run manager."""

    def __init__(self, *actions: Any) -> None:
        super().__init__()
        self.actions = actions

    def Build(self) -> None:  # noqa: N802
        """Register the actions."""
        for action in self.actions:
            self.SetUserAction(action)


@dataclass(frozen=True)
class EventLoop:
    """What an event loop gave: (event, cell) deposits in MeV, and seconds.

    The reading of the deposits by Python counts within both wall and processor time.
    """

    energies: Float32
    wall: float
    processor: float
    reading: float


def simulate(showers: Showers, particle: str, detector: Detector, seed: int) -> EventLoop:
    """Run Geant4 on incident particles.

    Raises:
        SystemExit: The detector is not one layer of crystals.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        manager = g4.G4RunManagerFactory.CreateRunManager(g4.G4RunManagerType.Serial)
        geometry = CrystalGeometry(detector)
        manager.SetUserInitialization(geometry)
        physics = g4.G4VModularPhysicsList()
        physics.RegisterPhysics(g4.G4EmStandardPhysics())
        physics.SetVerboseLevel(0)
        g4.G4EmParameters.Instance().SetVerbose(0)
        manager.SetUserInitialization(physics)
        gun = IncidentGun(showers, particle, seed)
        reader = DepositReader(detector.number_of_cells)
        actions = Actions(gun, reader)
        manager.SetUserInitialization(actions)
        commands = g4.G4UImanager.GetUIpointer()
        for command in QUIET:
            commands.ApplyCommand(command)
        manager.Initialize()
        commands.ApplyCommand(f"/run/setCut {RANGE_CUT_MM} mm")
        manager.BeamOn(WARM_UP)
        gun.next, reader.seconds = 0, 0.0
        reader.rows.clear()
        started, used = time.perf_counter(), time.process_time()
        manager.BeamOn(len(showers))
        wall, processor = time.perf_counter() - started, time.process_time() - used
    return EventLoop(np.stack(reader.rows), wall, processor, reader.seconds)


def write_simulated(path: Path, showers: Showers, particle: str, seed: int) -> None:
    """Write the showers made here as a native file."""
    generator = f"Geant4 (geant4-pybind), G4EmStandardPhysics, range cut {RANGE_CUT_MM} mm"
    with ShowerWriter(path, showers.detector, particle, generator, {"seed": seed}) as writer:
        writer.write(showers)


def main() -> None:
    """Simulate, write where asked for, and tell."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="native shower file whose incident particles are taken")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--detector", default="zdc_ecal")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path, default=None, help="where the showers shall be written")
    arguments = parser.parse_args()
    view = open_showers(arguments.data)
    detector = load_detector(arguments.detector)
    if not (view.has_positions and view.has_directions) or view.detector.shape != detector.shape:
        raise SystemExit(f"{arguments.data}: needs positions, directions and the cells of {detector.name}.")
    like = view.read(0, min(arguments.count, len(view)))
    loop = simulate(like, view.particle, detector, arguments.seed)
    if arguments.write is not None:
        made = Showers(loop.energies, like.incident_energies, detector, like.positions, like.directions)
        write_simulated(arguments.write, made, view.particle, arguments.seed)
    result = {
        "showers": len(like),
        "ms_per_shower": 1e3 * loop.wall / len(like),
        "processor_ms_per_shower": 1e3 * loop.processor / len(like),
        "of_which_python_readout_ms": 1e3 * loop.reading / len(like),
        "processor_ms_per_gev": 1e6 * loop.processor / float(like.incident_energies.sum(dtype=np.float64)),
        "mean_visible_mev": float(loop.energies.sum(axis=1, dtype=np.float64).mean()),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
