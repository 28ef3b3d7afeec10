"""Settings of an ensemble."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from calokit.config import Description


class AdaganSettings(Description):
    """How an ensemble is built."""

    members: int = Field(3, ge=1)
    """How many; a larger number makes a finished ensemble longer."""
    rule: Literal["star", "dagger", "top", "bagging", "even"] = "star"
    """How training showers are weighted for the next member (`reweighting.py`); even: all alike, a mixture of
    independently trained members."""
    beta: float | None = Field(None, gt=0, le=1)
    """Share of each new member; None gives all the same share in the end (1/2, then 1/3, ...)."""
    top_share: float = Field(0.5, gt=0, le=1)
    """Share of the showers that the rule `top` keeps."""
    seed: int = Field(1, ge=0)
    """Of the mixture's showers and their judge; member k is trained with the recipe's seed + k - 1."""
