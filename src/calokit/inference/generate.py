"""Generation: showers for given incident particles, in blocks whose noise follows from seed and place."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from calokit.bundles.bundle import Bundle, bundle_digest
from calokit.compute.draws import step_generator
from calokit.compute.machine import processor_name
from calokit.compute.precision import Precision, native_precision
from calokit.errors import BundleError, ConditionWarning, ConfigurationError, DetectorError
from calokit.models.batches import IncidentTensors
from calokit.models.protocols import Surrogate
from calokit.showers import Incidents, ShowerFile, Showers, ShowerWriter, concatenate
from calokit.units import MEV_PER_GEV

BLOCK = 256
"""Showers generated at a time; fixed, so that the same seed gives the same showers."""

RANGE_MARGIN = 1e-3
"""Share of a condition's training range by which it may be exceeded without a warning."""


@dataclass(frozen=True)
class Generated:
    """What a generation did.

    Attributes:
        showers: How many were written.
        milliseconds_per_shower: Wall time of the model alone (no reading or writing).
        outside: Share of the incidents outside the training range.
    """

    showers: int
    milliseconds_per_shower: float
    outside: float


def incidents_like(view: ShowerFile, count: int | None = None) -> Iterator[Incidents]:
    """Yield the incident particles of a file, with every condition that the file has, in blocks."""
    left = len(view) if count is None else min(count, len(view))
    for known in view.incident_chunks(16 * BLOCK):
        picked = known[:left]
        left -= len(picked)
        if len(picked):
            yield Incidents(picked.energies, picked.positions, picked.directions)
        if left <= 0:
            return


def incidents_at(
    energy_gev: float, count: int, position_mm: tuple[float, float] = (0.0, 0.0)
) -> Iterator[Incidents]:
    """Yield `count` particles of one energy, along the axis, at one impact point.

    Raises:
        ConfigurationError: The energy or the count is not positive.
    """
    if not (energy_gev > 0 and math.isfinite(energy_gev)) or count < 1:
        raise ConfigurationError(f"energy {energy_gev} GeV and count {count}: both must be positive.")
    for start in range(0, count, 16 * BLOCK):
        events = min(16 * BLOCK, count - start)
        yield Incidents(
            np.full(events, energy_gev * MEV_PER_GEV, np.float32),
            np.tile(np.array(position_mm, np.float32), (events, 1)),
            np.tile(np.array([0.0, 0.0, 1.0], np.float32), (events, 1)),
        )


