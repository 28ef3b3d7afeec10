"""Showers and incident particles as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from calokit.errors import ConfigurationError
from calokit.showers import Incidents, Showers, direction_components


@dataclass(frozen=True)
class IncidentTensors:
    """The incident particles of a batch, as tensors.

    Attributes:
        energies: (event,) MeV.
        positions: (event, 2) impact x and y at the front face in mm, or None.
        directions: (event, 2) theta cos phi and theta sin phi in rad, or None.
    """

    energies: Tensor
    positions: Tensor | None
    directions: Tensor | None

    @classmethod
    def of(cls, incidents: Incidents) -> IncidentTensors:
        """Return incident particles as tensors, energies and positions sharing their memory."""
        return cls(
            torch.from_numpy(incidents.energies),
            None if incidents.positions is None else torch.from_numpy(incidents.positions),
            None
            if incidents.directions is None
            else torch.from_numpy(direction_components(incidents.directions)).float(),
        )

    def __len__(self) -> int:
        return len(self.energies)

    def __getitem__(self, index: Any) -> IncidentTensors:
        """Return the incidents at an index tensor or slice over events."""
        return IncidentTensors(
            self.energies[index],
            None if self.positions is None else self.positions[index],
            None if self.directions is None else self.directions[index],
        )

    def to(self, device: torch.device) -> IncidentTensors:
        """Return the incidents on a device."""
        return IncidentTensors(
            self.energies.to(device, non_blocking=True),
            None if self.positions is None else self.positions.to(device, non_blocking=True),
            None if self.directions is None else self.directions.to(device, non_blocking=True),
        )

    @classmethod
    def join(cls, parts: Sequence[IncidentTensors]) -> IncidentTensors:
        """Return the incidents of several batches, in order; a column that one of them lacks is left out."""

        def together(columns: list[Tensor | None]) -> Tensor | None:
            known = [column for column in columns if column is not None]
            return torch.cat(known) if len(known) == len(columns) else None

        return cls(
            torch.cat([part.energies for part in parts]),
            together([part.positions for part in parts]),
            together([part.directions for part in parts]),
        )

    def need(self, names: tuple[str, ...], who: str) -> None:
        """Check that conditions are known.

        Args:
            names: Any of `positions`, `directions`.
            who: The model that needs them, for the message.

        Raises:
            ConfigurationError: One of them is not known.
        """
        for name in names:
            if getattr(self, name) is None:
                raise ConfigurationError(
                    f"{who} needs the incident {name}, and the showers have none. "
                    f"Use showers with incident_{name}, or set the recipe's model.conditions without them."
                )


@dataclass(frozen=True)
class TrainingBatch:
    """Showers and their incident particles, as tensors.

    Attributes:
        incidents: The incident particles.
        energies: (event, cell) MeV.
    """

    incidents: IncidentTensors
    energies: Tensor

    @classmethod
    def of(cls, showers: Showers) -> TrainingBatch:
        """Return showers as tensors (sharing their memory)."""
        return cls(IncidentTensors.of(showers.incidents), torch.from_numpy(showers.energies))

    def __len__(self) -> int:
        return len(self.energies)

    def __getitem__(self, index: Any) -> TrainingBatch:
        """Return the events at an index tensor or slice over events."""
        return TrainingBatch(self.incidents[index], self.energies[index])

    def to(self, device: torch.device) -> TrainingBatch:
        """Return the batch on a device."""
        return TrainingBatch(self.incidents.to(device), self.energies.to(device, non_blocking=True))

    @classmethod
    def join(cls, batches: Sequence[TrainingBatch]) -> TrainingBatch:
        """Return several batches as one."""
        incidents = IncidentTensors.join([batch.incidents for batch in batches])
        return cls(incidents, torch.cat([batch.energies for batch in batches]))
