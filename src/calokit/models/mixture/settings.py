"""Settings of a mixture: the family of its members, and the share of the showers that each makes."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from calokit.detector import Detector
from calokit.errors import ConfigurationError
from calokit.models.settings import AnyModelSettings, ModelSettings

ROUNDING = 1e-6
"""Shares sum to 1 within it."""


class MixtureSettings(ModelSettings):
    """Settings of a mixture of surrogates of one family."""

    model: ClassVar[str] = "calokit.models.mixture.surrogate:MixtureSurrogate"
    kind: Literal["mixture"] = "mixture"
    member: AnyModelSettings
    """Settings of each member."""
    shares: tuple[float, ...] = Field(min_length=1)
    """Probability that a shower is made by the first member, the second ...; they sum to 1."""

    @model_validator(mode="after")
    def _check_shares(self) -> Self:
        """Refuse shares that are no probabilities."""
        if min(self.shares) < 0 or abs(sum(self.shares) - 1) > ROUNDING:
            raise ConfigurationError(f"shares {list(self.shares)}: they must not be negative, and sum to 1.")
        return self

    def misfit(self, detector: Detector) -> str | None:
        """Return what the members need that a detector lacks."""
        return self.member.misfit(detector)
