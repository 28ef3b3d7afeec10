"""`calokit demo`: the main job from showers to report, in about eight minutes of two cores."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from calokit.cli.options import Seed, Threads, make_console
from calokit.errors import CalokitError

TRAIN_FILE = "samples/zdc_ecal_positrons.h5"
TEST_FILE = "samples/zdc_ecal_positrons_test.h5"
SHIPPED = "zoo/zdc_cascade.calokit"


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of everything it makes.")] = Path(
        "demo"
    ),
    minutes: Annotated[float, typer.Option(min=0.05, help="How long to train, by the clock.")] = 2.0,
    seed: Seed = 1,
    threads: Threads = 0,
) -> None:
    """Train a surrogate on real Geant4 showers, generate, and judge it beside the shipped one."""
    from calokit.cli.evaluate import judge
    from calokit.compute.threads import use_threads
    from calokit.evaluation import Evaluation, EvaluationSettings
    from calokit.files import check_folder_writable, make_folder
    from calokit.report.compared import ComparedCards
    from calokit.report.pages.comparison import write_report
    from calokit.report.terminal import scorecard_table
    from calokit.showers import open_showers
    from calokit.showers.digitisation import Digitisation

    use_threads(threads)
    started = time.monotonic()
    console = make_console()
    home = _find_home()
    check_folder_writable(output)
    make_folder(output)
    data, test = open_showers(home / TRAIN_FILE), open_showers(home / TEST_FILE)
    console.print(
        _step("1  Showers")
        + f"{len(data)} to train on, {len(test)} of other seeds to judge by: "
        + f"{data.particle} in the {data.detector.title}, {data.generator}"
    )
    console.print(
        _step("2  Training") + f"recipe zdc_cascade for {minutes:g} min (killed? `calokit demo` goes on)"
    )
    trained = _train(home / TRAIN_FILE, output / "run", minutes, seed)
    console.print(
        _step("3  Generating") + "the same incident particles with this surrogate and the shipped one"
    )
    bundles = {"trained_here": trained, "shipped": home / SHIPPED}
    generated = [
        _generate(bundle, home / TEST_FILE, output / f"{name}.h5", seed) for name, bundle in bundles.items()
    ]
    console.print(_step("4  Judging") + "both beside Geant4; the floor is Geant4 against Geant4")
    settings = EvaluationSettings(
        threshold_mev=0.1,
        classifier_seeds=1,
        cells=(130, 210),
        readout=Digitisation(noise=0.03, spread=0.03, threshold=0.15),
        gallery_events=6,
        seed=seed,
    )
    evaluation = Evaluation(test, data, settings)
    cards = ComparedCards.of(*(judge(evaluation, open_showers(path)) for path in generated))
    page = write_report(cards, output / "report")
    console.print(scorecard_table(cards, console.width, console.encoding))
    console.print(f"report: {page.resolve()} (one file, opens offline)")
    console.print(f"{(time.monotonic() - started) / 60:.1f} min in all")


def _find_home() -> Path:
    """Find the checkout with its samples and trained bundles."""
    for place in (Path.cwd(), Path(__file__).resolve().parents[3]):
        if (place / TRAIN_FILE).is_file():
            return place
    raise CalokitError(f"{TRAIN_FILE} is not here; run `calokit demo` in a clone of the repository.")


def _train(data: Path, folder: Path, minutes: float, seed: int) -> Path:
    """Train the demo's surrogate, or continue where an earlier demo was killed."""
    from calokit.recipes import load_recipe
    from calokit.training.run import continue_training, is_unfinished, start_training

    if is_unfinished(folder):
        return continue_training(folder, data=data).bundle_path
    shutil.rmtree(folder, ignore_errors=True)
    recipe = load_recipe("zdc_cascade", [f"training.seed={seed}"])
    return start_training(recipe, data, folder, seconds=60 * minutes).bundle_path


def _generate(bundle: Path, like: Path, path: Path, seed: int) -> Path:
    """Generate one shower for each incident particle of a file."""
    from calokit.inference import generate_like, read_bundle
    from calokit.showers import open_showers

    view = open_showers(like)
    generate_like(read_bundle(bundle), view, path, seed)
    return path


def _step(name: str) -> Text:
    """Return the name of a step, to which what it does is added."""
    return Text.assemble((name, "bold"), " ")
