"""What every family of surrogates offers to the training loop and to generation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from calokit.errors import ConfigurationError
from calokit.showers import Showers, direction_components


@dataclass(frozen=True)
class Incidents:
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
    def of(cls, showers: Showers) -> Incidents:
        """Return the incident particles of showers."""
        return cls(
            torch.from_numpy(showers.incident_energies),
            None if showers.positions is None else torch.from_numpy(showers.positions),
            None
            if showers.directions is None
            else torch.from_numpy(direction_components(showers.directions)).float(),
        )

    def __len__(self) -> int:
        return len(self.energies)

    def __getitem__(self, index: Any) -> Incidents:
        """Return the incidents at an index tensor or slice over events."""
        return Incidents(
            self.energies[index],
            None if self.positions is None else self.positions[index],
            None if self.directions is None else self.directions[index],
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

    incidents: Incidents
    energies: Tensor

    @classmethod
    def of(cls, showers: Showers) -> TrainingBatch:
        """Return showers as tensors (sharing their memory)."""
        return cls(Incidents.of(showers), torch.from_numpy(showers.energies))


NOISE_ROWS = 256
"""Noise is drawn for so many events at a time, whether all are used or not (see `draw_noise`)."""


def draw_noise(events: int, width: int, generator: torch.Generator) -> Tensor:
    """Draw standard normal noise whose first rows do not depend on how many rows follow.

    Returns:
        (event, width); always a multiple of 256 rows is drawn, and the rest left unused.
    """
    rows = -(-events // NOISE_ROWS) * NOISE_ROWS
    return torch.randn(rows, width, generator=generator)[:events]


def draw_uniform(events: int, width: int, generator: torch.Generator) -> Tensor:
    """Draw uniform numbers in [0, 1) as `draw_noise` draws normal ones; returns (event, width)."""
    rows = -(-events // NOISE_ROWS) * NOISE_ROWS
    return torch.rand(rows, width, generator=generator)[:events]


class Surrogate(nn.Module, ABC):
    """A trainable generator of showers in one detector.

    A family implements four things: what it learns from a sample before training starts, its parts (each
    with its own optimiser), the losses of a batch, and generation.
    """

    @abstractmethod
    def fit_transforms(self, sample: Showers) -> None:
        """Set the fixed numbers of the transforms (means, widths) from a sample of training showers."""

    @abstractmethod
    def parts(self) -> dict[str, nn.Module]:
        """Return the parts that are trained, each by an optimiser of its own, by name."""

    @abstractmethod
    def losses(self, batch: TrainingBatch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return one scalar loss a part; parts share no weights, so the losses can be summed.

        Args:
            batch: Showers and incidents.
            generator: The source of every random draw.
        """

    def calibrate(self, sample: Showers, generator: torch.Generator) -> None:
        """Correct, after training, what generation is known to deform; by default nothing.

        Args:
            sample: Training showers.
            generator: The source of every random draw.
        """

    @abstractmethod
    def generate(self, incidents: Incidents, generator: torch.Generator) -> Tensor:
        """Draw one shower for each incident particle.

        Returns:
            (event, cell) float32, MeV.
        """
