"""How the incident particle enters a network: smooth, of order one, and fine at the edges between cells."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from calokit.models.batches import IncidentTensors
from calokit.models.settings import Condition

EDGE_LENGTHS_MM = (0.2, 1.0, 5.0)
"""Decay lengths of the features that tell how near the impact is to an edge between cells."""


class IncidentEncoder(nn.Module):
    """Turns incident particles into network inputs.

    The energy enters as its logarithm, the impact as itself, as harmonics of its place within a cell and as
    exponentials of its distance to the nearest edge between cells (a particle can pass through the gap
    there), the direction as theta cos phi and theta sin phi.

    Args:
        conditions: Which of energy, position and direction enter.
        pitch_mm: Cell pitch along x and y, in mm.
        cells: Number of cells along x and y.
    """

    energy_scale: Tensor
    position_scale: Tensor
    direction_scale: Tensor

    def __init__(
        self, conditions: tuple[Condition, ...], pitch_mm: tuple[float, float], cells: tuple[int, int]
    ) -> None:
        super().__init__()
        self.conditions = conditions
        self.pitch_mm = pitch_mm
        self.edge_offset = tuple(0.5 * (count % 2) for count in cells)
        self.register_buffer("energy_scale", torch.tensor([9.0, 1.3]))
        self.register_buffer("position_scale", torch.ones(2))
        self.register_buffer("direction_scale", torch.ones(2))
        self.width = 1 + 12 * ("position" in conditions) + 2 * ("direction" in conditions)
        if "position" in conditions:
            self.width += 2 * (len(EDGE_LENGTHS_MM) - 1)

    def fit(self, incidents: IncidentTensors) -> None:
        """Set the scales from a sample of training incidents."""
        log_energy = torch.log(incidents.energies.double())
        self.energy_scale.copy_(torch.stack([log_energy.mean(), _width(log_energy)]))
        if "position" in self.conditions:
            incidents.need(("positions",), "the recipe")
            assert incidents.positions is not None
            self.position_scale.copy_(_width(incidents.positions.double()))
        if "direction" in self.conditions:
            incidents.need(("directions",), "the recipe")
            assert incidents.directions is not None
            self.direction_scale.copy_(_width(incidents.directions.double()))

    def forward(self, incidents: IncidentTensors) -> Tensor:
        """Return (event, width) inputs."""
        log_energy = torch.log(incidents.energies)
        columns = [((log_energy - self.energy_scale[0]) / self.energy_scale[1])[:, None]]
        if "position" in self.conditions:
            incidents.need(("positions",), "the model")
            assert incidents.positions is not None
            columns += self._position_columns(incidents.positions)
        if "direction" in self.conditions:
            incidents.need(("directions",), "the model")
            assert incidents.directions is not None
            columns.append(incidents.directions / self.direction_scale)
        return torch.cat(columns, dim=1)

    def _position_columns(self, positions: Tensor) -> list[Tensor]:
        pitch = positions.new_tensor(self.pitch_mm)
        cell_units = positions / pitch + positions.new_tensor(self.edge_offset)
        columns = [positions / self.position_scale]
        for harmonic in (1, 2):
            angle = 2 * math.pi * harmonic * cell_units
            columns += [torch.sin(angle), torch.cos(angle)]
        distance = (cell_units - torch.round(cell_units)).abs() * pitch
        return columns + [torch.exp(-distance / length) for length in EDGE_LENGTHS_MM]


class IncidentComponents(nn.Module):
    """Turns incident particles into the components of their momentum and their impact, as LHCb's GANs do.

    Momenta are in units of the sample's root mean square, impacts in that of their spread. The direction
    gives the components; the kinetic energy stands for the momentum, which it is but for the mass.

    Args:
        conditions: Which of energy, position and direction enter; without a direction momenta point along z.
    """

    momentum_scale: Tensor
    position_scale: Tensor

    def __init__(self, conditions: tuple[Condition, ...]) -> None:
        super().__init__()
        self.conditions = conditions
        self.register_buffer("momentum_scale", torch.ones(3))
        self.register_buffer("position_scale", torch.ones(2))
        self.width = 3 + 2 * ("position" in conditions)

    def fit(self, incidents: IncidentTensors) -> None:
        """Set the scales from a sample of training incidents."""
        momenta = self._momenta(incidents).double()
        largest = momenta.abs().amax().clamp_min(1e-3)
        self.momentum_scale.copy_(torch.maximum(momenta.square().mean(0).sqrt(), 1e-3 * largest))
        if "position" in self.conditions:
            incidents.need(("positions",), "the recipe")
            assert incidents.positions is not None
            self.position_scale.copy_(_width(incidents.positions.double()))

    def forward(self, incidents: IncidentTensors) -> Tensor:
        """Return (event, width) inputs."""
        columns = [self._momenta(incidents) / self.momentum_scale]
        if "position" in self.conditions:
            incidents.need(("positions",), "the model")
            assert incidents.positions is not None
            columns.append(incidents.positions / self.position_scale)
        return torch.cat(columns, dim=1)

    def _momenta(self, incidents: IncidentTensors) -> Tensor:
        """Return (event, 3) in MeV."""
        unit = incidents.energies.new_tensor([0.0, 0.0, 1.0]).expand(len(incidents), 3)
        if "direction" in self.conditions:
            incidents.need(("directions",), "the model")
            assert incidents.directions is not None
            theta = incidents.directions.norm(dim=1, keepdim=True)
            across = incidents.directions * torch.sinc(theta / math.pi)
            unit = torch.cat([across, torch.cos(theta)], dim=1)
        return unit * incidents.energies[:, None]


def _width(values: Tensor) -> Tensor:
    """Standard deviation over events, never below 1e-3 of the largest magnitude (a fixed beam has none)."""
    spread = values.std(dim=0, correction=0)
    return torch.maximum(spread, 1e-3 * values.abs().amax(dim=0).clamp_min(1e-3))
