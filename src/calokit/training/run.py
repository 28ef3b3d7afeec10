"""From a recipe and a shower file to a bundle: the run folder, its provenance, starting and continuing."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from calokit.arrays import Float64
from calokit.bundles.bundle import Bundle, write_bundle
from calokit.bundles.ranges import ConditionRange, measure_ranges
from calokit.bundles.tensors import read_tensors, write_tensors
from calokit.compute.device import CPU, Device
from calokit.compute.draws import Draws, Purpose, draw_generator
from calokit.compute.machine import describe_machine
from calokit.compute.precision import PLAIN, Precision
from calokit.detector import load_detector
from calokit.errors import ConfigurationError, RunError, ThresholdWarning
from calokit.files import check_folder_writable, hold_folder, make_folder, write_json, write_text
from calokit.models.families import build_model
from calokit.models.protocols import Trainable
from calokit.progress import Progress, show_progress
from calokit.recipes.recipe import Recipe
from calokit.showers import ShowerFile, Showers, Split, open_showers
from calokit.showers.threshold import doubt_threshold
from calokit.training.checkpoint import read_checkpoint
from calokit.training.data import ShuffledShowers, open_for_training
from calokit.training.loop import TrainingLoop
from calokit.training.precision import choose_precision
from calokit.training.start import check_detector, take_over

WEIGHTS = "weights.safetensors"
"""In a run folder: how often each training shower is drawn, where not all alike."""
MACHINE = ("threads", "processor", "device", "accelerator", "python", "torch", "calokit")
"""What provenance says of the machine."""
FIT_SHOWERS = 50_000
"""How many training showers the transforms are fitted on, at most (see `SAMPLE_BYTES` too)."""


@dataclass(frozen=True)
class TrainedRun:
    """What a finished run leaves.

    Attributes:
        bundle_path: The bundle, NAME.calokit in the run folder.
        bundle: The same, in memory.
        seconds: Time spent in training steps.
    """

    bundle_path: Path
    bundle: Bundle
    seconds: float


def start_training(
    recipe: Recipe,
    data: Path,
    folder: Path,
    progress: Progress = show_progress,
    seconds: float | None = None,
    start_from: Path | None = None,
    device: Device = CPU,
    weights: Float64 | None = None,
) -> TrainedRun:
    """Train a recipe from the beginning, or from the weights of a bundle.

    Args:
        recipe: What to train.
        data: A native shower file; its `train` split trains, its `validation` split validates.
        folder: The run folder; it must not hold a run already.
        progress: Shows how far it is; see `calokit.progress`.
        seconds: Train for this long, whatever else the machine does, instead of the recipe's steps; the steps
            that it made and their pace are recorded, so that the run's recipe repeats it.
        start_from: A bundle whose weights and transforms are taken over as far as the model has them; what
            the bundle lacks is fitted or initialised as usual.
        device: What trains.
        weights: How often each training shower (event,) is drawn, in proportion; all alike where not given.

    Raises:
        RunError: The folder holds a run already.
        ConfigurationError: Neither steps nor a bundle to start from.
        OutputError: The folder cannot be written, or another process is at work in it.
        SplitError: The file offers no training showers.
        DetectorError: The showers belong to another detector than the recipe.
    """
    if (folder / "run.json").exists():
        raise RunError(f"{folder} holds a run already; continue it with --resume, or choose another folder.")
    if recipe.training.steps == 0 and start_from is None:
        raise ConfigurationError("training.steps=0 takes the weights of a bundle: name it with --start-from.")
    check_folder_writable(folder)
    train = _open_data(recipe, data)
    check_detector(recipe, train.detector)
    _tell_threshold(recipe, train)
    source = _make_source(recipe, train, weights)
    model = build_model(recipe.model, train.detector, recipe.training.seed)
    sample = _fit_sample(model, source)
    model.fit_transforms(sample)
    start = None if start_from is None else take_over(model, start_from)
    device.put(model)
    batch = device.put(model.prepare(sample[: recipe.training.batch_size]))
    precision = choose_precision(model, batch, recipe.training)
    make_folder(folder)
    run = {
        "recipe": recipe.to_mapping(),
        "data": str(data.resolve()),
        "data_sha256": train.sha256,
        "precision": precision.to_mapping(),
        "ranges": [vars(one) for one in measure_ranges(train)],
        "start": start,
        "seconds": seconds,
        "weighted": weights is not None,
        **describe_machine(),
        **device.describe(),
    }
    with hold_folder(folder):
        write_text(folder / "recipe.yaml", recipe.to_yaml())
        if weights is not None:
            write_tensors(folder / WEIGHTS, {"weights": torch.from_numpy(weights)}, {"kind": "weights"})
        loop = _make_loop(model, recipe, source, train, folder, precision, seconds)
        loop.save()
        write_json(folder / "run.json", run)
        return _finish(loop, recipe, train, folder, run, progress)


def read_run(folder: Path) -> dict[str, Any]:
    """Return what a run was started with.

    Raises:
        RunError: The folder holds no run.
    """
    try:
        run: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        raise RunError(f"{folder} holds no run to continue; start one without --resume.") from None
    return run


def continue_training(
    folder: Path,
    progress: Progress = show_progress,
    data: Path | None = None,
    steps: int | None = None,
    device: Device | None = None,
) -> TrainedRun:
    """Continue a run that was interrupted, from its last checkpoint.

    Args:
        folder: The run folder.
        progress: Shows how far it is; see `calokit.progress`.
        data: Where the shower file stands now, if it has moved; its content must be the same.
        steps: How many steps the run shall have in all, instead of those it was started with; rates and
            schedules follow the new number from here on, and the provenance says where it changed.
        device: What trains from here on; by default what trained before.

    Raises:
        RunError: The folder holds no run, the shower file has changed, or more steps are done already.
        ConfigurationError: The device that trained before is not here.
        OutputError: The run is still going.
    """
    run = read_run(folder)
    with hold_folder(folder):
        return _continue(folder, run, progress, data, steps, device)


def _continue(
    folder: Path,
    run: dict[str, Any],
    progress: Progress,
    data: Path | None,
    steps: int | None,
    device: Device | None,
) -> TrainedRun:
    recipe = Recipe.from_mapping(run["recipe"], f"{folder / 'run.json'}, recipe")
    train = _open_data(recipe, data or Path(run["data"]))
    if train.sha256 != run["data_sha256"]:
        raise RunError(f"{train.path} is not the file that the run in {folder} was started with.")
    if steps is not None and steps != recipe.training.steps:
        recipe = _change_steps(folder, run, recipe, steps)
    weights = read_tensors(folder / WEIGHTS)[0]["weights"].numpy() if run.get("weighted") else None
    source = _make_source(recipe, train, weights)
    device = Device.of(run["device"]) if device is None else device
    run |= device.describe()
    model = device.put(build_model(recipe.model, train.detector, recipe.training.seed))
    precision = Precision(**run["precision"])
    loop = _make_loop(model, recipe, source, train, folder, precision, run.get("seconds"))
    loop.restore()
    return _finish(loop, recipe, train, folder, run, progress)


def _change_steps(folder: Path, run: dict[str, Any], recipe: Recipe, steps: int) -> Recipe:
    """Give a run another number of steps, and write down where that was."""
    state = read_checkpoint(folder / "checkpoint.safetensors").state
    done = int(state["step"])
    if state.get("stopped"):
        raise RunError(
            f"the run in {folder} stopped at step {done}, as validation had not got better for so long as "
            "training.patience says; start another with more patience."
        )
    if steps < done:
        raise RunError(f"the run in {folder} has {done} steps done already; {steps} are fewer.")
    before = [*run.get("steps_changed", []), {"at": done, "from": recipe.training.steps, "to": steps}]
    changed = _with_training(recipe, {"steps": steps, "pace": ()})
    run |= {"recipe": changed.to_mapping(), "steps_changed": before, "seconds": None}
    write_text(folder / "recipe.yaml", changed.to_yaml())
    write_json(folder / "run.json", run)
    return changed


def _with_training(recipe: Recipe, changes: dict[str, Any]) -> Recipe:
    return recipe.model_copy(update={"training": recipe.training.model_copy(update=changes)})


def is_unfinished(folder: Path) -> bool:
    """Whether a folder holds a run that has steps still to do."""
    try:
        run = json.loads((folder / "run.json").read_text())
        state = read_checkpoint(folder / "checkpoint.safetensors").state
    except (FileNotFoundError, json.JSONDecodeError, RunError):
        return False
    if run.get("seconds") is not None and not state["pace"]:
        return True
    steps = state["pace"][-1][1] if run.get("seconds") is not None else run["recipe"]["training"]["steps"]
    return bool(state["step"] < steps)


def _open_data(recipe: Recipe, data: Path) -> ShowerFile:
    """Open the training showers, as many as the recipe takes."""
    like = None if recipe.detector is None else load_detector(recipe.detector)
    train = open_for_training(open_showers(data, Split.TRAIN, like=like))
    return train if recipe.training.showers is None else train.head(recipe.training.showers)


def _tell_threshold(recipe: Recipe, train: ShowerFile) -> None:
    """Warn where the model's threshold leaves out much of what its training showers hold."""
    threshold = getattr(recipe.model, "threshold_mev", None)
    if threshold is not None:
        for words in doubt_threshold(train, threshold, "model.threshold_mev"):
            warnings.warn(f"recipe {recipe.name}: {words}", ThresholdWarning, stacklevel=3)


