"""The one in-memory type for showers: cell energies with the incident particle that made each of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calokit.arrays import Float32, Float64
from calokit.detector import Detector
from calokit.errors import DetectorError, ShowerFileError
from calokit.showers.particles import Int32, Particles, join_particles

UInt16 = NDArray[np.uint16]


@dataclass(frozen=True)
class Showers:
    """A batch of showers in one detector.

    Attributes:
        energies: (event, cell) float32, MeV deposited in each cell, cells flat in the detector's file order.
        incident_energies: (event,) float32, MeV.
        detector: The detector whose cells these are.
        positions: (event, 2) float32, impact x and y at the front face in mm, or None where not known.
        directions: (event, 3) float32, unit vectors with z into the calorimeter, or None where not known.
        pdg: (event,) int32, PDG number of the incident particle, or None where not known.
        particles: Every incident particle, where events have several; then `incident_energies` holds their
            sum, and position, direction and pdg are those of the first.
        entries: (event, cell) uint16, charged particles that entered each cell's sensitive material through
            its front, where the simulation counted them; None otherwise.

    Raises:
        ShowerFileError: The arrays do not fit each other or the detector.

    Example:
        >>> from calokit.detector import load_detector
        >>> detector = load_detector("zdc_ecal")
        >>> showers = Showers(np.ones((2, 400), np.float32), np.array([1e3, 2e3], np.float32), detector)
        >>> len(showers), float(showers.visible_energies[0]), showers.images.shape
        (2, 400.0, (2, 1, 20, 20))
    """

    energies: Float32
    incident_energies: Float32
    detector: Detector
    positions: Float32 | None = None
    directions: Float32 | None = None
    pdg: Int32 | None = None
    particles: Particles | None = None
    entries: UInt16 | None = None

    def __post_init__(self) -> None:
        events = len(self.incident_energies)
        expected = {
            "energies": (self.energies.shape, (events, self.detector.number_of_cells)),
            "incident_energies": (self.incident_energies.shape, (events,)),
            "positions": (None if self.positions is None else self.positions.shape, (events, 2)),
            "directions": (None if self.directions is None else self.directions.shape, (events, 3)),
            "pdg": (None if self.pdg is None else self.pdg.shape, (events,)),
            "entries": (
                None if self.entries is None else self.entries.shape,
                (events, self.detector.number_of_cells),
            ),
            "particles": (None if self.particles is None else (len(self.particles),), (events,)),
        }
        for name, (given, wanted) in expected.items():
            if given is not None and given != wanted:
                raise ShowerFileError(
                    f"{name} have shape {given}, but {events} events in detector "
                    f"{self.detector.name!r} need {wanted}."
                )

    def __len__(self) -> int:
        return len(self.incident_energies)

    def __getitem__(self, index: Any) -> Showers:
        """Return the showers at an index array, boolean mask or slice over events (a number gives one)."""
        if isinstance(index, int | np.integer):
            index = np.array([index])
        return replace(
            self,
            energies=self.energies[index],
            incident_energies=self.incident_energies[index],
            positions=None if self.positions is None else self.positions[index],
            directions=None if self.directions is None else self.directions[index],
            pdg=None if self.pdg is None else self.pdg[index],
            particles=None if self.particles is None else self.particles[index],
            entries=None if self.entries is None else self.entries[index],
        )

    @property
    def visible_energies(self) -> Float64:
        """(event,) sum over all cells, MeV."""
        total: Float64 = self.energies.sum(axis=1, dtype=np.float64)
        return total

    @property
    def images(self) -> Float32:
        """(event, layer, row, column) or (event, layer, phi, r) view of a regular readout, MeV."""
        return self.energies.reshape(len(self), *self.detector.shape)

    def with_threshold(self, threshold: float) -> Showers:
        """Return the showers with every cell at or below a threshold (MeV) set to zero."""
        return replace(self, energies=np.where(self.energies > threshold, self.energies, np.float32(0.0)))

    def conditions(self) -> tuple[Float64, list[str]]:
        """Return what is known of the incident particle as smooth columns.

        Returns:
            (event, k) float64 and the k names: ln of the incident energy in MeV; x and y of the impact in mm
            where known; theta cos phi and theta sin phi of the direction in rad where known.
        """
        return condition_columns(self.incident_energies, self.positions, self.directions)


def condition_columns(
    incident_energies: Float32, positions: Float32 | None, directions: Float32 | None
) -> tuple[Float64, list[str]]:
    """Return the columns and names of `Showers.conditions` from the arrays alone."""
    columns = [np.log(incident_energies.astype(np.float64))]
    names = ["ln incident energy"]
    if positions is not None:
        columns += [positions[:, 0].astype(np.float64), positions[:, 1].astype(np.float64)]
        names += ["impact x", "impact y"]
    if directions is not None:
        slopes = direction_components(directions)
        columns += [slopes[:, 0], slopes[:, 1]]
        names += ["theta cos phi", "theta sin phi"]
    return np.stack(columns, axis=1), names


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


def concatenate(batches: list[Showers]) -> Showers:
    """Join batches of the same detector, in order.

    Raises:
        ShowerFileError: There is nothing to join, or some batches know positions or directions others lack.
        DetectorError: They belong to several detectors.
    """
    if not batches:
        raise ShowerFileError("there are no showers to join.")
    first = batches[0]
    other = next((batch.detector for batch in batches if not batch.detector.is_same(first.detector)), None)
    if other is not None:
        raise DetectorError(
            f"showers of several detectors cannot be joined: {first.detector.name}, {other.name}."
        )

    def parts(name: str) -> list[Any]:
        known = [getattr(batch, name) for batch in batches if getattr(batch, name) is not None]
        if len(known) not in (0, len(batches)):
            raise ShowerFileError(f"some batches have {name} and some have not; they cannot be joined.")
        return known

    def join(name: str) -> Any:
        known = parts(name)
        return np.concatenate(known) if known else None

    particles = parts("particles")

    return Showers(
        np.concatenate([batch.energies for batch in batches]),
        np.concatenate([batch.incident_energies for batch in batches]),
        first.detector,
        join("positions"),
        join("directions"),
        join("pdg"),
        join_particles(particles) if particles else None,
        join("entries"),
    )
