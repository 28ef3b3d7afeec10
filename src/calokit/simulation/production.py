"""Producing a shower file by many processes, block by block, so that nothing finished is ever lost."""

from __future__ import annotations

import json
import platform
import shutil
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calokit.detector import Detector
from calokit.engine.tasks import Executor, Result, Task, Work, Worker
from calokit.errors import ConfigurationError, DataSetWarning, ShowerFileError, SimulationError
from calokit.files import check_writable, hold_folder, make_folder, write_json
from calokit.progress import Progress, show_progress
from calokit.showers import Showers, ShowerWriter, concatenate, open_showers
from calokit.showers.particles import Particles
from calokit.showers.splits import parse_split
from calokit.showers.writer import check_file_name, chunk_rows
from calokit.simulation.backend_names import BackendName
from calokit.simulation.backends import (
    Backend,
    ParticleSource,
    Simulator,
    prepare_geant4,
    prepare_parametric,
)
from calokit.simulation.sample import Sample
from calokit.simulation.twins import Twins, twin_seed

MANIFEST_VERSION = 1


@dataclass(frozen=True)
class Production:
    """What shall be produced.

    Attributes:
        sample: The incident particles.
        detector: The sample's detector.
        backend: What makes the showers.
        seed: Decides every draw.
        attributes: Further attributes of the file, such as `split`.
        twins: Showers whose incident particles are shot again, instead of those that the seed draws.
    """

    sample: Sample
    detector: Detector
    backend: Backend
    seed: int
    attributes: dict[str, str]
    twins: Twins | None = None

    @property
    def identity(self) -> dict[str, Any]:
        """All that decides what is in the file, but the number of events."""
        return {
            "manifest_version": MANIFEST_VERSION,
            "sample": self.sample.to_mapping(),
            "detector": self.detector.to_mapping(),
            "generator": self.backend.generator,
            "block": self.backend.block,
            "seed": self.seed,
            "attributes": self.attributes,
            **({"data_sets": list(self.backend.data_sets)} if self.backend.data_sets else {}),
            **({} if self.twins is None else {"twins_sha256": self.twins.sha256}),
        }


@dataclass(frozen=True)
class Produced:
    """What a production did.

    Attributes:
        showers: Number in the file.
        made_now: How many of them this call made.
        milliseconds_per_shower: Mean wall time in a process, over all of them.
    """

    showers: int
    made_now: int
    milliseconds_per_shower: float


def prepare_production(
    sample: Sample, backend: BackendName, seed: int, split: str | None = None, twins: Path | None = None
) -> Production:
    """Make a production ready: its detector, its backend, and what the file is meant for.

    Args:
        sample: The incident particles.
        backend: `geant4` or `parametric`.
        seed: Decides every draw.
        split: What the file is meant for: train, validation or test.
        twins: A shower file whose incident particles are shot again.

    Raises:
        ConfigurationError: The seed is negative or of more than 32 bits.
        SimulationError: Geant4 or its data is missing, or the twins cannot be.
    """
    if not 0 <= seed < 2**32:
        raise ConfigurationError(f"seed {seed}: seeds are whole numbers from 0 to {2**32 - 1}.")
    detector = sample.load_detector()
    prepare = {"geant4": prepare_geant4, "parametric": prepare_parametric}[backend]
    ready = prepare(sample, detector)
    for words in (*ready.shortcomings, *ready.notes):
        warnings.warn(f"Geant4 data: {words}.", DataSetWarning, stacklevel=2)
    attributes = {} if split is None else {"split": str(parse_split(split))}
    shot = None if twins is None else Twins.open(twins, sample)
    return Production(sample, detector, ready, seed, attributes, shot)


