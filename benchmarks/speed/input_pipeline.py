"""Speed of the training input (reading, decompression, shuffling) and its share of a training step.

The input alone is timed over whole epochs; then recipe zdc_flow is trained for some steps in a temporary
folder, and the loop's own bookkeeping (`data_share` in log.jsonl) stands beside the share that follows from
the input's rate and the time of a step without input. Target: below 10 % of a step.

    python -m benchmarks.speed.input_pipeline --data showers.h5 --steps 100
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from itertools import islice
from pathlib import Path

import torch

from benchmarks.record import Row, default_showers, describe_circumstances, print_rows, write_record
from calokit.compute.device import CPU
from calokit.compute.precision import native_precision
from calokit.models.families import build_model
from calokit.progress import no_progress
from calokit.recipes import load_recipe
from calokit.recipes.recipe import Recipe
from calokit.showers import ShowerFile, Split, open_showers
from calokit.training.data import ShuffledShowers
from calokit.training.loop import LOG_EVERY, TrainingLoop

TARGET = 0.10


def time_reading(view: ShowerFile) -> float:
    """Return the seconds that reading and decompressing the view once in file order takes."""
    started = time.perf_counter()
    for _ in view.chunks():
        pass
    return time.perf_counter() - started


def time_batches(source: ShuffledShowers, epochs: int) -> tuple[float, float, int]:
    """Draw every batch of some epochs and return wall seconds, processor seconds and showers drawn."""
    batches = epochs * source.batches_an_epoch
    started, used = time.perf_counter(), time.process_time()
    showers = sum(len(batch) for batch in islice(source.batches(), batches))
    return time.perf_counter() - started, time.process_time() - used, showers


def train_and_read_log(recipe: Recipe, data: Path, steps: int) -> tuple[float, float]:
    """Train and return the loop's share of input in all steps, and the milliseconds of a step without input.

    One step more is trained than is looked at, since the last one validates.
    """
    settings = recipe.training.model_copy(update={"steps": steps + 1, "validate_every": steps + 1})
    train = open_showers(data, Split.TRAIN)
    source = ShuffledShowers(train, settings.batch_size, settings.seed)
    model = build_model(recipe.model, train.detector, settings.seed)
    model.fit_transforms(source.sample(10_000))
    validation = open_showers(data, Split.VALIDATION)
    with tempfile.TemporaryDirectory(prefix="calokit-input-") as folder:
        loop = TrainingLoop(model, settings, source, validation, Path(folder), native_precision(CPU))
        with no_progress(steps + 1, "training", "steps") as advance:
            loop.run(advance)
        lines = [json.loads(line) for line in (Path(folder) / "log.jsonl").read_text().splitlines()]
    line = next(one for one in lines if one["step"] == steps)
    return line["data_share"], 1e3 * line["seconds"] * (1 - line["data_share"]) / steps


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=None, help="native shower file (default: samples/)")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--steps", type=int, default=100, help=f"training steps, a multiple of {LOG_EVERY}")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.steps < LOG_EVERY or arguments.steps % LOG_EVERY:
        parser.error(f"--steps must be a multiple of {LOG_EVERY}")
    torch.set_num_threads(arguments.threads)
    data: Path = arguments.data or default_showers()
    circumstances = describe_circumstances(arguments.threads)
    recipe = load_recipe("zdc_flow")
    view = open_showers(data, Split.TRAIN)
    source = ShuffledShowers(view, recipe.training.batch_size, recipe.training.seed)
    reading = time_reading(view)
    wall, processor, showers = time_batches(source, arguments.epochs)
    logged, step_ms = train_and_read_log(recipe, data, arguments.steps)
    batch_ms = 1e3 * wall / showers * recipe.training.batch_size
    own = batch_ms / (batch_ms + step_ms)
    row: Row = {
        "file": data.name,
        "train showers": len(view),
        "read in order (showers/s)": round(len(view) / reading),
        "shuffled (showers/s)": round(showers / wall),
        "processor s / wall s": processor / wall,
        "input (ms/batch)": batch_ms,
        "step without input (ms)": step_ms,
        "share measured": own,
        "share logged": logged,
    }
    print_rows(f"Training input, {arguments.epochs} epochs, recipe zdc_flow", [row], circumstances)
    verdict = "met" if own < TARGET else "missed"
    print(f"target {verdict}: {own:.1%} of a step goes to the input (below {TARGET:.0%} wanted)")
    note = "the logged share counts a whole pool, which may serve more steps than were trained"
    write_record(
        "input_pipeline",
        [row],
        circumstances,
        epochs=arguments.epochs,
        steps=arguments.steps,
        note=note,
        precision=native_precision(CPU).number_format,
    )


if __name__ == "__main__":
    main()
