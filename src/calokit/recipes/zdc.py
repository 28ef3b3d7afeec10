"""Recipes for the EIC zero-degree calorimeter."""

from __future__ import annotations

from calokit.models.flow import FlowSettings
from calokit.models.regression import RegressionSettings
from calokit.training.recipe import Recipe, TrainingSettings


def zdc_flow() -> Recipe:
    """Two-stage conditional flow matching on the 20 x 20 crystals."""
    return Recipe(
        name="zdc_flow",
        title="EIC ZDC ECAL, two-stage flow matching",
        source="Flow matching: arXiv:2210.02747; two stages as in arXiv:2405.09629",
        detector="zdc_ecal",
        model=FlowSettings(),
        training=TrainingSettings(steps=30_000),
    )


def zdc_regression() -> Recipe:
    """Mask + value regression with the Default layer list, conditioned on energy and impact."""
    return Recipe(
        name="zdc_regression",
        title="EIC ZDC ECAL, mask + value regression (Default layers)",
        source="EIC ZDC status reports of 2025-07-09 and 2025-09-01",
        detector="zdc_ecal",
        model=RegressionSettings(),
        training=TrainingSettings(
            steps=6_000, learning_rate=1e-3, moving_average=0.999, patience=8, validate_every=300
        ),
    )
