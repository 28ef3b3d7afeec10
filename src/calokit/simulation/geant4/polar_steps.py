"""Which cells of a cylinder a straight step passes, and with which part of its length."""

from __future__ import annotations

import bisect
import itertools
import math

from calokit.detector.grids import PolarGrid

Cell = tuple[int, int]
"""Bin of angle and bin of radius."""


class PolarSteps:
    """Shares steps among the cells of one layer.

    Args:
        grid: The cells.

    Example:
        >>> import numpy as np
        >>> steps = PolarSteps(PolarGrid(np.linspace(0, 2 * np.pi, 5), np.array([0.0, 2.0, 4.0])))
        >>> [(cell, round(part, 3)) for cell, part in steps.shares((1.0, 1.0), (3.0, 1.0))]
        [((0, 0), 0.366), ((0, 1), 0.634)]
    """

    def __init__(self, grid: PolarGrid) -> None:
        self.angles: list[float] = grid.angle_edges.tolist()
        self.radii: list[float] = grid.radius_edges.tolist()
        rays = self.angles[:-1] if len(self.angles) > 2 else []
        self.rays = [(math.cos(angle), math.sin(angle)) for angle in rays]

    def cell_at(self, x: float, y: float) -> Cell:
        """Return the cell in which a point (mm) lies; beyond the edges the next one."""
        first = self.angles[0]
        angle = first + (math.atan2(y, x) - first) % (2 * math.pi)
        row = bisect.bisect_right(self.angles, angle) - 1
        column = bisect.bisect_right(self.radii, math.hypot(x, y)) - 1
        return min(row, len(self.angles) - 2), min(max(column, 0), len(self.radii) - 2)

    def shares(self, start: tuple[float, float], end: tuple[float, float]) -> list[tuple[Cell, float]]:
        """Return the cells that a step passes, each with its part of the length.

        Args:
            start: x and y of its beginning, mm.
            end: x and y of its end, mm.
        """
        cell = self.cell_at(*start)
        if cell == self.cell_at(*end) and not (cell[1] and _nears_the_axis(start, end)):
            return [(cell, 1.0)]
        places = [0.0, *sorted(self._crossed(start, end)), 1.0]
        found = []
        for low, high in itertools.pairwise(places):
            middle = 0.5 * (low + high)
            x, y = (one + middle * (other - one) for one, other in zip(start, end, strict=True))
            found.append((self.cell_at(x, y), high - low))
        return found

    def _crossed(self, start: tuple[float, float], end: tuple[float, float]) -> list[float]:
        """Return at which parts of its length a step crosses the edges of cells."""
        (x, y), (dx, dy) = start, (end[0] - start[0], end[1] - start[1])
        places = []
        for cosine, sine in self.rays:
            before, behind = cosine * y - sine * x, cosine * end[1] - sine * end[0]
            if before * behind < 0.0:
                place = before / (before - behind)
                if cosine * (x + place * dx) + sine * (y + place * dy) > 0.0:
                    places.append(place)
        square, half, outermost = dx * dx + dy * dy, x * dx + y * dy, max(math.hypot(x, y), math.hypot(*end))
        for radius in self.radii:
            if radius >= outermost:
                break
            root = half * half - square * (x * x + y * y - radius * radius)
            if root > 0.0:
                both = ((-half + sign * math.sqrt(root)) / square for sign in (-1.0, 1.0))
                places += [place for place in both if 0.0 < place < 1.0]
        return places


def _nears_the_axis(start: tuple[float, float], end: tuple[float, float]) -> bool:
    """Tell whether a step is nearest to the axis between its ends."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    return start[0] * dx + start[1] * dy < 0.0 < end[0] * dx + end[1] * dy
