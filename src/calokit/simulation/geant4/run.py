"""One Geant4 run in this process: geometry, physics and guns set up once, then events by their number."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import geant4_pybind as g4
import numpy as np
from numpy.typing import NDArray

from calokit.arrays import Float32
from calokit.detector import Detector
from calokit.errors import SimulationError
from calokit.showers.particles import Particles
from calokit.simulation.data_sets import has_gamma_nuclear_tables
from calokit.simulation.geant4.geometry import DetectorGeometry
from calokit.simulation.geant4.scoring import (
    ScorerDeposits,
    StepDeposits,
    UInt16,
    choose_scoring,
    flatten_sections,
)
from calokit.simulation.physics import Physics

START_MM = 1.0
"""Distance before the front face at which particles start, on the line through their impact position."""

_QUIET = (
    "/control/verbose 0",
    "/run/verbose 0",
    "/process/verbose 0",
    "/process/em/verbose 0",
    "/process/had/verbose 0",
)


@dataclass(frozen=True)
class Event:
    """One event to simulate: its particles (one row of `Particles`) and its seed."""

    particles: Particles
    seed: int


class Scored(NamedTuple):
    """What was scored in some events: (event, cell) MeV deposited, and charged entries where counted."""

    energies: Float32
    entries: UInt16 | None


class Geant4Run:
    """Simulates events in a detector; there can be one in a process.

    Args:
        detector: The detector.
        physics: The physics list and production cut.
        environment: Geant4's environment variables, already set in this process.
        scoring: How deposits are summed; where not given in C++ (in Python with Birks' law and on cylinders),
            and no scoring at all with `NoDeposits`.

    Raises:
        SimulationError: Another geometry stands already in this process.
    """

    _taken = False

    def __init__(
        self,
        detector: Detector,
        physics: Physics,
        environment: Mapping[str, str],
        scoring: ScorerDeposits | StepDeposits | NoDeposits | None = None,
    ) -> None:
        if Geant4Run._taken:
            raise SimulationError("one process can hold one Geant4 run; start another process.")
        Geant4Run._taken = True
        self.detector = detector
        self._scoring = scoring or choose_scoring(detector, physics.birks_mm_per_mev)
        self._geometry = DetectorGeometry(detector)
        self._geometry.score = self._scoring.attach
        with contextlib.redirect_stdout(io.StringIO()):
            self._set_up(physics, environment)

    def _set_up(self, physics: Physics, environment: Mapping[str, str]) -> None:
        commands = g4.G4UImanager.GetUIpointer()
        for command in _QUIET:
            commands.ApplyCommand(command)
        manager = g4.G4RunManagerFactory.CreateRunManager(g4.G4RunManagerType.Serial)
        manager.SetUserInitialization(self._geometry)
        self._physics = _build_physics(physics)
        manager.SetUserInitialization(self._physics)
        self._gun, self._reader = _Gun(), _Reader(self.detector, self._scoring)  # Geant4 wants physics first
        self._actions = _Actions(self._gun, self._reader)
        manager.SetUserInitialization(self._actions)
        if physics.is_hadronic and not has_gamma_nuclear_tables(environment):
            commands.ApplyCommand("/physics_lists/em/UseGammaNuclearXS false")
        for command in _QUIET:
            commands.ApplyCommand(command)
        manager.Initialize()
        commands.ApplyCommand(f"/run/setCut {physics.cut_mm} mm")
        self._manager = manager

    def simulate(self, events: list[Event]) -> Scored:
        """Simulate events one after the other.

        Returns:
            Deposits in the sensitive material of each cell, and entries where the scoring counts them.
        """
        self._gun.waiting = list(reversed(events))
        self._reader.rows.clear()
        self._reader.entries.clear()
        with contextlib.redirect_stdout(io.StringIO()):
            self._manager.BeamOn(len(events))
        entries = np.stack(self._reader.entries) if self._reader.entries else None
        return Scored(np.stack(self._reader.rows), entries)


class NoDeposits:
    """No scoring at all: what the simulation alone costs."""

    def attach(self, geometry: DetectorGeometry) -> None:
        """Attach nothing."""

    def read(self, event: Any) -> list[NDArray[np.float64]]:
        """Return nothing."""
        del event
        return []

    read_entries = read


def _build_physics(physics: Physics) -> Any:
    """Return Geant4's physics list."""
    name = physics.physics_list
    g4.G4EmParameters.Instance().SetVerbose(0)
    if physics.is_hadronic:
        physics_list = getattr(g4, name)()
    else:
        option = int(name.removeprefix("em"))
        suffix = f"_option{option}" if option else ""
        physics_list = g4.G4VModularPhysicsList()
        physics_list.RegisterPhysics(getattr(g4, f"G4EmStandardPhysics{suffix}")())
    physics_list.SetVerboseLevel(0)
    return physics_list


class _Gun(g4.G4VUserPrimaryGeneratorAction):
    """Shoots the particles of the event that waits."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Event] = []
        self.gun = g4.G4ParticleGun(1)
        self._found: dict[int, Any] = {}

    def GeneratePrimaries(self, event: Any) -> None:  # noqa: N802
        """Place the particles; called by Geant4."""
        waiting = self.waiting.pop()
        g4.G4Random.setTheSeed(waiting.seed)
        particles = waiting.particles
        for place in range(int(particles.count[0])):
            x, y = particles.positions[0, place].astype(float)
            direction = particles.directions[0, place].astype(float)
            back = START_MM / direction[2]
            self.gun.SetParticleDefinition(self._definition(int(particles.pdg[0, place])))
            self.gun.SetParticleEnergy(float(particles.energies[0, place]))  # MeV is Geant4's own unit
            start = g4.G4ThreeVector(x - back * direction[0], y - back * direction[1], -START_MM)
            self.gun.SetParticlePosition(start)
            self.gun.SetParticleMomentumDirection(g4.G4ThreeVector(*direction))
            self.gun.GeneratePrimaryVertex(event)

    def _definition(self, pdg: int) -> Any:
        if pdg not in self._found:
            self._found[pdg] = g4.G4ParticleTable.GetParticleTable().FindParticle(pdg)
            if self._found[pdg] is None:
                raise SimulationError(f"Geant4 knows no particle with PDG number {pdg}.")
        return self._found[pdg]


class _Reader(g4.G4UserEventAction):
    """Collects the deposits of each event."""

    def __init__(self, detector: Detector, scoring: ScorerDeposits | StepDeposits | NoDeposits) -> None:
        super().__init__()
        self.detector, self.scoring = detector, scoring
        self.rows: list[Float32] = []
        self.entries: list[UInt16] = []

    def EndOfEventAction(self, event: Any) -> None:  # noqa: N802
        """Read the deposits; called by Geant4."""
        sums = self.scoring.read(event)
        self.rows.append(flatten_sections(self.detector, sums) if sums else np.zeros(0, np.float32))
        counts = self.scoring.read_entries(event)
        if counts:
            self.entries.append(flatten_sections(self.detector, counts).astype(np.uint16))


class _Actions(g4.G4VUserActionInitialization):
    """Hands the actions to the run manager."""

    def __init__(self, *actions: Any) -> None:
        super().__init__()
        self.actions = actions

    def Build(self) -> None:  # noqa: N802
        """Register the actions; called by Geant4."""
        for action in self.actions:
            self.SetUserAction(action)