def _make_source(recipe: Recipe, train: ShowerFile, weights: Float64 | None) -> ShuffledShowers:
    settings = recipe.training
    return ShuffledShowers(train, settings.batch_size, settings.seed, settings.sampler, weights)


def _fit_sample(model: Trainable[Any], source: ShuffledShowers) -> Showers:
    """Return the showers that transforms are fitted on; some models want the same ones whatever the seed."""
    if model.fit_seed is not None:
        source = ShuffledShowers(source.view, source.batch_size, model.fit_seed)
    return source.sample(FIT_SHOWERS)


def _make_loop(
    model: Trainable[Any],
    recipe: Recipe,
    source: ShuffledShowers,
    train: ShowerFile,
    folder: Path,
    precision: Precision,
    seconds: float | None,
) -> TrainingLoop:
    validation = open_showers(train.path, Split.VALIDATION, like=train.detector)
    return TrainingLoop(model, recipe.training, source, validation, folder, precision, seconds)


def _finish(
    loop: TrainingLoop,
    recipe: Recipe,
    train: ShowerFile,
    folder: Path,
    run: dict[str, Any],
    progress: Progress,
) -> TrainedRun:
    doing, done = ("continuing", loop.state.step) if loop.state.step else ("training", 0)
    with progress(loop.settings.steps, f"{doing} {recipe.name} in {folder}", "steps", done) as advance:
        model = loop.run(advance)
    if loop.settings != recipe.training:  # the clock has chosen the steps
        recipe = _with_training(recipe, {"steps": loop.settings.steps, "pace": loop.settings.pace})
        run |= {"recipe": recipe.to_mapping()}
        write_text(folder / "recipe.yaml", recipe.to_yaml())
        write_json(folder / "run.json", run)
    with progress(None, f"calibrating {recipe.name}", "models") as advance:
        _calibrate(model, loop, recipe)
        advance(1)
    PLAIN.lay_out(CPU.put(model))
    provenance = {
        "data_file": train.path.name,
        "data_sha256": run["data_sha256"],
        "data_showers": len(train),
        "data_generator": train.generator,
        "particle": train.particle,
        "steps": loop.state.step,
        "presentations": loop.state.step * recipe.training.batch_size,
        "seconds": round(loop.state.seconds, 1),
        "cpu_seconds": round(loop.state.cpu_seconds, 1),
        "seconds_asked": run.get("seconds"),
        "validation": loop.state.validation,
        "start": run.get("start"),
        **({"steps_changed": run["steps_changed"]} if "steps_changed" in run else {}),
        "precision": run["precision"],
        **{key: run.get(key) for key in MACHINE},
    }
    ranges = [ConditionRange(**one) for one in run["ranges"]]
    bundle = Bundle(model, recipe, train.detector, ranges, provenance)
    path = folder / f"{recipe.name}.calokit"
    write_bundle(path, bundle)
    return TrainedRun(path, bundle, loop.state.seconds)


def _calibrate(model: Trainable[Any], loop: TrainingLoop, recipe: Recipe) -> None:
    """Correct the trained model, in the precision that it will be used in."""
    precision = model.precision_in_use(loop.device)
    precision.lay_out(model)
    with precision.autocast(loop.device), torch.no_grad():
        generator = draw_generator(recipe.training.seed, Purpose.CALIBRATION, 0)
        model.finish(loop.source, Draws(generator, loop.device))
