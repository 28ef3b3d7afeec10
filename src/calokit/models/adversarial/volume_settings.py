"""Settings of the Conv2D GAN: a volume seen along its three axes by two-dimensional convolutions."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from calokit.detector import Detector
from calokit.errors import ConfigurationError
from calokit.models.adversarial.view_layers import LAYERS
from calokit.models.settings import Condition, ModelSettings, lacks_one_cartesian_section


class VolumeGanSettings(ModelSettings):
    """Settings of the Conv2D GAN; the defaults are the published ones but for the unit of the cells."""

    model: ClassVar[str] = "calokit.models.adversarial.volume_gan:VolumeGanSurrogate"
    kind: Literal["volume_gan"] = "volume_gan"
    conditions: tuple[Condition, ...] = ("energy",)
    """What the shower is made for: the energy alone, or with the direction."""
    threshold_mev: float = Field(0.1, ge=0)
    """Cells at or below it count as empty, MeV."""
    random_inputs: int = Field(200, ge=1)
    """Normal numbers, each times the incident energy in 100 GeV; a direction enters beside them."""
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
    angle_weight: float = Field(25.0, ge=0)
    """Of the error of the direction of generated showers, in rad, where they are made for one."""
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
    corrects_totals: bool = False
    """Whether visible energies are moved onto the true law after training (`total_correction.py`)."""
    at_most_incident: bool = True
    """Whether a shower of more energy than its particle's is scaled down to it."""

    @model_validator(mode="after")
    def _check_conditions(self) -> Self:
        """Refuse conditions that do not enter."""
        if self.conditions not in {("energy",), ("energy", "direction")}:
            raise ConfigurationError(
                f"model.conditions {list(self.conditions)}: the Conv2D GAN knows ['energy'] or "
                "['energy', 'direction']."
            )
        return self

    def misfit(self, detector: Detector) -> str | None:
        """Return what a detector lacks of a volume that the layer lists unfold to."""
        missing = lacks_one_cartesian_section(detector)
        if missing is not None:
            return missing
        if detector.shape in LAYERS:
            return None
        return " or ".join(f"{layers} layers of {rows} x {columns} cells" for layers, rows, columns in LAYERS)
