"""The cells of a detector as images."""

from __future__ import annotations

from dataclasses import dataclass

from calokit.arrays import Float64
from calokit.detector import CartesianReadout, CylindricalReadout, Detector, Section


@dataclass(frozen=True)
class ImageFrame:
    """The picture plane of a section: rows and columns with their edges in mm (rad for angles).

    Attributes:
        cells: Which flat cells of the detector the section has.
        shape: (layers, rows, columns).
        row_label: Axis label of the rows.
        column_label: Axis label of the columns.
        row_edges: (rows + 1,).
        column_edges: (columns + 1,).
    """

    cells: slice
    shape: tuple[int, int, int]
    row_label: str
    column_label: str
    row_edges: Float64
    column_edges: Float64

    def sum_layers(self, values: Float64) -> Float64:
        """Sum (..., cell) of the whole detector over the section's layers; (..., rows, columns)."""
        own = values[..., self.cells]
        total: Float64 = own.reshape(*own.shape[:-1], *self.shape).sum(axis=-3)
        return total


def frame_of(detector: Detector, section: Section) -> ImageFrame | None:
    """Return the picture plane of a section, or None where its layers differ in their cells."""
    if section.shape is None:
        return None
    first = 0
    for other in detector.sections:
        if other.name == section.name:
            break
        first += other.number_of_cells
    cells = slice(first, first + section.number_of_cells)
    match section.readout:
        case CartesianReadout() as readout:
            return ImageFrame(
                cells, section.shape, "x (mm)", "y (mm)", readout.row_edges, readout.column_edges
            )
        case CylindricalReadout() as readout:
            return ImageFrame(cells, section.shape, "phi (rad)", "r (mm)", readout.phi_edges, readout.r_edges)
        case _:
            return None
