"""The LHCb score of two samples: the smaller PRD area of raw images and of shapes along the momentum."""

from __future__ import annotations

import numpy as np

from calokit.arrays import Float64
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
    return image_and_physics_score(
        _images(one), _images(other), _shapes(one, depth_mm), _shapes(other, depth_mm), settings
    )


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
    shapes = _shapes(one, depth_mm), _shapes(other, depth_mm)
    return published_image_and_physics_score(_images(one), shapes[0], shapes[1], settings)


def _images(showers: Showers) -> Float64:
    return showers.energies.astype(np.float64)


def _shapes(showers: Showers, depth_mm: float) -> Float64:
    return momentum_shape(showers, depth_mm).matrix()[0]
