"""How a section is read out: rows and columns, cylinders, or rings that differ from layer to layer."""

from __future__ import annotations

import itertools
import math
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from calokit.config import Description
from calokit.detector.grids import CartesianGrid, Edges, PolarGrid, centred_edges, circle_edges
from calokit.errors import DetectorError


class CartesianReadout(Description):
    """Equal cells in rows (along x) and columns (along y), centred on the axis; the same in every layer.

    Attributes:
        rows: Number of cells along x, the slow index.
        columns: Number of cells along y, the fast index.
        row_pitch_mm: Distance of the centres of neighbouring cells along x.
        column_pitch_mm: Distance of the centres of neighbouring cells along y.
    """

    kind: Literal["cartesian"] = "cartesian"
    rows: PositiveInt
    columns: PositiveInt
    row_pitch_mm: PositiveFloat
    column_pitch_mm: PositiveFloat

    @property
    def layer_shape(self) -> tuple[int, int]:
        """Rows and columns of a layer."""
        return self.rows, self.columns

    @property
    def row_edges(self) -> Edges:
        """Edges of the rows along x (rows + 1,), in mm."""
        return centred_edges(self.rows, self.row_pitch_mm)

    @property
    def column_edges(self) -> Edges:
        """Edges of the columns along y (columns + 1,), in mm."""
        return centred_edges(self.columns, self.column_pitch_mm)

    @property
    def extent_mm(self) -> tuple[float, float]:
        """Width in x and height in y of all cells together, in mm."""
        return self.rows * self.row_pitch_mm, self.columns * self.column_pitch_mm

    def grids(self, layers: int) -> tuple[CartesianGrid, ...]:
        """Return the grid of each of a number of layers."""
        return (CartesianGrid(self.row_edges, self.column_edges),) * layers


class CylindricalReadout(Description):
    """Cells in equal angles phi about the axis and in radii r; the same in every layer.

    Attributes:
        phi_bins: Number of angular bins, the slow index.
        phi_start_rad: Lower edge of the first angular bin.
        r_bins: Number of radial bins of width `dr_mm`, the fast index.
        dr_mm: Width of a radial bin.
        r_edges_mm: Instead of `r_bins` and `dr_mm`, the edges of the radial bins.
    """

    kind: Literal["cylindrical"] = "cylindrical"
    phi_bins: PositiveInt
    phi_start_rad: float = 0.0
    r_bins: PositiveInt | None = None
    dr_mm: PositiveFloat | None = None
    r_edges_mm: tuple[float, ...] | None = None

    @model_validator(mode="after")
    def _check_radii(self) -> Self:
        """Refuse radii that are given twice, in part or not at all."""
        equal = self.r_bins is not None and self.dr_mm is not None
        partial = self.r_bins is not None or self.dr_mm is not None
        if (self.r_edges_mm is None) != equal or (self.r_edges_mm is not None and partial):
            raise DetectorError("cylindrical readout: give either r_bins and dr_mm, or r_edges_mm alone.")
        if self.r_edges_mm is not None:
            _require_radii(self.r_edges_mm, "cylindrical readout")
        return self

    @property
    def layer_shape(self) -> tuple[int, int]:
        """Angular and radial bins of a layer."""
        return self.phi_bins, len(self.r_edges) - 1

    @property
    def phi_edges(self) -> Edges:
        """Edges of the angular bins (phi_bins + 1,), in rad."""
        return circle_edges(self.phi_bins, self.phi_start_rad)

    @property
    def r_edges(self) -> Edges:
        """Edges of the radial bins (r bins + 1,), in mm."""
        if self.r_edges_mm is not None:
            return np.array(self.r_edges_mm, dtype=np.float64)
        return np.asarray(np.arange((self.r_bins or 0) + 1) * (self.dr_mm or 0.0), dtype=np.float64)

    @property
    def extent_mm(self) -> tuple[float, float]:
        """Width in x and height in y of all cells together, in mm."""
        diameter = 2 * float(self.r_edges[-1])
        return diameter, diameter

    def grids(self, layers: int) -> tuple[PolarGrid, ...]:
        """Return the grid of each of a number of layers."""
        return (PolarGrid(self.phi_edges, self.r_edges),) * layers


class RingLayer(Description):
    """One layer of rings.

    Attributes:
        id: The layer's number in the experiment, such as the calorimeter sampling in ATLAS.
        alpha_bins: Number of equal angular bins, the slow index.
        r_edges_mm: Edges of the radial bins, the fast index.
    """

    id: int = Field(ge=0)
    alpha_bins: PositiveInt
    r_edges_mm: tuple[float, ...]

    @model_validator(mode="after")
    def _check_radii(self) -> Self:
        """Refuse radii that do not grow."""
        _require_radii(self.r_edges_mm, f"ring layer {self.id}")
        return self

    @property
    def number_of_cells(self) -> int:
        """Number of cells of the layer."""
        return self.alpha_bins * (len(self.r_edges_mm) - 1)


class RingReadout(Description):
    """Rings about the axis whose radii and angles differ from layer to layer.

    Attributes:
        layers: The layers along the beam.
        alpha_start_rad: Lower edge of the first angular bin of every layer.
    """

    kind: Literal["rings"] = "rings"
    layers: tuple[RingLayer, ...] = Field(min_length=1)
    alpha_start_rad: float = -math.pi

    @model_validator(mode="after")
    def _check_ids(self) -> Self:
        """Refuse a layer that is described twice."""
        ids = [layer.id for layer in self.layers]
        if len(set(ids)) != len(ids):
            raise DetectorError(f"ring readout: ids of layers repeat ({ids}); give each layer its own id.")
        return self

    @property
    def layer_shape(self) -> None:
        """None: the layers differ."""
        return None

    def alpha_edges(self, layer: int) -> Edges:
        """Return the edges of the angular bins of a layer, counted from 0, in rad."""
        return circle_edges(self.layers[layer].alpha_bins, self.alpha_start_rad)

    def r_edges(self, layer: int) -> Edges:
        """Return the edges of the radial bins of a layer, counted from 0, in mm."""
        return np.array(self.layers[layer].r_edges_mm, dtype=np.float64)

    @property
    def extent_mm(self) -> tuple[float, float]:
        """Width in x and height in y of all cells together, in mm."""
        diameter = 2 * max(layer.r_edges_mm[-1] for layer in self.layers)
        return diameter, diameter

    def grids(self, layers: int) -> tuple[PolarGrid, ...]:
        """Return the grid of each of the first layers."""
        return tuple(PolarGrid(self.alpha_edges(k), self.r_edges(k)) for k in range(layers))


Readout = Annotated[CartesianReadout | CylindricalReadout | RingReadout, Field(discriminator="kind")]
"""Any readout; the key `kind` says which."""


def _require_radii(edges: tuple[float, ...], what: str) -> None:
    """Refuse edges of radii that are too few, negative or not growing."""
    growing = all(high > low for low, high in itertools.pairwise(edges))
    if len(edges) < 2 or edges[0] < 0 or not growing:
        raise DetectorError(f"{what}: r_edges_mm must be two or more growing radii, given {edges}.")
