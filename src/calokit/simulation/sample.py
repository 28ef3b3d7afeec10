"""A sample described as data: which particles hit which calorimeter, and by which physics."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import Field, PositiveInt, field_validator, model_validator

from calokit.config import Description, read_yaml
from calokit.detector import Detector, load_detector
from calokit.detector.library import detector_beside
from calokit.errors import ConfigurationError, suggest_near_miss
from calokit.showers.particle_names import PARTICLE_WORDS, PDG_NUMBERS, plain_particle
from calokit.showers.particles import Particles
from calokit.simulation.laws import ConeIncidence, EnergyLaw, IncidenceLaw
from calokit.simulation.physics import Physics

SAMPLES = Path(__file__).parent / "samples"
"""The folder with one YAML file for each sample that comes with calokit."""

HADRONS = frozenset(name for name, number in PDG_NUMBERS.items() if abs(number) > 100)
"""Particles that need a hadronic physics list."""


class Gun(Description):
    """Shoots particles of one kind.

    Attributes:
        particle: Geant4's name of the particle, or another that is understood (electron, photon, K+).
        energy: The law of its kinetic energy.
        incidence: The law of where it enters and whereto it flies.
        count: How many of them an event holds: one number, or the smallest and the largest (each number
            between them equally often).
    """

    particle: str
    energy: EnergyLaw
    incidence: IncidenceLaw
    count: PositiveInt | tuple[int, PositiveInt] = 1

    @field_validator("particle")
    @classmethod
    def _check_particle(cls, particle: str) -> str:
        name = plain_particle(particle)
        if name not in PDG_NUMBERS:
            near = suggest_near_miss(name, [*PDG_NUMBERS, *PARTICLE_WORDS])
            raise ConfigurationError(f"unknown particle {particle!r}. {near}")
        return name

    @model_validator(mode="after")
    def _check_count(self) -> Self:
        if isinstance(self.count, tuple) and not 0 <= self.count[0] <= self.count[1]:
            raise ConfigurationError(f"count {list(self.count)}: the first must not be above the second.")
        return self

    @property
    def largest_count(self) -> int:
        """Most particles that the gun gives an event."""
        return self.count[1] if isinstance(self.count, tuple) else self.count

    def draw_count(self, rng: np.random.Generator) -> int:
        """Return how many particles this event gets."""
        if isinstance(self.count, int):
            return self.count
        return int(rng.integers(self.count[0], self.count[1] + 1))


class Sample(Description):
    """Incident particles for one detector.

    Attributes:
        name: Short name.
        title: What it is, in a line.
        detector: Name of a detector that comes with calokit, or the path of its YAML file.
        guns: Each shoots its particles into every event.
        physics: What Geant4 runs.
        count_entries: Also count the charged particles that enter the sensitive material of each cell through
            its front: the truth about a cell that no detector measures, for training (Geant4 and Cartesian
            readouts only; the deposits stay what they are).

    Example:
        >>> sample = load_sample("zdc_ecal_positrons")
        >>> particles = sample.draw(seed=5, first=0, last=3)
        >>> particles.pdg.tolist(), bool((particles.energies >= 1e3).all())
        ([[-11], [-11], [-11]], True)
    """

    name: str = Field(pattern=r"^[A-Za-z0-9_.\-]+$")
    title: str = ""
    detector: str
    guns: tuple[Gun, ...] = Field(min_length=1)
    physics: Physics = Physics()
    count_entries: bool = False

    @model_validator(mode="after")
    def _check_guns(self) -> Self:
        """Refuse a sample without particles, and hadrons in physics that lets them pass."""
        if all(isinstance(gun.count, tuple) and gun.count[0] == 0 for gun in self.guns):
            raise ConfigurationError("every event needs a particle; let one gun's smallest count be 1.")
        hadron = next((gun.particle for gun in self.guns if gun.particle in HADRONS), None)
        if hadron is not None and not self.physics.is_hadronic:
            raise ConfigurationError(
                f"{hadron} does not react in physics_list {self.physics.physics_list!r}; take FTFP_BERT."
            )
        if self.count_entries and self.physics.birks_mm_per_mev is not None:
            raise ConfigurationError(
                "count_entries and birks_mm_per_mev are scored in different ways; leave one of them out."
            )
        return self

    def to_mapping(self) -> dict[str, Any]:
        """Return plain data that `from_mapping` reads back; entries are named only where they are counted."""
        mapping = super().to_mapping()
        if not self.count_entries:
            del mapping["count_entries"]
        return mapping

    def load_detector(self) -> Detector:
        """Return the detector.

        Raises:
            DetectorError: It is unknown, or a cone has no distance to start from.
            ConfigurationError: A cone needs a distance, and neither law nor detector gives one.
        """
        detector = load_detector(self.detector)
        for gun in self.guns:
            law = gun.incidence
            if isinstance(law, ConeIncidence) and law.distance_mm is None and detector.front_mm == 0:
                raise ConfigurationError(
                    f"sample {self.name!r}: a cone starts at a distance, and detector {detector.name!r} has "
                    "front_mm 0; give the incidence law distance_mm."
                )
        return detector

    def counting_entries(self) -> Sample:
        """Return the sample with `count_entries`.

        Raises:
            ConfigurationError: Its physics cannot count them.
        """
        return Sample.from_mapping(self.to_mapping() | {"count_entries": True}, f"sample {self.name}")

    @property
    def particle(self) -> str:
        """The particles' names, for the file's attribute `particle`."""
        return " + ".join(dict.fromkeys(gun.particle for gun in self.guns))

    @property
    def has_several_particles(self) -> bool:
        """Whether an event can have more than one incident particle."""
        return sum(gun.largest_count for gun in self.guns) > 1

    def draw(self, seed: int, first: int, last: int, detector: Detector | None = None) -> Particles:
        """Draw the incident particles of events `first` to (not including) `last`.

        Each event follows from the seed and its number alone, so that events may be drawn in any order and
        cut into any pieces.

        Args:
            seed: Decides every draw.
            first: Number of the first event.
            last: Number behind the last event.
            detector: The sample's detector, where it is loaded already.
        """
        front_mm = (detector or self.load_detector()).front_mm
        width = sum(gun.largest_count for gun in self.guns)
        events = last - first
        energies = np.zeros((events, width), np.float32)
        pdg = np.zeros((events, width), np.int32)
        positions = np.zeros((events, width, 2), np.float32)
        directions = np.zeros((events, width, 3), np.float32)
        for row, event in enumerate(range(first, last)):
            rng = event_generator(seed, event)
            place = 0
            for gun in self.guns:
                for _ in range(gun.draw_count(rng)):
                    energies[row, place] = gun.energy.draw(rng, event)
                    x, y, direction = gun.incidence.draw(rng, front_mm)
                    positions[row, place] = x, y
                    directions[row, place] = direction
                    pdg[row, place] = PDG_NUMBERS[gun.particle]
                    place += 1
        return Particles(energies, pdg, positions, directions)


def event_generator(seed: int, event: int) -> np.random.Generator:
    """Return the generator of an event's incident particles: it follows from the seed and the event alone."""
    return np.random.default_rng(np.random.SeedSequence([seed, event]))


