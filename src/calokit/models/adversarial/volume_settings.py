"""Settings of the Conv2D GAN: a volume seen along its three axes by two-dimensional convolutions."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from calokit.detector import Detector
from calokit.models.settings import Condition, ModelSettings, lacks_one_cartesian_section

CELLS = 25
"""Layers, rows and columns that the layer list unfolds to (5 -> 15 -> 30 -> 26 -> 25)."""


class VolumeGanSettings(ModelSettings):
    """Settings of the Conv2D GAN; the defaults are the published ones but for the unit of the cells."""

    model: ClassVar[str] = "calokit.models.adversarial.volume_gan:VolumeGanSurrogate"
    kind: Literal["volume_gan"] = "volume_gan"
    conditions: tuple[Condition, ...] = ("energy",)
    """What the shower is made for; the layer list knows the energy alone."""
    threshold_mev: float = Field(0.1, ge=0)
    """Cells at or below it count as empty, MeV."""
    random_inputs: int = Field(200, ge=1)
    """Normal numbers, each times the incident energy in 100 GeV."""
    width: float = Field(1.0, gt=0)
    """Factor on all numbers of channels; 1 is the published size."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """Of generator and discriminator, while they train."""
    unit_mev: float = Field(1000.0, gt=0)
    """Networks see (energy / unit) ^ power."""
    power: float = Field(1.0, gt=0, le=1)
    """See `unit_mev`; smaller ones lift weak cells."""
    average_known: bool = False
    """Whether the generator tells volumes relative to the average shower, so that it has only to learn how
    showers differ; the published one learns where the calorimeter is hit at all too."""
    adversarial_weight: float = Field(6.0, ge=0)
    """Of the cross-entropy."""
    energy_weight: float = Field(0.2, ge=0)
    """Of the error of the incident energy that the discriminator tells, in percent."""
    sum_weight: float = Field(0.1, ge=0)
    """Of the error of the visible energy, in percent of what is expected for the incident energy."""
    real_label: float = Field(0.9, gt=0.5, le=1)
    """What the discriminator is told of true showers (1: honest)."""
    flipped: float = Field(0.05, ge=0, lt=0.5)
    """Part of the showers whose label is exchanged."""
    linear_part: float = Field(0.1, ge=0, lt=1)
    """Part of the training in which cells may be negative; then they are cut at zero."""
    discriminator_steps: int = Field(1, ge=1)
    """Steps of the discriminator in a round, of true and generated showers each."""
    generator_steps: int = Field(1, ge=1)
    """Steps of the generator in a round."""
    at_most_incident: bool = True
    """Whether a shower of more energy than its particle's is scaled down to it."""

    def misfit(self, detector: Detector) -> str | None:
        """Return what a volume of 25 x 25 x 25 cells lacks."""
        missing = lacks_one_cartesian_section(detector)
        if missing is not None:
            return missing
        return (
            None if detector.shape == (CELLS, CELLS, CELLS) else f"{CELLS} layers of {CELLS} x {CELLS} cells"
        )
