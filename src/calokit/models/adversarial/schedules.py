"""How strongly a generator's noise is added in the course of training."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from calokit.config import Description
from calokit.errors import ConfigurationError


class NoiseSchedule(Description):
    """The strength of the noise between the first step of training and the last.

    The EIC ZDC report (seeds document 000) lowers it from 1.0 to 0.7 in a line, tries a decay (which failed
    there) and a constant 1.0, and proposes smoother functions; a generated shower gets the strength of the
    last step.

    Example:
        >>> [round(NoiseSchedule(kind="linear").strength(part), 2) for part in (0.0, 0.5, 1.0)]
        [1.0, 0.85, 0.7]
    """

    kind: Literal["linear", "exponential", "constant", "cosine"] = "linear"
    start: float = Field(1.0, ge=0)
    end: float = Field(0.7, ge=0)
    """Strength at the last step; without meaning where it is constant."""

    @model_validator(mode="after")
    def _check_decay(self) -> Self:
        """Refuse a decay from or to nothing."""
        if self.kind == "exponential" and not (self.start > 0 and self.end > 0):
            raise ConfigurationError("noise_schedule: an exponential needs start and end above 0.")
        return self

    def strength(self, progress: float) -> float:
        """Return the strength when a part (0 to 1) of the training is done."""
        match self.kind:
            case "constant":
                return self.start
            case "linear":
                return self.start + (self.end - self.start) * progress
            case "exponential":
                return self.start * math.pow(self.end / self.start, progress)
            case "cosine":
                return self.end + 0.5 * (self.start - self.end) * (1.0 + math.cos(math.pi * progress))
