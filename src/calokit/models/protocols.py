"""What every family of surrogates offers to the training loop and to generation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

import torch
from torch import Tensor, nn

from calokit.models.batches import IncidentTensors, TrainingBatch
from calokit.showers import Showers


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
    def generate(self, incidents: IncidentTensors, generator: torch.Generator) -> Tensor:
        """Draw one shower for each incident particle.

        Returns:
            (event, cell) float32, MeV.
        """
