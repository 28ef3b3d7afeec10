"""Hexagonal tiles: the physical cells of a section whose readout is given on a square grid."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveFloat

from calokit.config import Description

# Shifts of the pattern in units of the tile's side, one (x, y) for each layer of a cycle (DD4hep HexGrid).
_SHIFTS: dict[int, tuple[tuple[float, float], ...]] = {
    0: ((1.0, 0.0),),
    1: ((0.0, 0.0), (1.0, 0.0), (2.0, 0.0)),
    2: ((-0.75, 0.0), (0.0, math.sqrt(3) / 4), (0.0, -math.sqrt(3) / 4), (0.75, 0.0)),
}


class HexagonalTiles(Description):
    """A pattern of regular hexagons with two corners on the x axis, shifted from layer to layer.

    Attributes:
        side_mm: Length of a side in mm.
        stagger: How layers are shifted (DD4hep HexGrid): 0 not at all, 1 in cycles of three layers,
            2 in cycles of four.
    """

    side_mm: PositiveFloat
    stagger: Literal[0, 1, 2] = 0

    @property
    def area_mm2(self) -> float:
        """Area of one tile in mm^2."""
        return 1.5 * math.sqrt(3) * self.side_mm**2

    @property
    def cycle(self) -> int:
        """Number of layers after which the pattern repeats."""
        return len(_SHIFTS[self.stagger])

    def centres(self, layer: int, width_mm: float, height_mm: float) -> NDArray[np.float64]:
        """Return the centres of the tiles that reach into a rectangle about the axis.

        Args:
            layer: Layer counted from 0.
            width_mm: Extent of the rectangle in x, in mm.
            height_mm: Extent of the rectangle in y, in mm.

        Returns:
            Centres (tile, 2), x and y in mm from the section's axis.

        Source: DD4hep, DDCore/src/segmentations/HexGrid.cpp (cells whose indices have an even sum).
        """
        side, half_height = self.side_mm, math.sqrt(3) / 2 * self.side_mm
        cycle = _SHIFTS[self.stagger]
        shift_x, shift_y = cycle[layer % len(cycle)]
        reach_x = math.ceil(width_mm / 3 / side) + 3
        reach_y = math.ceil(height_mm / 2 / half_height) + 3
        across, upward = np.arange(-reach_x, reach_x + 1), np.arange(-reach_y, reach_y + 1)
        i, j = (index.ravel() for index in np.meshgrid(across, upward, indexing="ij"))
        even = (i + j) % 2 == 0
        x = (1.5 * i[even] + 0.5 + shift_x) * side
        y = (j[even] + 1) * half_height + shift_y * side
        inside = (np.abs(x) < width_mm / 2 + side) & (np.abs(y) < height_mm / 2 + half_height)
        return np.column_stack([x[inside], y[inside]])
