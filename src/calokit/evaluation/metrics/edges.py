"""The edges of the average shower: its tails, which a figure shows in log scale, as one number."""

from __future__ import annotations

import numpy as np

from calokit.arrays import Float32, Float64
from calokit.errors import ConfigurationError
from calokit.evaluation.metrics.distances import Distance

EDGE = 3
"""Cells counted from each end of an axis."""


class ShowerEdges:
    """Sums the energies near the ends of the three axes of a box of cells.

    The ends are the last layers, and the first and last rows and columns, along axes of 6 cells or more; the
    first layers are where the shower begins, no tail.

    Args:
        shape: Layers, rows and columns.

    Raises:
        ConfigurationError: No axis is long enough to have edges.

    Example:
        >>> edges = ShowerEdges((8, 8, 8))
        >>> edges.add(np.ones((2, 512)))
        >>> edges.means.tolist()
        [192.0, 192.0, 192.0, 192.0, 192.0]
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        if max(shape) < 2 * EDGE:
            raise ConfigurationError(f"edges need {2 * EDGE} cells along an axis; the readout has {shape}.")
        self.shape = shape
        self.showers = 0
        first, last = slice(None, EDGE), slice(-EDGE, None)
        ends = ((1, last), (2, first), (2, last), (3, first), (3, last))
        self.ends = [(axis, end) for axis, end in ends if shape[axis - 1] >= 2 * EDGE]
        self.sums: Float64 = np.zeros((2, len(self.ends)))

    def add(self, energies: Float32 | Float64) -> None:
        """Add showers (event, cell) in MeV."""
        volume = energies.reshape(len(energies), *self.shape)
        taken = [volume[(slice(None),) * axis + (end,)] for axis, end in self.ends]
        values = np.stack([one.sum((1, 2, 3), dtype=np.float64) for one in taken], axis=1)
        self.showers += len(energies)
        self.sums += np.stack([values.sum(0), np.square(values).sum(0)])

    @property
    def means(self) -> Float64:
        """Mean energy (end,) in MeV: last layers, first and last rows, first and last columns."""
        means: Float64 = self.sums[0] / self.showers
        return means

    @property
    def relative_errors(self) -> Float64:
        """Relative statistical error of each mean (end,)."""
        variance = self.sums[1] / self.showers - self.means**2
        errors: Float64 = np.sqrt(np.maximum(variance, 0) / self.showers) / np.maximum(self.means, 1e-12)
        return errors


def edge_distance(reference: ShowerEdges, other: ShowerEdges) -> Distance:
    """Return the mean |ln(other / reference)| of the energies near the ends, with its error.

    An end without any energy counts as a thousandth of the reference's; those that the reference leaves empty
    do not count.
    """
    used = reference.means > 0
    if not used.any():
        return Distance(0.0, 0.0)
    true = reference.means[used]
    deviations = np.abs(np.log(np.maximum(other.means[used], 1e-3 * true) / true))
    errors = np.hypot(reference.relative_errors, other.relative_errors)[used]
    return Distance(float(deviations.mean()), float(np.sqrt(np.square(errors).sum()) / len(errors)))
