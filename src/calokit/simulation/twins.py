"""Twins: the incident particles of showers that are there, shot once more.

Two true showers of the very same incident particle tell what no model can do better than: the floor of every
number that compares shower with shower, such as the squared error of cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calokit.errors import SimulationError
from calokit.showers import ShowerFile, open_showers
from calokit.showers.particle_names import PDG_NUMBERS
from calokit.showers.particles import PARTICLE_COLUMNS, Particles
from calokit.simulation.sample import Sample

_TWIN_STREAM = 3


def twin_seed(seed: int) -> int:
    """Return the seed of the showers of twins: never that of the showers which the same seed made first."""
    return int(np.random.SeedSequence([seed, _TWIN_STREAM]).generate_state(1, np.uint64)[0]) >> 2


@dataclass(frozen=True)
class Twins:
    """The incident particles of a shower file.

    Attributes:
        file: The showers.
        pdg: PDG number of the particle where the file names none.
    """

    file: ShowerFile
    pdg: int

    @classmethod
    def open(cls, path: Path, sample: Sample) -> Twins:
        """Open the showers whose particles shall be shot again.

        Args:
            path: A native shower file.
            sample: Says the detector and, where the file does not, the particle.

        Raises:
            SimulationError: The file is of another detector, has no impacts or directions, or several
                particles an event, of which it does not say which they are.
        """
        file = open_showers(path)
        if not file.detector.is_same(sample.load_detector()):
            raise SimulationError(
                f"{path} holds showers of detector {file.detector.name!r}, and sample {sample.name!r} shoots "
                f"into {sample.detector!r}."
            )
        first = file.read(0, min(1, len(file)))
        if first.particles is None and (first.positions is None or first.directions is None):
            raise SimulationError(
                f"{path} has no impacts or no directions; its particles cannot be shot again."
            )
        if first.particles is None and first.pdg is None and len({gun.particle for gun in sample.guns}) > 1:
            raise SimulationError(f"{path} does not say which particle is which, and the sample has several.")
        return cls(file, PDG_NUMBERS[sample.guns[0].particle])

    @property
    def path(self) -> Path:
        """The file."""
        return self.file.path

    @property
    def sha256(self) -> str:
        """SHA-256 of the file."""
        return self.file.sha256

    @property
    def has_several_particles(self) -> bool:
        """Whether events have several particles."""
        return bool(self.file.columns & frozenset(PARTICLE_COLUMNS))

    def __len__(self) -> int:
        return len(self.file)

    def particles(self, first: int, last: int) -> Particles:
        """Return the particles of events `first` to `last`, as many of them as there are."""
        showers = self.file.read(min(first, len(self.file)), min(last, len(self.file)))
        if showers.particles is not None:
            return showers.particles
        assert showers.positions is not None
        assert showers.directions is not None
        pdg = np.full(len(showers), self.pdg) if showers.pdg is None else showers.pdg
        return Particles(
            showers.incident_energies[:, None],
            pdg.astype(np.int32)[:, None],
            showers.positions[:, None],
            showers.directions[:, None],
        )
