"""The incident particle as numbers for a network: energy, impact and direction, each where it is known."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from calokit.detector.grids import CartesianGrid, Grid
from calokit.models.batches import IncidentTensors
from calokit.models.cascade.settings import CONDITIONS
from calokit.models.settings import Condition

EDGE_LENGTHS_MM = (0.2, 1.0, 5.0)
"""Decay lengths of the features that tell how near the impact is to an edge between cells."""

SPREAD = 1e-4
"""A condition that spreads less than this (mm, rad, logarithm of the energy) is fixed and left out."""


class IncidentFeatures(nn.Module):
    """Turns incident particles into numbers of order one.

    A condition that the training showers lack, or in which they do not differ, is left out: its columns are
    zero, and `known` remembers it. An impact that is left out is taken at the axis, a direction along it.

    Args:
        conditions: Which of energy, position and direction may enter.
        first: The grid of the first layer: on rows and columns the impact also enters as its place within a
            cell.
    """

    known: Tensor
    energy_scale: Tensor
    position_scale: Tensor
    direction_scale: Tensor

    def __init__(self, conditions: tuple[Condition, ...], first: Grid) -> None:
        super().__init__()
        self.allowed = tuple(name in conditions for name in CONDITIONS)
        self.register_buffer("known", torch.tensor(self.allowed))
        self.register_buffer("energy_scale", torch.tensor([9.0, 1.0]))
        self.register_buffer("position_scale", torch.ones(2))
        self.register_buffer("direction_scale", torch.ones(2))
        self.edges = (first.row_edges, first.column_edges) if isinstance(first, CartesianGrid) else None
        self.width = 3 + 4 * self.allowed[1] + 2 * self.allowed[2]
        if self.edges is not None and self.allowed[1]:
            self.width += 2 * (2 + len(EDGE_LENGTHS_MM))

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The conditions in use."""
        return tuple(name for name, known in zip(CONDITIONS, self.known.tolist(), strict=True) if known)

    def fit(self, incidents: IncidentTensors) -> None:
        """Find which conditions are known and differ, and set their scales."""
        logarithm = torch.log(incidents.energies.double())
        columns = (logarithm[:, None], incidents.positions, incidents.directions)
        scales = (self.energy_scale[1:], self.position_scale, self.direction_scale)
        for place, (values, scale) in enumerate(zip(columns, scales, strict=True)):
            spread = None if values is None else values.double().std(0, correction=0)
            known = self.allowed[place] and spread is not None and float(spread.max()) > SPREAD
            self.known[place] = known
            if known and spread is not None:
                scale.copy_(spread.clamp_min(SPREAD))
        self.energy_scale[0] = logarithm.mean()

    def need(self, incidents: IncidentTensors) -> None:
        """Check that incidents have what the model was trained on.

        Raises:
            ConfigurationError: They have not.
        """
        names = tuple(f"{name}s" for name in self.conditions if name != "energy")
        incidents.need(names, "the cascade")

    def positions(self, incidents: IncidentTensors) -> Tensor:
        """Return the impact (event, 2) in mm, at the axis where it is not used."""
        given = incidents.positions
        return (
            given
            if bool(self.known[1]) and given is not None
            else incidents.energies.new_zeros(len(incidents), 2)
        )

    def slopes(self, incidents: IncidentTensors) -> Tensor:
        """Return dx/dz and dy/dz (event, 2), zero where the direction is not used."""
        given = incidents.directions
        if not bool(self.known[2]) or given is None:
            return incidents.energies.new_zeros(len(incidents), 2)
        angle = given.norm(dim=1, keepdim=True).clamp(1e-9, 1.5)
        slopes: Tensor = given * torch.tan(angle) / angle
        return slopes

    def forward(self, incidents: IncidentTensors) -> Tensor:
        """Return features (event, width)."""
        energy = (torch.log(incidents.energies) - self.energy_scale[0]) / self.energy_scale[1]
        energy = energy * self.known[0]
        columns = [energy[:, None], energy.square()[:, None] - 1, torch.exp(-energy)[:, None].clamp_max(8.0)]
        if self.allowed[1]:
            place = self.positions(incidents)
            columns += [place / self.position_scale, (place / self.position_scale).square() - 1]
            columns += self._edge_columns(place)
        if self.allowed[2]:
            given = incidents.directions
            known = bool(self.known[2]) and given is not None
            columns.append(
                given / self.direction_scale
                if known and given is not None
                else energy.new_zeros(len(energy), 2)
            )
        return torch.cat(columns, 1)

    def _edge_columns(self, place: Tensor) -> list[Tensor]:
        """Return sine and cosine of the place within a cell, and the nearness of an edge, along both axes."""
        if self.edges is None:
            return []
        columns = []
        for axis, edges in enumerate(self.edges):
            known = torch.from_numpy(edges).to(place)
            coordinate = place[:, axis].contiguous()
            cell = (torch.searchsorted(known, coordinate) - 1).clamp(0, len(known) - 2)
            low, high = known[cell], known[cell + 1]
            angle = 2 * math.pi * (coordinate - low) / (high - low)
            distance = torch.minimum((coordinate - low).abs(), (high - coordinate).abs())
            columns += [torch.sin(angle), torch.cos(angle)]
            columns += [torch.exp(-distance / length) for length in EDGE_LENGTHS_MM]
        return [torch.stack(columns, 1)]
