"""Hits as tensors: the input of every reconstruction network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from calokit.classical.hits import CellGrid, GridHits
from calokit.models.batches import IncidentTensors
from calokit.showers import Showers


@dataclass(frozen=True)
class HitBatch:
    """The hits of some showers, their truth, and what classical reconstruction makes of them.

    Attributes:
        incidents: The incident particles.
        counts: (event,) int64, hits of each event.
        cells: (hit,) int32, flat index of the cell.
        energies: (hit,) float32, MeV.
        neighbours: (hit, 27) float16, energies of the 3 x 3 x 3 cells about each hit on the model's scale, or
            an empty (hit, 0) tensor where the model does not look at neighbours.
        sums: (event, layer) float32, deposits of the layers, MeV.
        lines: (event, 4) float32, x and y at the front face in mm and dx/dz, dy/dz of the classical line.
        entries: (hit, 1) float32, charged particles that entered each hit's cell, where the showers know them
            and the model asks for them; an empty (hit, 0) tensor otherwise.
        particles: (event, particle, 3) float32: energy in MeV (0: no particle), x and y in mm of every
            particle of events that have several; empty (event, 0, 3) otherwise.
    """

    incidents: IncidentTensors
    counts: Tensor
    cells: Tensor
    energies: Tensor
    neighbours: Tensor
    sums: Tensor
    lines: Tensor
    entries: Tensor
    particles: Tensor

    @classmethod
    def of(
        cls,
        showers: Showers,
        hits: GridHits,
        neighbours: Tensor | None,
        lines: Tensor,
        entries: Tensor | None = None,
    ) -> HitBatch:
        """Return showers and their hits as tensors.

        Args:
            showers: The showers.
            hits: Their hits.
            neighbours: See the attribute; None for a model that does not look at neighbours.
            lines: See the attribute.
            entries: See the attribute; None for a model that does not ask for them.
        """
        several = np.zeros((len(showers), 0, 3), np.float32)
        if showers.particles is not None:
            known = showers.particles
            several = np.concatenate([known.energies[..., None], known.positions], axis=2)
        return cls(
            IncidentTensors.of(showers.incidents),
            torch.from_numpy(hits.counts),
            torch.from_numpy(hits.cell.astype(np.int32)),
            torch.from_numpy(hits.energy.astype(np.float32)),
            torch.zeros(len(hits.cell), 0, dtype=torch.float16) if neighbours is None else neighbours,
            torch.from_numpy(hits.sum_by_layer(hits.energy).astype(np.float32)),
            lines,
            torch.zeros(len(hits.cell), 0) if entries is None else entries,
            torch.from_numpy(several),
        )

    def __len__(self) -> int:
        return len(self.counts)

    def __getitem__(self, index: Any) -> HitBatch:
        """Return the events at an index tensor or slice over events."""
        counts = self.counts[index]
        ends = torch.cumsum(self.counts, 0)
        starts = (ends - self.counts)[index]
        before = torch.cumsum(counts, 0) - counts
        place = torch.arange(int(counts.sum()), device=counts.device)
        place = place + torch.repeat_interleave(starts - before, counts)
        return HitBatch(
            self.incidents[index],
            counts,
            self.cells[place],
            self.energies[place],
            self.neighbours[place],
            self.sums[index],
            self.lines[index],
            self.entries[place],
            self.particles[index],
        )

    def to(self, device: torch.device) -> HitBatch:
        """Return the batch on a device."""
        columns = {
            one.name: getattr(self, one.name).to(device, non_blocking=True)
            for one in fields(self)
            if one.name != "incidents"
        }
        return HitBatch(incidents=self.incidents.to(device), **columns)

    @classmethod
    def join(cls, batches: Sequence[HitBatch]) -> HitBatch:
        """Return several batches as one."""
        columns = {
            one.name: torch.cat([getattr(batch, one.name) for batch in batches])
            for one in fields(cls)
            if one.name not in ("incidents", "particles")
        }
        width = max(batch.particles.shape[1] for batch in batches)
        padded = [
            torch.nn.functional.pad(batch.particles, (0, 0, 0, width - batch.particles.shape[1]))
            for batch in batches
        ]
        incidents = IncidentTensors.join([batch.incidents for batch in batches])
        return cls(incidents=incidents, particles=torch.cat(padded), **columns)

    @property
    def event(self) -> Tensor:
        """(hit,) number of the hit's event within the batch."""
        numbers = torch.arange(len(self.counts), device=self.counts.device)
        return torch.repeat_interleave(numbers, self.counts, output_size=len(self.cells))

    def true_lines(self) -> Tensor:
        """Return (event, 4) true x and y at the front face in mm and dx/dz, dy/dz.

        Raises:
            ConfigurationError: The showers have no positions or directions.
        """
        self.incidents.need(("positions", "directions"), "the recipe")
        assert self.incidents.positions is not None
        assert self.incidents.directions is not None
        angles = self.incidents.directions
        theta = angles.norm(dim=1, keepdim=True).clamp_min(1e-9)
        return torch.cat([self.incidents.positions, angles / theta * torch.tan(theta)], dim=1)

    def places(self, grid: CellGrid) -> tuple[Tensor, Tensor, Tensor]:
        """Return layer, row and column (hit,) of every hit."""
        _, rows, columns = grid.shape
        cells = self.cells.long()
        return cells // (rows * columns), cells // columns % rows, cells % columns

    def images(self, grid: CellGrid, first_row: int = 0, rows: int | None = None) -> Tensor:
        """Return (event, 1, layer, row, column) energies in MeV of a window of rows."""
        layers, every_row, columns = grid.shape
        rows = every_row if rows is None else rows
        layer, row, column = self.places(grid)
        row = row - first_row
        inside = (row >= 0) & (row < rows)
        place = ((self.event * layers + layer) * rows + row) * columns + column
        flat = self.energies.new_zeros(len(self) * layers * rows * columns)
        flat[place[inside]] = self.energies[inside]
        return flat.view(len(self), 1, layers, rows, columns)

    def mirrored(self, grid: CellGrid, in_x: Tensor, in_y: Tensor) -> HitBatch:
        """Return every event mirrored in x and in y where asked for (event,) bool, truth moved along."""
        _, rows, columns = grid.shape
        layer, row, column = self.places(grid)
        hit_x, hit_y = in_x[self.event], in_y[self.event]
        row = torch.where(hit_x, rows - 1 - row, row)
        column = torch.where(hit_y, columns - 1 - column, column)
        cells = ((layer * rows + row) * columns + column).int()
        neighbours = self.neighbours
        if neighbours.shape[1]:
            cube = neighbours.view(-1, 3, 3, 3)
            cube = torch.where(hit_x[:, None, None, None], cube.flip(2), cube)
            neighbours = torch.where(hit_y[:, None, None, None], cube.flip(3), cube).view(-1, 27)
        sign = 1.0 - 2.0 * torch.stack([in_x, in_y], dim=1).float()
        known = self.incidents
        incidents = IncidentTensors(
            known.energies,
            None if known.positions is None else known.positions * sign,
            None if known.directions is None else known.directions * sign,
        )
        particles = self.particles * torch.nn.functional.pad(sign, (1, 0), value=1.0)[:, None]
        return replace(
            self,
            incidents=incidents,
            cells=cells,
            neighbours=neighbours,
            lines=self.lines * sign.repeat(1, 2),
            particles=particles,
        )
