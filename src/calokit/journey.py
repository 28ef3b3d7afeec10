"""The whole journey from Python: simulate, train, generate, reconstruct, judge, report and plot.

Each function does what the command of its name does, and the commands call these functions or what is below
them. Paths may be strings; progress is a live bar in a terminal or a notebook, and `calokit.no_progress`
silences it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from calokit.errors import ConfigurationError
from calokit.files import check_folder_writable, check_writable
from calokit.progress import Progress, no_progress, show_progress
from calokit.showers import Incidents, ShowerFile, Showers, ShowerWriter, open_showers
from calokit.showers.memory import as_view

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from calokit.bundles.bundle import Bundle
    from calokit.evaluation import EvaluationSettings, Scorecard
    from calokit.inference import Likelihood, Reconstruction
    from calokit.recipes.recipe import Recipe
    from calokit.simulation.sample import Sample
    from calokit.training.run import TrainedRun

__all__ = [
    "evaluate",
    "generate",
    "likelihood",
    "no_progress",
    "plot",
    "reconstruct",
    "simulate",
    "train",
    "write_report",
    "write_showers",
]

PathLike = str | Path


def simulate(
    sample: str | Path | Sample,
    count: int,
    output: PathLike,
    *,
    seed: int = 1,
    backend: Literal["geant4", "parametric"] = "geant4",
    workers: int = 0,
    split: str | None = None,
    twins: PathLike | None = None,
    progress: Progress = show_progress,
) -> ShowerFile:
    """Simulate showers into a file; called again after an interruption, it goes on where it stopped.

    Args:
        sample: A shipped sample's name, a YAML file, or the sample itself.
        count: How many showers.
        output: The file.
        seed: Decides every draw.
        backend: Geant4, or formulas that need no data.
        workers: Processes; 0 takes one a processor.
        split: What the file is meant for: train, validation or test.
        twins: Shoot the incident particles of this shower file instead of drawn ones.
        progress: See `calokit.progress`.

    Returns:
        The file, open.

    Raises:
        SimulationError: Geant4 or its data is missing, or the file belongs to another production.

    Example:
        >>> import calokit, tempfile
        >>> path = tempfile.mkdtemp() + "/showers.h5"
        >>> made = calokit.simulate("zdc_ecal_positrons", 50, path, backend="parametric", workers=1)
        >>> len(made), made.detector.name
        (50, 'zdc_ecal')
    """
    from calokit.engine.local import LocalExecutor
    from calokit.simulation.production import prepare_production, produce_file
    from calokit.simulation.sample import load_sample

    described = load_sample(sample) if isinstance(sample, str | Path) else sample
    production = prepare_production(described, backend, seed, split, None if twins is None else Path(twins))
    produce_file(production, Path(output), count, LocalExecutor(workers), progress)
    return open_showers(output)


def train(
    recipe: str | Recipe,
    data: PathLike,
    output: PathLike = "run",
    *,
    changes: Sequence[str] = (),
    minutes: float | None = None,
    start_from: PathLike | None = None,
    device: str | None = None,
    progress: Progress = show_progress,
) -> TrainedRun:
    """Train a recipe on showers, or go on with the same training where it was interrupted.

    Args:
        recipe: A recipe's name, a YAML file, or the recipe itself.
        data: Showers: the train split trains, the validation split validates.
        output: The run folder.
        changes: Changes of the recipe, such as `training.steps=500`.
        minutes: Train for so long by the clock, instead of the recipe's steps.
        start_from: Begin with the weights of this bundle.
        device: auto, cpu, cuda, cuda:1 or mps; None takes the processor or, going on, what it was on.
        progress: See `calokit.progress`.

    Returns:
        The run: its bundle, in memory and as a path.

    Raises:
        RunError: The folder holds a run of another recipe.
        ConfigurationError: The recipe or a change is not known, or the model does not fit the detector.
    """
    from calokit.compute.device import Device
    from calokit.recipes import load_recipe
    from calokit.training.run import continue_training, start_training
    from calokit.training.typed import Typed, settle_steps

    chosen = load_recipe(recipe, list(changes)) if isinstance(recipe, str) else recipe
    folder, beginning = Path(output), None if start_from is None else Path(start_from)
    seconds = None if minutes is None else 60.0 * minutes
    if (folder / "run.json").is_file() and isinstance(recipe, str):
        steps = settle_steps(folder, Typed(recipe, list(changes), seconds, beginning))
        there = None if device is None else Device.of(device)
        return continue_training(folder, progress, Path(data), steps, there)
    return start_training(
        chosen, Path(data), folder, progress, seconds, beginning, Device.of(device or "cpu")
    )


def generate(
    bundle: PathLike | Bundle,
    like: PathLike | ShowerFile | Showers | Incidents | None = None,
    *,
    energy_gev: float | None = None,
    count: int | None = None,
    position_mm: tuple[float, float] = (0.0, 0.0),
    direction: tuple[float, float, float] = (0.0, 0.0, 1.0),
    seed: int = 1,
    device: str = "cpu",
) -> Showers:
    """Generate showers in memory; `calokit.inference.generate_file` writes any number of them to a file.

    Args:
        bundle: A trained model, or its file.
        like: Showers or incident particles to take the conditions from, or a file of them: showers, or a CSV
            (`calokit.showers.particle_list`).
        energy_gev: Instead, one incident energy in GeV.
        count: How many; with `like` the first so many of its particles.
        position_mm: With `energy_gev`: impact x and y at the front face.
        direction: With `energy_gev`: where it flies, of any length, z forward.
        seed: Decides every draw.
        device: auto, cpu, cuda, cuda:1 or mps.

    Raises:
        ConfigurationError: Neither or both of `like` and `energy_gev` are given, or no count for one energy,
            or there are fewer particles than are asked for.
        ShowerFileError: Particles that cannot be, such as of a negative energy.
        BundleError: The bundle reconstructs, or is damaged.
    """
    from calokit.bundles.bundle import read_bundle
    from calokit.compute.device import Device
    from calokit.inference import ShowerGenerator, incidents_like
    from calokit.showers.particle_list import open_particles

    if (like is None) == (energy_gev is None):
        raise ConfigurationError("give either like (showers or incidents) or energy_gev.")
    model = read_bundle(bundle) if isinstance(bundle, str | Path) else bundle
    generator = ShowerGenerator(model, seed, device=Device.of(device))
    if like is None:
        if energy_gev is None or count is None:
            raise ConfigurationError("energy_gev needs count: how many showers.")
        return generator.at(energy_gev, count, position_mm, direction=direction)
    if isinstance(like, str | Path):
        like = open_particles(like, like=model.detector)
    source = like if isinstance(like, Incidents) else as_view(like, "like")
    return generator.draw(Incidents.join(list(incidents_like(source, count))))


def reconstruct(
    bundle: PathLike | Bundle,
    showers: PathLike | ShowerFile | Showers,
    *,
    prior: Incidents | None = None,
    known: PathLike | ShowerFile | Showers | None = None,
    device: str = "cpu",
    progress: Progress = show_progress,
) -> Reconstruction:
    """Estimate energy, position and direction of showers.

    Args:
        bundle: A trained reconstruction, or a surrogate that knows its likelihood, or its file.
        showers: A file, or showers in memory.
        prior: For a likelihood: incident particles as the showers may have; where their directions follow
            from their impacts, only the impact is looked for.
        known: For a likelihood: showers whose truth is known; its uncertainties are made as wide as they say.
        device: auto, cpu, cuda, cuda:1 or mps.
        progress: See `calokit.progress`.

    Raises:
        BundleError: The bundle generates showers and knows no likelihood, or is damaged.
    """
    from calokit.bundles.bundle import read_bundle
    from calokit.compute.device import Device
    from calokit.inference import reconstruct_showers

    model = read_bundle(bundle) if isinstance(bundle, str | Path) else bundle
    truth = None if known is None else _opened(known, "known")
    view = _opened(showers, "showers")
    return reconstruct_showers(model, view, progress, Device.of(device), prior, truth)


def likelihood(
    bundle: PathLike | Bundle,
    showers: PathLike | ShowerFile | Showers,
    *,
    report: PathLike | None = None,
    seed: int = 1,
    device: str = "cpu",
    progress: Progress = show_progress,
) -> Likelihood:
    """Find how likely showers are to a surrogate that knows its density, and whether it is calibrated.

    Args:
        bundle: A trained cascade, or its file.
        showers: A file, or showers in memory.
        report: Write the page about it into this folder.
        seed: Decides the random places on the steps of distributions of whole numbers.
        device: auto, cpu, cuda, cuda:1 or mps.
        progress: See `calokit.progress`.

    Raises:
        BundleError: The bundle knows no likelihood, or is damaged.
        DetectorError: The showers are of another detector.
    """
    from calokit.bundles.bundle import read_bundle
    from calokit.compute.device import Device
    from calokit.files import check_folder_writable
    from calokit.inference import measure_likelihood
    from calokit.inference.likelihood import likelihood_content
    from calokit.report.pages.likelihood import write_likelihood_page

    if report is not None:
        check_folder_writable(Path(report))
    model = read_bundle(bundle) if isinstance(bundle, str | Path) else bundle
    view = _opened(showers, "showers")
    found = measure_likelihood(model, view, seed, progress, Device.of(device))
    if report is not None:
        write_likelihood_page(likelihood_content(found, model, view), Path(report))
    return found


def evaluate(
    reference: PathLike | ShowerFile | Showers,
    generated: PathLike | ShowerFile | Showers,
    *,
    floor: PathLike | ShowerFile | Showers | None = None,
    settings: EvaluationSettings | None = None,
    label: str | None = None,
    device: str = "cpu",
    progress: Progress = show_progress,
) -> Scorecard:
    """Judge generated showers by true ones, every number beside its floor and its error.

    Args:
        reference: The truth: a file, or showers in memory.
        generated: The showers to judge.
        floor: Truth of other seeds; None takes reference showers beyond the compared ones, or halves it.
        settings: Default `EvaluationSettings()`.
        label: What tables call the generated sample; default the name of its file.
        device: What trains the neural classifiers.
        progress: See `calokit.progress`.

    Raises:
        CalokitError: The files cannot be compared; the message says why.
    """
    from calokit.evaluation import evaluate_showers

    made = _opened(generated, "generated")
    card = evaluate_showers(
        _opened(reference, "reference"),
        made,
        floor=None if floor is None else _opened(floor, "floor"),
        settings=settings,
        progress=progress,
        device=device,
    )
    sample = card.generated.model_copy(update={"label": label or made.path.stem})
    return card.model_copy(update={"generated": sample})


def write_report(
    scorecards: Scorecard | Sequence[Scorecard],
    folder: PathLike = "report",
    *,
    progress: Progress = show_progress,
) -> Path:
    """Write the report of one or several samples judged by one reference; return the path of its page.

    Args:
        scorecards: What `evaluate` returns, once or several times with different labels.
        folder: Where; made where it is missing.
        progress: See `calokit.progress`.
    """
    from calokit.report.compared import ComparedCards
    from calokit.report.pages import comparison

    cards = tuple(scorecards) if isinstance(scorecards, Sequence) else (scorecards,)
    check_folder_writable(Path(folder))
    return comparison.write_report(ComparedCards.of(*cards), Path(folder), progress)


def plot(scorecards: Scorecard | Sequence[Scorecard], name: str) -> Figure:
    """Draw one figure of the report.

    Args:
        scorecards: As for `write_report`.
        name: Such as `curve_response` or `spectrum_visible_energy`; a wrong one is answered by what there is.

    Raises:
        ConfigurationError: There is no such figure.
    """
    from calokit.errors import suggest_near_miss
    from calokit.report.compared import ComparedCards
    from calokit.report.figures.catalogue import list_figures

    cards = tuple(scorecards) if isinstance(scorecards, Sequence) else (scorecards,)
    figures = {figure.key: figure for figure in list_figures(ComparedCards.of(*cards))}
    if name not in figures:
        raise ConfigurationError(f"no figure {name!r}. {suggest_near_miss(name, figures)}")
    return figures[name].draw()


def write_showers(
    path: PathLike, showers: Showers, *, particle: str = "unknown", generator: str = ""
) -> ShowerFile:
    """Write showers in memory as a native file, and return it open.

    Args:
        path: The file; it appears when it is complete.
        showers: The showers.
        particle: Name of the incident particle.
        generator: What made them, in words.
    """
    check_writable(Path(path))
    with ShowerWriter(Path(path), showers.detector, particle, generator or "showers in memory", {}) as writer:
        writer.write(showers)
    return open_showers(path)


def _opened(showers: PathLike | ShowerFile | Showers, name: str) -> ShowerFile:
    """Return showers as a view, whatever they are given as."""
    return open_showers(showers) if isinstance(showers, str | Path) else as_view(showers, name)
