"""Judging a trained reconstruction beside the classical methods on the same showers."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calokit.arrays import Float64
from calokit.bundles.bundle import Bundle
from calokit.classical.methods import CALIBRATED_SUM, ClassicalEstimates, ClassicalInputs, ClassicalMethods
from calokit.classical.track_fit import directions_to_slopes
from calokit.compute.device import CPU, Device
from calokit.evaluation.estimates.single import (
    EnergyErrors,
    PairedRatio,
    measure_coverage,
    paired_rms_ratio,
    root_mean_square,
)
from calokit.inference.reconstruct import reconstruct_showers, write_reconstruction
from calokit.progress import Progress, show_progress
from calokit.showers import ShowerFile, Split, open_showers
from calokit.studies.judging.judged import Judged
from calokit.studies.judging.particles import judge_particles

Metrics = dict[str, list[float]]


def judge_reconstruction(
    bundle: Bundle,
    train: ShowerFile,
    test: ShowerFile,
    folder: Path,
    progress: Progress = show_progress,
    device: Device = CPU,
) -> Judged:
    """Reconstruct the test showers and compare with the classical methods, fitted on the training showers.

    Leaves `reconstructed.h5` in the folder. The ratios are of RMS errors, averaged over the true energies;
    their floor is the best classical method's ratio to the calibrated sum (or 1, for places).

    Args:
        bundle: A trained reconstruction.
        train: Showers that the classical methods are fitted on.
        test: Showers to judge by.
        folder: Where the estimates are kept.
        progress: Shows how far it is; see `calokit.progress`.
        device: What the network computes on.
    """
    made = reconstruct_showers(bundle, test, progress, device)
    path = folder / "reconstructed.h5"
    write_reconstruction(path, made, bundle, test)
    if "particle_energy" in made.columns:
        found, by_distance = judge_particles(made.columns, train, test)
        return Judged(made.milliseconds_per_shower, found, by_distance, path)
    known, classical = classical_results(train, test)
    metrics: Metrics = {}
    curves: dict[str, dict[str, Any]] = {}
    if "energy" in made.columns:
        estimated = made.columns["energy"].astype(np.float64)
        metrics |= _energy_metrics(estimated, known, classical)
        curves["energy"] = _energy_curve(estimated, known, classical)
        if "energy_uncertainty" in made.columns:
            width = made.columns["energy_uncertainty"].astype(np.float64)
            covered = measure_coverage(estimated, width, known.energies)
            metrics["energy.pull_width"] = [*covered.pull_width, 1.0, 0.0]
            metrics["energy.coverage_683"] = [*covered.covered[1].tolist(), 0.683, 0.0]
    if {"position", "direction"} <= set(made.columns):
        metrics |= _place_metrics(made.columns, known, classical)
    return Judged(made.milliseconds_per_shower, metrics, curves, path)


def classical_results(train: ShowerFile, test: ShowerFile) -> tuple[ClassicalInputs, ClassicalEstimates]:
    """Fit the classical methods on training showers and apply them to others; kept for the next run."""
    return _classical_results(_Named.of(train), _Named.of(test))


class _Named(NamedTuple):
    """What a view on a file is known by, to remember what was found on it."""

    path: Path
    split: Split
    showers: int
    sha256: str

    @classmethod
    def of(cls, view: ShowerFile) -> _Named:
        return cls(view.path, view.split, len(view), view.sha256)

    def read(self) -> ClassicalInputs:
        return ClassicalInputs.read(open_showers(self.path, self.split).head(self.showers))


@functools.lru_cache(maxsize=4)
def _fit_methods(train: _Named) -> ClassicalMethods:
    return ClassicalMethods.fit(train.read())


@functools.lru_cache(maxsize=4)
def _classical_results(train: _Named, test: _Named) -> tuple[ClassicalInputs, ClassicalEstimates]:
    known = test.read()
    return known, _fit_methods(train).apply(known)


def _energy_metrics(estimated: Float64, known: ClassicalInputs, classical: ClassicalEstimates) -> Metrics:
    true = known.energies
    base = classical.energies[CALIBRATED_SUM]
    best = best_classical(classical, true)
    ratio, best_ratio = paired_rms_ratio(estimated, base, true), paired_rms_ratio(best, base, true)
    against = paired_rms_ratio(estimated, best, true)
    absolute, own = EnergyErrors.of(base, true).absolute, EnergyErrors.of(estimated, true)
    mae = own.absolute[:, 0] / absolute[:, 0]
    mae_error = mae * own.absolute[:, 1] / own.absolute[:, 0]
    bias = own.relative_bias()
    worst = int(np.argmax(np.abs(bias[:, 0])))
    best_bias = EnergyErrors.of(best, true).relative_bias()
    best_worst = int(np.argmax(np.abs(best_bias[:, 0])))
    width = own.width[:, 0] / np.sqrt(own.energies)
    best_width = EnergyErrors.of(best, true)
    return {
        "energy.rms_ratio": [ratio.mean, ratio.mean_error, best_ratio.mean, best_ratio.mean_error],
        "energy.rms_ratio_to_best": [against.mean, against.mean_error, 1.0, 0.0],
        "energy.worst_sigma_to_best": [against.worst, 1.0, 0.0, 0.0],
        "energy.mae_ratio": [float(mae.mean()), float(np.sqrt((mae_error**2).sum()) / len(mae)), 1.0, 0.0],
        "energy.largest_bias": [*_absolute(bias[worst]), *_absolute(best_bias[best_worst])],
        "energy.width_over_root": [
            float(width.mean()),
            float(np.sqrt(((own.width[:, 1] ** 2) / own.energies).sum()) / len(width)),
            float((best_width.width[:, 0] / np.sqrt(best_width.energies)).mean()),
            float(np.sqrt(((best_width.width[:, 1] ** 2) / best_width.energies).sum()) / len(width)),
        ],
    }


def best_classical(classical: ClassicalEstimates, true: Float64) -> Float64:
    """Return the estimates of the classical method with the smallest RMS ratio to the calibrated sum."""
    base = classical.energies[CALIBRATED_SUM]
    return min(classical.energies.values(), key=lambda one: paired_rms_ratio(one, base, true).mean)


def _absolute(pair: Float64) -> list[float]:
    return [abs(float(pair[0])), float(pair[1])]


def _energy_curve(
    estimated: Float64, known: ClassicalInputs, classical: ClassicalEstimates
) -> dict[str, Any]:
    own = EnergyErrors.of(estimated, known.energies)
    base = EnergyErrors.of(classical.energies[CALIBRATED_SUM], known.energies)
    return {
        "energies_gev": own.energies.tolist(),
        "showers": own.showers.tolist(),
        **{
            name: getattr(own, name).round(6).tolist()
            for name in ("mean", "absolute", "rms", "width", "core")
        },
        "calibrated_sum_rms": base.rms.round(6).tolist(),
        "calibrated_sum_absolute": base.absolute.round(6).tolist(),
    }


def _place_metrics(
    columns: dict[str, NDArray[Any]], known: ClassicalInputs, classical: ClassicalEstimates
) -> Metrics:
    metrics: Metrics = {}
    angles = np.arctan(directions_to_slopes(columns["direction"]))
    true_angles = np.arctan(known.slopes)
    estimates = {
        "position": (columns["position"].astype(np.float64), classical.lines.positions, known.positions),
        "angle": (angles, classical.angles, true_angles),
    }
    for name, (mine, other, true) in estimates.items():
        for axis, letter in enumerate("xy"):
            found = paired_rms_ratio(mine[:, axis], other[:, axis], true[:, axis], known.energies)
            metrics[f"{name}.rms_ratio_{letter}"] = _ratio(found)
            slope, error = _slope(mine[:, axis], true[:, axis])
            metrics[f"{name}.slope_{letter}"] = [slope, error, *_slope(other[:, axis], true[:, axis])]
            own, theirs = (root_mean_square((one - true)[:, axis]) for one in (mine, other))
            metrics[f"{name}.rms_{letter}"] = [*own, *theirs]
    return metrics


def _ratio(found: PairedRatio) -> list[float]:
    return [found.mean, found.mean_error, 1.0, 0.0]


def _slope(estimated: Float64, true: Float64) -> tuple[float, float]:
    """Return the slope of the estimate over the truth and its error: 1 is faithful, 0 knows nothing."""
    centred = true - true.mean()
    square = float((centred**2).sum())
    slope = float((centred * estimated).sum()) / square
    rest = estimated - estimated.mean() - slope * centred
    return slope, float(np.sqrt((rest**2).mean() / square))
