"""The axis of showers in a volume: where it points, and volumes moved along it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from calokit.detector import Detector
from calokit.models.parts.places import CartesianImage

LEAST_MEV = 1e-6


class ShowerAxis(nn.Module):
    """Tells directions by barycentres of layers, and moves volumes with a direction.

    Args:
        detector: One Cartesian section whose layers lie at known depths.
    """

    depths: Tensor
    rows: Tensor
    columns: Tensor

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        image = CartesianImage(detector)
        self.sizes = (image.rows * image.pitch_mm[0], image.columns * image.pitch_mm[1])
        depths = torch.from_numpy(detector.sensitive_z - detector.layer_edges[0, 0]).float()
        self.register_buffer("depths", depths, persistent=False)
        self.register_buffer("rows", image.row_centres.clone(), persistent=False)
        self.register_buffer("columns", image.column_centres.clone(), persistent=False)

    def told(self, energies: Tensor) -> Tensor:
        """Return theta cos phi and theta sin phi (event, 2) of (event, layer, row, column) energies.

        Each layer's barycentre lies on the axis; the line through them is that of least squares, each layer
        weighted by its energy. No weights are learned, and gradients pass.
        """
        layers = energies.sum((2, 3)).clamp_min(LEAST_MEV)
        x = (energies.sum(3) * self.rows).sum(2) / layers
        y = (energies.sum(2) * self.columns).sum(2) / layers
        share = layers / layers.sum(1, keepdim=True)
        depth = self.depths - (share * self.depths).sum(1, keepdim=True)
        spread = (share * depth.square()).sum(1).clamp_min(LEAST_MEV)
        slopes = torch.stack([(share * depth * across).sum(1) / spread for across in (x, y)], dim=1)
        size = slopes.norm(dim=1, keepdim=True).clamp_min(LEAST_MEV)
        told: Tensor = slopes / size * torch.atan(size)
        return told

    def moved(self, volumes: Tensor, directions: Tensor, back: bool = False) -> Tensor:
        """Return volumes whose layers are moved as far as a direction leads at their depth.

        Args:
            volumes: (event, layer, row, column), or (1, ...) for all events.
            directions: (event, 2) theta cos phi and theta sin phi.
            back: Move the other way: to the axis.
        """
        size = directions.norm(dim=1, keepdim=True).clamp_min(LEAST_MEV)
        slopes = directions / size * torch.tan(size)
        shifts = slopes[:, None, :] * self.depths[:, None] * (1.0 if back else -1.0)
        events, layers = shifts.shape[:2]
        parts = shifts.reshape(-1, 2) * 2.0 / shifts.new_tensor(self.sizes)
        turned = parts.new_zeros(len(parts), 2, 3)
        turned[:, 0, 0] = turned[:, 1, 1] = 1.0
        turned[:, :, 2] = parts.flip(1)
        images = volumes.expand(events, -1, -1, -1).reshape(events * layers, 1, *volumes.shape[2:])
        grid = functional.affine_grid(turned, list(images.shape), align_corners=False)
        moved = functional.grid_sample(images, grid, align_corners=False)
        return moved.view(events, layers, *volumes.shape[2:])
