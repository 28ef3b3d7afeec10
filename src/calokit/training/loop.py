"""The one training loop: any surrogate, resumable to the bit, logged, validated on a moving average."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from calokit.compute.draws import Draws, Purpose, draw_generator, seed_layers
from calokit.compute.precision import Precision
from calokit.compute.prefetch import Prefetch
from calokit.errors import RunError
from calokit.files import write_text
from calokit.models.protocols import Trainable
from calokit.progress import Advance
from calokit.recipes.recipe import TrainingSettings
from calokit.showers import ShowerFile
from calokit.training.checkpoint import (
    optimiser_tensors,
    read_checkpoint,
    restore_optimiser,
    write_checkpoint,
)
from calokit.training.data import ShuffledShowers
from calokit.training.pace import TimeBudget, find_place
from calokit.training.prepared import BatchSource
from calokit.training.rates import learning_rate

CHECKPOINT_SECONDS = 20.0
LOG_EVERY = 50
READ_EVERY = 10
"""Steps after which losses are read from an accelerator, which has to be waited for; a processor has none."""


@dataclass
class _State:
    """What a checkpoint must hold beside tensors."""

    step: int = 0
    best_loss: float = math.inf
    best_losses: dict[str, float] = field(default_factory=dict)
    bad_validations: int = 0
    stopped: bool = False
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    data_seconds: float = 0.0
    validation: dict[str, float] = field(default_factory=dict)
    monitor: dict[str, Any] = field(default_factory=dict)
    pace: list[list[int]] = field(default_factory=list)

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
    """Trains a model on the device that it is on, and keeps its state in a folder.

    Every random draw of step k follows from the seed and k alone, so that a training that is killed and
    continued from its last checkpoint ends with the same weights (same machine, torch and thread count).
    Validation draws the same numbers on every device.

    Args:
        model: The surrogate or reconstruction, its transforms fitted, its weights initialised, on the device
            that shall train.
        settings: How to train.
        data: The training showers.
        validation: Showers for the validation loss.
        folder: Where `checkpoint.safetensors` and `log.jsonl` stand.
        precision: Number format and memory layout.
        seconds: How long the training shall take, all sittings together; its steps and schedules then follow
            the clock and not `settings.steps`. What they were is in `settings` after the training.
    """

    def __init__(
        self,
        model: Trainable[Any],
        settings: TrainingSettings,
        data: ShuffledShowers,
        validation: ShowerFile,
        folder: Path,
        precision: Precision,
        seconds: float | None = None,
    ) -> None:
        self.model = model
        self.device = model.device
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
        self.symmetries = model.symmetries() if settings.square_symmetries else None
        self.monitored = self.source.monitored(settings.monitor_showers)
        self.state = _State()
        self.budget = None if seconds is None else TimeBudget(seconds)
        self._unread: list[tuple[int, dict[str, Tensor]]] = []
        self._losses: dict[str, float] = {}

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
        if self.budget is not None:
            self._follow(self.state.pace)
        _cut_log(self.folder / "log.jsonl", self.state.step)

    def run(self, advance: Advance) -> Trainable[Any]:
        """Train up to the last step (or early stopping) and return the averaged (or best) model."""
        state = self.state
        saved = time.monotonic()
        with (
            self.device.own_layer_draws(),
            (self.folder / "log.jsonl").open("a") as log,
            Prefetch(self.source.training(state.step)) as batches,
        ):
            while self._goes_on():
                if self.budget is not None and self.budget.due(state.step):
                    self._plan(self.budget, advance)
                self._take_step(batches, log)
                advance(1, " ".join(f"{name} {loss:.4f}" for name, loss in self._losses.items()))
                if time.monotonic() - saved > CHECKPOINT_SECONDS:
                    self.save()
                    saved = time.monotonic()
        self.save()
        if self.best is not None:
            self.average.load_state_dict(self.best, strict=not self.average.kept_apart())
        return self.average.eval()

    def _goes_on(self) -> bool:
        """Whether there are steps to take; a training by the clock has none planned at its start."""
        planned = self.budget is None or bool(self.state.pace)
        return not self.state.stopped and not (planned and self.state.step >= self.settings.steps)

    def _plan(self, budget: TimeBudget, advance: Advance) -> None:
        """Plan how many steps the time allows, and let the schedules lead there."""
        state = self.state
        guess = self.precision.milliseconds / 1e3
        if state.step:
            guess = state.seconds / state.step
        steps = budget.plan(state.step, state.seconds, guess)
        if state.pace and state.pace[-1][1] == steps:
            return
        kept = [plan for plan in state.pace if plan[0] < state.step]
        self._follow([*kept, [state.step, steps]])
        advance(0, total=steps)

    def _follow(self, pace: list[list[int]]) -> None:
        """Take over plans of the steps."""
        self.state.pace = pace
        if pace:
            changed = {"steps": pace[-1][1], "pace": tuple((start, steps) for start, steps in pace)}
            self.settings = self.settings.model_copy(update=changed)

    def _take_step(self, batches: Iterator[Any], log: Any) -> None:
        """Take one step with all that is due after it, and keep the books."""
        settings, state = self.settings, self.state
        started, cpu_started = time.perf_counter(), time.process_time()
        batch = next(batches)
        loaded = time.perf_counter()
        self._unread.append((state.step, self._step(batch)))
        state.step += 1
        logs = state.step % LOG_EVERY == 0 or state.step == settings.steps
        if self.device.is_host or logs or state.step % READ_EVERY == 0:
            self._read_losses()
        if state.step % settings.validate_every == 0 or state.step == settings.steps:
            self._validate()
            found = {"monitor": state.monitor} if state.monitor else {}
            _log(log, {"step": state.step, "validation": state.validation, **found})
        state.seconds += time.perf_counter() - started
        state.cpu_seconds += time.process_time() - cpu_started
        state.data_seconds += loaded - started
        if logs:
            _log(log, self._log_line())

    def _read_losses(self) -> None:
        """Read the losses since the last reading in one piece, and stop where one of them is not finite."""
        steps = [(step, name) for step, losses in self._unread for name in losses]
        if not steps:
            return
        read = torch.stack([loss for _, losses in self._unread for loss in losses.values()]).tolist()
        self._unread = []
        for (step, name), loss in zip(steps, read, strict=True):
            _check_finite({name: loss}, step)
        last = steps[-1][0]
        self._losses = {name: loss for (step, name), loss in zip(steps, read, strict=True) if step == last}

    def save(self) -> None:
        """Write the checkpoint.

        Raises:
            RunError: The training has diverged.
        """
        self._read_losses()
        groups = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "best": self.best or {},
            **{f"optimiser_{name}": optimiser_tensors(opt) for name, opt in self.optimisers.items()},
        }
        write_checkpoint(self.checkpoint_path, groups, self.state.to_mapping())

    def _step(self, batch: Any) -> dict[str, Tensor]:
        """Take one optimiser step of every part and move the average."""
        seed, step = self.settings.seed, self.state.step
        draws = Draws(draw_generator(seed, Purpose.TRAINING, step, self.device), self.device)
        seed_layers(seed, Purpose.LAYERS, step)
        if self.symmetries is not None:
            batch = self.symmetries(batch, draws)
        self.model.train()
        self._begin(self.model)
        with self.precision.autocast(self.device):
            losses = self.model.losses(batch, draws)
        total: Tensor = torch.stack(list(losses.values())).sum()
        total.backward()  # type: ignore[no-untyped-call]
        for name in losses:
            optimiser = self.optimisers[name]
            torch.nn.utils.clip_grad_norm_(self.model.parts()[name].parameters(), self.settings.gradient_clip)
            optimiser.param_groups[0]["lr"] = learning_rate(name, step, self.settings)
            optimiser.step()
            optimiser.zero_grad()
        self._move_average()
        return {name: loss.detach() for name, loss in losses.items()}

    @torch.no_grad()
    def _move_average(self) -> None:
        decay = min(self.settings.moving_average, (1 + self.state.step) / (10 + self.state.step))
        averaged: list[Tensor] = list(self.average.parameters())
        current: list[Tensor] = list(self.model.parameters())
        get_ema_multi_avg_fn(decay)(averaged, current, None)  # type: ignore[no-untyped-call]
        for mine, other in zip(self.average.buffers(), self.model.buffers(), strict=True):
            if mine.is_floating_point():  # the statistics of batch normalisation belong to their weights
                mine.lerp_(other, 1.0 - decay)
            else:
                mine.copy_(other)

    @torch.no_grad()
    def _validate(self) -> None:
        """Find the averaged model's losses on validation showers, the same draws every time."""
        self.average.eval()
        self._begin(self.average)
        sums: dict[str, float] = {}
        seen = 0
        for number, batch in enumerate(self.source.validating()):
            with self.precision.autocast(self.device):
                losses = self.average.validation_losses(batch, self._same_draws(Purpose.VALIDATION, number))
            for name, loss in losses.items():
                sums[name] = sums.get(name, 0.0) + float(loss) * len(batch)
            seen += len(batch)
        _check_finite(sums, self.state.step)
        self.state.validation = {name: value / seen for name, value in sums.items()}
        self._monitor()
        self._keep_parts(self.state.validation)
        self._stop_early(self.average.stopping_loss(self.state.validation, self.state.monitor))

    def _begin(self, model: Trainable[Any]) -> None:
        """Tell a model where its schedules stand."""
        step = self.state.step
        place = find_place(step, self.settings.steps, self.settings.pace)
        model.begin_step(step, place.steps * step / place.step if step else place.steps)

    def _monitor(self) -> None:
        """Ask what the model says of a few validation showers, the same draws every time."""
        if self.monitored is None:
            return
        with self.precision.autocast(self.device):
            draws = self._same_draws(Purpose.MONITOR, 0)
            self.state.monitor = self.average.monitor(self.monitored, draws)

    def _same_draws(self, purpose: Purpose, number: int) -> Draws:
        """Return draws made on the processor, so that they are the same on every device."""
        return Draws(draw_generator(self.settings.seed, purpose, number), self.device)

    def _keep_parts(self, losses: Mapping[str, float]) -> None:
        """Keep the weights of parts that are kept apart and whose loss is the least so far."""
        every = self.average.state_dict(keep_vars=True)
        for name, part in self.average.kept_apart().items():
            if losses[name] < self.state.best_losses.get(name, math.inf):
                self.state.best_losses[name] = losses[name]
                own = {id(tensor) for tensor in part.state_dict(keep_vars=True).values()}
                kept = {key: one.detach().clone() for key, one in every.items() if id(one) in own}
                self.best = {**(self.best or {}), **kept}

    def _stop_early(self, loss: float) -> None:
        if self.settings.patience is None:
            return
        if loss < self.state.best_loss:
            self.state.best_loss, self.state.bad_validations = loss, 0
            if not self.average.kept_apart():
                self.best = {name: value.clone() for name, value in self.average.state_dict().items()}
        else:
            self.state.bad_validations += 1
            self.state.stopped = self.state.bad_validations >= self.settings.patience

    def _log_line(self) -> dict[str, Any]:
        state = self.state
        return {
            "step": state.step,
            "losses": self._losses,
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
