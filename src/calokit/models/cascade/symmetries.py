"""Mirrors and turns that map a detector's cells onto each other, to show showers in."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from calokit.compute.draws import Draws
from calokit.detector import Detector
from calokit.detector.grids import PolarGrid
from calokit.models.batches import IncidentTensors, TrainingBatch
from calokit.models.cascade.planes import DetectorTree

TOLERANCE_MM = 1e-6


@dataclass(frozen=True, eq=False)
class Symmetries:
    """The symmetries of a detector.

    Attributes:
        matrices: What each does to x and y (symmetry, 2, 2).
        sources: Which cell's energy each cell of the image takes (symmetry, cell).
    """

    matrices: Tensor
    sources: Tensor

    def __len__(self) -> int:
        return len(self.matrices)

    def __call__(self, batch: TrainingBatch, draws: Draws) -> TrainingBatch:
        """Return each shower of a batch in a random one of its images."""
        which = (draws.uniform(len(batch)) * len(self)).long().clamp_max(len(self) - 1)
        return self.move(batch, which)

    def move(self, batch: TrainingBatch, which: Tensor) -> TrainingBatch:
        """Return each shower in the image of number `which` (event,), its conditions moved along."""
        matrices = self.matrices.to(which.device)[which]
        incidents = batch.incidents

        def turned(vectors: Tensor | None) -> Tensor | None:
            return None if vectors is None else torch.einsum("eij,ej->ei", matrices, vectors)

        moved = IncidentTensors(incidents.energies, turned(incidents.positions), turned(incidents.directions))
        return TrainingBatch(moved, batch.energies.gather(1, self.sources.to(which.device)[which]))


def find_symmetries(detector: Detector, tree: DetectorTree) -> Symmetries:
    """Return every mirror image and turn under which the cells of a detector stay the same set.

    Slabs of another shape than the readout and hexagonal tiles break symmetries: with tiles only the identity
    is left, with slabs of unequal sides x and y are not exchanged.
    """
    places = np.concatenate(
        [
            np.column_stack([np.full(tree.planes[kind].cells, 1e4 * layer), tree.planes[kind].cell_centres])
            for layer, kind in enumerate(tree.plane_of)
        ]
    )
    lookup = cKDTree(places)
    matrices, sources = [], []
    for matrix in _candidates(detector, tree):
        image = places.copy()
        image[:, 1:3] = places[:, 1:3] @ matrix  # the inverse of the matrix, as rows
        distance, source = lookup.query(image)
        if distance.max() < TOLERANCE_MM * max(1.0, float(np.abs(places[:, 1:3]).max())):
            matrices.append(matrix)
            sources.append(source)
    return Symmetries(torch.from_numpy(np.array(matrices)).float(), torch.from_numpy(np.array(sources)))


def _candidates(detector: Detector, tree: DetectorTree) -> list[np.ndarray]:
    """Return the matrices that are tried, the identity first."""
    if tree.tiled:
        return [np.eye(2)]
    turns = [plane.grid.shape[0] for plane in tree.planes if isinstance(plane.grid, PolarGrid)]
    turns = [turn for turn in turns if turn > 1]
    square = all(math.isclose(*section.size_mm) for section in detector.sections)
    of_grids = math.gcd(*turns) if turns else 4
    steps = of_grids if square else math.gcd(of_grids, 2)
    matrices = []
    for step in range(steps):
        angle = 2 * math.pi * step / steps
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        matrices += [turn, turn @ np.diag([1.0, -1.0])]
    return matrices
