"""Generation: showers for given incident particles, in blocks whose noise follows from seed and place."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from calokit.arrays import Float32
from calokit.bundles.bundle import Bundle, bundle_digest, check_detector
from calokit.bundles.ranges import incidents_outside, ranges_of, warn_outside
from calokit.compute.device import CPU, Device
from calokit.compute.draws import Draws, Purpose, draw_generator
from calokit.compute.precision import Precision
from calokit.compute.prefetch import ahead_of
from calokit.errors import BundleError, ConfigurationError
from calokit.inference.incident_checks import (
    check_asked,
    check_seed,
    find_others,
    warn_of_empty,
    warn_of_others,
)
from calokit.models.batches import IncidentTensors
from calokit.models.protocols import Surrogate
from calokit.progress import Progress, show_progress
from calokit.showers import Incidents, ShowerFile, Showers, ShowerWriter
from calokit.units import MEV_PER_GEV

BLOCK = 256
"""Showers generated at a time; fixed, so that the same seed gives the same showers."""
LARGEST_GEV = 1e12
"""The highest cosmic rays have less."""
PIECE = 16 * BLOCK
"""Incident particles taken at a time."""


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


def in_pieces(incidents: Iterable[Incidents], size: int = PIECE) -> Iterator[Incidents]:
    """Yield the same particles in pieces of one size, the last one as short as need be."""
    waiting: list[Incidents] = []
    for columns in incidents:
        waiting.append(columns)
        while sum(map(len, waiting)) >= size:
            whole = Incidents.join(waiting)
            yield whole[:size]
            waiting = [whole[size:]]
    if sum(map(len, waiting)):
        yield Incidents.join(waiting)


def incidents_like(source: ShowerFile | Incidents, count: int | None = None) -> Iterator[Incidents]:
    """Yield the incident particles of a file, with every condition that it has, in blocks; or of a list.

    Args:
        source: Showers, or particles.
        count: The first so many; None takes all.

    Raises:
        ConfigurationError: There are fewer, or the count is negative.
    """
    if count is not None and count < 0:
        raise ConfigurationError(f"count {count}: it must not be negative.")
    if count is not None and count > len(source):
        raise ConfigurationError(
            f"{count} showers are asked for, but there are {len(source)} incident particles to take; "
            "ask for fewer, or leave the count out."
        )
    left = len(source) if count is None else count
    for known in [source] if isinstance(source, Incidents) else source.incident_chunks(PIECE):
        picked = known[:left]
        left -= len(picked)
        if len(picked):
            yield picked
        if left <= 0:
            return


def incidents_at(
    energy_gev: float,
    count: int,
    position_mm: tuple[float, float] = (0.0, 0.0),
    direction: tuple[float, float, float] = (0.0, 0.0, 1.0),
) -> Iterator[Incidents]:
    """Yield `count` particles of one energy, direction (any length, z forward) and impact point.

    Raises:
        ConfigurationError: The energy or the count is not positive (or the energy beyond reason), or the
            direction not forward.
    """
    if not 0 < energy_gev <= LARGEST_GEV or count < 1:
        raise ConfigurationError(
            f"energy {energy_gev} GeV and count {count}: both must be positive, and the energy at most "
            f"{LARGEST_GEV:.0e} GeV."
        )
    length = math.hypot(*direction)
    if not (math.isfinite(length) and direction[2] > 0):
        raise ConfigurationError(f"direction {direction}: the third number, along z, must be positive.")
    for start in range(0, count, PIECE):
        events = min(PIECE, count - start)
        yield Incidents(
            np.full(events, energy_gev * MEV_PER_GEV, np.float32),
            np.tile(np.array(position_mm, np.float32), (events, 1)),
            np.tile((np.array(direction) / length).astype(np.float32), (events, 1)),
        )


class ShowerGenerator:
    """Draws showers from a bundle, in blocks of 256.

    What a block holds follows from the seed, its number and its incident particles alone; so blocks can be
    made in any order, by any process. Noise is drawn on the processor: the same seed means the same showers,
    to rounding, on every device.

    Args:
        bundle: The trained model; it is moved to the device.
        seed: Decides every draw.
        precision: Number format and memory layout; None takes what the device is built for.
        device: What generates.

    Raises:
        BundleError: The bundle reconstructs.
        ConfigurationError: The seed is negative or no whole number.

    Attributes:
        seconds: Time that the model took so far, noise included.
        showers: How many it made.
        outside: How many incident particles lay outside the training range.

    Example:
        >>> from calokit.inference import ShowerGenerator, read_bundle
        >>> bundle = read_bundle("zoo/zdc_flow.calokit")                      # doctest: +SKIP
        >>> showers = ShowerGenerator(bundle, seed=1).at(energy_gev=20, count=100)  # doctest: +SKIP
    """

    def __init__(
        self, bundle: Bundle, seed: int, precision: Precision | None = None, device: Device = CPU
    ) -> None:
        check_seed(seed)
        self.bundle = bundle
        self.device = device
        self.model = device.put(need_surrogate(bundle))
        self.seed = seed
        self.precision = precision or self.model.precision_in_use(device)
        self.seconds = 0.0
        self.showers = 0
        self.outside = 0
        self._told: set[str] = set()
        self.precision.lay_out(self.model)

    def draw(
        self, incidents: Incidents | Showers, first_block: int = 0, out: Float32 | None = None
    ) -> Showers:
        """Draw one shower an incident particle.

        Warns once where conditions leave the training range, particles are of another kind than the bundle's,
        or most showers are empty.

        Args:
            incidents: The incident particles, or showers whose particles are taken.
            first_block: Number of the block that the first 256 of them make.
            out: Takes the energies (event, cell) in place of new memory, which for showers of many cells may
                cost a sixth of the time; what it holds is overwritten.

        Raises:
            ShowerFileError: Particles that cannot be, such as of a negative energy.
            ConfigurationError: The model needs impacts or directions, and they are not known; `out` is of
                another shape or type.

        Example:
            >>> first = generator.draw(incidents)                              # doctest: +SKIP
            >>> second = generator.draw(incidents, 40, out=first.energies)     # doctest: +SKIP
        """
        given = incidents.incidents if isinstance(incidents, Showers) else incidents
        self._check_incidents(given)
        incidents = Incidents(given.energies, given.positions, given.directions)
        starts = range(0, len(incidents), BLOCK)
        noise = (
            self._draw_noise(number, len(incidents[start : start + BLOCK]))
            for number, start in enumerate(starts, start=first_block)
        )
        size = BLOCK * self.model.blocks_at_once
        energies = self._nothing(len(incidents), out)
        with ahead_of(noise, self.device) as drawn:
            for start in range(0, len(incidents), size):
                self._make(incidents[start : start + size], drawn, energies[start : start + size])
        self._check_filled(energies[:BLOCK])
        return Showers.of(energies, self.bundle.detector, incidents)

    def at(
        self,
        energy_gev: float,
        count: int,
        position_mm: tuple[float, float] = (0.0, 0.0),
        first_block: int = 0,
        direction: tuple[float, float, float] = (0.0, 0.0, 1.0),
    ) -> Showers:
        """Draw showers of one energy (GeV), impact (mm) and direction, from a block number on."""
        incidents = Incidents.join(list(incidents_at(energy_gev, count, position_mm, direction)))
        return self.draw(incidents, first_block)

    def warm_up(self, incidents: Incidents) -> None:
        """Draw showers for nothing: what the first alone needs, such as compiling, is not timed."""
        check_asked(self.bundle, self.model.conditions, incidents)
        self._make(incidents, iter([self._draw_noise(0, len(incidents))]), self._nothing(len(incidents)))
        self.seconds, self.showers = 0.0, 0

    def _say_once(self, what: str) -> bool:
        """Tell whether something is said for the first time."""
        first = what not in self._told
        self._told.add(what)
        return first

    def _draw_noise(self, number: int, showers: int) -> dict[str, Tensor]:
        """Draw a block's noise on the processor and move it to the device."""
        generator = draw_generator(self.seed, Purpose.GENERATION, number)
        return Draws(generator, self.device).noise(self.model.noise(), showers)

    def _nothing(self, showers: int, out: Float32 | None = None) -> Float32:
        """Return empty showers (event, cell) to draw into, piece by piece: `out`, emptied, or new ones."""
        shape = (showers, self.bundle.detector.number_of_cells)
        if out is None:
            return np.zeros(shape, np.float32)
        if out.shape != shape or out.dtype != np.float32 or not out.flags.c_contiguous:
            raise ConfigurationError(
                f"out has shape {out.shape} and type {out.dtype}; these showers need {shape}, float32, "
                "contiguous."
            )
        out.fill(0.0)
        return out

    def _make(self, some: Incidents, noise: Iterator[dict[str, Tensor]], energies: Float32) -> None:
        """Draw showers (event, cell): as many blocks as the model takes at once, with the next noise."""
        started = time.perf_counter()
        with torch.inference_mode(), self.precision.autocast(self.device):
            known = IncidentTensors.of(some)
            blocks = [next(noise) for _ in range(0, len(some), BLOCK)]
            drawn = {name: torch.cat([block[name] for block in blocks]) for name in blocks[0]}
            self.model.write_showers(self.device.put(known), drawn, energies)
        self.seconds += time.perf_counter() - started
        self.showers += len(some)

    def _check_incidents(self, incidents: Incidents) -> None:
        """Refuse what cannot be generated; warn once of what the training showers did not show."""
        check_asked(self.bundle, self.model.conditions, incidents)
        others = find_others(self.bundle, incidents)
        if len(others) and self._say_once("particle"):
            warn_of_others(self.bundle, others, len(incidents), 3)
        ranges = ranges_of(self.bundle.ranges, self.model.conditions)
        outside = incidents_outside(ranges, incidents)
        if self.outside == 0:
            warn_outside(outside, ranges, self.bundle.name, "incident particles", "their showers", 3)
        self.outside += int(np.any(list(outside.values()), axis=0).sum())

    def _check_filled(self, energies: Float32) -> None:
        """Warn once where most of some showers (event, cell) are empty."""
        empty = int((energies.max(axis=1) == 0.0).sum())
        if 2 * empty > len(energies) and self._say_once("empty"):
            warn_of_empty(self.bundle, empty, len(energies), 3)


