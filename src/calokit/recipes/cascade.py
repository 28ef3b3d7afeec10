"""Recipes for the splitting cascade: for any detector, and for those of the reference sets."""

from __future__ import annotations

from calokit.models.cascade.settings import CascadeSettings
from calokit.recipes.recipe import Recipe, TrainingSettings

SOURCE = "Binary splits by exact one-dimensional draws; Polya trees: Mauldin, Sudderth, Williams 1992"

DEFAULT = CascadeSettings(near_threshold=True, deviations=True)
NARROW = DEFAULT.model_copy(update={"width": 64})


def cascade() -> Recipe:
    """The cascade for any detector, with no settings needed."""
    return _recipe("cascade", "splitting cascade for any detector", None, 8_000, 128)


def zdc_cascade() -> Recipe:
    """The cascade on the 20 x 20 crystals."""
    return _recipe("zdc_cascade", "EIC ZDC ECAL, splitting cascade", "zdc_ecal", 16_000, 128)


def lhcb_cascade() -> Recipe:
    """The cascade on the 30 x 30 cells of the shashlik ECAL."""
    return _recipe(
        "lhcb_cascade", "LHCb-like ECAL, splitting cascade", "lhcb_ecal", 8_000, 128, validate_every=250
    )


def par04_cascade() -> Recipe:
    """The cascade on the silicon-tungsten cylinder of Par04."""
    return _recipe("par04_cascade", "Par04 silicon-tungsten, splitting cascade", "par04_siw", 6_000, 48)


def clic_cascade() -> Recipe:
    """The cascade on the 25 x 25 x 25 cells of the CLIC-like ECAL."""
    return _recipe(
        "clic_cascade", "CLIC-like ECAL, splitting cascade", "clic_ecal", 6_000, 32, validate_every=500
    )


def luxe_cascade() -> Recipe:
    """The cascade on the pads of the LUXE ECAL-P."""
    title = "LUXE ECAL-P, splitting cascade"
    return _recipe("luxe_cascade", title, "luxe_ecal", 8_000, 64, NARROW, validate_every=500)


def zdc_neutrons_cascade() -> Recipe:
    """The cascade on the crystals and hexagonal tiles of the ZDC, for neutrons."""
    title = "EIC ZDC ECAL + HCAL, splitting cascade for neutrons"
    return _recipe("zdc_neutrons_cascade", title, "zdc_ecal_hcal", 2_400, 32, NARROW, validate_every=400)


def calochallenge_photons_cascade() -> Recipe:
    """The cascade on the rings of CaloChallenge's first data set."""
    title = "CaloChallenge 1, photons, splitting cascade"
    return _recipe("calochallenge_photons_cascade", title, "calochallenge_1_photons", 8_000, 128)


def _recipe(
    name: str,
    title: str,
    detector: str | None,
    steps: int,
    batch_size: int,
    model: CascadeSettings = DEFAULT,
    validate_every: int = 1_000,
) -> Recipe:
    return Recipe(
        name=name,
        title=title,
        source=SOURCE,
        detector=detector,
        model=model,
        training=TrainingSettings(
            steps=steps,
            batch_size=batch_size,
            learning_rate=3e-3,
            moving_average=0.999,
            precision="float32",
            memory_format="contiguous",
            validate_every=validate_every,
            validation_showers=4096,
        ),
    )


RECIPES = (
    cascade,
    zdc_cascade,
    lhcb_cascade,
    par04_cascade,
    clic_cascade,
    luxe_cascade,
    zdc_neutrons_cascade,
    calochallenge_photons_cascade,
)