def produce_file(
    production: Production,
    path: Path,
    events: int,
    executor: Executor,
    progress: Progress = show_progress,
) -> Produced:
    """Produce a shower file; killed at any point, the same call goes on where it stopped.

    Finished blocks stand in the folder PATH.parts until the file is complete; beside it PATH.manifest.json
    tells what was made, by what, and how long it took. The same production gives the same bytes, whatever
    the number of processes.

    Args:
        production: What to produce.
        path: The file.
        events: How many showers.
        executor: Runs the blocks.
        progress: Shows how far it is; see `calokit.progress`.

    Raises:
        SimulationError: The file, or the finished blocks, belong to another production.
        OutputError: The file cannot be written there, or another process makes it.
    """
    check_file_name(path)
    if not path.is_file():
        check_writable(path)
    manifest_path = path.with_name(path.name + ".manifest.json")
    if production.twins is not None and events > len(production.twins):
        raise SimulationError(
            f"{production.twins.path} has {len(production.twins)} incident particles; ask for no more."
        )
    if path.is_file():
        return _already_produced(production, path, manifest_path, events)
    folder = path.with_name(path.name + ".parts")
    _open_folder(folder, production.identity)
    with hold_folder(folder):
        tasks = [
            _task(folder, first, events, production.backend.block) for first in _starts(production, events)
        ]
        missing = [task for task in tasks if not _is_finished(task)]
        before = events - sum(task["last"] - task["first"] for task in missing)
        made = 0
        with progress(events, f"simulating {production.sample.name}", "showers", before) as advance:
            for result in executor.run(_work(production), missing):
                made += result["last"] - result["first"]
                advance(result["last"] - result["first"])
        records = _merge(production, path, tasks)
    seconds = sum(record["seconds"] for record in records)
    content = open_showers(path).attributes["content_sha256"]
    write_json(
        manifest_path,
        {**production.identity, "events": events, "content_sha256": content, "parts": records},
    )
    shutil.rmtree(folder)
    return Produced(events, made, 1e3 * seconds / events)


def make_block_worker(settings: dict[str, Any]) -> Worker:
    """Make the worker that simulates blocks of a production and writes each as a shower file."""
    from importlib import import_module

    sample = Sample.from_mapping(settings["sample"], "worker")
    detector = Detector.from_mapping(settings["detector"], "worker")
    module, _, function = str(settings["opener"]).partition(":")
    simulator: Simulator = getattr(import_module(module), function)(settings["backend"])
    seed = int(settings["seed"])

    def draw(first: int, last: int) -> Particles:
        return sample.draw(seed, first, last, detector)

    source: ParticleSource = draw
    several = sample.has_several_particles
    if settings["twins"] is not None:
        twins = Twins.open(Path(settings["twins"]), sample)
        source, several, seed = twins.particles, twins.has_several_particles, twin_seed(seed)

    def make_block(task: Task) -> Result:
        first, last = int(task["first"]), int(task["last"])
        started, used = time.perf_counter(), time.process_time()
        particles, energies, entries = simulator.simulate(sample, source, seed, first, last)
        record = {
            "first": first,
            "last": last,
            "seconds": time.perf_counter() - started,
            "processor_seconds": time.process_time() - used,
            "host": platform.node(),
        }
        showers = Showers(
            energies,
            particles.total_energies,
            detector,
            particles.positions[:, 0],
            particles.directions[:, 0],
            particles.pdg[:, 0],
            particles if several else None,
            entries,
        )
        block = {"record": json.dumps(record)}
        with ShowerWriter(task["output"], detector, sample.particle, "block", block, compression=1) as writer:
            writer.write(showers)
        return record

    return make_block


def _work(production: Production) -> Work:
    """Return how a process becomes a worker of this production."""
    return Work(
        f"{__name__}:make_block_worker",
        {
            "sample": production.sample.to_mapping(),
            "detector": production.detector.to_mapping(),
            "opener": production.backend.opener,
            "backend": production.backend.settings,
            "seed": production.seed,
            "twins": None if production.twins is None else str(production.twins.path),
        },
        production.backend.environment,
    )


def _starts(production: Production, events: int) -> range:
    """Return the number of the first event of each block."""
    return range(0, events, production.backend.block)


def _task(folder: Path, first: int, events: int, block: int) -> Task:
    last = min(first + block, events)
    return {"first": first, "last": last, "output": str(folder / f"{first:09d}_{last:09d}.h5")}


