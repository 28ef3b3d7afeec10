"""Reconstruction of a shower file by a bundle: what the network estimates, shower by shower."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from calokit.bundles.bundle import Bundle, check_reconstructed, source_attributes
from calokit.bundles.ranges import energies_outside, warn_outside
from calokit.compute.device import CPU, Device
from calokit.errors import BundleError
from calokit.files import write_csv_columns, write_hdf5
from calokit.inference.condition_space import ConditionSpace
from calokit.inference.likelihood_fit import LikelihoodFit
from calokit.inference.widening import Widening, pick_known
from calokit.models.estimators.protocol import Reconstructor
from calokit.models.protocols import HasLikelihood
from calokit.progress import Progress, show_progress
from calokit.showers import Incidents, ShowerFile, Showers
from calokit.units import MEV_PER_GEV

BLOCK = 512
"""Showers reconstructed at a time."""
LIKELIHOOD_BLOCK = 128
"""The same where a likelihood is searched."""
UNITS = {
    "energy": "MeV",
    "energy_uncertainty": "MeV",
    "position": "mm, x and y at the front face",
    "position_uncertainty": "mm",
    "direction": "unit vector, z into the calorimeter",
    "direction_uncertainty": "rad, projections to the xz and the yz plane",
    "count": "particles",
    "particle_energy": "MeV, the largest first, 0 where there is no particle",
    "particle_position": "mm, x and y at the front face",
}
"""Every column that a reconstruction can have, and its unit."""
CSV_UNITS = {
    name: unit.split(",")[0].lower()
    for name, unit in UNITS.items()
    if unit.split(",")[0] in ("MeV", "mm", "rad")
}
"""Ends of the headers of a CSV file."""
HAVE_AXES = frozenset(
    name for name in UNITS if name.split("_")[0] in ("position", "direction") or name == "particle_position"
)
"""Columns whose last axis is x, y (and z)."""
RANGE_MARGIN_SIGMA = 4.0
"""An energy lies outside where it leaves the training range by more than so many of its uncertainties."""


@dataclass(frozen=True)
class Reconstruction:
    """What a bundle makes of some showers.

    Attributes:
        columns: Estimates by name, see `UNITS`; the first axis is the event.
        milliseconds_per_shower: Wall time, finding the hits included, reading and writing not.
        outside: Share of the energies outside the training range.
        computed_on: Model of the processor or accelerator.
        block: Showers reconstructed at a time.
        widening: What uncertainties were made wider by, if so.
    """

    columns: dict[str, NDArray[Any]]
    milliseconds_per_shower: float
    outside: float
    computed_on: str
    block: int = BLOCK
    widening: Widening | None = None

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


def reconstruct_showers(
    bundle: Bundle,
    view: ShowerFile,
    progress: Progress = show_progress,
    device: Device = CPU,
    prior: Incidents | None = None,
    known: ShowerFile | None = None,
) -> Reconstruction:
    """Reconstruct every shower of a view; memory stays bounded.

    Args:
        bundle: A trained reconstruction, or a surrogate that knows its likelihood (`LikelihoodFit`).
        view: The showers; their incident particles are not looked at.
        progress: Shows how far it is; see `calokit.progress`.
        device: What the network computes on.
        prior: For a likelihood: incident particles as the showers may have, see `ConditionSpace`.
        known: For a likelihood: showers whose truth is known, such as those of the training; uncertainties
            are made as wide as some of them say (`Widening`). Their particles are the prior if none is given.

    Raises:
        BundleError: The bundle generates showers and knows no likelihood, or none of energies.
        DetectorError: The showers are of another detector.

    Example:
        >>> from calokit.inference import read_bundle, reconstruct_showers
        >>> bundle = read_bundle("zoo/luxe_energy.calokit")                           # doctest: +SKIP
        >>> reconstruct_showers(bundle, open_showers("showers.h5")).columns["energy"]  # doctest: +SKIP
    """
    check_reconstructed(bundle, view)
    if not isinstance(bundle.model, HasLikelihood):
        known = None
    if prior is None and known is not None:
        prior = next(known.incident_chunks())
    estimate, block = _find_estimator(bundle, device, prior)
    widening = None if known is None else _measure_widening(estimate, known, progress)
    seconds = 0.0
    parts: list[dict[str, NDArray[Any]]] = []
    with progress(len(view), f"reconstructing {view.path.name} with {bundle.name}", "showers") as advance:
        for showers in view.chunks(block):
            started = time.perf_counter()
            parts.append(estimate(showers))
            seconds += time.perf_counter() - started
            advance(len(showers))
    columns = _joined(parts)
    if widening is not None:
        columns = widening.apply(columns)
    outside = _check_range(bundle, columns)
    return Reconstruction(columns, 1e3 * seconds / len(view), outside, device.model_name(), block, widening)


def _joined(parts: Sequence[dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """Return the columns of several blocks as one."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _measure_widening(
    estimate: Callable[[Showers], dict[str, NDArray[Any]]], known: ShowerFile, progress: Progress
) -> Widening | None:
    """Return how far uncertainties fall short for showers whose truth is known; None if they are too few."""
    parts = []
    truths = []
    pieces = pick_known(known)
    if not pieces:
        return None
    count = sum(piece.stop - piece.start for piece in pieces)
    with progress(count, f"measuring uncertainties on {known.path.name}", "showers") as advance:
        for piece in pieces:
            showers = known.read(piece.start, piece.stop)
            parts.append(estimate(showers))
            truths.append(showers.incidents)
            advance(len(showers))
    return Widening.measure(_joined(parts), Incidents.join(truths))


