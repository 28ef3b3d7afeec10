"""What every family of models offers to the training loop, to generation and to reconstruction.

A family says what it is by hooks; neither the loop nor generation asks for a class. Models make no random
numbers themselves: a loss is given `Draws`, and a surrogate is a pure map from incident particles and noise
to showers, so that the same noise means the same showers on every device, and in an exported network.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn

from calokit.arrays import Float32
from calokit.compute.device import Device
from calokit.compute.draws import Draws, Generator, Noise
from calokit.compute.precision import PLAIN, Precision, native_precision
from calokit.models.batches import IncidentTensors, TrainingBatch
from calokit.models.monitor import squared_error_by_energy
from calokit.showers import Showers

CALIBRATION_SHOWERS = 24_576
"""How many training showers a finished surrogate is calibrated on, at most."""


class Batch(Protocol):
    """What losses are computed from; `TrainingBatch` for surrogates, `HitBatch` for reconstruction."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any) -> Self:
        """Return the events at an index tensor over events."""
        ...

    def to(self, device: torch.device) -> Self:
        """Return the batch on a device."""
        ...

    @classmethod
    def join(cls, batches: Sequence[Self]) -> Self:
        """Return several batches as one."""
        ...


AnyBatch = TypeVar("AnyBatch", bound=Batch)
SeenBatch = TypeVar("SeenBatch", bound=Batch, covariant=True)


class FinishingData(Protocol[SeenBatch]):
    """What a trained model may be corrected on."""

    def sample(self, showers: int) -> Showers:
        """Return at most so many training showers."""
        ...

    def whole_validation(self) -> SeenBatch:
        """Return all validation showers, prepared, on the model's device."""
        ...