def _draw_pieces(generator: ShowerGenerator, incidents: Iterable[Incidents]) -> Iterator[Showers]:
    """Draw showers piece by piece, and one before them that is not timed.

    On a processor each piece takes the memory of the one before it, which whoever iterates is done with; an
    accelerator draws pieces ahead.
    """
    energies: Float32 | None = None
    for number, some in enumerate(in_pieces(incidents)):
        if number == 0:
            generator.warm_up(some[:1])
        out = energies[: len(some)] if energies is not None and generator.device.is_host else None
        made = generator.draw(some, number * PIECE // BLOCK, out)
        energies = made.energies if out is None else energies
        yield made


def _provenance(like: ShowerFile | Path | None) -> dict[str, str]:
    """Return what a file of showers says about where its incident particles are from."""
    if like is None:
        return {}
    if isinstance(like, Path):
        return {"like": like.name}
    return {"like": like.path.name, "like_split": str(like.split)}


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


def generate_like(
    bundle: Bundle,
    like: ShowerFile,
    path: Path,
    seed: int,
    progress: Progress = show_progress,
    device: Device = CPU,
) -> Generated:
    """Draw one shower for each incident particle of a file and write them as a native file.

    Args:
        bundle: The trained model.
        like: Whose incident particles are shot, in their order and with every condition that it has.
        path: The file to write.
        seed: Decides every draw.
        progress: Shows how far it is; see `calokit.progress`.
        device: What generates.

    Raises:
        DetectorError: The file is of another detector.
    """
    return generate_file(
        bundle, incidents_like(like), path, seed, progress, like=like, expected=len(like), device=device
    )


def generate_file(
    bundle: Bundle,
    incidents: Iterable[Incidents],
    path: Path,
    seed: int,
    progress: Progress = show_progress,
    precision: Precision | None = None,
    like: ShowerFile | Path | None = None,
    expected: int | None = None,
    device: Device = CPU,
) -> Generated:
    """Draw showers and write them as a native file.

    Args:
        bundle: The trained model.
        incidents: The incident particles, piece by piece.
        path: The file to write.
        seed: Decides every draw.
        progress: Shows how far it is; see `calokit.progress`.
        precision: See `ShowerGenerator`.
        like: The showers that the incidents are taken from, for the detector check and the provenance, or the
            list of particles.
        expected: How many incident particles there are, where that is known; for the progress alone.
        device: What generates.

    Raises:
        DetectorError: The incidents belong to another detector.
    """
    if isinstance(like, ShowerFile):
        check_detector(bundle, like.detector, f"{like.path} holds showers", "generates in")
    generator = ShowerGenerator(bundle, seed, precision, device)
    attributes = {
        "seed": seed,
        "bundle": bundle.name,
        "bundle_digest": bundle_digest(bundle),
        "threshold_mev": generator.model.threshold_mev,
        **_provenance(like),
    }
    made_by = f"calokit surrogate {bundle.name}"
    with (
        ShowerWriter(
            path, bundle.detector, bundle.provenance["particle"], made_by, attributes, compression=1
        ) as writer,
        progress(expected, f"generating {path.stem} with {bundle.name}", "showers") as advance,
        ahead_of(_draw_pieces(generator, incidents), device) as pieces,
    ):
        for showers in pieces:
            writer.write(showers)
            advance(len(showers))
        milliseconds = 1e3 * generator.seconds / max(1, generator.showers)
        writer.set_attributes(
            {
                "milliseconds_per_shower": milliseconds,
                "timing_note": f"model only, batch {BLOCK * generator.model.blocks_at_once}, "
                f"{torch.get_num_threads()} thread(s), {generator.precision.number_format}, "
                f"{device.model_name()}",
                "outside_training_range": generator.outside / max(1, generator.showers),
            }
        )
    return Generated(generator.showers, milliseconds, generator.outside / max(1, generator.showers))
