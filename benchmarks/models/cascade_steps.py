"""One row a trained cascade: likelihood and strong judge on validation showers, and time a shower.

    python -m benchmarks.models.cascade_steps --bundle BUNDLE --data SHOWERS.h5 --step "as first trained"

A row is added to benchmarks/results/cascade_steps.json, or takes the place of the row of that name.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.record import Row, describe_circumstances, print_rows, recorded_rows, write_record
from benchmarks.systems.scorecard import readout_at
from calokit.bundles.bundle import read_bundle
from calokit.compute.draws import Purpose, draw_generator
from calokit.evaluation.classifiers.boosted_judge import FeatureTable, areas_by_group, judge_by_trees
from calokit.evaluation.samples.observables import ObservableCalculator
from calokit.evaluation.topology.features import FeatureMaker
from calokit.evaluation.topology.lines import FineSpectrum
from calokit.models.batches import TrainingBatch
from calokit.models.cascade.surrogate import CascadeSurrogate
from calokit.showers import Showers, Split, open_showers

NAME = "cascade_steps"
SEED = 1
BATCH = 256


def measure(bundle_path: Path, data: Path, step: str, showers: int) -> Row:
    """Return the row of a bundle.

    Args:
        bundle_path: A trained cascade.
        data: The file it was trained on; its validation showers are used.
        step: Name of the row.
        showers: At most so many of them.
    """
    bundle = read_bundle(bundle_path)
    model = bundle.model
    if not isinstance(model, CascadeSurrogate):
        raise SystemExit(f"{bundle_path} is no cascade.")
    validation = open_showers(data, Split.VALIDATION)
    truth = validation.read(0, min(showers, len(validation)))
    truth = truth.with_threshold(model.threshold_mev)
    batch = TrainingBatch.of(truth)
    with torch.inference_mode():
        likelihood = log_likelihoods(model, batch)
        generator = draw_generator(SEED, Purpose.GENERATION, 0)
        model.generate(batch.incidents[:BATCH], generator)
        started = time.process_time()
        drawn = model.generate(batch.incidents, generator)
        milliseconds = 1e3 * (time.process_time() - started) / len(batch)
    generated = replace(truth, energies=drawn.numpy())
    raw = _tables(truth, generated, model.threshold_mev)
    read = _tables(
        _read_out(truth, model.threshold_mev, 1),
        _read_out(generated, model.threshold_mev, 2),
        readout_at(model.threshold_mev).threshold,
    )
    area, area_read = (judge_by_trees(*tables, SEED, most_tested=1) for tables in (raw, read))
    return {
        "step": step,
        "detector": bundle.detector.name,
        "training_steps": bundle.provenance["steps"],
        "batch_size": bundle.recipe.training.batch_size,
        "training_cpu_minutes": bundle.provenance["cpu_seconds"] / 60,
        "weights": sum(parameter.numel() for parameter in model.parameters()),
        "showers_per_class": len(truth),
        "log_likelihood": float(likelihood.mean()),
        "log_likelihood_error": float(likelihood.std() / len(likelihood) ** 0.5),
        "auc_raw": area.value,
        "auc_raw_error": area.error,
        "auc_read_out": area_read.value,
        "auc_read_out_error": area_read.error,
        "groups": {name: one.value for name, one in areas_by_group(*raw, SEED).items()},
        "cpu_ms_a_shower": milliseconds,
    }


def log_likelihoods(model: CascadeSurrogate, batch: TrainingBatch) -> torch.Tensor:
    """Return the log-likelihood of each shower (event,), a few at a time."""
    pieces = [batch[start : start + BATCH] for start in range(0, len(batch), BATCH)]
    with torch.inference_mode():
        return torch.cat([model.log_likelihood(piece) for piece in pieces])


def _tables(truth: Showers, generated: Showers, threshold: float) -> tuple[FeatureTable, FeatureTable]:
    spectrum = FineSpectrum(threshold)
    spectrum.add(truth.energies[truth.energies > threshold])
    maker = FeatureMaker(ObservableCalculator(truth.detector, threshold), spectrum.find_lines())
    return maker(truth), maker(generated)


def _read_out(showers: Showers, threshold: float, seed: int) -> Showers:
    energies = readout_at(threshold).apply(showers.energies, np.random.default_rng(seed))
    return replace(showers, energies=energies)


def main() -> None:
    """Measure a bundle and write its row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--step", required=True, help="name of the row")
    parser.add_argument("--showers", type=int, default=8000, help="of each class, at most")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    circumstances = describe_circumstances(1)
    row = measure(arguments.bundle, arguments.data, arguments.step, arguments.showers)
    old = recorded_rows(NAME)
    kept = [one for one in old if (one["step"], one["detector"]) != (row["step"], row["detector"])]
    write_record(NAME, [*kept, row], circumstances)
    print_rows("cascade, step by step", [{k: v for k, v in row.items() if k != "groups"}], circumstances)
    print_rows("groups alone", [row["groups"]], circumstances)


if __name__ == "__main__":
    main()
