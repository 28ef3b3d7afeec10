"""The incident particles of showers, without the showers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calokit.arrays import Float32, Float64
from calokit.errors import ShowerFileError
from calokit.showers.particles import PARTICLE_COLUMNS, Int32, Particles, join_particles
from calokit.units import MEV_PER_GEV, range_words


@dataclass(frozen=True)
class IncidentColumn:
    """One column of `Incidents`, in memory and in a shower file.

    Attributes:
        name: The attribute of `Incidents`.
        dataset: The dataset of a shower file.
        shape: Shape of the numbers of one event in memory.
        stored: Their shape in a file; CaloChallenge gives the energy an axis of length one.
        kind: Type of the numbers.
    """

    name: str
    dataset: str
    shape: tuple[int, ...]
    stored: tuple[int, ...]
    kind: type[np.generic]

    def check_stored(self, shape: tuple[int, ...], events: int, path: Path) -> None:
        """Refuse a dataset that is not of so many events.

        Raises:
            ShowerFileError: It has another shape.
        """
        wanted = (events, *self.stored)
        # One number an event may have an axis of its own, or none.
        flat = (events,) if wanted == (events, 1) else wanted
        if shape not in (wanted, flat):
            raise ShowerFileError(f"{path}: {self.dataset} have shape {shape}, expected {wanted}.")


INCIDENT_COLUMNS = (
    IncidentColumn("energies", "incident_energies", (), (1,), np.float32),
    IncidentColumn("positions", "incident_positions", (2,), (2,), np.float32),
    IncidentColumn("directions", "incident_directions", (3,), (3,), np.float32),
    IncidentColumn("pdg", "incident_pdg", (), (), np.int32),
)
"""What may be known of the incident particle of each event; the energy always is."""


@dataclass(frozen=True, repr=False)
class Incidents:
    """The incident particles of some events.

    Attributes:
        energies: (event,) float32, MeV; of all particles together where an event has several.
        positions: (event, 2) float32, impact x and y at the front face in mm, or None where not known.
        directions: (event, 3) float32, unit vectors with z into the calorimeter, or None where not known.
        pdg: (event,) int32, PDG numbers, or None where not known.
        particles: Every particle, where events have several; then position, direction and pdg are those of
            the first.

    Raises:
        ShowerFileError: The columns do not fit each other.

    Example:
        >>> incidents = Incidents.of(np.array([1e3, 2e3]), positions=np.zeros((2, 2)))
        >>> len(incidents), incidents[1].energies.tolist(), incidents.conditions()[1]
        (2, [2000.0], ['ln incident energy', 'impact x', 'impact y'])
        >>> incidents
        Incidents(2, 1 to 2 GeV, impact)
    """

    energies: Float32
    positions: Float32 | None = None
    directions: Float32 | None = None
    pdg: Int32 | None = None
    particles: Particles | None = None

    def __post_init__(self) -> None:
        events = len(self.energies)
        for column in INCIDENT_COLUMNS:
            values = getattr(self, column.name)
            wanted = (events, *column.shape)
            if values is not None and values.shape != wanted:
                raise ShowerFileError(
                    f"{column.dataset} have shape {values.shape}, but {events} events need {wanted}."
                )
        if self.particles is not None and len(self.particles) != events:
            raise ShowerFileError(
                f"particles are those of {len(self.particles)} events, but there are {events} events."
            )

    @classmethod
    def of(
        cls,
        energies: NDArray[Any],
        positions: NDArray[Any] | None = None,
        directions: NDArray[Any] | None = None,
        pdg: NDArray[Any] | None = None,
        particles: Particles | None = None,
    ) -> Incidents:
        """Return incident particles from columns of any kind of number; energies may be (event, 1) too."""
        energies = np.asarray(energies)
        if energies.shape[1:] == (1,):
            energies = energies[:, 0]

        def stored(values: NDArray[Any] | None, kind: type[np.generic]) -> Any:
            return None if values is None else np.ascontiguousarray(values, dtype=kind)

        with np.errstate(over="ignore", invalid="ignore"):
            return cls(
                stored(energies, np.float32),
                stored(positions, np.float32),
                stored(directions, np.float32),
                stored(pdg, np.int32),
                particles,
            )

    def __len__(self) -> int:
        return len(self.energies)

    def __repr__(self) -> str:
        return f"Incidents({len(self)}, {self.words})"

    @property
    def words(self) -> str:
        """Range of the energies and what else is known, in a few words."""
        known = {
            "impact": self.positions,
            "direction": self.directions,
            "pdg": self.pdg,
            "several particles an event": self.particles,
        }
        names = [name for name, values in known.items() if values is not None]
        if len(self) == 0:
            return ", ".join(["no energies", *names])
        low, high = (float(end) / MEV_PER_GEV for end in (self.energies.min(), self.energies.max()))
        return ", ".join([range_words(low, high, "GeV"), *names])

    def __getitem__(self, index: Any) -> Incidents:
        """Return the events at an index array, boolean mask or slice (a number gives one)."""
        if isinstance(index, int | np.integer):
            index = np.array([index])

        def pick(values: Any) -> Any:
            return None if values is None else values[index]

        return Incidents(
            self.energies[index],
            pick(self.positions),
            pick(self.directions),
            pick(self.pdg),
            pick(self.particles),
        )

    @classmethod
    def join(cls, parts: Sequence[Incidents]) -> Incidents:
        """Return the incident particles of several batches, in order.

        Raises:
            ShowerFileError: There is nothing to join, or some batches know columns that others lack.
        """
        if not parts:
            raise ShowerFileError("there are no incident particles to join.")

        def known(name: str) -> list[Any]:
            values = [getattr(part, name) for part in parts if getattr(part, name) is not None]
            if len(values) not in (0, len(parts)):
                raise ShowerFileError(f"some batches have {name} and some have not; they cannot be joined.")
            return values

        columns = {column.name: known(column.name) for column in INCIDENT_COLUMNS}
        particles = known("particles")
        return cls(
            **{name: np.concatenate(values) for name, values in columns.items() if values},
            particles=join_particles(particles) if particles else None,
        )

    def conditions(self) -> tuple[Float64, list[str]]:
        """Return what is known of the incident particle as smooth columns.

        Returns:
            (event, k) float64 and the k names: ln of the incident energy in MeV; x and y of the impact in mm
            where known; theta cos phi and theta sin phi of the direction in rad where known.
        """
        columns = [np.log(self.energies.astype(np.float64))]
        names = ["ln incident energy"]
        if self.positions is not None:
            columns += [self.positions[:, 0].astype(np.float64), self.positions[:, 1].astype(np.float64)]
            names += ["impact x", "impact y"]
        if self.directions is not None:
            slopes = direction_components(self.directions)
            columns += [slopes[:, 0], slopes[:, 1]]
            names += ["theta cos phi", "theta sin phi"]
        return np.stack(columns, axis=1), names

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return the known columns as the datasets of a shower file, by their names."""
        stored: dict[str, NDArray[Any]] = {}
        for column in INCIDENT_COLUMNS:
            values = getattr(self, column.name)
            if values is not None:
                stored[column.dataset] = values.reshape(len(self), *column.stored)
        return stored if self.particles is None else stored | self.particles.columns()

    @classmethod
    def from_columns(cls, stored: Mapping[str, NDArray[Any]]) -> Incidents:
        """Put the datasets of `columns` together again; datasets of other names are left aside."""
        columns: dict[str, Any] = {}
        for column in INCIDENT_COLUMNS:
            if column.dataset in stored:
                values = stored[column.dataset]
                columns[column.name] = values.reshape(len(values), *column.shape)
        several = {name: stored[name] for name in PARTICLE_COLUMNS if name in stored}
        return cls(**columns, particles=Particles.from_columns(several) if several else None)


def direction_components(directions: Float32 | Float64) -> Float64:
    """Return theta cos phi and theta sin phi of unit vectors, which pass smoothly through the axis.

    Args:
        directions: (event, 3) unit vectors, z into the calorimeter.

    Returns:
        (event, 2) float64 in rad.

    Example:
        >>> direction_components(np.array([[0.0, 0.6, 0.8]])).round(4).tolist()
        [[0.0, 0.6435]]
    """
    d = directions.astype(np.float64)
    transverse = np.hypot(d[:, 0], d[:, 1])
    theta = np.arctan2(transverse, d[:, 2])
    scale = np.divide(theta, transverse, out=np.ones_like(theta), where=transverse > 0)
    return d[:, :2] * scale[:, None]
