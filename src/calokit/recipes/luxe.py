"""Recipes for the LUXE ECAL-P: energy, impact and direction, several particles.

Everything called `report` follows the LUXE report (seeds document 003); the rest is ours.
"""

from __future__ import annotations

from calokit.models.estimators.settings import (
    CountingSettings,
    HitsSettings,
    ParticlesSettings,
    VoxelPlaceSettings,
    VoxelSettings,
)
from calokit.recipes.recipe import Recipe, TrainingSettings

REPORT = "LUXE ECAL reconstruction report; layers and settings of przemekk125/projekt_studencki"
HITS = "Sums over hits of a learned function: arXiv:1703.06114"


def luxe_energy() -> Recipe:
    """The energy from the hits, with its uncertainty."""
    return Recipe(
        name="luxe_energy",
        title="LUXE ECAL-P, energy from the hits",
        source=HITS,
        detector="luxe_ecal",
        model=HitsSettings(),
        training=_hits_training(),
    )


def luxe_energy_counting() -> Recipe:
    """The energy from the hits, learned together with the charged particles that entered each cell."""
    return Recipe(
        name="luxe_energy_counting",
        title="LUXE ECAL-P, energy from hits whose charged entries are learned",
        source=f"{HITS}; learning from truth that only training has: Neural Networks 22 (2009) 544",
        detector="luxe_ecal",
        model=CountingSettings(),
        training=_hits_training(),
    )


def luxe_direction() -> Recipe:
    """Impact and direction from the hits, with their uncertainties."""
    return Recipe(
        name="luxe_direction",
        title="LUXE ECAL-P, impact and direction from the hits",
        source=HITS,
        detector="luxe_ecal",
        model=HitsSettings(targets=("place",)),
        training=_hits_training(),
    )


def luxe_shared() -> Recipe:
    """Energy, impact and direction by one network, to compare with the two that are split."""
    return Recipe(
        name="luxe_shared",
        title="LUXE ECAL-P, energy, impact and direction from the hits by one network",
        source=HITS,
        detector="luxe_ecal",
        model=HitsSettings(targets=("energy", "place")),
        training=_hits_training(),
    )


def luxe_particles() -> Recipe:
    """Number, energies and impacts of up to four particles side by side."""
    return Recipe(
        name="luxe_particles",
        title="LUXE ECAL-P, several particles, matched one to one",
        source="Matching of proposals and truth: arXiv:2005.12872",
        detector="luxe_ecal",
        model=ParticlesSettings(),
        training=TrainingSettings(
            steps=3_000,
            batch_size=64,
            learning_rate=3e-3,
            moving_average=0.998,
            validate_every=350,
            precision="float32",
            memory_format="contiguous",
        ),
    )


def luxe_energy_report() -> Recipe:
    """The final energy network of the report: 72,113 numbers, regularisation 2, (dE)^2 / E.

    The report trained 40 epochs at most on 360,000 showers in batches of 32 with a constant rate; the loop's
    rate warms up and falls, and the steps are an upper limit that early stopping cuts.
    """
    return Recipe(
        name="luxe_energy_report",
        title="LUXE ECAL-P, energy from all cells as in the report",
        source=REPORT,
        detector="luxe_ecal",
        model=VoxelSettings(convolution_l2=1e-4, dense_l1=1e-3, dense_l2=1e-2),
        training=_report_training(),
    )


def luxe_direction_report() -> Recipe:
    """The position and angle network of the report, with float targets and the nominal tilt in the angle.

    No batch normalisation and L2 of 0.01 on the convolutions, as there; the rest as `luxe_energy_report`.
    """
    return Recipe(
        name="luxe_direction_report",
        title="LUXE ECAL-P, impact and direction from all cells as in the report",
        source=REPORT,
        detector="luxe_ecal",
        model=VoxelPlaceSettings(convolution_l2=0.01),
        training=_report_training(),
    )


def _report_training() -> TrainingSettings:
    """Return the report's training: batches of 32, stopped after three validations without a better loss."""
    return TrainingSettings(
        steps=28_000,
        batch_size=32,
        learning_rate=1e-3,
        warmup_steps=100,
        weight_decay=0.0,
        gradient_clip=1e6,
        moving_average=0.0,
        validate_every=700,
        patience=3,
    )


def _hits_training() -> TrainingSettings:
    """Return what suits sums over hits: small batches, for many steps."""
    return TrainingSettings(
        steps=5_000,
        batch_size=64,
        learning_rate=6e-3,
        weight_decay=0.01,
        moving_average=0.998,
        validate_every=350,
        precision="float32",
        memory_format="contiguous",
    )


RECIPES = (
    luxe_energy,
    luxe_energy_counting,
    luxe_energy_report,
    luxe_direction,
    luxe_direction_report,
    luxe_shared,
    luxe_particles,
)
"""Every recipe of this file."""
