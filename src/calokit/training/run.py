"""From a recipe and a shower file to a bundle: the run folder, its provenance, starting and continuing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calokit.bundles.bundle import Bundle, write_bundle
from calokit.bundles.ranges import ConditionRange, measure_ranges
from calokit.compute.draws import step_generator
from calokit.compute.machine import describe_machine
from calokit.compute.precision import Precision, native_precision
from calokit.errors import RunError
from calokit.files import check_folder_writable, make_folder, write_json, write_text
from calokit.models.estimators.protocol import Reconstructor
from calokit.models.families import build_model
from calokit.models.protocols import Surrogate, Trainable
from calokit.recipes.recipe import Recipe
from calokit.showers import ShowerFile, Showers, Split, open_showers
from calokit.training.checkpoint import read_checkpoint
from calokit.training.data import ShuffledShowers, open_for_training
from calokit.training.loop import Progress, TrainingLoop
from calokit.training.precision import choose_precision
from calokit.training.start import check_detector, take_over

FIT_SEED = 1
"""Seed of the sample that the transforms of a reconstruction are fitted on."""
FIT_SHOWERS = 50_000
"""How many training showers the transforms are fitted on, at most."""

CALIBRATION_SHOWERS = 24_576
"""How many training showers the finished model is calibrated on, at most."""


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
    progress: Progress,
    steps_for_seconds: float | None = None,
    start_from: Path | None = None,
) -> TrainedRun:
    """Train a recipe from the beginning, or from the weights of a bundle.

    Args:
        recipe: What to train.
        data: A native shower file; its `train` split trains, its `validation` split validates.
        folder: The run folder; it must not hold a run already.
        progress: Told of every step.
        steps_for_seconds: Choose the number of steps so that training takes about this long on this
            machine (measured before the start and recorded), instead of the recipe's.
        start_from: A bundle whose weights and transforms are taken over as far as the model has them; what
            the bundle lacks is fitted or initialised as usual.

    Raises:
        RunError: The folder holds a run already.
        OutputError: The folder cannot be written.
        SplitError: The file offers no training showers.
        DetectorError: The showers belong to another detector than the recipe.
    """
    if (folder / "run.json").exists():
        raise RunError(f"{folder} holds a run already; continue it with --resume, or choose another folder.")
    check_folder_writable(folder)
    train = _open_data(recipe, data)
    check_detector(recipe, train.detector)
    source = _make_source(recipe, train)
    model = build_model(recipe.model, train.detector, recipe.training.seed)
    sample = _fit_sample(model, source)
    model.fit_transforms(sample)
    start = None if start_from is None else take_over(model, start_from)
    batch = model.prepare(sample[: recipe.training.batch_size])
    precision = choose_precision(model, batch, recipe.training)
    if steps_for_seconds is not None:
        steps = max(200, int(1e3 * steps_for_seconds / (1.15 * precision.milliseconds)))
        recipe = recipe.model_copy(update={"training": recipe.training.model_copy(update={"steps": steps})})
    make_folder(folder)
    run = {
        "recipe": recipe.to_mapping(),
        "data": str(data.resolve()),
        "data_sha256": train.sha256,
        "precision": precision.to_mapping(),
        "ranges": [vars(one) for one in measure_ranges(train)],
        "start": start,
        **describe_machine(),
    }
    write_text(folder / "recipe.yaml", recipe.to_yaml())
    loop = _make_loop(model, recipe, source, train, folder, precision)
    loop.save()
    write_json(folder / "run.json", run)
    return _finish(loop, recipe, train, folder, run, progress)


def continue_training(folder: Path, progress: Progress, data: Path | None = None) -> TrainedRun:
    """Continue a run that was interrupted, from its last checkpoint.

    Args:
        folder: The run folder.
        progress: Told of every step.
        data: Where the shower file stands now, if it has moved; its content must be the same.

    Raises:
        RunError: The folder holds no run, or the shower file has changed.
    """
    try:
        run = json.loads((folder / "run.json").read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        raise RunError(f"{folder} holds no run to continue; start one without --resume.") from None
    recipe = Recipe.from_mapping(run["recipe"], f"{folder / 'run.json'}, recipe")
    train = _open_data(recipe, data or Path(run["data"]))
    if train.sha256 != run["data_sha256"]:
        raise RunError(f"{train.path} is not the file that the run in {folder} was started with.")
    source = _make_source(recipe, train)
    model = build_model(recipe.model, train.detector, recipe.training.seed)
    loop = _make_loop(model, recipe, source, train, folder, Precision(**run["precision"]))
    loop.restore()
    return _finish(loop, recipe, train, folder, run, progress)


def planned_steps(folder: Path) -> int:
    """Return how many steps the run in a folder has still to do (0 where it holds none)."""
    try:
        run = json.loads((folder / "run.json").read_text())
        state = read_checkpoint(folder / "checkpoint.safetensors").state
    except (FileNotFoundError, json.JSONDecodeError, RunError):
        return 0
    return int(run["recipe"]["training"]["steps"]) - int(state["step"])


def _open_data(recipe: Recipe, data: Path) -> ShowerFile:
    """Open the training showers, as many as the recipe takes."""
    train = open_for_training(open_showers(data, Split.TRAIN))
    return train if recipe.training.showers is None else train.head(recipe.training.showers)


def _make_source(recipe: Recipe, train: ShowerFile) -> ShuffledShowers:
    settings = recipe.training
    return ShuffledShowers(train, settings.batch_size, settings.seed, settings.sampler)


def _fit_sample(model: Trainable[Any], source: ShuffledShowers) -> Showers:
    """Return the showers that transforms are fitted on.

    For a reconstruction they do not depend on the seed, so that runs of several seeds can be joined.
    """
    if isinstance(model, Reconstructor):
        source = ShuffledShowers(source.view, source.batch_size, FIT_SEED)
    return source.sample(FIT_SHOWERS)


def _make_loop(
    model: Trainable[Any],
    recipe: Recipe,
    source: ShuffledShowers,
    train: ShowerFile,
    folder: Path,
    precision: Precision,
) -> TrainingLoop:
    validation = open_showers(train.path, Split.VALIDATION)
    return TrainingLoop(model, recipe.training, source, validation, folder, precision)


def _finish(
    loop: TrainingLoop,
    recipe: Recipe,
    train: ShowerFile,
    folder: Path,
    run: dict[str, Any],
    progress: Progress,
) -> TrainedRun:
    model = loop.run(progress)
    _calibrate(model, loop, recipe)
    Precision("float32", "contiguous").lay_out(model)
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
        "validation": loop.state.validation,
        "start": run.get("start"),
        "precision": run["precision"],
        **{key: run[key] for key in ("threads", "processor", "device", "python", "torch", "calokit")},
    }
    ranges = [ConditionRange(**one) for one in run["ranges"]]
    bundle = Bundle(model, recipe, train.detector, ranges, provenance)
    path = folder / f"{recipe.name}.calokit"
    write_bundle(path, bundle)
    return TrainedRun(path, bundle, loop.state.seconds)


def _calibrate(model: Trainable[Any], loop: TrainingLoop, recipe: Recipe) -> None:
    """Correct the trained model: a surrogate on training showers, a reconstruction on validation showers."""
    if isinstance(model, Reconstructor):
        model.calibrate_on(loop.source.whole_validation())
    elif isinstance(model, Surrogate):
        precision = native_precision()
        precision.lay_out(model)
        with precision.autocast():
            sample = loop.data.sample(CALIBRATION_SHOWERS)
            model.calibrate(sample, step_generator(recipe.training.seed, recipe.training.steps))
