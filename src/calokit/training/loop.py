"""The one training loop: any surrogate, resumable to the bit, logged, validated on a moving average."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from calokit.compute.draws import step_generator
from calokit.compute.precision import Precision
from calokit.errors import RunError
from calokit.files import write_text
from calokit.models.parts.places import CartesianImage
from calokit.models.protocols import Surrogate, Trainable
from calokit.recipes.recipe import TrainingSettings
from calokit.showers import ShowerFile
from calokit.training.augmentation import SquareSymmetries
from calokit.training.checkpoint import (
    optimiser_tensors,
    read_checkpoint,
    restore_optimiser,
    write_checkpoint,
)
from calokit.training.data import ShuffledShowers
from calokit.training.monitor import monitored_showers, squared_error_by_energy
from calokit.training.prepared import BatchSource
from calokit.training.rates import learning_rate

CHECKPOINT_SECONDS = 20.0
LOG_EVERY = 50

Progress = Callable[[int, str], None]
"""Called with the number of steps done since the last call and a short note (losses)."""


@dataclass
class _State:
    """What a checkpoint must hold beside tensors."""

    step: int = 0
    best_loss: float = math.inf
    bad_validations: int = 0
    stopped: bool = False
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    data_seconds: float = 0.0
    validation: dict[str, float] = field(default_factory=dict)
    monitor: dict[str, Any] = field(default_factory=dict)

    def to_mapping(self) -> dict[str, Any]:
        content = dict(vars(self))
        content["best_loss"] = None if math.isinf(self.best_loss) else self.best_loss
        return content

    @classmethod
    def from_mapping(cls, content: dict[str, Any]) -> _State:
        known = {name: content[name] for name in cls.__dataclass_fields__ if name in content}
        known["best_loss"] = math.inf if known["best_loss"] is None else known["best_loss"]
        return cls(**known)


class TrainingLoop:
    """Trains a model and keeps its state in a folder.

    Every random draw of step k follows from the seed and k alone, so that a training that is killed and
    continued from its last checkpoint ends with the same weights (same machine, torch and thread count).

    Args:
        model: The surrogate or reconstruction, its transforms fitted, its weights initialised.
        settings: How to train.
        data: The training showers.
        validation: Showers for the validation loss.
        folder: Where `checkpoint.safetensors` and `log.jsonl` stand.
        precision: Number format and memory layout.
    """

    def __init__(
        self,
        model: Trainable[Any],
        settings: TrainingSettings,
        data: ShuffledShowers,
        validation: ShowerFile,
        folder: Path,
        precision: Precision,
    ) -> None:
        self.model = model
        self.settings = settings
        self.data = data
        self.source = BatchSource(model, data, validation, settings.validation_showers)
        self.folder = folder
        self.precision = precision
        precision.lay_out(model)
        self.average = copy.deepcopy(model).requires_grad_(False)
        self.best: dict[str, Tensor] | None = None
        self.optimisers = {
            name: torch.optim.AdamW(
                part.parameters(),
                lr=settings.learning_rate,
                betas=settings.betas,
                weight_decay=settings.weight_decay,
                foreach=True,
            )
            for name, part in model.parts().items()
        }
        image = getattr(model, "image", None)
        self.symmetries = (
            SquareSymmetries(image)
            if settings.square_symmetries and isinstance(image, CartesianImage)
            else None
        )
        self.monitored = monitored_showers(validation, settings.monitor_showers)
        self.state = _State()

    @property
    def checkpoint_path(self) -> Path:
        """The file that training continues from."""
        return self.folder / "checkpoint.safetensors"

    def restore(self) -> None:
        """Take up the state of the last checkpoint, and cut the log back to it.

        Raises:
            RunError: The checkpoint is missing or damaged.
        """
        checkpoint = read_checkpoint(self.checkpoint_path)
        self.model.load_state_dict(checkpoint.group("model"))
        self.average.load_state_dict(checkpoint.group("average"))
        self.best = checkpoint.group("best") or None
        for name, optimiser in self.optimisers.items():
            restore_optimiser(optimiser, checkpoint.group(f"optimiser_{name}"))
        self.precision.lay_out(self.model)
        self.precision.lay_out(self.average)
        self.state = _State.from_mapping(checkpoint.state)
        _cut_log(self.folder / "log.jsonl", self.state.step)

    def run(self, progress: Progress) -> Trainable[Any]:
        """Train up to the last step (or early stopping) and return the averaged (or best) model."""
        settings, state = self.settings, self.state
        batches = self.source.training(state.step)
        saved = time.monotonic()
        with torch.random.fork_rng(devices=[]), (self.folder / "log.jsonl").open("a") as log:
            while state.step < settings.steps and not state.stopped:
                started, cpu_started = time.perf_counter(), time.process_time()
                batch = next(batches)
                loaded = time.perf_counter()
                losses = self._step(batch)
                _check_finite({name: float(loss) for name, loss in losses.items()}, state.step)
                state.step += 1
                if state.step % settings.validate_every == 0 or state.step == settings.steps:
                    self._validate()
                    found = {"monitor": state.monitor} if state.monitor else {}
                    _log(log, {"step": state.step, "validation": state.validation, **found})
                state.seconds += time.perf_counter() - started
                state.cpu_seconds += time.process_time() - cpu_started
                state.data_seconds += loaded - started
                if state.step % LOG_EVERY == 0 or state.step == settings.steps:
                    _log(log, self._log_line(losses))
                progress(1, " ".join(f"{name} {float(loss):.4f}" for name, loss in losses.items()))
                if time.monotonic() - saved > CHECKPOINT_SECONDS:
                    self.save()
                    saved = time.monotonic()
        self.save()
        if self.best is not None:
            self.average.load_state_dict(self.best)
        return self.average.eval()

    def save(self) -> None:
        """Write the checkpoint."""
        groups = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "best": self.best or {},
            **{f"optimiser_{name}": optimiser_tensors(opt) for name, opt in self.optimisers.items()},
        }
        write_checkpoint(self.checkpoint_path, groups, self.state.to_mapping())

    def _step(self, batch: Any) -> dict[str, Tensor]:
        """Take one optimiser step of every part and move the average."""
        generator = step_generator(self.settings.seed, self.state.step)
        torch.manual_seed(generator.initial_seed())
        if self.symmetries is not None:
            batch = self.symmetries(batch, generator)
        self.model.train()
        self.model.begin_step(self.state.step, self.settings.steps)
        with self.precision.autocast():
            losses = self.model.losses(batch, generator)
        total: Tensor = torch.stack(list(losses.values())).sum()
        total.backward()  # type: ignore[no-untyped-call]
        for name in losses:
            optimiser = self.optimisers[name]
            torch.nn.utils.clip_grad_norm_(self.model.parts()[name].parameters(), self.settings.gradient_clip)
            optimiser.param_groups[0]["lr"] = learning_rate(name, self.state.step, self.settings)
            optimiser.step()
            optimiser.zero_grad()
        self._move_average()
        return {name: loss.detach() for name, loss in losses.items()}

    @torch.no_grad()
    def _move_average(self) -> None:
        decay = min(self.settings.moving_average, (1 + self.state.step) / (10 + self.state.step))
        averaged: list[Tensor] = list(self.average.parameters())
        current: list[Tensor] = list(self.model.parameters())
        torch._foreach_lerp_(averaged, current, 1.0 - decay)
        for mine, other in zip(self.average.buffers(), self.model.buffers(), strict=True):
            if mine.is_floating_point():  # the statistics of batch normalisation belong to their weights
                mine.lerp_(other, 1.0 - decay)
            else:
                mine.copy_(other)

    @torch.no_grad()
    def _validate(self) -> None:
        """Find the averaged model's losses on validation showers, the same draws every time."""
        self.average.eval()
        self.average.begin_step(self.state.step, self.settings.steps)
        sums: dict[str, float] = {}
        seen = 0
        for number, batch in enumerate(self.source.validating()):
            with self.precision.autocast():
                generator = step_generator(self.settings.seed + 1, number)
                losses = self.average.validation_losses(batch, generator)
            for name, loss in losses.items():
                sums[name] = sums.get(name, 0.0) + float(loss) * len(batch)
            seen += len(batch)
        _check_finite(sums, self.state.step)
        self.state.validation = {name: value / seen for name, value in sums.items()}
        self._monitor()
        self._stop_early(sum(self.state.validation.values()))

    def _monitor(self) -> None:
        """Judge generated showers of a few validation incidents, the same draws every time."""
        if self.monitored is None or not isinstance(self.average, Surrogate):
            return
        generator = step_generator(self.settings.seed + 1, 0)
        with self.precision.autocast():
            self.state.monitor = squared_error_by_energy(self.average, self.monitored, generator)

    def _stop_early(self, loss: float) -> None:
        if self.settings.patience is None:
            return
        if loss < self.state.best_loss:
            self.state.best_loss, self.state.bad_validations = loss, 0
            self.best = {name: value.clone() for name, value in self.average.state_dict().items()}
        else:
            self.state.bad_validations += 1
            self.state.stopped = self.state.bad_validations >= self.settings.patience

    def _log_line(self, losses: dict[str, Tensor]) -> dict[str, Any]:
        state = self.state
        return {
            "step": state.step,
            "losses": {name: float(loss) for name, loss in losses.items()},
            "learning_rate": {
                name: learning_rate(name, state.step - 1, self.settings) for name in self.optimisers
            },
            "seconds": round(state.seconds, 3),
            "showers_per_second": round(state.step * self.settings.batch_size / state.seconds, 1),
            "data_share": round(state.data_seconds / state.seconds, 4),
        }


def _check_finite(losses: Mapping[str, float], step: int) -> None:
    """Stop a training that has diverged, before its weights replace those of the last checkpoint."""
    for name, loss in losses.items():
        if not math.isfinite(loss):
            raise RunError(
                f"the {name} loss is {loss} at step {step}: the training has diverged. Lower "
                "training.learning_rate or training.gradient_clip, and start again in another folder."
            )


def _log(log: Any, line: dict[str, Any]) -> None:
    log.write(json.dumps(line) + "\n")
    log.flush()


def _cut_log(path: Path, step: int) -> None:
    """Drop the lines behind a step (written after the last checkpoint by a run that was killed)."""
    if not path.is_file():
        return
    kept = []
    for line in path.read_text().splitlines():
        try:
            content = json.loads(line)
        except json.JSONDecodeError:
            continue
        if content["step"] <= step:
            kept.append(line)
    write_text(path, "".join(line + "\n" for line in kept))
