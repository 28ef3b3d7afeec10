"""Mirror images of a shower: as true as the shower, where the detector is its own mirror image."""

from __future__ import annotations

import torch

from calokit.compute.draws import Draws
from calokit.models.batches import IncidentTensors, TrainingBatch
from calokit.models.parts.places import CartesianImage


class SquareSymmetries:
    """Shows every shower of a batch in a random symmetry of its Cartesian readout, conditions moved along.

    Mirroring x and y always; exchanging x and y where rows and columns are alike.

    Args:
        image: The readout.
    """

    def __init__(self, image: CartesianImage) -> None:
        self.image = image
        self.square = image.rows == image.columns and image.pitch_mm[0] == image.pitch_mm[1]

    def __call__(self, batch: TrainingBatch, draws: Draws) -> TrainingBatch:
        """Return the batch, each eighth (or quarter) of it in another of the symmetries."""
        count = 8 if self.square else 4
        images = self.image.fold(batch.energies)
        pieces, positions, directions = [], [], []
        order = draws.permutation(len(images))
        for turn, index in enumerate(order.chunk(count)):
            picked = images[index]
            if turn & 1:
                picked = picked.flip(2)
            if turn & 2:
                picked = picked.flip(3)
            if turn & 4:
                picked = picked.transpose(2, 3)
            pieces.append(picked)
            positions.append(_move(batch.incidents.positions, index, turn))
            directions.append(_move(batch.incidents.directions, index, turn))
        incidents = IncidentTensors(
            batch.incidents.energies[order],
            _join(positions),
            _join(directions),
        )
        return TrainingBatch(incidents, torch.cat([piece.flatten(1) for piece in pieces]))


def _move(vectors: torch.Tensor | None, index: torch.Tensor, turn: int) -> torch.Tensor | None:
    """Mirror and exchange (event, 2) components as the image is."""
    if vectors is None:
        return None
    sign = vectors.new_tensor([-1.0 if turn & 1 else 1.0, -1.0 if turn & 2 else 1.0])
    moved = vectors[index] * sign
    return moved.flip(1) if turn & 4 else moved


def _join(parts: list[torch.Tensor | None]) -> torch.Tensor | None:
    present = [part for part in parts if part is not None]
    return torch.cat(present) if present else None
