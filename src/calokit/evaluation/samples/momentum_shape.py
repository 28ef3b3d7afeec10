"""The shape of showers along and across the incident momentum: asymmetries, widths and sparsity."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from calokit.arrays import Float64
from calokit.errors import CalokitError
from calokit.evaluation.samples.hit_means import mean_and_width, ratio
from calokit.showers import Showers
from calokit.showers.hits import Hits, find_hits

ON_THE_LINE_MM = 1e-3
"""A cell centred so near the dividing line belongs to neither side."""

PUBLISHED_DEPTH_MM = 250.0
"""Depth of the point that asymmetries refer to in the LHCb challenge: 25, with points in cm."""
SPARSITY_PARTS: Float64 = np.logspace(-5, 0, 50)
"""Parts of the visible energy that cells are compared with."""
BLOCK_VALUES = 4_000_000
"""Cell energies worked on at once."""
ALONG_MOMENTUM = ("asymmetry_along", "asymmetry_across", "width_along", "width_across")
"""Shapes along and across the incident momentum; no features of the classifiers, which see the momentum."""


@dataclass(frozen=True)
class HitsShape:
    """What the hits of each shower say about its shape along the momentum; all 0 for an empty shower.

    Attributes:
        asymmetry_along: (event,) (E ahead - E behind) / E of the line through the reference point, across
            the momentum; -1 to 1.
        asymmetry_across: (event,) (E left - E right) / E of the line along the momentum, left of it being
            the side that x turns to over y.
        width_along: (event,) energy-weighted standard deviation along the momentum, mm.
        width_across: (event,) the same across, mm.
        offset_x: (event,) centre of energy less the reference point, mm.
        offset_y: (event,) the same in y.
    """

    asymmetry_along: Float64
    asymmetry_across: Float64
    width_along: Float64
    width_across: Float64
    offset_x: Float64
    offset_y: Float64


@dataclass(frozen=True)
class MomentumShape(HitsShape):
    """The shape of each shower with respect to its incident momentum; all 0 for an empty shower.

    Attributes:
        sparsity: (event, 50) part of the cells that hold at least `SPARSITY_PARTS` of the visible energy.
    """

    sparsity: Float64

    def matrix(self) -> tuple[Float64, tuple[str, ...]]:
        """Return the 54 features of the PRD score (offsets are not of them) and their names, (event, 54)."""
        shape = np.column_stack([getattr(self, name) for name in ALONG_MOMENTUM])
        parts = tuple(f"cells_above_{part:.3g}" for part in SPARSITY_PARTS)
        return np.concatenate([shape, self.sparsity], axis=1), ALONG_MOMENTUM + parts


def momentum_shape(
    showers: Showers, z_max_mm: float = PUBLISHED_DEPTH_MM, threshold: float = 0.0
) -> MomentumShape:
    """Compute the shape of showers along and across the momentum projected on the cells' plane.

    The reference point is impact + z_max (dx, dy) / dz. Asymmetries divide the cells at it by their centres,
    a centre on the line counting on neither side. Widths are about the shower's own centre and hold the
    cells' own size: a Gaussian of sigma in cells of pitch p has sqrt(sigma^2 + p^2 / 12). Momenta along the
    axis, which project on no direction, are taken to point along x.

    This is what the scorer of the LHCb challenge (SchattenGenie/mlhep2019_2_phase,
    analysis/calogan_metrics.py) means, in mm on any detector. That code gives other numbers: it lays x along
    the last axis of the images for asymmetries and along the first for widths, counts a cell as 1 where
    points are in cm, takes widths from the cells on a line alone, and has 20 sparsities up to 0.1.

    Args:
        showers: With positions and directions.
        z_max_mm: Depth of the reference point behind the front face.
        threshold: MeV; cells at or below it count as empty.

    Raises:
        CalokitError: Positions or directions are not known, or a momentum does not point into the detector.

    Example:
        >>> from calokit.detector import load_detector
        >>> energies = np.zeros((1, 400), np.float32)
        >>> energies[0, [0, 1, 2]] = 1.0
        >>> impact, direction = np.zeros((1, 2), np.float32), np.array([[0.0, 0.6, 0.8]], np.float32)
        >>> incident, detector = np.array([10.0], np.float32), load_detector("zdc_ecal")
        >>> shape = momentum_shape(Showers(energies, incident, detector, impact, direction))
        >>> float(shape.width_along[0].round(2)), float(shape.width_across[0])
        (24.74, 0.0)
    """
    if showers.positions is None or showers.directions is None:
        missing = "positions" if showers.positions is None else "directions"
        raise CalokitError(
            f"these showers have no {missing}, so they have no shape along the momentum; use files with "
            "incident_positions and incident_directions."
        )
    directions = showers.directions.astype(np.float64)
    backward = np.flatnonzero(~(directions[:, 2] > 0))
    if len(backward):
        raise CalokitError(
            f"the momentum of shower {backward[0]} points along {directions[backward[0]]}, not into the "
            "detector; its z must be above 0."
        )
    block = max(1, BLOCK_VALUES // showers.energies.shape[1])
    parts = [
        _shape_of_block(showers[start : start + block], z_max_mm, threshold)
        for start in range(0, max(len(showers), 1), block)
    ]
    return MomentumShape(
        **{one.name: np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(parts[0])}
    )


def _shape_of_block(showers: Showers, z_max_mm: float, threshold: float) -> MomentumShape:
    hits = find_hits(showers, threshold)
    visible = hits.sum_by_event(hits.energy)
    part_of_visible = hits.energy / visible[hits.event]
    reached = [hits.sum_by_event(part_of_visible >= part) for part in SPARSITY_PARTS]
    sparsity = np.stack(reached, axis=1) / showers.energies.shape[1]
    return MomentumShape(**vars(shape_of_hits(showers, hits, visible, z_max_mm)), sparsity=sparsity)


def shape_of_hits(showers: Showers, hits: Hits, visible: Float64, depth_mm: float) -> HitsShape:
    """Return what `momentum_shape` defines, from hits already found.

    Args:
        showers: With positions and directions.
        hits: Their cells above threshold.
        visible: (event,) energy of the hits, MeV.
        depth_mm: Depth of the point that the asymmetries refer to.
    """
    assert showers.positions is not None
    assert showers.directions is not None
    directions = showers.directions.astype(np.float64)
    ahead = np.maximum(directions[:, 2:], 1e-9)
    points = showers.positions.astype(np.float64) + depth_mm * directions[:, :2] / ahead
    axes = transverse_axes(directions)[hits.event]
    cells = showers.detector.cells
    x = cells.x[hits.cell] - points[hits.event, 0]
    y = cells.y[hits.cell] - points[hits.event, 1]
    along, across = x * axes[:, 0] + y * axes[:, 1], y * axes[:, 0] - x * axes[:, 1]
    asymmetries = [
        ratio(hits.sum_by_event(hits.energy * side_of(distance)), visible) for distance in (along, across)
    ]
    widths = [mean_and_width(hits, distance, visible)[1] for distance in (along, across)]
    offsets = [ratio(hits.sum_by_event(hits.energy * distance), visible) for distance in (x, y)]
    return HitsShape(*asymmetries, *widths, *offsets)


def transverse_axes(directions: Float64) -> Float64:
    """Return the unit vectors (event, 2) along the momenta in the plane of the cells."""
    length = np.hypot(directions[:, 0], directions[:, 1])
    axes = np.divide(
        directions[:, :2], length[:, None], out=np.zeros((len(directions), 2)), where=length[:, None] > 0
    )
    axes[length == 0, 0] = 1.0
    return axes


def side_of(distance: Float64) -> Float64:
    """Return 1 and -1 on the two sides of a line, and 0 for cells centred on it."""
    return np.where(np.abs(distance) < ON_THE_LINE_MM, 0.0, np.sign(distance))
