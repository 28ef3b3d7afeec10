"""Recipes for the CLIC-like calorimeter: the Conv2D GAN in its published size and in one for two cores.

Each is there for showers along the axis and for showers at an angle. AdaGAN ensembles are made of any
recipe by `calokit adagan`.
"""

from __future__ import annotations

from collections.abc import Mapping

from calokit.models.adversarial.volume_settings import VolumeGanSettings
from calokit.models.mixture.settings import MixtureSettings
from calokit.recipes.recipe import OneCycle, Recipe, TrainingSettings

SOURCE = "AdaGAN ensemble of Conv2D GANs for CLIC (seeds document 002); jaruskri/ECALsim_adaGAN"
TOGETHER = 3
RATES = {"generator": 5e-4, "discriminator": 1e-4}
FAST_RATES = {"generator": 2e-3, "discriminator": 5e-4}
"""For few channels and steps."""


def clic_gan_published() -> Recipe:
    """The published size and losses: 2.05 M and 0.71 M weights, cells in GeV."""
    return _recipe("clic_gan_published", "Conv2D GAN, published size", VolumeGanSettings(), 47_000, 128)


def clic_gan() -> Recipe:
    """A third of the channels, honest labels, square roots of the cells, told by the average shower."""
    return _recipe("clic_gan", "Conv2D GAN, a third of the channels", _small(), 4_000, 32)


def clic_gan_angle_published() -> Recipe:
    """The published size and losses for showers at an angle, cells raised to 0.85."""
    settings = VolumeGanSettings(
        conditions=("energy", "direction"),
        random_inputs=255,
        power=0.85,
        adversarial_weight=3.0,
        energy_weight=0.1,
        linear_part=0.0,
    )
    title = "Conv2D GAN for showers at an angle, published size"
    return _recipe("clic_gan_angle_published", title, settings, 47_000, 128, "clic_ecal_51x51")


def clic_gan_angle() -> Recipe:
    """An eighth of the channels for showers at an angle, told by the average shower along their direction."""
    settings = _small().model_copy(
        update={
            "conditions": ("energy", "direction"),
            "width": 0.125,
            "random_inputs": 255,
            "adversarial_weight": 3.0,
            "energy_weight": 0.1,
            "corrects_totals": True,
        }
    )
    title = "Conv2D GAN for showers at an angle, an eighth of the channels"
    return _recipe("clic_gan_angle", title, settings, 3_000, 16, "clic_ecal_51x51", FAST_RATES, 0.98)


def clic_gan_together() -> Recipe:
    """Three members that train on the same batches without reweighting: a control for the ensemble."""
    settings = MixtureSettings(member=_small(), shares=(1 / TOGETHER,) * TOGETHER)
    return _recipe("clic_gan_together", "three Conv2D GANs, mixed without reweighting", settings, 4_000, 32)


def _small() -> VolumeGanSettings:
    return VolumeGanSettings(
        width=0.33,
        unit_mev=1.0,
        power=0.5,
        real_label=1.0,
        flipped=0.0,
        dropout=0.05,
        linear_part=0.0,
        average_known=True,
    )


def _recipe(
    name: str,
    title: str,
    model: VolumeGanSettings | MixtureSettings,
    steps: int,
    batch_size: int,
    detector: str = "clic_ecal",
    rates: Mapping[str, float] = RATES,
    moving_average: float = 0.999,
) -> Recipe:
    members = range(1, len(model.shares) + 1) if isinstance(model, MixtureSettings) else ()
    parts = (
        rates
        if not members
        else {f"member_{number}.{part}": rate for number in members for part, rate in rates.items()}
    )
    return Recipe(
        name=name,
        title=f"CLIC-like ECAL, {title}",
        source=SOURCE,
        detector=detector,
        model=model,
        training=TrainingSettings(
            steps=steps,
            batch_size=batch_size,
            one_cycle={part: OneCycle(highest_rate=rate, rising_part=0.1) for part, rate in parts.items()},
            betas=(0.5, 0.999),
            weight_decay=0.0,
            moving_average=moving_average,
            validation_showers=500,
        ),
    )


RECIPES = (clic_gan_published, clic_gan, clic_gan_angle_published, clic_gan_angle, clic_gan_together)
