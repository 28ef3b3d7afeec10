"""Classes of hit masks: collapsed, over-wide, and with the extent of the reference."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from calokit.arrays import Float64
from calokit.detector import Detector
from calokit.errors import CalokitError
from calokit.evaluation.metrics.binned import energy_bin, require_same_edges
from calokit.evaluation.metrics.distances import Distance
from calokit.showers.hits import Hits

CLASS_NAMES = ("collapsed", "over_wide", "matching")
"""Columns of the counts."""
TAIL = 0.01
"""Part of the reference beyond each limit, in each bin of the incident energy."""


@dataclass(frozen=True)
class MaskLimits:
    """What masks of the reference look like, in bins of the incident energy.

    Attributes:
        energy_edges: (bin + 1,) MeV.
        fewest: (bin,) hits that all but a hundredth of the reference have.
        most: (bin,) hits that all but a hundredth do not exceed.
        widest: (bin,) mm, extent that all but a hundredth do not exceed.
    """

    energy_edges: Float64
    fewest: Float64
    most: Float64
    widest: Float64


def mask_extents(hits: Hits, detector: Detector) -> Float64:
    """Return the root mean square distance of the hit cells from their middle, every hit counting the same.

    Args:
        hits: Of a batch.
        detector: Whose cells they are.

    Returns:
        (event,) mm in the plane across the axis; 0 for fewer than two hits.
    """
    number = hits.sum_by_event()
    x, y = detector.cells.x[hits.cell], detector.cells.y[hits.cell]
    middle = [np.divide(hits.sum_by_event(axis), number, out=np.zeros_like(number), where=number > 0)
              for axis in (x, y)]  # fmt: skip
    square = (x - middle[0][hits.event]) ** 2 + (y - middle[1][hits.event]) ** 2
    mean = np.divide(hits.sum_by_event(square), number, out=np.zeros_like(number), where=number > 0)
    extent: Float64 = np.sqrt(mean)
    return extent


def limits_from_reference(
    incident_energies: Float64, hits: Float64, extents: Float64, energy_edges: Float64, tail: float = TAIL
) -> MaskLimits:
    """Return the limits that all but the tails of the reference keep; nothing else fixes them.

    Args:
        incident_energies: (event,) MeV.
        hits: (event,) number of hits.
        extents: (event,) as of `mask_extents`.
        energy_edges: (bin + 1,) MeV.
        tail: Part of the reference beyond each limit.

    Raises:
        CalokitError: An energy bin holds no reference shower.
    """
    bins = energy_bin(incident_energies, energy_edges)
    limits = np.zeros((3, len(energy_edges) - 1))
    for number in range(limits.shape[1]):
        inside = bins == number
        if not inside.any():
            raise CalokitError(
                f"no reference shower from {energy_edges[number]:.4g} to {energy_edges[number + 1]:.4g} MeV "
                "fixes the limits of a mask; give more showers or fewer bins."
            )
        limits[0, number], limits[1, number] = np.quantile(hits[inside], [tail, 1.0 - tail])
        limits[2, number] = np.quantile(extents[inside], 1.0 - tail)
    return MaskLimits(energy_edges, *limits)


class MaskClasses:
    """Counts the classes of masks in bins of the incident energy, in bounded memory.

    A mask without a hit, or with fewer than nearly all of the reference at its energy, is `collapsed`; one
    with more hits or a larger extent than nearly all is `over_wide`; the others have a compact core of
    `matching` extent. These are the three cases that a study of the EIC ZDC told apart by eye (seeds document
    001); the limits are this package's.

    Args:
        detector: Whose cells the showers have.
        limits: As of `limits_from_reference`.

    Attributes:
        counts: (bin, 3) showers of each class, in the order of `CLASS_NAMES`.
    """

    def __init__(self, detector: Detector, limits: MaskLimits) -> None:
        self.detector, self.limits = detector, limits
        self.counts: Float64 = np.zeros((len(limits.fewest), len(CLASS_NAMES)))

    def add(self, incident_energies: Float64, hits: Hits) -> None:
        """Add the hits of a batch of incident energies (event,) in MeV."""
        limits = self.limits
        bins = energy_bin(incident_energies, limits.energy_edges)
        number, extent = hits.sum_by_event(), mask_extents(hits, self.detector)
        collapsed = (number == 0) | (number < limits.fewest[bins])
        wide = ~collapsed & ((number > limits.most[bins]) | (extent > limits.widest[bins]))
        which = np.where(collapsed, 0, np.where(wide, 1, 2))
        place = bins * len(CLASS_NAMES) + which
        self.counts += np.bincount(place, minlength=self.counts.size).reshape(self.counts.shape)

    def merge(self, other: MaskClasses) -> None:
        """Add the counts of other showers.

        Raises:
            CalokitError: The bins differ.
        """
        require_same_edges(self.limits.energy_edges, other.limits.energy_edges)
        self.counts += other.counts

    def part(self, name: str) -> Distance:
        """Return the part of all showers that are of a class, with its binomial error.

        Raises:
            CalokitError: There is no such class.
        """
        if name not in CLASS_NAMES:
            raise CalokitError(f"no class of masks {name!r}; there are {', '.join(CLASS_NAMES)}.")
        showers = max(float(self.counts.sum()), 1.0)
        part = float(self.counts[:, CLASS_NAMES.index(name)].sum()) / showers
        return Distance(part, math.sqrt(part * (1.0 - part) / showers))


def mask_class_distance(first: MaskClasses, second: MaskClasses) -> Distance:
    """Return half the sum of |differences| of the three parts (total variation), and its error.

    A sample of the same law as the reference differs by chance alone; 10 % of collapsed showers make 0.1.
    """
    counts = [each.counts.sum(axis=0) for each in (first, second)]
    showers = [max(float(count.sum()), 1.0) for count in counts]
    parts = [count / number for count, number in zip(counts, showers, strict=True)]
    difference = parts[0] - parts[1]
    sign = np.sign(difference)
    variance = sum(
        (float(((sign**2) * part).sum()) - float((sign * part).sum()) ** 2) / number
        for part, number in zip(parts, showers, strict=True)
    )
    return Distance(0.5 * float(np.abs(difference).sum()), 0.5 * math.sqrt(max(variance, 0.0)))
