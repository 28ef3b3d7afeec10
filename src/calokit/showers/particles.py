"""The incident particles of events that may have several: columns padded to the same number an event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calokit.arrays import Float32
from calokit.errors import ShowerFileError

Int32 = NDArray[np.int32]


@dataclass(frozen=True)
class Particles:
    """Every incident particle of each event; events with fewer particles are padded at the end.

    Attributes:
        energies: (event, particle) float32, kinetic energy in MeV; 0 where there is no further particle.
        pdg: (event, particle) int32, PDG numbers; 0 where there is no further particle.
        positions: (event, particle, 2) float32, x and y at the front face in mm.
        directions: (event, particle, 3) float32, unit vectors with z into the calorimeter.

    Raises:
        ShowerFileError: The arrays do not fit each other.

    Example:
        >>> pair = Particles(
        ...     np.array([[5e3, 2e3]], np.float32),
        ...     np.array([[11, 22]], np.int32),
        ...     np.zeros((1, 2, 2), np.float32),
        ...     np.tile(np.array([0, 0, 1], np.float32), (1, 2, 1)),
        ... )
        >>> len(pair), pair.count.tolist(), pair.total_energies.tolist()
        (1, [2], [7000.0])
    """

    energies: Float32
    pdg: Int32
    positions: Float32
    directions: Float32

    def __post_init__(self) -> None:
        shape = self.energies.shape
        given = (self.pdg.shape, self.positions.shape, self.directions.shape)
        if len(shape) != 2 or given != (shape, (*shape, 2), (*shape, 3)):
            raise ShowerFileError(
                f"particles: energies have shape {shape}; pdg, positions and directions {given} do not fit."
            )

    def __len__(self) -> int:
        return len(self.energies)

    def __getitem__(self, index: Any) -> Particles:
        """Return the events at an index array, boolean mask or slice."""
        return Particles(self.energies[index], self.pdg[index], self.positions[index], self.directions[index])

    @property
    def count(self) -> NDArray[np.int64]:
        """(event,) number of particles."""
        return np.asarray((self.energies > 0).sum(axis=1), dtype=np.int64)

    @property
    def total_energies(self) -> Float32:
        """(event,) float32, sum of the kinetic energies in MeV."""
        total: Float32 = self.energies.sum(axis=1, dtype=np.float64).astype(np.float32)
        return total

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return the (event, particle) columns of the shower file by their names."""
        return {
            "particle_energies": self.energies,
            "particle_pdg": self.pdg,
            "particle_x": self.positions[..., 0],
            "particle_y": self.positions[..., 1],
            "particle_direction_x": self.directions[..., 0],
            "particle_direction_y": self.directions[..., 1],
            "particle_direction_z": self.directions[..., 2],
        }

    @classmethod
    def from_columns(cls, columns: dict[str, NDArray[Any]]) -> Particles:
        """Put the columns of `columns` together again."""
        places = [columns["particle_x"], columns["particle_y"]]
        directions = [columns[f"particle_direction_{axis}"] for axis in "xyz"]
        return cls(
            columns["particle_energies"].astype(np.float32, copy=False),
            columns["particle_pdg"].astype(np.int32, copy=False),
            np.stack(places, axis=-1).astype(np.float32, copy=False),
            np.stack(directions, axis=-1).astype(np.float32, copy=False),
        )


PARTICLE_COLUMNS = (
    "particle_energies",
    "particle_pdg",
    "particle_x",
    "particle_y",
    "particle_direction_x",
    "particle_direction_y",
    "particle_direction_z",
)
"""Names of the columns of `Particles` in a shower file."""


def join_particles(parts: list[Particles]) -> Particles:
    """Join the events of several batches, in order, padding to the largest number of particles."""
    width = max(part.energies.shape[1] for part in parts)

    def pad(values: NDArray[Any]) -> NDArray[Any]:
        room = [(0, 0)] * values.ndim
        room[1] = (0, width - values.shape[1])
        return np.pad(values, room)

    return Particles(
        *(
            np.concatenate([pad(getattr(part, name)) for part in parts])
            for name in ("energies", "pdg", "positions", "directions")
        )
    )
