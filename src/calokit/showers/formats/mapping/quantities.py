"""Units that files may be in, by name, and what they are in calokit's units."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import AfterValidator

from calokit.errors import ConfigurationError, suggest_near_miss

ENERGY_UNITS = {"eV": 1e-6, "keV": 1e-3, "MeV": 1.0, "GeV": 1e3, "TeV": 1e6}
"""MeV in each unit of energy."""

LENGTH_UNITS = {"um": 1e-3, "mm": 1.0, "cm": 10.0, "m": 1e3}
"""mm in each unit of length."""

ANGLE_UNITS = {"rad": 1.0, "mrad": 1e-3, "deg": math.pi / 180.0}
"""rad in each unit of angle."""


def _check(unit: str, known: dict[str, float], what: str) -> str:
    if unit not in known:
        raise ConfigurationError(f"unknown unit of {what} {unit!r}. {suggest_near_miss(unit, known)}")
    return unit


def _check_energy(unit: str) -> str:
    return _check(unit, ENERGY_UNITS, "energy")


def _check_length(unit: str) -> str:
    return _check(unit, LENGTH_UNITS, "length")


def _check_angle(unit: str) -> str:
    return _check(unit, ANGLE_UNITS, "angle")


EnergyUnit = Annotated[str, AfterValidator(_check_energy)]
"""The name of a unit of energy."""

LengthUnit = Annotated[str, AfterValidator(_check_length)]
"""The name of a unit of length."""

AngleUnit = Annotated[str, AfterValidator(_check_angle)]
"""The name of a unit of angle."""
