"""The likelihood of a shower file under a bundle: shower by shower, and the calibration test of its draws."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from calokit.arrays import Float64
from calokit.bundles.bundle import Bundle, check_detector, source_attributes
from calokit.bundles.ranges import incidents_outside, ranges_of, warn_outside
from calokit.compute.device import CPU, Device
from calokit.compute.draws import Noise, Purpose, draw_generator, draw_noise
from calokit.errors import BundleError
from calokit.evaluation.calibration import CalibrationRow, CalibrationTest, energy_bins
from calokit.evaluation.outliers import ShowerLikelihoods
from calokit.files import write_csv_columns, write_hdf5
from calokit.inference.incident_checks import check_asked, check_seed
from calokit.models.batches import TrainingBatch
from calokit.models.protocols import HasLikelihood, Trainable
from calokit.progress import Progress, show_progress
from calokit.showers import Incidents, ShowerFile
from calokit.showers.units_check import warn_of_units
from calokit.units import MEV_PER_GEV

if TYPE_CHECKING:
    from calokit.report.pages.likelihood import LikelihoodContent

BLOCK_CELLS = 1_000_000
"""Showers with about so many cells together are looked at at a time."""
BLOCKS = (16, 1024)
"""Least and most showers of a block."""


@dataclass(frozen=True)
class Likelihood:
    """What a bundle says about given showers.

    Attributes:
        showers: Log-likelihoods by parts, with robust scores and outliers.
        calibration: The calibration test of the draws.
        threshold_mev: Cells at or below it count as empty.
        milliseconds_per_shower: Wall time of the model, reading not.
    """

    showers: ShowerLikelihoods
    calibration: list[CalibrationRow]
    threshold_mev: float
    milliseconds_per_shower: float

    def __len__(self) -> int:
        return len(self.showers.energies_gev)


def measure_likelihood(
    bundle: Bundle,
    view: ShowerFile,
    seed: int = 1,
    progress: Progress = show_progress,
    device: Device = CPU,
) -> Likelihood:
    """Return the log-likelihood of every shower of a view, and the calibration test; memory stays bounded.

    Args:
        bundle: A surrogate that knows its density (the cascade).
        view: The showers, with every condition of the incident particle that the surrogate knows.
        seed: Decides the random places on the steps of distributions of whole numbers.
        progress: Shows how far it is; see `calokit.progress`.
        device: What computes.

    Raises:
        BundleError: The bundle knows no likelihood.
        ConfigurationError: The surrogate knows impacts or directions that the showers do not say, or the seed
            is none.
        DetectorError: The showers are of another detector.

    Example:
        >>> from calokit.inference import measure_likelihood, read_bundle
        >>> bundle = read_bundle("zoo/zdc_cascade.calokit")                           # doctest: +SKIP
        >>> measure_likelihood(bundle, open_showers("showers.h5")).showers.totals      # doctest: +SKIP
    """
    model = need_likelihood(bundle)
    check_seed(seed)
    check_detector(bundle, view.detector, f"{view.path} holds showers")
    warn_of_units(view, 2)
    assert isinstance(model, Trainable)
    device.put(model)
    energies = np.concatenate([one.energies for one in view.incident_chunks()]).astype(np.float64)
    energies /= MEV_PER_GEV
    test = CalibrationTest(energy_bins(energies))
    parts: list[dict[str, Float64]] = []
    outside: list[dict[str, Any]] = []
    seconds, done, block = 0.0, 0, block_size(view)
    with progress(len(view), f"likelihood of {view.path.name} by {bundle.name}", "showers") as advance:
        for number, showers in enumerate(view.chunks(block)):
            check_asked(bundle, model.conditions, showers.incidents)
            outside.append(_leaving(bundle, model, showers.incidents))
            batch = device.put(TrainingBatch.of(showers))
            keys = draw_noise(Noise("key"), len(showers), draw_generator(seed, Purpose.LIKELIHOOD, number))
            started = time.perf_counter()
            parts.append(_look_at(model, batch, device.put(keys[:, 0]), test, energies[done:]))
            seconds += time.perf_counter() - started
            done += len(showers)
            advance(len(showers))
    flags = {name: np.concatenate([one[name] for one in outside]) for name in outside[0]}
    ranges = [one for one in bundle.ranges if one.name in flags]
    warn_outside(flags, ranges, bundle.name, "incident particles", "their likelihoods", 3)
    joined = {name: np.concatenate([one[name] for one in parts]) for name in parts[0]}
    threshold = float(getattr(model, "threshold_mev", 0.0))
    return Likelihood(
        ShowerLikelihoods(energies, joined), test.rows(), threshold, 1e3 * seconds / max(done, 1)
    )


def likelihood_content(
    found: Likelihood, bundle: Bundle, view: ShowerFile, outliers: int = 20
) -> LikelihoodContent:
    """Return what the page of a likelihood shows.

    Args:
        found: The likelihood.
        bundle: The bundle that it is of.
        view: The showers.
        outliers: How many unlikely showers are listed.
    """
    from calokit.report.pages.likelihood import LikelihoodContent

    trained = bundle.provenance.get("data_showers", "unknown")
    facts = (
        f"{len(found)} showers of {view.path.name}, split {view.split}; {view.generator}",
        f"bundle {bundle.name}, trained on {trained} showers; cells above {found.threshold_mev:g} MeV",
        f"{found.milliseconds_per_shower:.2g} ms a shower",
    )
    listed = [replace(one, shower=one.shower + view.first) for one in found.showers.outliers(outliers)]
    return LikelihoodContent(bundle.recipe.title, facts, found.showers, found.calibration, listed)


def need_likelihood(bundle: Bundle) -> HasLikelihood:
    """Return the model of a bundle that knows the density of showers.

    Raises:
        BundleError: It knows none.
    """
    if not isinstance(bundle.model, HasLikelihood):
        kind = bundle.recipe.model.kind
        raise BundleError(
            f"bundle {bundle.name} is of kind {kind!r}, which knows no likelihood; train a `cascade`."
        )
    return bundle.model


def block_size(view: ShowerFile) -> int:
    """Return how many showers of a view are looked at at a time."""
    return int(np.clip(BLOCK_CELLS // view.detector.number_of_cells, *BLOCKS))


def write_likelihood(path: Path, found: Likelihood, bundle: Bundle, view: ShowerFile, seed: int) -> None:
    """Write log-likelihoods and robust scores as HDF5: one dataset a column, and where they come from."""
    with write_hdf5(path) as (file, _):
        for name, values in _columns(found).items():
            file.create_dataset(name, data=values, compression="gzip", shuffle=True)
            score = name.endswith("score")
            file[name].attrs["unit"] = "robust standard deviations" if score else "nats, energies in MeV"
        for name, part in found.showers.parts.items():
            if part.ndim == 2 and part.shape[1] > 1:
                file.create_dataset(f"{name}_by_layer", data=part.astype(np.float32), compression="gzip")
                file[f"{name}_by_layer"].attrs["unit"] = "nats, energies in MeV"
        file.attrs.update(
            {
                **source_attributes(bundle, view),
                "seed": seed,
                "threshold_mev": found.threshold_mev,
                "milliseconds_per_shower": found.milliseconds_per_shower,
            }
        )


def write_likelihood_csv(path: Path, found: Likelihood, view: ShowerFile) -> None:
    """Write log-likelihoods and robust scores as CSV: a line a shower, numbered as in its file."""
    energies = MEV_PER_GEV * found.showers.energies_gev
    columns = {"incident_energy_mev": energies, **_columns(found)}
    write_csv_columns(path, "shower", columns, view.first)


def _columns(found: Likelihood) -> dict[str, Float64]:
    showers = found.showers
    columns = {"log_likelihood": showers.totals, "score": showers.scores["all"]}
    for name, part in showers.parts.items():
        columns[name] = part.reshape(len(part), -1).sum(1)
        columns[f"{name}_score"] = showers.scores[name]
    return columns


@torch.inference_mode()
def _look_at(
    model: HasLikelihood, batch: TrainingBatch, keys: Tensor, test: CalibrationTest, energies: Float64
) -> dict[str, Float64]:
    """Return the parts of some showers' log-likelihoods, and add their draws to the test."""
    parts = {name: part.double().cpu().numpy() for name, part in model.log_parts(batch).items()}
    for found in model.cumulative_values(batch, keys):
        test.add(
            found.part,
            found.kind,
            found.value.double().cpu().numpy(),
            found.event.cpu().numpy(),
            found.level.cpu().numpy(),
            found.layer.cpu().numpy(),
            energies[: len(batch)],
        )
    return parts


def _leaving(bundle: Bundle, model: HasLikelihood, incidents: Incidents) -> dict[str, Any]:
    """Return which incident particles lie outside the training range, by condition."""
    ranges = ranges_of(bundle.ranges, model.conditions)
    return dict(incidents_outside(ranges, incidents))
