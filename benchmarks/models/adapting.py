"""A cascade brought to other energies with few showers: from a trained one, and from random weights.

    python -m benchmarks.models.adapting --data zdc_ecal_positrons.h5 [--work FOLDER]

The base is trained on the showers below --below GeV. Then, with 100, 1,000 and 5,000 showers above --above
GeV in hand (a tenth of them chooses the weights), the same recipe is trained from the base and from random
weights, with the same steps. Judged by the likelihood of other showers above --above GeV, of the validation
split. Killed, the same command goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from benchmarks.models.cascade_steps import log_likelihoods
from benchmarks.record import Row, describe_circumstances, print_rows, write_record
from calokit.bundles.bundle import read_bundle
from calokit.errors import RunError
from calokit.models.batches import TrainingBatch
from calokit.models.cascade.surrogate import CascadeSurrogate
from calokit.recipes import load_recipe
from calokit.showers import ShowerFile, Showers, ShowerWriter, Split, open_showers
from calokit.training.run import continue_training, is_unfinished, start_training

SIZES = (100, 1_000, 5_000)
BASE_STEPS, STEPS = 4_000, 1_500
BATCH = 32
JUDGING = 4_000
"""Showers that judge."""
MEV = 1e3


def cut_by_energy(data: Path, path: Path, low_gev: float, high_gev: float, count: int) -> Path:
    """Write the first so many training showers between two energies."""
    if not path.is_file():
        view = open_showers(data, Split.TRAIN)
        with ShowerWriter(path, view.detector, view.particle, view.generator, {}) as writer:
            writer.write(between(view, low_gev, high_gev, count))
    return path


def between(view: ShowerFile, low_gev: float, high_gev: float, count: int) -> Showers:
    """Return the first so many showers between two energies."""
    whole = view.read_all()
    energies = whole.incident_energies / MEV
    return whole[np.flatnonzero((energies >= low_gev) & (energies < high_gev))[:count]]


def train(recipe_changes: list[str], data: Path, folder: Path, start_from: Path | None) -> Path:
    """Train, or go on; return the bundle."""
    recipe = load_recipe("zdc_cascade", recipe_changes)
    path = folder / f"{recipe.name}.calokit"
    if path.is_file():
        return path
    if is_unfinished(folder):
        return continue_training(folder).bundle_path
    return start_training(recipe, data, folder, start_from=start_from).bundle_path


def likelihood(bundle: Path, showers: Showers) -> tuple[float, float]:
    """Return the mean log-likelihood of showers and its error."""
    model = read_bundle(bundle).model
    if not isinstance(model, CascadeSurrogate):
        raise RunError(f"{bundle} is no cascade.")
    found = log_likelihoods(model, TrainingBatch.of(showers.with_threshold(model.threshold_mev)))
    return float(found.mean()), float(found.std() / len(found) ** 0.5)


def main() -> None:
    """Train all, judge, write the record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("adapting"))
    parser.add_argument("--below", type=float, default=10.0)
    parser.add_argument("--above", type=float, default=30.0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.work.mkdir(parents=True, exist_ok=True)
    low = cut_by_energy(arguments.data, arguments.work / "low.h5", 0.0, arguments.below, 10**9)
    common = [f"training.batch_size={BATCH}", "training.validation_showers=500", "model.threshold_mev=0.1"]
    base = train([*common, f"training.steps={BASE_STEPS}"], low, arguments.work / "base", None)
    validation = open_showers(arguments.data, Split.VALIDATION)
    judging = between(validation, arguments.above, np.inf, JUDGING)
    rows: list[Row] = [_row("base alone", 0, *likelihood(base, judging))]
    few = [*common, f"training.steps={STEPS}", "training.validate_every=100", "training.patience=15"]
    for size in SIZES:
        data = cut_by_energy(
            arguments.data, arguments.work / f"high_{size}.h5", arguments.above, np.inf, size
        )
        for start, name in ((base, "from the base"), (None, "from random weights")):
            bundle = train(few, data, arguments.work / f"{size}_{name.split()[1]}", start)
            rows.append(_row(name, size, *likelihood(bundle, judging)))
            print(rows[-1], flush=True)
    circumstances = describe_circumstances(1)
    settings = {
        "below_gev": arguments.below,
        "above_gev": arguments.above,
        "steps": STEPS,
        "base_steps": BASE_STEPS,
    }
    write_record("adapting", rows, circumstances, **settings, batch=BATCH, judged_on=len(judging))
    print_rows("few showers at other energies", rows, circumstances)


def _row(name: str, showers: int, value: float, error: float) -> Row:
    return {"start": name, "showers": showers, "log_likelihood": value, "log_likelihood_error": error}


if __name__ == "__main__":
    main()
