"""Settings of the GAN that makes whole images of energies, with or without an auxiliary regressor."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from calokit.config import Description
from calokit.detector import Detector
from calokit.models.adversarial.settings import Objective
from calokit.models.settings import Condition, ModelSettings, lacks_one_cartesian_section

CANVAS = 32
"""Rows and columns that the networks work on (2, 4, 8, 16, 32); the readout lies in the middle of it."""


class GeneratorSettings(Description):
    """A generator of images."""

    form: Literal["transposed", "upsampled"] = "transposed"
    """2 x 2 places unfolded by transposed convolutions (airogachev/LHCb_CaloGAN), or 3 x 3 places enlarged
    and convolved."""
    random_inputs: int = Field(256, ge=1)
    channels: int = Field(256, ge=8)
    """Of the widest convolution."""
    noise_times_condition: bool = False
    """Multiply the random numbers by an embedding of the particle (as a re-implementation does), instead of
    putting both side by side; for `upsampled` alone."""
    spectral_norm: bool = False
    attention: bool = False
    """Self-attention at 16 x 16 places (14 x 14 where enlarged), its gate starting at zero."""


class CriticSettings(Description):
    """What judges images of which the incident particle is known."""

    form: Literal["dense", "projection"] = "dense"
    """The particle's numbers beside the last features in front of dense layers, or projected on them
    (arXiv:1802.05637)."""
    channels: tuple[int, ...] = Field((32, 64, 128, 256), min_length=1, max_length=5)
    """Of the convolutions, each of which halves rows and columns."""
    spectral_norm: bool = False
    attention: bool = False
    """Self-attention at 16 x 16 places."""
    sees_total: bool = False
    """Tell it ln(visible / incident energy) of the image, found within the network."""


class RegressorSettings(Description):
    """The auxiliary regressor inside the discriminator: it learns what its target is of real images.

    What it makes of an image, real or generated, is a condition of the discriminator (seeds document 004).
    """

    target: Literal["asymmetries", "widths", "hits"] = "asymmetries"
    """Along and across the momentum: asymmetries, widths; or the number of cells above threshold."""
    weight: float = Field(1.0, ge=0)
    """Of its squared error, in units of the target's variance, beside the adversarial loss."""
    depth_mm: float = Field(150.0, ge=0)
    """Depth of the point that asymmetries refer to; the published aim point lies 150 mm behind the face."""
    channels: tuple[int, ...] = Field((16, 32, 64), min_length=1, max_length=5)
    learns_fakes: bool = False
    """Whether it also learns the target of generated images."""
    moved_by_critic: bool = False
    """Whether the adversarial loss of the discriminator moves it too."""
    leads_generator: bool = True
    """Whether the generator's gradient flows through it."""


class ImageGanSettings(ModelSettings):
    """Settings of the GAN of whole images, in forms published for the LHCb calorimeter and ours."""

    model: ClassVar[str] = "calokit.models.adversarial.image_gan:ImageGanSurrogate"
    kind: Literal["image_gan"] = "image_gan"
    conditions: tuple[Condition, ...] = ("energy", "position", "direction")
    encoding: Literal["features", "components"] = "features"
    """Smooth features of the conditions, or the momentum's three components and the impact (published)."""
    threshold_mev: float = Field(0.1, gt=0)
    """Cells at or below it count as empty, MeV; the unit in which energies are transformed."""
    box_cox_power: float = Field(0.0, ge=0, le=1)
    """Power of the Box-Cox transform of 1 + energy / threshold; 0 is the logarithm, 1 is linear."""
    generator: GeneratorSettings = GeneratorSettings()
    critic: CriticSettings = CriticSettings()
    regressor: RegressorSettings | None = None
    objective: Objective = "hinge"
    adversarial_weight: float = Field(1.0, gt=0)
    """Of the discriminator's adversarial loss beside the regressor's squared error."""
    gradient_penalty: float = Field(0.0, ge=0)
    """Weight of a penalty on the gradient between real and generated, which usually is 10."""
    penalty_centre: float = Field(1.0, ge=0)
    """The norm that the penalty wants: 1 (WGAN-GP, arXiv:1704.00028) or 0 (arXiv:1902.03984)."""
    instance_noise: float = Field(0.0, ge=0)
    """Width of normal noise on the images that the discriminator sees, in units of their root mean square."""
    discriminator_steps: int = Field(1, ge=1)
    generator_steps: int = Field(1, ge=1)
    """k_D : k_G; so many steps of the generator follow on those of the discriminator."""
    corrects_totals: bool = True
    """Whether, after training, visible energies are moved onto the true law in classes of incident energy."""
    at_most_incident: bool = True
    """Whether a shower of more energy than its particle's is scaled down to it."""
    stops_on: Literal["losses", "prd_area"] = "losses"
    """What `training.patience` watches: distances of mean images, or the smaller PRD area of images and
    shapes of `training.monitor_showers` generated showers."""

    def misfit(self, detector: Detector) -> str | None:
        """Return what a detector lacks: one layer of at most 32 x 32 cells."""
        missing = lacks_one_cartesian_section(detector)
        if missing is None and (detector.shape[0] != 1 or max(detector.shape[1:]) > CANVAS):
            return f"one layer of at most {CANVAS} x {CANVAS} cells"
        return missing
