"""What every family of surrogates offers to the training loop and to generation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

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

    @classmethod
    def join(cls, parts: Sequence[Incidents]) -> Incidents:
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

    incidents: Incidents
    energies: Tensor

    @classmethod
    def of(cls, showers: Showers) -> TrainingBatch:
        """Return showers as tensors (sharing their memory)."""
        return cls(Incidents.of(showers), torch.from_numpy(showers.energies))

    def __len__(self) -> int:
        return len(self.energies)

    def __getitem__(self, index: Any) -> TrainingBatch:
        """Return the events at an index tensor or slice over events."""
        return TrainingBatch(self.incidents[index], self.energies[index])

    @classmethod
    def join(cls, batches: Sequence[TrainingBatch]) -> TrainingBatch:
        """Return several batches as one."""
        incidents = Incidents.join([batch.incidents for batch in batches])
        return cls(incidents, torch.cat([batch.energies for batch in batches]))


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


class Batch(Protocol):
    """What losses are computed from; `TrainingBatch` for surrogates, `HitBatch` for reconstruction."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any) -> Self:
        """Return the events at an index tensor over events."""
        ...

    @classmethod
    def join(cls, batches: Sequence[Self]) -> Self:
        """Return several batches as one."""
        ...


AnyBatch = TypeVar("AnyBatch", bound=Batch)


class Trainable(nn.Module, ABC, Generic[AnyBatch]):
    """What the training loop trains: a surrogate, or a reconstruction.

    A family implements: what it learns from a sample before training starts, its parts (each with its own
    optimiser), what it makes of showers, and the losses of that.
    """

    keeps_inputs: ClassVar[bool] = False
    """Whether every shower is prepared once and kept in memory, instead of in each epoch anew."""

    @abstractmethod
    def fit_transforms(self, sample: Showers) -> None:
        """Set the fixed numbers of the transforms (means, widths) from a sample of training showers."""

    @abstractmethod
    def parts(self) -> dict[str, nn.Module]:
        """Return the parts that are trained, each by an optimiser of its own, by name."""

    @abstractmethod
    def prepare(self, showers: Showers) -> AnyBatch:
        """Return what the losses are computed from."""

    @abstractmethod
    def losses(self, batch: AnyBatch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return one scalar loss for each part that is trained in this step.

        Only those parts take a step. Several losses are summed, so that parts which train together must share
        no weights.

        Args:
            batch: Showers and incidents.
            generator: The source of every random draw.
        """

    def validation_losses(self, batch: AnyBatch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the terms that validation reports and early stopping sums up; by default the losses."""
        return self.losses(batch, generator)

    def begin_step(self, step: int, steps: int) -> None:
        """Be told how far training is, before each step and each validation; by default nothing.

        Args:
            step: How many steps are done.
            steps: How many will be.
        """

    def adapt_start(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the tensors of a bundle as this model can take them over; by default as they are.

        Raises:
            RunError: They are of a model that this one cannot start from.
        """
        return dict(tensors)


class Surrogate(Trainable["TrainingBatch"]):
    """A trainable generator of showers in one detector."""

    threshold_mev: float
    """Cells at or below it count as empty, MeV."""
    conditions: tuple[str, ...]
    """Which of energy, position and direction of the incident particle it knows."""

    def prepare(self, showers: Showers) -> TrainingBatch:
        """Return showers and incidents as tensors."""
        return TrainingBatch.of(showers)

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
