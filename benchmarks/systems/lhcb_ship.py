"""Writes zoo/lhcb_gan.calokit: of the trained GANs of the LHCb studies, the one best on validation showers.

    python -m benchmarks.systems.lhcb_ship SETS --runs FOLDER FOLDER

SETS holds the shower files, --runs the runs of studies/lhcb_system.yaml and of studies/lhcb_longer.yaml. A
shower is generated for each particle of the validation split of the training file; the best run is that of
the largest PRD area (the smaller of images and shapes) whose response and resolution there are a generator's
(`calokit.bundles.standing`), within one error: of 1,200 showers even truth's own resolution is 6 to 8 % off.
Nothing of the test file is looked at. The run's scale goes into the recipe's name.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.record import REPOSITORY
from calokit.bundles.bundle import Bundle
from calokit.bundles.standing import RESOLUTION, RESPONSE, Standing
from calokit.evaluation import Evaluation, EvaluationSettings
from calokit.inference import generate_like, read_bundle, write_bundle
from calokit.inference.generate import need_surrogate
from calokit.progress import no_progress
from calokit.showers import ShowerFile, Split, open_showers
from calokit.studies.description import RunFolders, StudyFile
from calokit.studies.judging.prd_areas import ScoreByGroup

STUDIES = ("lhcb_system", "lhcb_longer")


@dataclass(frozen=True)
class Candidate:
    """A trained run and what validation showers say of it."""

    label: str
    bundle: Bundle
    area: float
    standing: Standing
    """Deviations less their errors."""


def judge(label: str, bundle: Bundle, validation: ShowerFile, work: Path) -> Candidate:
    """Generate for the validation particles and measure area, response and resolution."""
    path = work / "generated.h5"
    generate_like(bundle, validation, path, 1, no_progress)
    made, threshold = open_showers(path), need_surrogate(bundle).threshold_mev
    settings = EvaluationSettings(threshold_mev=threshold, classifier_seeds=0, kept_metrics=False)
    card = Evaluation(validation, None, settings).judge(made, no_progress)
    found = {one.name: max(0.0, one.value - one.error) for one in card.measurements}
    area = ScoreByGroup.of(validation, None, threshold).metrics(made, (1,))["prd_1.smaller"][0]
    return Candidate(label, bundle, area, Standing(found[RESPONSE], found[RESOLUTION]))


def candidates(sets: Path, runs: list[Path]) -> list[Candidate]:
    """Judge every trained GAN of the studies on validation showers."""
    found = []
    with tempfile.TemporaryDirectory() as work:
        for name, folder in zip(STUDIES, runs, strict=True):
            file = StudyFile.read(REPOSITORY / "studies" / f"{name}.yaml", sets)
            data = file.find_showers(file.study.data)
            folders = RunFolders(folder, open_showers(data).sha256)
            for run in file.runs():
                path = folders.bundle(run)
                if not path.is_file() or run.recipe.model.kind == "regression":
                    continue
                bundle = read_bundle(path)
                one = judge(run.label, bundle, open_showers(data, Split.VALIDATION), Path(work))
                seed = run.recipe.training.seed
                print(f"{run.label}, seed {seed}: PRD area {one.area:.3f}, {one.standing.words}", flush=True)
                found.append(one)
    return found


def main() -> None:
    """Choose and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", type=Path)
    parser.add_argument("--runs", type=Path, nargs=len(STUDIES), required=True)
    arguments = parser.parse_args()
    fit = [one for one in candidates(arguments.sets, arguments.runs) if one.standing.is_generator]
    if not fit:
        raise SystemExit("no trained run is a generator on validation showers; run the studies first.")
    best = max(fit, key=lambda one: one.area)
    name = f"lhcb_{best.label}".replace("-", "_").replace(".", "_")
    title = f"LHCb-like ECAL, the GAN best on validation showers ({best.label})"
    recipe = best.bundle.recipe.model_copy(update={"name": name, "title": title})
    target = REPOSITORY / "zoo" / "lhcb_gan.calokit"
    write_bundle(target, replace(best.bundle, recipe=recipe))
    print(f"{target}: {best.label}, PRD area {best.area:.3f} on validation showers")


if __name__ == "__main__":
    main()
