"""A Cartesian section as an image, with the place of every cell relative to the impact."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from calokit.detector import Detector
from calokit.detector.images import cartesian_image


class CartesianImage(nn.Module):
    """The cells of a one-section Cartesian detector as (event, layer, row, column).

    Args:
        detector: The detector.

    Raises:
        ConfigurationError: The detector has several sections or another readout.
    """

    row_centres: Tensor
    column_centres: Tensor

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        image = cartesian_image(detector, "this model")
        assert image.slow.pitch is not None
        assert image.fast.pitch is not None
        self.layers, self.rows, self.columns = image.shape
        self.cells = self.layers * self.rows * self.columns
        self.pitch_mm = (image.slow.pitch, image.fast.pitch)
        for name, count, pitch in (
            ("row_centres", self.rows, self.pitch_mm[0]),
            ("column_centres", self.columns, self.pitch_mm[1]),
        ):
            centres = (torch.arange(count) - 0.5 * (count - 1)) * pitch
            self.register_buffer(name, centres, persistent=False)

    geometry_channels = 4

    def fold(self, flat: Tensor) -> Tensor:
        """Return (event, layer, row, column) of (event, cell)."""
        return flat.view(-1, self.layers, self.rows, self.columns)

    def geometry(self, positions: Tensor | None) -> Tensor:
        """Return channels that say where each cell lies relative to the impact.

        Args:
            positions: (event, 2) impact in mm; None stands for the detector's axis.

        Returns:
            (event, 4, row, column): distances in x and y and the radius in units of five pitches, and
            exp(-radius / two pitches).
        """
        across_x, across_y = self._distances(positions)
        radius = torch.sqrt(across_x.square() + across_y.square())
        return torch.stack([across_x / 5, across_y / 5, radius / 5, torch.exp(-radius / 2)], dim=1)

    def radius(self, positions: Tensor | None) -> Tensor:
        """Return the distance (event, row, column) of each cell from the impact, in pitches."""
        across_x, across_y = self._distances(positions)
        return torch.sqrt(across_x.square() + across_y.square())

    def _distances(self, positions: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return distances in x and y (event, row, column), in pitches."""
        if positions is None:
            positions = self.row_centres.new_zeros(1, 2)
        across_x = (self.row_centres - positions[:, :1])[:, :, None] / self.pitch_mm[0]
        across_y = (self.column_centres - positions[:, 1:])[:, None, :] / self.pitch_mm[1]
        return across_x.expand(-1, -1, self.columns), across_y.expand(-1, self.rows, -1)
