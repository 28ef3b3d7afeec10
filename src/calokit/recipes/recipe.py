"""A recipe: one complete, typed description of what is trained and how."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from calokit.config import Description, digest_of
from calokit.models.settings import AnyModelSettings

Sampler = Literal[
    "even", "inverse_energy", "inverse_root_energy", "inverse_distance_to_mean", "even_over_energy"
]
"""Every shower once an epoch; weights 1 / E, 1 / sqrt(E), 1 / |E - <E>|; or each energy bin as often."""


UNSAID: dict[str, dict[str, Any]] = {
    "training": {"pace": []},
    "model": {
        "noise_width": 0.0,
        "at_most_incident": True,
        "corrects_totals": False,
        "angle_weight": 25.0,
        "near_threshold": False,
        "deviations": False,
    },
}
"""Keys that came when rows of studies were there already: where they hold what was done before them, the
digest does not know them, so that what was trained is still found."""

Pace = tuple[tuple[int, int], ...]
"""From which step on how many steps were planned in all (see `calokit.training.pace`)."""


class OneCycle(Description):
    """A learning rate that rises and falls once (torch's OneCycleLR), for one part of a model."""

    highest_rate: float = Field(gt=0)
    """The rate at its top."""
    rising_part: float = Field(0.3, gt=0, lt=1)
    """Part of the training in which the rate rises (torch's pct_start)."""
    start_divisor: float = Field(25.0, ge=1)
    """The first rate is the highest divided by this."""
    end_divisor: float = Field(1e4, ge=1)
    """The last rate is the first divided by this."""


class TrainingSettings(Description):
    """How a recipe is trained, whatever its model."""

    steps: int = Field(20_000, ge=0)
    """Optimiser steps, of one batch each; 0 takes the weights of `--start-from` as they are: another way of
    generating with the same weights."""
    pace: Pace = ()
    """Plans that a training by the clock made, each (from which step on, steps in all); with them the same
    training is repeated by steps. Without one, schedules follow the steps."""
    batch_size: int = Field(256, ge=2)
    """Showers a step."""
    learning_rate: float = Field(1e-3, gt=0)
    """Highest rate; it rises over the warm-up and falls to zero as a cosine."""
    warmup_steps: int = Field(200, ge=0)
    """Steps in which the rate rises."""
    one_cycle: dict[str, OneCycle] = {}
    """Parts whose rate makes one cycle instead, by name."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Decays of Adam's two moments."""
    weight_decay: float = Field(0.01, ge=0)
    """AdamW's."""
    gradient_clip: float = Field(1.0, gt=0)
    """Largest norm of the gradient of each part."""
    moving_average: float = Field(0.9995, ge=0, lt=1)
    """Decay of the moving average of the weights, which is what is validated and shipped."""
    sampler: Sampler = "even"
    """How often a shower is drawn, by its incident energy; validation is never weighted."""
    square_symmetries: bool = True
    """Show every shower in a random one of the detector's mirror images (and transpositions, if square)."""
    validate_every: int = Field(1000, ge=1)
    """Steps between two looks at the loss of validation showers."""
    validation_showers: int = Field(8192, ge=1)
    """How many of them, at most."""
    monitor_showers: int = Field(0, ge=0)
    """Generate so many showers at each validation and log their squared errors by incident energy."""
    patience: int | None = Field(None, ge=1)
    """Stop after so many validations without a better loss and keep the best weights; None trains all steps
    (the loss of a flow stops falling long before its showers stop improving)."""
    showers: int | None = Field(None, ge=2)
    """Train on the first so many training showers only (for learning curves); None takes all."""
    seed: int = Field(1, ge=0)
    """Decides initial weights, order of showers and every random draw."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Number format of the products; auto times what the device has and takes the fastest."""
    memory_format: Literal["auto", "contiguous", "channels_last"] = "auto"
    """Order of images in memory, likewise."""

    @model_validator(mode="after")
    def _pace_leads_to_the_last_step(self) -> TrainingSettings:
        starts = [start for start, _ in self.pace]
        planned = all(start < steps for start, steps in self.pace)
        if self.pace and not (starts[0] == 0 and starts == sorted(set(starts)) and planned):
            raise ValueError("pace begins at step 0, rises, and each plan ends behind where it begins")
        if self.pace and self.pace[-1][1] != self.steps:
            raise ValueError(f"pace leads to {self.pace[-1][1]} steps, and steps are {self.steps}")
        return self


class Recipe(Description):
    """A model and its training, complete: nothing else decides the result but the data and the machine."""

    format_version: Literal[1] = 1
    name: str = Field(pattern=r"^[A-Za-z0-9_.\-]+$")
    """Short name; the bundle is called so."""
    title: str
    """What it is, in a line."""
    source: str = ""
    """Paper or document that the recipe follows."""
    detector: str | None = None
    """The detector it is meant for; None takes any that the model accepts."""
    model: AnyModelSettings
    """Settings of one family, named by `kind`."""
    training: TrainingSettings = TrainingSettings()
    """How it is trained."""

    def digest(self) -> str:
        """Return the first 16 hexadecimal digits of the SHA-256 of the content (see `UNSAID`)."""
        content = self.to_mapping()
        for part, keys in UNSAID.items():
            for key, value in keys.items():
                if key in content[part] and content[part][key] == value:
                    del content[part][key]
        return digest_of(content)
