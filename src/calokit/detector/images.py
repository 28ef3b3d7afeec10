"""The cells of every section as images: layers of a slow and a fast axis, whatever the readout."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from calokit.arrays import Float64
from calokit.detector.grids import CartesianGrid, PolarGrid
from calokit.detector.readout import CartesianReadout, CylindricalReadout, RingReadout
from calokit.detector.schema import Detector, Section
from calokit.errors import ConfigurationError

SAME_EDGE = 1e-9
"""Edges of several layers that differ by no more than this (mm or rad) are one edge."""


@dataclass(frozen=True, eq=False)
class ImageAxis:
    """One axis of the images of a section.

    Attributes:
        edges: (bin + 1,) mm, or rad for angles.
        label: Words for an axis of a figure.
        periodic: Whether the last bin touches the first.
        pitch: Width of every bin where all are equal by construction, in the unit of the edges; else None.
    """

    edges: Float64
    label: str
    periodic: bool = False
    pitch: float | None = None


@dataclass(frozen=True, eq=False)
class CellImage:
    """A section as one image a layer.

    On a Cartesian readout rows (x) are slow and columns (y) fast; hexagonal tiles are given on such a grid,
    shared by area (`detector.tile_sharing`), and so are their images. On cylinders and rings the angle is
    slow and periodic, the radius fast. Where rings differ from layer to layer the bins of the image are those
    between the edges of all layers: a cell covers several of them, and some may have no cell.

    Attributes:
        section: Name of the section.
        cells: Which flat cells of the detector the section has.
        index: (layer, slow, fast) int64, the flat cell of the detector in each bin, or -1.
        area: (slow, fast) area of each bin, mm^2.
        slow: The slow axis.
        fast: The fast axis.

    Example:
        >>> from calokit.detector import load_detector
        >>> image, = cell_images(load_detector("calochallenge_1_photons"))
        >>> image.shape, image.is_regular, image.slow.periodic
        ((5, 10, 30), False, True)
    """

    section: str
    cells: slice
    index: NDArray[np.int64]
    area: Float64
    slow: ImageAxis
    fast: ImageAxis

    @property
    def shape(self) -> tuple[int, int, int]:
        """Layers, slow and fast bins."""
        layers, slow, fast = self.index.shape
        return layers, slow, fast

    @cached_property
    def is_regular(self) -> bool:
        """Whether every bin of every layer is one cell, in the order of the cells."""
        return bool(np.array_equal(self.index.ravel(), np.arange(self.cells.start, self.cells.stop)))

    def unfold(self, values: NDArray[Any], nothing: float = 0.0) -> NDArray[Any]:
        """Return the values of cells in each bin of the images; a cell repeats in all bins that it covers.

        Args:
            values: (..., cell) of the whole detector.
            nothing: What bins hold that no cell covers.

        Returns:
            (..., layer, slow, fast); a view of the values where `is_regular`.
        """
        if self.is_regular:
            own = values[..., self.cells]
            return own.reshape(*own.shape[:-1], *self.shape)
        found = values[..., self.index.clip(0)]
        return np.where(self.index < 0, np.asarray(nothing, values.dtype), found)

    def fold(self, images: NDArray[Any]) -> NDArray[Any]:
        """Return the mean, by area, over the bins of each cell: what undoes `unfold`.

        Args:
            images: (..., layer, slow, fast).

        Returns:
            (..., cell) of the section.
        """
        flat = images.reshape(*images.shape[:-3], -1)
        if self.is_regular:
            return flat
        rows = flat.reshape(-1, flat.shape[-1])
        return np.asarray((self._mean_by_area @ rows.T).T).reshape(*flat.shape[:-1], -1)

    def sum_layers(self, values: Float64) -> Float64:
        """Return the sum (..., slow, fast) over layers of values (..., cell) of a regular image.

        Raises:
            ConfigurationError: The cells differ from layer to layer, and no sum of theirs is a picture.
        """
        if not self.is_regular:
            raise ConfigurationError(f"the cells of {self.section!r} differ from layer to layer.")
        total: Float64 = self.unfold(values).sum(axis=-3)
        return total

    @cached_property
    def _mean_by_area(self) -> sparse.csr_array:
        """(cell of the section, bin): the part of the cell's area in each bin."""
        flat = self.index.ravel()
        covered = np.flatnonzero(flat >= 0)
        cell = flat[covered] - self.cells.start
        area = np.broadcast_to(self.area, self.shape).reshape(-1)[covered]
        whole = np.bincount(cell, weights=area)
        shape = (self.cells.stop - self.cells.start, len(flat))
        return sparse.csr_array((area / whole[cell], (cell, covered)), shape=shape)


