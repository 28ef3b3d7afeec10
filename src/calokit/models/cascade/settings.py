"""Settings of the cascade; the defaults are for any detector."""

from __future__ import annotations

from typing import ClassVar, Literal, get_args

from pydantic import Field

from calokit.models.settings import Condition, ModelSettings

CONDITIONS: tuple[Condition, ...] = ("energy", "position", "direction")

PartName = Literal[
    "incident", "box", "flight", "window", "layer", "memory", "track", "moments", "hit_moments"
]

PARTS: tuple[PartName, ...] = get_args(PartName)

SPECIAL: frozenset[PartName] = frozenset({"track", "hit_moments"})
"""Parts that are left out unless asked for."""


class CascadeSettings(ModelSettings):
    """Settings of the splitting cascade."""

    model: ClassVar[str] = "calokit.models.cascade.surrogate:CascadeSurrogate"
    kind: Literal["cascade"] = "cascade"
    conditions: tuple[Condition, ...] = CONDITIONS
    """What may be used of the incident particle; what the showers lack or never change is left out."""
    threshold_mev: float | None = Field(None, gt=0)
    """Cells at or below it count as empty, MeV; None finds one (`choose_training_threshold`)."""
    parts: tuple[PartName, ...] = tuple(name for name in PARTS if name not in SPECIAL)
    """What a box may look at beside its own energy and hits; what a detector does not have is left out.
    All but "track" and "hit_moments", by default."""
    width: int = Field(96, ge=8)
    layers: int = Field(2, ge=1)
    """Hidden layers of each level's network."""
    totals_width: int = Field(128, ge=8)
    totals_terms: int = Field(8, ge=1)
    hit_terms: int = Field(3, ge=1)
    shared_terms: int = Field(4, ge=1)
    """Terms of the energy's density in the ratio of the children's energies."""
    own_terms: int = Field(3, ge=0)
    """Terms in each child's own energy."""
    line_terms: int = Field(2, ge=0)
    """Lines of the spectrum that a child's energy may lie on, at most."""
    near_threshold: bool = False
    """Whether energies are shared by what is known of hits near the threshold: the narrow features of their
    spectrum (`OwnCoordinate`), and that several hits are hardly ever all at it (`EnergyChoice`)."""
    deviations: bool = False
    """Whether boxes are told how far the shower's energy and hits lie from what is usual, in standard widths:
    beside energies that differ tenfold a network hardly sees that one in fifty is missing."""