class Trainable(nn.Module, ABC, Generic[AnyBatch]):
    """What the training loop trains: a surrogate, or a reconstruction.

    A family implements: what it learns from a sample before training starts, its parts (each with its own
    optimiser), what it makes of showers, and the losses of that. Everything else is a hook with a default.
    A model is built, and its transforms are fitted, on the processor; then it may be moved to any device, and
    is given batches and draws that are there.
    """

    keeps_inputs: ClassVar[bool] = False
    """Whether every shower is prepared once and kept in memory, instead of in each epoch anew."""
    fit_seed: ClassVar[int | None] = None
    """Seed of the sample that transforms are fitted on; None stands for the training's."""

    @property
    def device(self) -> Device:
        """Where its weights live."""
        return Device.holding(self)

    @abstractmethod
    def fit_transforms(self, sample: Showers) -> None:
        """Set the fixed numbers of the transforms (means, widths) from a sample of training showers."""

    @abstractmethod
    def parts(self) -> dict[str, nn.Module]:
        """Return the parts that are trained, each by an optimiser of its own, by name."""

    @abstractmethod
    def prepare(self, showers: Showers) -> AnyBatch:
        """Return what the losses are computed from, on the processor; it may run beside a training step."""

    @abstractmethod
    def losses(self, batch: AnyBatch, draws: Draws) -> dict[str, Tensor]:
        """Return one scalar loss for each part that is trained in this step.

        Only those parts take a step. Several losses are summed, so that parts which train together must share
        no weights.

        Args:
            batch: Showers and incidents.
            draws: The source of every random number but those of layers (dropout).
        """

    def validation_losses(self, batch: AnyBatch, draws: Draws) -> dict[str, Tensor]:
        """Return the terms that validation reports and early stopping sums up; by default the losses."""
        return self.losses(batch, draws)

    def kept_apart(self) -> dict[str, nn.Module]:
        """Return parts that end with the weights of their own best validation, by the name of its term.

        Only where a term of `validation_losses` depends on the weights of one part alone. By default none:
        the model ends with the weights of the last step (with early stopping, of the best one).
        """
        return {}

    def begin_step(self, step: int, steps: float) -> None:
        """Be told how far training is, before each step and each validation; by default nothing.

        Args:
            step: How many steps are done.
            steps: How many will be, as schedules go now: `step / steps` is how far they are.
        """

    def symmetries(self) -> Callable[[AnyBatch, Draws], AnyBatch] | None:
        """Return what shows a batch in random mirror images or turns of the detector; by default none.

        The loop uses it where the recipe says `training.square_symmetries`.
        """
        return None

    def finish(self, data: FinishingData[AnyBatch], draws: Draws) -> None:
        """Correct, after training, what is known to be off; by default nothing.

        It is run in the precision of use (see `precision_in_use`), in evaluation mode.

        Args:
            data: Showers to correct it on.
            draws: The source of every random number, made on the processor.
        """

    def monitor(self, showers: Showers, draws: Draws) -> dict[str, Any]:
        """Return what validation says beside the losses, as plain data; by default nothing.

        Args:
            showers: The first validation showers, always the same.
            draws: The source of every random number, always the same.
        """
        del showers, draws
        return {}

    def stopping_loss(self, validation: Mapping[str, float], monitor: Mapping[str, Any]) -> float:
        """Return what early stopping wants to be small; by default the sum of the validation losses.

        Args:
            validation: What `validation_losses` gave, averaged over the validation showers.
            monitor: What `monitor` said; nothing where no showers are monitored.
        """
        del monitor
        return sum(validation.values())

    def precision_in_use(self, device: Device) -> Precision:
        """Return the number format that the finished model is used in on a device, if not told otherwise."""
        del device
        return PLAIN

    def adapt_start(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the tensors of a bundle as this model can take them over; by default as they are.

        Raises:
            RunError: They are of a model that this one cannot start from.
        """
        return dict(tensors)


@dataclass(frozen=True)
class CumulativeValues:
    """Where draws of one kind lie in the distributions that a model draws them from.

    Attributes:
        part: What is drawn: `totals`, `layers` (how totals are shared by layers) or `cells`.
        kind: `energy` or `hits`.
        event: The shower that each draw belongs to (draw,).
        level: How deep in its part each draw is (draw,).
        layer: The layer of each draw (draw,), -1 where it is of no single layer.
        value: Cumulative probabilities (draw,) in [0, 1]. Where the distribution has a step (whole numbers),
            a random place on it: if the model is right, all values are uniform and independent.
    """

    part: str
    kind: str
    event: Tensor
    level: Tensor
    layer: Tensor
    value: Tensor


@runtime_checkable
class HasLikelihood(Protocol):
    """What a surrogate offers beside generation if it knows the density of what it draws.

    Densities are in the energies (MeV) of the cells that have hits; which cells those are is a probability.
    """

    conditions: tuple[str, ...]
    """Which of energy, position and direction of the incident particle it knows."""

    def log_parts(self, batch: TrainingBatch) -> dict[str, Tensor]:
        """Return the log density of each shower given its incident particle, in parts that add up.

        Args:
            batch: Showers, on the model's device.

        Returns:
            By name (`totals`, `layers`, `cells`): (event,), or (event, layer) where it is known by layer.
        """
        ...

    def cumulative_values(self, batch: TrainingBatch, keys: Tensor) -> Iterator[CumulativeValues]:
        """Yield where every draw of given showers lies in its distribution, kind by kind.

        Args:
            batch: Showers, on the model's device.
            keys: int64 (event,), from which random places on steps follow.
        """
        ...

    def likelihood_of(self, energies: Tensor) -> Callable[[IncidentTensors], Tensor]:
        """Return the log density (event,) of given showers as a function of their incident particles.

        Args:
            energies: The showers (event, cell) in MeV, on the model's device.
        """
        ...

    def scan_energies(self, energies: Tensor, candidates: Tensor) -> Tensor:
        """Return what is quickly known of incident energies, to begin a search with.

        Args:
            energies: The showers (event, cell) in MeV, on the model's device.
            candidates: Incident energies in MeV (candidate,).

        Returns:
            The log density (event, candidate) of the totals alone, on the axis.
        """
        ...


@runtime_checkable
class CompletesShowers(Protocol):
    """What a surrogate offers that can draw the cells of some layers given everything else."""

    conditions: tuple[str, ...]
    """Which of energy, position and direction of the incident particle it knows."""

    def complete(self, batch: TrainingBatch, keys: Tensor, layers: int) -> Tensor:
        """Return showers whose cells behind the first layers are drawn anew.

        Kept are the cells of the first layers (what lies above the threshold), and energy and number of hits
        of each other layer.

        Args:
            batch: Showers and incident particles, on the model's device.
            keys: int64 (event,), from which all draws follow.
            layers: How many layers are kept; 0 draws all cells.

        Returns:
            (event, cell) MeV.
        """
        ...


class Surrogate(Trainable["TrainingBatch"]):
    """A trainable generator of showers in one detector.

    A family implements `noise` and `showers` beside what every `Trainable` does.
    """

    threshold_mev: float
    """Cells at or below it count as empty, MeV."""
    conditions: tuple[str, ...]
    """Which of energy, position and direction of the incident particle it knows."""
    blocks_at_once: int = 1
    """Of how many blocks of 256 showers it makes the showers in one call, where they are asked for."""

    @abstractmethod
    def noise(self) -> Mapping[str, Noise]:
        """Return the random numbers that a shower takes, by name, in the order in which they are drawn."""

    @abstractmethod
    def showers(self, incidents: IncidentTensors, noise: Mapping[str, Tensor]) -> Tensor:
        """Return one shower for each incident particle; nothing random happens here.

        Args:
            incidents: The incident particles, on the model's device.
            noise: (event, width) each, as `noise` asks for them, on the model's device.

        Returns:
            (event, cell) float32, MeV: no cell below zero or, unless it is zero, at or below the threshold.
        """

    def write_showers(
        self, incidents: IncidentTensors, noise: Mapping[str, Tensor], energies: Float32
    ) -> None:
        """Write what `showers` returns into an array; a model may draw it there, which takes less memory.

        Args:
            incidents: As for `showers`.
            noise: As for `showers`.
            energies: Zeros (event, cell), which take the energies in MeV.
        """
        energies[:] = self.showers(incidents, noise).float().cpu().numpy()

    @torch.no_grad()
    def generate(self, incidents: IncidentTensors, generator: Generator) -> Tensor:
        """Draw one shower for each incident particle.

        Args:
            incidents: The incident particles, on the model's device.
            generator: The source of every random number. Made on the processor, it gives the same showers,
                to rounding, on every device.

        Returns:
            (event, cell) float32, MeV.
        """
        return self.showers(incidents, Draws(generator, self.device).noise(self.noise(), len(incidents)))

    def hit_probabilities(self, incidents: IncidentTensors, noise: Mapping[str, Tensor]) -> Tensor | None:
        """Return the probability (event, cell) of a hit, before hits are drawn; None without a mask."""
        del incidents, noise
        return None

    def prepare(self, showers: Showers) -> TrainingBatch:
        """Return showers and incidents as tensors."""
        return TrainingBatch.of(showers)

    def calibrate(self, sample: Showers, draws: Draws) -> None:
        """Correct, after training, what generation is known to deform; by default nothing.

        Args:
            sample: Training showers.
            draws: The source of every random number.
        """

    def finish(self, data: FinishingData[TrainingBatch], draws: Draws) -> None:
        """Calibrate generation on training showers."""
        self.calibrate(data.sample(CALIBRATION_SHOWERS), draws)

    def monitor(self, showers: Showers, draws: Draws) -> dict[str, Any]:
        """Return the squared error of generated showers by incident energy."""
        return squared_error_by_energy(
            lambda incidents: self.generate(self.device.put(incidents), draws.generator),
            showers,
            self.threshold_mev,
        )

    def precision_in_use(self, device: Device) -> Precision:
        """Return what the device computes fastest."""
        return native_precision(device)
