"""The LHCb score of two samples: the smaller PRD area of raw images and of shapes along the momentum."""

from __future__ import annotations

from calokit.evaluation.metrics.precision_recall import (
    CHALLENGE_SETTINGS,
    ImageAndPhysicsScore,
    PrecisionRecallSettings,
    image_and_physics_score,
    published_image_and_physics_score,
)
from calokit.evaluation.samples.momentum_shape import momentum_shape
from calokit.showers import Showers

AIM_DEPTH_MM = 150.0
"""Depth of the point that asymmetries refer to: the plane that LHCb's particles are aimed at."""


def momentum_score(
    reference: Showers,
    generated: Showers,
    threshold_mev: float = 0.0,
    settings: PrecisionRecallSettings = CHALLENGE_SETTINGS,
    depth_mm: float = AIM_DEPTH_MM,
) -> ImageAndPhysicsScore:
    """Return the PRD areas of raw images and of the 54 shapes along the momentum, and the smaller.

    Images are the cells' energies in MeV; the shapes (two asymmetries, two widths, 50 sparsities, see
    `momentum_shape`) are scaled by the reference, so that none owns the clusters for its unit.

    Args:
        reference: With positions and directions.
        generated: The same of the other sample.
        threshold_mev: Cells at or below it count as empty.
        settings: Of the clusterings.
        depth_mm: Depth of the point that asymmetries refer to.

    Raises:
        CalokitError: Positions or directions are not known, or there are fewer showers than clusters.
    """
    one, other = (sample.with_threshold(threshold_mev) for sample in (reference, generated))
    shapes = [momentum_shape(sample, depth_mm).matrix()[0] for sample in (one, other)]
    images = [sample.energies.astype("f8") for sample in (one, other)]
    return image_and_physics_score(*images, *shapes, settings)


def published_momentum_score(
    reference: Showers,
    generated: Showers,
    threshold_mev: float = 0.0,
    settings: PrecisionRecallSettings = CHALLENGE_SETTINGS,
    depth_mm: float = AIM_DEPTH_MM,
) -> ImageAndPhysicsScore:
    """Return the score with the published scorer's faults, to lay beside published numbers only.

    See `published_image_and_physics_score`: it never looks at generated images, and does not scale shapes.

    Raises:
        CalokitError: As `momentum_score`.
    """
    one, other = (sample.with_threshold(threshold_mev) for sample in (reference, generated))
    shapes = [momentum_shape(sample, depth_mm).matrix()[0] for sample in (one, other)]
    return published_image_and_physics_score(one.energies.astype("f8"), *shapes, settings)