def list_samples() -> list[str]:
    """Return the names of the samples that come with calokit, in alphabetical order.

    Example:
        >>> "luxe_positrons_a" in list_samples()
        True
    """
    return sorted(path.stem for path in SAMPLES.glob("*.yaml"))


def load_sample(
    name_or_path: str | Path, physics_list: str | None = None, cut_mm: float | None = None
) -> Sample:
    """Return a sample that comes with calokit, or the one a YAML file describes.

    Args:
        name_or_path: A name of `list_samples()`, or the path of a YAML file.
        physics_list: Physics list instead of the sample's, which need not fit its particles then.
        cut_mm: Production cut instead of the sample's.

    Raises:
        ConfigurationError: The name is unknown, or the file is missing or wrong; the list is unknown or does
            not fit the particles, or the cut is not positive.

    Example:
        >>> load_sample("zdc_ecal_positrons", "em4", 0.1).physics.description
        'G4EmStandardPhysics_option4, range cut 0.1 mm'
    """
    text = str(name_or_path)
    path = SAMPLES / f"{text}.yaml" if text in list_samples() else Path(text)
    if path.suffix not in {".yaml", ".yml"} and len(path.parts) == 1:
        raise ConfigurationError(
            f"unknown sample {text!r}. {suggest_near_miss(text, list_samples())} "
            "A sample of your own is given as the path of its YAML file."
        )
    content = read_yaml(path)
    changes = {"physics_list": physics_list, "cut_mm": cut_mm}
    given = {key: value for key, value in changes.items() if value is not None}
    if given and isinstance(content, dict) and isinstance(content.setdefault("physics", {}), dict):
        content["physics"] |= given
    sample = Sample.from_mapping(content, str(path))
    return sample.model_copy(update={"detector": detector_beside(sample.detector, path.parent)})