def _is_finished(task: Task) -> bool:
    """Tell whether the block's file is complete (it appears under its name only then)."""
    path = Path(task["output"])
    if not path.is_file():
        return False
    try:
        return len(open_showers(path)) == int(task["last"]) - int(task["first"])
    except ShowerFileError:
        path.unlink()
        return False


def _open_folder(folder: Path, identity: dict[str, Any]) -> None:
    """Make the folder of finished blocks, or check that the one there belongs to this production."""
    manifest = folder / "manifest.json"
    if manifest.is_file():
        _require_same(identity, _read_json(manifest), folder)
        return
    make_folder(folder)
    write_json(manifest, identity)


def _already_produced(production: Production, path: Path, manifest_path: Path, events: int) -> Produced:
    """Accept a file that is just what would be produced; refuse any other."""
    if not manifest_path.is_file():
        raise SimulationError(f"{path} exists already; remove it or give another name.")
    manifest = _read_json(manifest_path)
    _require_same(production.identity, manifest, path)
    if manifest["events"] != events:
        raise SimulationError(
            f"{path} exists already with {manifest['events']} showers; give another name, and another seed "
            "if the showers shall be added to these."
        )
    try:
        view = open_showers(path)
        there = (len(view), view.attributes.get("content_sha256"))
    except ShowerFileError as error:
        raise SimulationError(f"{error} Remove it, and it is simulated again.") from None
    if there != (events, manifest["content_sha256"]):
        raise SimulationError(
            f"{path} is not the file that {manifest_path.name} tells of; remove both or give another name."
        )
    seconds = sum(record["seconds"] for record in manifest["parts"])
    return Produced(events, 0, 1e3 * seconds / events)


def _require_same(identity: dict[str, Any], other: dict[str, Any], where: Path) -> None:
    """Refuse to go on with blocks of another production."""
    wanted = json.loads(json.dumps(identity))
    differing = [key for key in wanted if wanted[key] != other.get(key)]
    if differing:
        raise SimulationError(
            f"{where} belongs to another production (differing: {', '.join(differing)}); "
            "remove it or give another name."
        )


def _merge(production: Production, path: Path, tasks: list[Task]) -> list[dict[str, Any]]:
    """Join the blocks into the file; returns what each block's worker recorded."""
    sample = production.sample
    laws = {
        "energy_law": json.dumps([gun.energy.to_mapping() for gun in sample.guns]),
        "incidence_law": json.dumps([gun.incidence.to_mapping() for gun in sample.guns]),
    }
    attributes = {
        "sample": sample.name,
        "sample_description": json.dumps(sample.to_mapping(), separators=(",", ":")),
        "seed": production.seed,
        **({} if production.twins is not None else laws),
        **({"geant4_data": ", ".join(names)} if (names := production.backend.data_sets) else {}),
        **({} if production.twins is None else {"twins_of_sha256": production.twins.sha256}),
        **production.attributes,
    }
    records = []
    made_by = (sample.particle, production.backend.generator)
    with ShowerWriter(path, production.detector, *made_by, attributes) as writer:

        def read_parts() -> Iterator[Showers]:
            for task in tasks:
                part = open_showers(task["output"])
                records.append(json.loads(part.attributes["record"]))
                yield part.read_all()

        for showers in _cut_evenly(read_parts(), chunk_rows(production.detector.number_of_cells)):
            writer.write(showers)
    return records


def _cut_evenly(parts: Iterator[Showers], rows: int) -> Iterator[Showers]:
    """Yield the showers of parts of any size in batches of one size: the file does not show the parts."""
    waiting: list[Showers] = []
    for part in parts:
        waiting.append(part)
        joined = concatenate(waiting)
        whole = len(joined) - len(joined) % rows
        for start in range(0, whole, rows):
            yield joined[start : start + rows]
        waiting = [joined[whole:]] if whole < len(joined) else []
    yield from waiting


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError:
        raise SimulationError(f"{path}: not readable as JSON; remove it and start again.") from None
    return content