def cell_images(detector: Detector) -> tuple[CellImage, ...]:
    """Return the cells of a detector as images, one for each section, along the beam."""
    images, first = [], 0
    for section in detector.sections:
        images.append(_image_of(section, first))
        first += section.number_of_cells
    return tuple(images)


def cartesian_image(detector: Detector, who: str) -> CellImage:
    """Return the image of a detector of one Cartesian section, which some methods need.

    Args:
        detector: The detector.
        who: What needs it, for the message.

    Raises:
        ConfigurationError: The detector has several sections, or another readout.
    """
    if len(detector.sections) != 1 or detector.sections[0].readout.kind != "cartesian":
        raise ConfigurationError(
            f"{who} needs one Cartesian section, and detector {detector.name!r} has "
            f"{', '.join(section.readout.kind for section in detector.sections)}."
        )
    return cell_images(detector)[0]


def _image_of(section: Section, first: int) -> CellImage:
    """Return the image of a section whose cells begin at a flat number."""
    layers = section.number_of_layers
    cells = slice(first, first + section.number_of_cells)
    match section.readout:
        case CartesianReadout() as readout:
            slow = ImageAxis(readout.row_edges, "x (mm)", pitch=readout.row_pitch_mm)
            fast = ImageAxis(readout.column_edges, "y (mm)", pitch=readout.column_pitch_mm)
            area = CartesianGrid(slow.edges, fast.edges).areas()
        case CylindricalReadout() as readout:
            slow = _circle(readout.phi_edges)
            fast = ImageAxis(readout.r_edges, "r (mm)", pitch=readout.dr_mm)
            area = PolarGrid(slow.edges, fast.edges).areas()
        case RingReadout() as readout:
            slow = _circle(_union([readout.alpha_edges(layer) for layer in range(layers)]))
            fast = ImageAxis(_union([readout.r_edges(layer) for layer in range(layers)]), "r (mm)")
            area = PolarGrid(slow.edges, fast.edges).areas()
            index = _index_of_rings(readout, slow, fast, first)
            return CellImage(section.name, cells, index, area.reshape(index.shape[1:]), slow, fast)
    shape = (layers, len(slow.edges) - 1, len(fast.edges) - 1)
    index = np.arange(cells.start, cells.stop, dtype=np.int64).reshape(shape)
    return CellImage(section.name, cells, index, area.reshape(shape[1:]), slow, fast)


def _index_of_rings(readout: RingReadout, slow: ImageAxis, fast: ImageAxis, first: int) -> NDArray[np.int64]:
    """Return the flat cell of each bin (layer, slow, fast) of rings that differ from layer to layer."""
    angles, radii = (0.5 * (axis.edges[1:] + axis.edges[:-1]) for axis in (slow, fast))
    index = np.full((len(readout.layers), len(angles), len(radii)), -1, dtype=np.int64)
    for number, layer in enumerate(readout.layers):
        edges = readout.r_edges(number)
        alpha = np.searchsorted(readout.alpha_edges(number), angles) - 1
        ring = np.searchsorted(edges, radii) - 1
        inside = (ring >= 0) & (ring < len(edges) - 1)
        flat = first + alpha[:, None] * (len(edges) - 1) + ring
        index[number] = np.where(inside, flat, -1)
        first += layer.number_of_cells
    return index


def _circle(edges: Float64) -> ImageAxis:
    """Return an axis of angles over the full circle."""
    widths = np.diff(edges)
    equal = bool(np.ptp(widths) < SAME_EDGE)
    return ImageAxis(edges, "phi (rad)", periodic=True, pitch=float(widths[0]) if equal else None)


def _union(edges: list[Float64]) -> Float64:
    """Return the edges of all layers together, rising, each once."""
    every = np.sort(np.concatenate(edges))
    return np.asarray(every[np.concatenate([[True], np.diff(every) > SAME_EDGE])])
