"""How far the uncertainties of a likelihood fall short, measured on showers whose truth is known.

A cascade's density is a product over boxes. Where boxes say the same thing about the incident particle, they
count as if they were independent, and the posterior is too narrow: a factor on each width mends that, as for
composite likelihoods (Ribatet, Cooley, Davison, Stat. Sinica 22 (2012) 813).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calokit.arrays import Float64
from calokit.classical.track_fit import directions_to_slopes
from calokit.errors import ConditionWarning
from calokit.showers import Incidents, ShowerFile

KNOWN_SHOWERS = 256
LEAST_KNOWN = 50
PIECES = 8
ONE_SIGMA = 0.6827

Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Widening:
    """Factors on uncertainties.

    Attributes:
        factors: One, or one an axis, by the name of what is estimated.
        showers: How many they were measured on.
    """

    factors: dict[str, Float64]
    showers: int

    @classmethod
    def measure(cls, columns: Columns, truth: Incidents) -> Widening:
        """Return the factors with which the truth lies within one uncertainty in 68.27 % of showers.

        Args:
            columns: Estimates and uncertainties by name, see `UNITS`.
            truth: The incident particles. What is not known of them gets no factor.

        Example:
            >>> rng = np.random.default_rng(1)
            >>> truth = Incidents(np.full(2000, 1e4, np.float32), None, None)
            >>> columns = {"energy": rng.normal(1e4, 300, 2000), "energy_uncertainty": np.full(2000, 200.0)}
            >>> print(Widening.measure(columns, truth).describe())
            uncertainties times 1.50 (energy), as 2000 showers whose truth is known say
        """
        found = {}
        for name, off in _errors(columns, truth).items():
            width = columns[f"{name}_uncertainty"].astype(np.float64)
            with np.errstate(divide="ignore", invalid="ignore"):
                pulls = np.where(off == 0.0, 0.0, np.abs(off) / width)
            found[name] = np.asarray(np.quantile(pulls, ONE_SIGMA, axis=0, method="higher"))
        return cls(found, len(truth.energies))

    def apply(self, columns: Columns) -> dict[str, NDArray[Any]]:
        """Return estimates with uncertainties that are so much wider."""
        wider = {
            f"{name}_uncertainty": (columns[f"{name}_uncertainty"] * factor).astype(np.float32)
            for name, factor in self.factors.items()
        }
        return {**columns, **wider}

    def describe(self) -> str:
        """Return the factors in words."""
        words = [
            f"{' and '.join(f'{one:.2f}' for one in np.atleast_1d(factor))} ({name})"
            for name, factor in self.factors.items()
        ]
        known = f"as {self.showers} showers whose truth is known say"
        return f"uncertainties times {', '.join(words)}, {known}"


def pick_known(view: ShowerFile) -> list[slice]:
    """Return which showers of a view uncertainties are measured on: pieces from all over it.

    Nothing, with a warning, where there are too few.
    """
    if len(view) < LEAST_KNOWN:
        warnings.warn(
            f"{view.path}: {len(view)} showers are too few to measure how right the uncertainties are "
            f"({LEAST_KNOWN} are needed); they stay as the likelihood says.",
            ConditionWarning,
            stacklevel=2,
        )
        return []
    count = min(KNOWN_SHOWERS, len(view))
    sizes = np.diff(np.linspace(0, count, PIECES + 1).astype(int))
    starts = np.linspace(0, len(view), PIECES + 1).astype(int)[:-1]
    return [slice(int(start), int(start + size)) for start, size in zip(starts, sizes, strict=True)]


def _errors(columns: Columns, truth: Incidents) -> dict[str, Float64]:
    """Return estimates less truths, of what has an uncertainty and is known."""
    found = {}
    if "energy_uncertainty" in columns:
        found["energy"] = columns["energy"].astype(np.float64) - truth.energies
    if "position_uncertainty" in columns and truth.positions is not None:
        found["position"] = columns["position"].astype(np.float64) - truth.positions
    if "direction_uncertainty" in columns and truth.directions is not None:
        one, other = (
            np.arctan(directions_to_slopes(each)) for each in (columns["direction"], truth.directions)
        )
        found["direction"] = one - other
    return found