class ShowerGenerator:
    """Draws showers from a bundle.

    Args:
        bundle: The trained model.
        seed: Decides every draw.
        precision: Number format and memory layout; None takes what this processor is built for.

    Example:
        >>> from calokit.inference import ShowerGenerator, read_bundle
        >>> bundle = read_bundle("zoo/zdc_flow.calokit")                      # doctest: +SKIP
        >>> showers = ShowerGenerator(bundle, seed=1).at(energy_gev=20, count=100)  # doctest: +SKIP
    """

    def __init__(self, bundle: Bundle, seed: int, precision: Precision | None = None) -> None:
        self.bundle = bundle
        self.model = need_surrogate(bundle)
        self.seed = seed
        self.precision = precision or native_precision()
        self.seconds = 0.0
        self.showers = 0
        self.outside = 0
        self._block = 0
        self.precision.lay_out(self.model)

    def draw(self, incidents: Incidents) -> Showers:
        """Draw one shower an incident particle; warns once where conditions leave the training range."""
        self._check_range(incidents)
        parts = [self._draw_block(incidents, start) for start in range(0, len(incidents), BLOCK)]
        return concatenate(parts)

    def at(self, energy_gev: float, count: int, position_mm: tuple[float, float] = (0.0, 0.0)) -> Showers:
        """Draw showers of one energy (GeV) along the axis at one impact point (mm)."""
        return concatenate([self.draw(columns) for columns in incidents_at(energy_gev, count, position_mm)])

    def _draw_block(self, incidents: Incidents, start: int) -> Showers:
        block = incidents[start : start + BLOCK]
        generator = step_generator(self.seed, self._block)
        self._block += 1
        started = time.perf_counter()
        with torch.inference_mode(), self.precision.autocast():
            energies = self.model.generate(IncidentTensors.of(block), generator)
        self.seconds += time.perf_counter() - started
        self.showers += len(block)
        return Showers.of(energies.float().numpy(), self.bundle.detector, block)

    def _check_range(self, incidents: Incidents) -> None:
        values, names = incidents.conditions()
        outside = np.zeros(len(incidents), bool)
        for one in self.bundle.ranges:
            if one.name not in names or not self._conditioned_on(one.name):
                continue
            column = values[:, names.index(one.name)]
            margin = RANGE_MARGIN * (one.largest - one.smallest)
            outside |= (column < one.smallest - margin) | (column > one.largest + margin)
        if outside.any() and self.outside == 0:
            warnings.warn(
                f"{int(outside.sum())} of {len(outside)} incident particles lie outside the training range "
                f"of {self.bundle.name} ({self.describe_range()}); do not trust their showers.",
                ConditionWarning,
                stacklevel=3,
            )
        self.outside += int(outside.sum())

    def _conditioned_on(self, name: str) -> bool:
        kinds = {"ln incident energy": "energy", "impact x": "position", "impact y": "position"}
        return kinds.get(name, "direction") in self.model.conditions

    def describe_range(self) -> str:
        """Return the training range of the conditions the model uses, in words."""
        words = []
        for one in self.bundle.ranges:
            if not self._conditioned_on(one.name):
                continue
            if one.name == "ln incident energy":
                low, high = math.exp(one.smallest) / MEV_PER_GEV, math.exp(one.largest) / MEV_PER_GEV
                words.append(f"{low:.3g} to {high:.3g} GeV")
            else:
                words.append(f"{one.name} {one.smallest:.4g} to {one.largest:.4g}")
        return ", ".join(words)


def need_surrogate(bundle: Bundle) -> Surrogate:
    """Return the model of a bundle that generates showers.

    Raises:
        BundleError: The bundle reconstructs.
    """
    if not isinstance(bundle.model, Surrogate):
        raise BundleError(
            f"bundle {bundle.name} reconstructs showers and generates none; use `calokit reconstruct`."
        )
    return bundle.model


def generate_file(
    bundle: Bundle,
    incidents: Iterator[Incidents],
    path: Path,
    seed: int,
    progress: Callable[[int], None],
    precision: Precision | None = None,
    like: ShowerFile | None = None,
) -> Generated:
    """Draw showers and write them as a native file.

    Args:
        bundle: The trained model.
        incidents: The incident particles, piece by piece.
        path: The file to write.
        seed: Decides every draw.
        progress: Told how many showers were drawn since the last call.
        precision: See `ShowerGenerator`.
        like: The file the incidents are taken from, for the detector check and the provenance.

    Raises:
        DetectorError: The incidents belong to another detector.
    """
    if like is not None and not like.detector.is_same(bundle.detector):
        raise DetectorError(
            f"bundle {bundle.name} generates in detector {bundle.detector.name!r}, and {like.path} holds "
            f"showers of {like.detector.name!r}."
        )
    generator = ShowerGenerator(bundle, seed, precision)
    attributes = {
        "seed": seed,
        "bundle": bundle.name,
        "bundle_digest": bundle_digest(bundle),
        "threshold_mev": generator.model.threshold_mev,
        **({} if like is None else {"like": like.path.name, "like_split": str(like.split)}),
    }
    made_by = f"calokit surrogate {bundle.name}"
    with ShowerWriter(path, bundle.detector, bundle.provenance["particle"], made_by, attributes) as writer:
        for columns in incidents:
            showers = generator.draw(columns)
            writer.write(showers)
            progress(len(showers))
        milliseconds = 1e3 * generator.seconds / max(1, generator.showers)
        writer.set_attributes(
            {
                "milliseconds_per_shower": milliseconds,
                "timing_note": f"model only, batch {BLOCK}, {torch.get_num_threads()} thread(s), "
                f"{generator.precision.number_format}, {processor_name()}",
                "outside_training_range": generator.outside / max(1, generator.showers),
            }
        )
    return Generated(generator.showers, milliseconds, generator.outside / max(1, generator.showers))
