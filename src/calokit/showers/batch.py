"""The one in-memory type for showers: cell energies with the incident particle that made each of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calokit.arrays import Float32, Float64
from calokit.detector import Detector
from calokit.errors import DetectorError, ShowerFileError
from calokit.showers.incidents import Incidents
from calokit.showers.particles import Int32, Particles

UInt16 = NDArray[np.uint16]


@dataclass(frozen=True, repr=False)
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
        >>> showers
        Showers(2 of zdc_ecal, 1 to 2 GeV)
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
        try:
            events = len(self.incidents)
        except ShowerFileError as error:
            raise ShowerFileError(f"detector {self.detector.name!r}: {error}") from None
        wanted = (events, self.detector.number_of_cells)
        for name, given in (("energies", self.energies), ("entries", self.entries)):
            if given is not None and given.shape != wanted:
                raise ShowerFileError(
                    f"{name} have shape {given.shape}, but {events} events in detector "
                    f"{self.detector.name!r} need {wanted}."
                )

    @classmethod
    def of(
        cls, energies: Float32, detector: Detector, incidents: Incidents, entries: UInt16 | None = None
    ) -> Showers:
        """Return showers of incident particles.

        Args:
            energies: (event, cell) float32, MeV.
            detector: The detector whose cells these are.
            incidents: The incident particles.
            entries: (event, cell) uint16, or None where not counted.
        """
        return cls(
            energies,
            incidents.energies,
            detector,
            incidents.positions,
            incidents.directions,
            incidents.pdg,
            incidents.particles,
            entries,
        )

    @property
    def incidents(self) -> Incidents:
        """The incident particles; they share the memory of these columns."""
        return Incidents(self.incident_energies, self.positions, self.directions, self.pdg, self.particles)

    def __len__(self) -> int:
        return len(self.incident_energies)

    def __repr__(self) -> str:
        entries = "" if self.entries is None else ", entries"
        return f"Showers({len(self)} of {self.detector.name}, {self.incidents.words}{entries})"

    def __getitem__(self, index: Any) -> Showers:
        """Return the showers at an index array, boolean mask or slice over events (a number gives one)."""
        if isinstance(index, int | np.integer):
            index = np.array([index])
        entries = None if self.entries is None else self.entries[index]
        return Showers.of(self.energies[index], self.detector, self.incidents[index], entries)

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
        """Return what is known of the incident particle; see `Incidents.conditions`."""
        return self.incidents.conditions()


def concatenate(batches: list[Showers]) -> Showers:
    """Join batches of the same detector, in order.

    Raises:
        ShowerFileError: There is nothing to join, or some batches know positions or directions others lack.
        DetectorError: They belong to several detectors.
    """
    if not batches:
        raise ShowerFileError("there are no showers to join.")
    first = batches[0]
    if len(batches) == 1:
        return first
    other = next((batch.detector for batch in batches if not batch.detector.is_same(first.detector)), None)
    if other is not None:
        raise DetectorError(
            f"showers of several detectors cannot be joined: {first.detector.name}, {other.name}."
        )

    counted = [batch.entries for batch in batches if batch.entries is not None]
    if len(counted) not in (0, len(batches)):
        raise ShowerFileError("some batches have entries and some have not; they cannot be joined.")
    return Showers.of(
        np.concatenate([batch.energies for batch in batches]),
        first.detector,
        Incidents.join([batch.incidents for batch in batches]),
        np.concatenate(counted) if counted else None,
    )
