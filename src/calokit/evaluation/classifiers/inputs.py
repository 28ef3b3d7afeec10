"""What a classifier of showers is given: conditions beside voxels or observables."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from calokit.arrays import Float64, Integer
from calokit.evaluation.classifiers.discrimination import Features


@dataclass(frozen=True)
class ClassifierInputs:
    """What a classifier sees of the showers of one class.

    Attributes:
        conditions: (event, c) float32. The first column is log10 of the incident energy in MeV and enters as
            it is; further ones enter standardised by means and deviations of the training part.
        features: (event, k) cells or observables, dense or in compressed sparse rows; they enter as they are.
    """

    conditions: NDArray[np.float32]
    features: Features


def batches_of(index: Integer, size: int) -> Iterator[Integer]:
    """Go through an index (row,), at most so many rows at a time."""
    for start in range(0, len(index), size):
        yield index[start : start + size]


def labels_of(events: int) -> NDArray[np.bool_]:
    """Return the classes (2 * event,) of as many true showers, first, as generated ones, which are True."""
    return np.repeat([False, True], events)


def voxel_inputs(
    cells: Features, conditions: Float64, threshold: float, energy_only: bool = False
) -> ClassifierInputs:
    """Return the low-level inputs: the conditions and every cell over the incident energy.

    Args:
        cells: (event, cell) MeV, dense or in compressed sparse rows.
        conditions: (event, c) as `Showers.conditions` gives them: ln of the incident energy in MeV first.
        threshold: MeV; cells below it count as empty.
        energy_only: Leave out all conditions but the energy, as CaloChallenge does.
    """
    matrix = csr_array(cells)
    kept = np.where(matrix.data >= threshold, matrix.data, 0.0)
    energies = np.exp(conditions[:, 0])
    by_event = np.repeat(energies, np.diff(matrix.indptr))
    fractions = csr_array(
        ((kept / by_event).astype(np.float32), matrix.indices, matrix.indptr), shape=matrix.shape
    )
    return ClassifierInputs(_condition_inputs(conditions, energy_only), fractions)


def observable_inputs(
    observables: NDArray[np.float32], conditions: Float64, energy_only: bool = False
) -> ClassifierInputs:
    """Return the high-level inputs: the conditions and observables, which should be of order one.

    Args:
        observables: (event, k) such as logarithms of layer energies, or centres in units of 100 mm.
        conditions: (event, c) as `Showers.conditions` gives them: ln of the incident energy in MeV first.
        energy_only: Leave out all conditions but the energy, as CaloChallenge does.
    """
    return ClassifierInputs(_condition_inputs(conditions, energy_only), observables.astype(np.float32))


def _condition_inputs(conditions: Float64, energy_only: bool) -> NDArray[np.float32]:
    columns = conditions[:, :1] if energy_only else conditions.copy()
    columns = np.concatenate([columns[:, :1] / math.log(10.0), columns[:, 1:]], axis=1)
    return columns.astype(np.float32)
