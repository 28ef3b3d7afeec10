"""What makes the showers of a sample: Geant4, or the parametric simulation."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from calokit.arrays import Float32
from calokit.detector import Detector
from calokit.errors import DetectorError, SimulationError
from calokit.showers.batch import UInt16
from calokit.showers.particles import Particles
from calokit.simulation.data_sets import GEANT4_VERSION, find_data_sets
from calokit.simulation.sample import Sample

PARAMETRIC_CHUNK = 128
"""Events that the parametric simulation draws together; fixed, so that cuts into blocks change nothing."""

_GEANT4_STREAM, _PARAMETRIC_STREAM = 1, 2


@dataclass(frozen=True)
class Backend:
    """A simulation that is ready to run.

    Attributes:
        opener: `module:function` that makes a `Simulator` in a worker process.
        settings: Plain data for the opener.
        environment: Environment variables that the processes get.
        generator: What makes the showers, in words, for the file.
        shortcomings: What is approximate, in words.
        block: Events that one task makes.
        data_sets: Names of the tables that it reads, with their versions.
        notes: What else the user should know, in words.
    """

    opener: str
    settings: dict[str, Any]
    environment: dict[str, str]
    generator: str
    shortcomings: tuple[str, ...]
    block: int
    data_sets: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Simulated(NamedTuple):
    """Particles of some events, (event, cell) deposits in MeV, and charged entries where counted."""

    particles: Particles
    energies: Float32
    entries: UInt16 | None = None


ParticleSource = Callable[[int, int], Particles]
"""Gives the incident particles of events `first` to (not including) `last`, as many of them as there are."""


class Simulator(Protocol):
    """Makes showers in one process."""

    def simulate(
        self, sample: Sample, particles: ParticleSource, seed: int, first: int, last: int
    ) -> Simulated:
        """Return the events `first` to `last` of the particles that the source gives them."""


def prepare_geant4(sample: Sample, detector: Detector) -> Backend:
    """Make Geant4 ready: check that it is installed, and that its data sets allow this physics.

    Raises:
        SimulationError: geant4-pybind or a data set is missing; the message says how to get it.
        DetectorError: The detector describes no material, or has no boxes to count entries in.
    """
    require_material(detector)
    if sample.count_entries and any(section.readout.kind != "cartesian" for section in detector.sections):
        raise DetectorError(
            f"sample {sample.name!r}: charged entries are counted in Cartesian cells, and detector "
            f"{detector.name!r} has others; set count_entries: false."
        )
    if importlib.util.find_spec("geant4_pybind") is None:
        raise SimulationError(
            "Geant4 is not installed; run pip install geant4-pybind==0.1.3, or take --backend parametric."
        )
    found = find_data_sets(sample.physics, detector)
    binding = importlib.metadata.version("geant4-pybind")
    generator = f"Geant4 {GEANT4_VERSION} (geant4-pybind {binding}), {sample.physics.description}"
    if found.shortcomings:
        generator += "; " + "; ".join(found.shortcomings)
    settings = {"detector": detector.to_mapping(), "environment": found.environment}
    opener = f"{__name__}:open_geant4"
    block = 32 if sample.physics.is_hadronic else 64
    return Backend(
        opener,
        settings,
        found.environment,
        generator,
        found.shortcomings,
        block,
        found.names,
        found.notes,
    )


def prepare_parametric(sample: Sample, detector: Detector) -> Backend:
    """Make the parametric simulation ready; it needs no data.

    Raises:
        SimulationError: The sample counts entries, of which the formulas know nothing.
        DetectorError: The detector describes no material.
    """
    require_material(detector)
    if sample.count_entries:
        raise SimulationError(
            f"sample {sample.name!r} counts charged entries, which the parametric simulation does not know; "
            "simulate it with Geant4, or set count_entries: false."
        )
    generator = "calokit parametric simulation: formulas, not Geant4"
    return Backend(
        f"{__name__}:open_parametric",
        {"detector": detector.to_mapping()},
        {},
        generator,
        (),
        8 * PARAMETRIC_CHUNK,
    )


def require_material(detector: Detector) -> None:
    """Refuse a detector of which only the readout is known.

    Raises:
        DetectorError: A section describes no material.
    """
    detector.radiation_lengths  # noqa: B018


def open_geant4(settings: dict[str, Any]) -> Simulator:
    """Start Geant4 in this process."""
    return _Geant4Simulator(settings)


def open_parametric(settings: dict[str, Any]) -> Simulator:
    """Make the parametric simulation in this process."""
    return _ParametricSimulation(settings)


def event_seed(seed: int, event: int) -> int:
    """Return the seed that Geant4 gets before an event, below 2^62; it follows from seed and event alone."""
    state = np.random.SeedSequence([seed, event, _GEANT4_STREAM]).generate_state(1, np.uint64)
    return int(state[0]) >> 2


class _Geant4Simulator:
    """Geant4 in this process, started with the first sample."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.environment: dict[str, str] = settings["environment"]
        self.detector = Detector.from_mapping(settings["detector"], "worker")
        self._run: Any = None

    def simulate(
        self, sample: Sample, particles: ParticleSource, seed: int, first: int, last: int
    ) -> Simulated:
        from calokit.simulation.geant4.run import Event, Geant4Run
        from calokit.simulation.geant4.scoring import ScorerDeposits

        if self._run is None:
            scoring = ScorerDeposits(count_entries=True) if sample.count_entries else None
            self._run = Geant4Run(self.detector, sample.physics, self.environment, scoring)
        shot = particles(first, last)
        events = [
            Event(shot[row : row + 1], event_seed(seed, first + row)) for row in range(len(shot.energies))
        ]
        return Simulated(shot, *self._run.simulate(events))


class _ParametricSimulation:
    """The parametric simulation of one detector."""

    def __init__(self, settings: dict[str, Any]) -> None:
        from calokit.simulation.parametric import ParametricSimulator

        self.detector = Detector.from_mapping(settings["detector"], "worker")
        self._simulator = ParametricSimulator(self.detector)

    def simulate(
        self,
        sample: Sample,  # noqa: ARG002
        particles: ParticleSource,
        seed: int,
        first: int,
        last: int,
    ) -> Simulated:
        chunks = range(first // PARAMETRIC_CHUNK, -(-last // PARAMETRIC_CHUNK))
        shot = particles(chunks.start * PARAMETRIC_CHUNK, chunks.stop * PARAMETRIC_CHUNK)
        drawn = []
        for place, chunk in enumerate(chunks):
            rng = np.random.default_rng(np.random.SeedSequence([seed, chunk, _PARAMETRIC_STREAM]))
            window = slice(place * PARAMETRIC_CHUNK, (place + 1) * PARAMETRIC_CHUNK)
            drawn.append(self._simulator.simulate(shot[window], rng))
        asked = slice(first - chunks.start * PARAMETRIC_CHUNK, last - chunks.start * PARAMETRIC_CHUNK)
        return Simulated(shot[asked], np.concatenate(drawn)[asked])
