"""Recipes for the LHCb-like calorimeter: three GANs, each with and without an auxiliary regressor.

The document (seeds 004) gives neither sizes nor rates; those of `lhcb_wgan_gp` are of the released generator
and its notebook, those of `lhcb_hinge` of a re-implementation where it has them, the rest is ours.
"""

from __future__ import annotations

from calokit.models.adversarial.image_settings import (
    CriticSettings,
    GeneratorSettings,
    ImageGanSettings,
    RegressorSettings,
)
from calokit.recipes.recipe import OneCycle, Recipe, TrainingSettings

POSTER = "A. Rogachev, F. Ratnikov: GAN with an auxiliary regressor for the LHCb calorimeter (poster)"
RELEASED = "airogachev/LHCb_CaloGAN; arXiv:1812.01319"
ATTENTION = "EPJ Web of Conferences 251, 03043 (2021); arXiv:1805.08318"
THRESHOLD_MEV = 0.3
"""Cells up to it hold a thousandth of the visible energy."""


def lhcb_wgan_gp() -> Recipe:
    """The released form: 0.66 M weights, momentum and impact beside 256 random numbers, WGAN-GP, 5 : 1."""
    return _recipe("lhcb_wgan_gp", "released form, WGAN-GP", RELEASED, _released(), 2e-4, 2e-4, (0.5, 0.9))


def lhcb_wgan_gp_asymmetry() -> Recipe:
    """The released form with an auxiliary regressor of asymmetries."""
    settings = _released().model_copy(update={"regressor": RegressorSettings()})
    title = "released form, WGAN-GP, auxiliary regressor of asymmetries"
    return _recipe("lhcb_wgan_gp_asymmetry", title, f"{RELEASED}; {POSTER}", settings, 2e-4, 2e-4, (0.5, 0.9))


def lhcb_hinge() -> Recipe:
    """Plain convolutions with spectral norm, hinge and projection."""
    return _recipe(
        "lhcb_hinge", "plain convolutions, hinge", POSTER, _convolutional(), 2e-4, 2e-4, (0.5, 0.999)
    )


def lhcb_hinge_asymmetry() -> Recipe:
    """Plain convolutions, hinge, with an auxiliary regressor of asymmetries."""
    settings = _convolutional().model_copy(update={"regressor": RegressorSettings()})
    title = "plain convolutions, hinge, auxiliary regressor of asymmetries"
    return _recipe("lhcb_hinge_asymmetry", title, POSTER, settings, 2e-4, 2e-4, (0.5, 0.999))


def lhcb_sagan() -> Recipe:
    """Self-attention at 16 x 16 in generator and discriminator, spectral norm, projection, two rates."""
    return _recipe("lhcb_sagan", "self-attention, hinge", ATTENTION, _attentive(), 1e-4, 4e-4, (0.0, 0.9))


def lhcb_sagan_asymmetry() -> Recipe:
    """Self-attention with an auxiliary regressor of asymmetries."""
    settings = _attentive().model_copy(update={"regressor": RegressorSettings()})
    title = "self-attention, hinge, auxiliary regressor of asymmetries"
    return _recipe("lhcb_sagan_asymmetry", title, f"{ATTENTION}; {POSTER}", settings, 1e-4, 4e-4, (0.0, 0.9))


def _released() -> ImageGanSettings:
    return ImageGanSettings(
        encoding="components",
        threshold_mev=THRESHOLD_MEV,
        generator=GeneratorSettings(),
        critic=CriticSettings(form="dense"),
        objective="wasserstein",
        gradient_penalty=10.0,
        discriminator_steps=5,
    )


def _convolutional() -> ImageGanSettings:
    return ImageGanSettings(
        threshold_mev=THRESHOLD_MEV,
        generator=GeneratorSettings(form="upsampled", random_inputs=64, channels=128, spectral_norm=True),
        critic=CriticSettings(form="projection", channels=(16, 16, 32, 64, 64), spectral_norm=True),
    )


def _attentive() -> ImageGanSettings:
    return ImageGanSettings(
        threshold_mev=THRESHOLD_MEV,
        generator=GeneratorSettings(spectral_norm=True, attention=True),
        critic=CriticSettings(form="projection", spectral_norm=True, attention=True),
    )


def _recipe(
    name: str,
    what: str,
    source: str,
    model: ImageGanSettings,
    generator_rate: float,
    discriminator_rate: float,
    betas: tuple[float, float],
) -> Recipe:
    return Recipe(
        name=name,
        title=f"LHCb-like ECAL, GAN of images ({what})",
        source=source,
        detector="lhcb_ecal",
        model=model,
        training=TrainingSettings(
            steps=60_000,
            batch_size=128,
            one_cycle={
                "generator": OneCycle(highest_rate=generator_rate, rising_part=0.05),
                "discriminator": OneCycle(highest_rate=discriminator_rate, rising_part=0.05),
            },
            betas=betas,
            weight_decay=0.0,
            gradient_clip=10.0,
            moving_average=0.999,
            validate_every=2000,
            validation_showers=1024,
            monitor_showers=1024,
        ),
    )


RECIPES = (
    lhcb_wgan_gp,
    lhcb_wgan_gp_asymmetry,
    lhcb_hinge,
    lhcb_hinge_asymmetry,
    lhcb_sagan,
    lhcb_sagan_asymmetry,
)
"""Every recipe of this file."""
