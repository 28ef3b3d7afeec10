"""Whether a trained surrogate is a generator to work with or a baseline to compare with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

RESPONSE = "response.max_deviation"
RESOLUTION = "resolution.mean_deviation"
MOST_RESPONSE = 0.03
"""A generator's response is so close to Geant4's in every bin of the energy."""
MOST_RESOLUTION = 0.10
"""And so close its resolution, averaged over the bins."""


@dataclass(frozen=True)
class Standing:
    """How far response and resolution of a surrogate lie from those of the truth.

    Attributes:
        response: Largest relative deviation over the bins of the incident energy.
        resolution: Mean relative deviation over the bins.

    Example:
        >>> Standing(response=0.2, resolution=1.18).words
        'baseline (response up to 20 %, resolution 118 % off; a generator keeps 3 % and 10 %)'
    """

    response: float
    resolution: float

    @property
    def is_generator(self) -> bool:
        """Whether both are small enough to generate showers for use."""
        return self.response <= MOST_RESPONSE and self.resolution <= MOST_RESOLUTION

    @property
    def words(self) -> str:
        """What it is and why."""
        kind = "generator" if self.is_generator else "baseline"
        own = f"response up to {_percent(self.response)} %, resolution {_percent(self.resolution)} % off"
        limits = f"{100 * MOST_RESPONSE:.0f} % and {100 * MOST_RESOLUTION:.0f} %"
        return f"{kind} ({own}; a generator keeps {limits})"


def standing_of(scorecard: Mapping[str, Any] | None) -> Standing | None:
    """Return the standing that a bundle's scorecard gives it; None where it does not measure both."""
    found = (scorecard or {}).get("measurements", {})
    if RESPONSE not in found or RESOLUTION not in found:
        return None
    return Standing(found[RESPONSE][0], found[RESOLUTION][0])


def _percent(deviation: float) -> str:
    return f"{100 * deviation:.2g}" if deviation < 0.1 else f"{100 * deviation:.0f}"