def estimated_columns(bundle: Bundle, view: ShowerFile, device: Device = CPU) -> set[str]:
    """Return the names of what a bundle finds of showers, as seen on the first; see `reconstruct_showers`."""
    check_reconstructed(bundle, view)
    estimate, _ = _find_estimator(bundle, device, None)
    return set(estimate(view.head(1).read_all()))


def _find_estimator(
    bundle: Bundle, device: Device, prior: Incidents | None
) -> tuple[Callable[[Showers], dict[str, NDArray[Any]]], int]:
    """Return what makes estimates of showers in memory, and for how many at a time."""
    if isinstance(bundle.model, HasLikelihood):
        if "energy" not in bundle.model.conditions:
            raise BundleError(
                f"bundle {bundle.name} was trained at one energy: its likelihood says nothing of energies, "
                "and it reconstructs none; train on showers of several."
            )
        device.put(bundle.model)
        space = ConditionSpace.of(bundle.ranges, bundle.model.conditions, prior)
        fit = LikelihoodFit(bundle.model, space, bundle.detector, device)
        return lambda showers: fit.estimate(showers).columns(), LIKELIHOOD_BLOCK
    model = device.put(need_reconstructor(bundle))
    return lambda showers: estimate_block(model, showers), BLOCK


def estimate_block(model: Reconstructor, showers: Showers) -> dict[str, NDArray[Any]]:
    """Return the estimates for some showers in memory, by name."""
    device = model.device
    precision = model.precision_in_use(device)
    with torch.inference_mode(), precision.autocast(device):
        return model.estimate(device.put(model.prepare(showers))).columns()


def need_reconstructor(bundle: Bundle) -> Reconstructor:
    """Return the model of a bundle that reconstructs.

    Raises:
        BundleError: The bundle generates showers.
    """
    if not isinstance(bundle.model, Reconstructor):
        raise BundleError(
            f"bundle {bundle.name} generates showers and knows no likelihood; use `calokit generate`."
        )
    return bundle.model


def write_reconstruction(path: Path, made: Reconstruction, bundle: Bundle, view: ShowerFile) -> None:
    """Write estimates as HDF5: one dataset a column with its unit, and where they come from."""
    with write_hdf5(path) as (file, _):
        for name, values in made.columns.items():
            file.create_dataset(name, data=values, compression="gzip", shuffle=True)
            file[name].attrs["unit"] = UNITS[name]
        file.attrs.update(
            {
                **source_attributes(bundle, view),
                "milliseconds_per_shower": made.milliseconds_per_shower,
                "timing_note": f"with the search of hits, batch {made.block}, {torch.get_num_threads()} "
                f"thread(s), float32, {made.computed_on}",
                "outside_training_range": made.outside,
                **({} if made.widening is None else {"uncertainties": made.widening.describe()}),
            }
        )


def write_csv(path: Path, made: Reconstruction, view: ShowerFile | None = None) -> None:
    """Write estimates as CSV: one line a shower; headers end in the unit, such as `position_x_mm`.

    Args:
        path: The file.
        made: The estimates.
        view: The showers; what they know of the truth stands behind the estimates, such as `true_energy_mev`,
            and showers are counted as in their file.
    """
    flat: dict[str, NDArray[Any]] = {}
    for name, values in (made.columns | ({} if view is None else _true_columns(view))).items():
        kind = name.removeprefix("true_")
        unit = f"_{CSV_UNITS[kind]}" if kind in CSV_UNITS else ""
        for place in np.ndindex(values.shape[1:]):
            words = list(map(str, place))
            if kind in HAVE_AXES:
                words[-1] = "xyz"[place[-1]]
            flat["_".join([name, *words]) + unit] = values[:, *place]
    write_csv_columns(path, "shower", flat, 0 if view is None else view.first)


def _true_columns(view: ShowerFile) -> dict[str, NDArray[Any]]:
    """Return what a file knows of its incident particles; of several an event, their energy in all."""
    incidents = Incidents.join(list(view.incident_chunks()))
    found: dict[str, NDArray[Any] | None] = {"true_energy": incidents.energies}
    if incidents.particles is None:
        found |= {"true_position": incidents.positions, "true_direction": incidents.directions}
    return {name: values for name, values in found.items() if values is not None}


def _check_range(bundle: Bundle, columns: dict[str, NDArray[Any]]) -> float:
    """Warn of energies outside the training range, and return their share."""
    if "energy" not in columns:
        return 0.0
    energy = columns["energy"].astype(np.float64)
    width = columns.get("energy_uncertainty", 0.2 * np.sqrt(MEV_PER_GEV * energy.clip(1.0)))
    outside = energies_outside(bundle.ranges, energy, RANGE_MARGIN_SIGMA * width)
    known = [one for one in bundle.ranges if one.name in outside]
    warn_outside(outside, known, bundle.name, "energies", "them", 3)
    return float(np.any(list(outside.values()), axis=0).mean()) if outside else 0.0
