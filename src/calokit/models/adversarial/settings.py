"""Settings of the adversarial families."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from calokit.models.adversarial.schedules import NoiseSchedule
from calokit.models.mask_value.settings import MaskValueSettings, Normalisation

Objective = Literal["cross_entropy", "hinge", "wasserstein"]


class GanSettings(MaskValueSettings):
    """Settings of the GAN; what concerns the network is as in the regression."""

    model: ClassVar[str] = "calokit.models.adversarial.mask_value_gan:GanSurrogate"
    kind: Literal["gan"] = "gan"
    normalisation: Normalisation = "log"
    value_weight: float = Field(20.0, ge=0)
    """Lower than in stage 1: with 200 and an energy penalty the generator collapsed in the screening."""
    random_inputs: int = Field(64, ge=1)
    noise: Literal["fixed", "learned"] = "learned"
    """Whether the noise added to a value has one width or that of a further image of the network."""
    noise_width: float = Field(0.06, gt=0)
    """Width of the noise at strength 1 in the unit of the values (at the start, where it is learned)."""
    noise_schedule: NoiseSchedule = NoiseSchedule()
    objective: Objective = "hinge"
    adversarial_weight: float = Field(0.1, ge=0)
    gradient_penalty: float = Field(0.0, ge=0)
    """Weight of the penalty of WGAN-GP, which usually is 10."""
    spectral_norm: bool = True
    corrects_totals: bool = False
    """Whether visible energies are moved onto the true law after training (`total_correction.py`)."""
    discriminator_channels: int = Field(32, ge=2)
    discriminator_steps: int = Field(1, ge=1)
    generator_steps: int = Field(1, ge=1)
    """So many steps of the generator follow on each turn of the discriminator (the report's DIS:GEN)."""
