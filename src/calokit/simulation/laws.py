"""Laws by which incident particles are drawn: their energy, where they enter and whereto they fly."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from calokit.arrays import Float64
from calokit.config import Description
from calokit.errors import ConfigurationError
from calokit.units import MEV_PER_GEV


class FixedEnergy(Description):
    """Always the same kinetic energy."""

    kind: Literal["fixed"] = "fixed"
    energy_gev: PositiveFloat

    def draw(self, rng: np.random.Generator, event: int) -> float:
        """Return the energy in MeV."""
        del rng, event
        return self.energy_gev * MEV_PER_GEV


class ListedEnergies(Description):
    """Energies that follow each other in turn, so that any contiguous cut holds all of them equally."""

    kind: Literal["list"] = "list"
    energies_gev: tuple[PositiveFloat, ...] = Field(min_length=1)

    def draw(self, rng: np.random.Generator, event: int) -> float:
        """Return the energy of an event, counted from 0, in MeV."""
        del rng
        return self.energies_gev[event % len(self.energies_gev)] * MEV_PER_GEV


class EnergyRange(Description):
    """Kinetic energies between two ends.

    Attributes:
        low_gev: Smallest energy.
        high_gev: Largest energy.
    """

    low_gev: PositiveFloat
    high_gev: PositiveFloat

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.low_gev >= self.high_gev:
            raise ConfigurationError(
                f"energy law: low_gev {self.low_gev} must lie below high_gev {self.high_gev}."
            )
        return self


class UniformEnergy(EnergyRange):
    """Kinetic energies uniform between two ends."""

    kind: Literal["uniform"] = "uniform"

    def draw(self, rng: np.random.Generator, event: int) -> float:
        """Return an energy in MeV."""
        del event
        return float(rng.uniform(self.low_gev, self.high_gev)) * MEV_PER_GEV


class LogUniformEnergy(EnergyRange):
    """Kinetic energies whose logarithm is uniform: a spectrum 1/E."""

    kind: Literal["log_uniform"] = "log_uniform"

    def draw(self, rng: np.random.Generator, event: int) -> float:
        """Return an energy in MeV."""
        del event
        return math.exp(rng.uniform(math.log(self.low_gev), math.log(self.high_gev))) * MEV_PER_GEV


class PowerEnergy(EnergyRange):
    """Kinetic energies with a spectrum E^-exponent (1: as log_uniform).

    Example:
        >>> law = PowerEnergy(kind="power", low_gev=1, high_gev=100, exponent=2)
        >>> rng = np.random.default_rng(1)
        >>> median = np.median([law.draw(rng, event) for event in range(4000)])
        >>> bool(abs(median - 1980) < 100)  # 2 low high / (low + high)
        True
    """

    kind: Literal["power"] = "power"
    exponent: float = 1.0

    def draw(self, rng: np.random.Generator, event: int) -> float:
        """Return an energy in MeV (inverse of the cumulated spectrum)."""
        del event
        u, rise = float(rng.uniform()), 1.0 - self.exponent
        if abs(rise) < 1e-9:
            return math.exp(math.log(self.low_gev) * (1 - u) + math.log(self.high_gev) * u) * MEV_PER_GEV
        ends = self.low_gev**rise, self.high_gev**rise
        return float((ends[0] + u * (ends[1] - ends[0])) ** (1.0 / rise)) * MEV_PER_GEV


EnergyLaw = Annotated[
    FixedEnergy | ListedEnergies | UniformEnergy | LogUniformEnergy | PowerEnergy,
    Field(discriminator="kind"),
]
"""Any energy law; the key `kind` says which."""


class NormalIncidence(Description):
    """Along the axis, at one point of the front face."""

    kind: Literal["normal"] = "normal"
    x_mm: float = 0.0
    y_mm: float = 0.0

    def draw(self, rng: np.random.Generator, front_mm: float) -> tuple[float, float, Float64]:
        """Return x and y at the front face in mm, and the direction (3,), a unit vector."""
        del rng, front_mm
        return self.x_mm, self.y_mm, np.array([0.0, 0.0, 1.0])


class PadIncidence(Description):
    """Flat over a rectangle of the front face, tilted about given angles, with a flat spread.

    Attributes:
        half_width_mm: Largest distance from the centre in x.
        half_height_mm: Largest distance from the centre in y.
        x_mm: Centre of the rectangle in x.
        y_mm: Centre of the rectangle in y.
        tilts_deg: Nominal angles in the x-z plane; each event draws one of them.
        spread_deg: Largest deviation, in each of the two projections.
    """

    kind: Literal["pad"] = "pad"
    half_width_mm: NonNegativeFloat
    half_height_mm: NonNegativeFloat
    x_mm: float = 0.0
    y_mm: float = 0.0
    tilts_deg: tuple[Annotated[float, Field(gt=-80, lt=80)], ...] = Field(default=(0.0,), min_length=1)
    spread_deg: float = Field(default=0.0, ge=0, lt=80)

    @model_validator(mode="after")
    def _stays_forward(self) -> Self:
        if max(abs(tilt) for tilt in self.tilts_deg) + self.spread_deg >= 90:
            raise ValueError("tilts_deg and spread_deg reach 90 degrees together; directions must go forward")
        return self

    def draw(self, rng: np.random.Generator, front_mm: float) -> tuple[float, float, Float64]:
        """Return x and y at the front face in mm, and the direction (3,), a unit vector."""
        del front_mm
        x = self.x_mm + rng.uniform(-self.half_width_mm, self.half_width_mm)
        y = self.y_mm + rng.uniform(-self.half_height_mm, self.half_height_mm)
        tilt = self.tilts_deg[0] if len(self.tilts_deg) == 1 else rng.choice(self.tilts_deg)
        across, upward = np.radians(rng.uniform(-self.spread_deg, self.spread_deg, 2))
        return float(x), float(y), _direction(math.tan(math.radians(tilt) + across), math.tan(upward))


class ConeIncidence(Description):
    """From a point upstream on the axis, uniform in solid angle up to a half angle.

    Attributes:
        half_angle_mrad: Largest angle to the axis.
        distance_mm: Distance of the point from the front face; the detector's `front_mm` where not given.
    """

    kind: Literal["cone"] = "cone"
    half_angle_mrad: PositiveFloat = Field(lt=1400)
    distance_mm: PositiveFloat | None = None

    def draw(self, rng: np.random.Generator, front_mm: float) -> tuple[float, float, Float64]:
        """Return x and y at the front face in mm, and the direction (3,), a unit vector."""
        distance = self.distance_mm or front_mm
        lowest = math.cos(self.half_angle_mrad * 1e-3)
        sine = math.sqrt(1.0 - rng.uniform(lowest, 1.0) ** 2)
        phi = rng.uniform(-math.pi, math.pi)
        cosine = math.sqrt(1.0 - sine**2)
        direction = np.array([sine * math.cos(phi), sine * math.sin(phi), cosine])
        return float(distance * direction[0] / cosine), float(distance * direction[1] / cosine), direction


class SlopeIncidence(Description):
    """Flat over a rectangle of the front face, with normally distributed slopes dx/dz and dy/dz.

    Attributes:
        slope_sigma: Standard deviation of both slopes.
        half_width_mm: Largest distance from the axis in x.
        half_height_mm: Largest distance from the axis in y.
    """

    kind: Literal["slopes"] = "slopes"
    slope_sigma: PositiveFloat
    half_width_mm: NonNegativeFloat = 0.0
    half_height_mm: NonNegativeFloat = 0.0

    def draw(self, rng: np.random.Generator, front_mm: float) -> tuple[float, float, Float64]:
        """Return x and y at the front face in mm, and the direction (3,), a unit vector."""
        del front_mm
        x = rng.uniform(-self.half_width_mm, self.half_width_mm)
        y = rng.uniform(-self.half_height_mm, self.half_height_mm)
        return float(x), float(y), _direction(*rng.normal(0.0, self.slope_sigma, 2))


class FanIncidence(Description):
    """Through the middle of the front face, flat in the angle to the axis, in one plane.

    Attributes:
        half_angle_deg: Largest angle to the axis, to either side.
        plane: `x` for the plane of x and the axis, `y` for that of y and the axis.
    """

    kind: Literal["fan"] = "fan"
    half_angle_deg: PositiveFloat = Field(lt=80)
    plane: Literal["x", "y"] = "x"

    def draw(self, rng: np.random.Generator, front_mm: float) -> tuple[float, float, Float64]:
        """Return x and y at the front face in mm, and the direction (3,), a unit vector."""
        del front_mm
        slope = math.tan(math.radians(rng.uniform(-self.half_angle_deg, self.half_angle_deg)))
        return 0.0, 0.0, _direction(*((slope, 0.0) if self.plane == "x" else (0.0, slope)))


IncidenceLaw = Annotated[
    NormalIncidence | PadIncidence | ConeIncidence | SlopeIncidence | FanIncidence,
    Field(discriminator="kind"),
]
"""Any incidence law; the key `kind` says which."""


def _direction(slope_x: float, slope_y: float) -> Float64:
    """Return the unit vector of two slopes."""
    direction = np.array([slope_x, slope_y, 1.0])
    return np.asarray(direction / np.linalg.norm(direction))
