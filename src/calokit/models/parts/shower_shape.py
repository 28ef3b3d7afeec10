"""How a shower lies along and across the momentum, as tensors with gradients: asymmetries and widths."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from calokit.evaluation.samples.momentum_shape import ON_THE_LINE_MM
from calokit.models.batches import IncidentTensors
from calokit.models.parts.places import CartesianImage

LEAST_MEV = 1e-6
LEAST_WIDTH_MM = 1e-3


class ShowerShape(nn.Module):
    """Asymmetries and widths of showers in one Cartesian section, as `momentum_shape` defines them.

    The reference point is where the particle would be at a depth, going straight on; the line through it
    across the momentum divides the shower into ahead and behind, the line along it into left and right.

    Args:
        image: The readout.
        depth_mm: Depth of the reference point behind the front face.
    """

    x: Tensor
    y: Tensor

    def __init__(self, image: CartesianImage, depth_mm: float) -> None:
        super().__init__()
        self.depth_mm = depth_mm
        shape = (image.layers, image.rows, image.columns)
        x, y = image.row_centres[None, :, None], image.column_centres[None, None, :]
        self.register_buffer("x", x.expand(shape).flatten().clone(), persistent=False)
        self.register_buffer("y", y.expand(shape).flatten().clone(), persistent=False)

    def asymmetries(self, energies: Tensor, incidents: IncidentTensors) -> Tensor:
        """Return (event, 2): (ahead - behind) / E and (left - right) / E; zero for empty showers.

        Args:
            energies: (event, cell) MeV.
            incidents: With positions and directions.

        Raises:
            ConfigurationError: Positions or directions are not known.
        """
        share = _share(energies)
        return torch.stack([(share * _side_of(one)).sum(1) for one in self._distances(incidents)], dim=1)

    def widths(self, energies: Tensor, incidents: IncidentTensors) -> Tensor:
        """Return (event, 2) mm: the energy-weighted standard deviations along and across the momentum.

        Args:
            energies: (event, cell) MeV.
            incidents: With positions and directions.

        Raises:
            ConfigurationError: Positions or directions are not known.
        """
        share = _share(energies)
        found = []
        for distance in self._distances(incidents):
            centre = (share * distance).sum(1, keepdim=True)
            variance = (share * (distance - centre).square()).sum(1)
            found.append(variance.clamp_min(LEAST_WIDTH_MM**2).sqrt())
        return torch.stack(found, dim=1)

    def _distances(self, incidents: IncidentTensors) -> tuple[Tensor, Tensor]:
        """Return how far each cell lies from the reference point, along and across, (event, cell) mm."""
        incidents.need(("positions", "directions"), "the shape along the momentum")
        assert incidents.positions is not None
        assert incidents.directions is not None
        theta = incidents.directions.norm(dim=1, keepdim=True)
        axis = incidents.directions / theta.clamp_min(1e-12)
        axis = torch.where(theta > 0, axis, torch.tensor([1.0, 0.0], device=axis.device))
        point = incidents.positions + self.depth_mm * torch.tan(theta) * axis
        x, y = self.x - point[:, :1], self.y - point[:, 1:]
        along = x * axis[:, :1] + y * axis[:, 1:]
        across = y * axis[:, :1] - x * axis[:, 1:]
        return along, across


def _share(energies: Tensor) -> Tensor:
    return energies / energies.sum(1, keepdim=True).clamp_min(LEAST_MEV)


def _side_of(distance: Tensor) -> Tensor:
    return torch.where(distance.abs() < ON_THE_LINE_MM, 0.0, distance.sign())
