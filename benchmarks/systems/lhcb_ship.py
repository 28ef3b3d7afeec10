"""Writes zoo/lhcb_gan.calokit: of the trained runs of the LHCb study, the one best on validation showers.

    python -m benchmarks.systems.lhcb_ship SETS --runs FOLDER

SETS holds the shower files, --runs the runs of studies/lhcb_system.yaml. The best run is that of the largest
PRD area (the smaller of images and shapes) in its last validation; nothing of the test file is looked at. Its
scale goes into the recipe's name.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from benchmarks.record import REPOSITORY
from calokit.inference import read_bundle, write_bundle
from calokit.showers import open_showers
from calokit.studies.description import RunFolders, StudyFile, StudyRun

STUDY = REPOSITORY / "studies" / "lhcb_system.yaml"
SCALE = "-c64-96k"
"""What the study's labels end with; so does, with underscores, the shipped recipe's name."""


def last_area(folder: Path) -> float:
    """Return the PRD area of a run's last validation; -1 where it has none."""
    found = -1.0
    for line in (folder / "log.jsonl").read_text().splitlines():
        monitor = json.loads(line).get("monitor") or {}
        found = monitor.get("prd_area", {}).get("smaller", found)
    return found


def best_run(file: StudyFile, folders: RunFolders) -> tuple[StudyRun, float]:
    """Return the trained run of the largest area on validation showers, and that area.

    Raises:
        SystemExit: None is trained.
    """
    trained = [run for run in file.runs() if folders.bundle(run).is_file()]
    if not trained:
        raise SystemExit("no run of the study is trained; run it first (calokit study).")
    areas = {run.key: last_area(folders.of(run)) for run in trained}
    for run in trained:
        print(f"{run.label}, seed {run.recipe.training.seed}: PRD area {areas[run.key]:.3f}")
    best = max(trained, key=lambda run: areas[run.key])
    return best, areas[best.key]


def main() -> None:
    """Choose and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", type=Path)
    parser.add_argument("--runs", type=Path, required=True)
    arguments = parser.parse_args()
    file = StudyFile.read(STUDY, arguments.sets)
    data = open_showers(file.find_showers(file.study.data))
    folders = RunFolders(arguments.runs, data.sha256)
    run, area = best_run(file, folders)
    bundle = read_bundle(folders.bundle(run))
    name = bundle.recipe.name + SCALE.replace("-", "_")
    target = REPOSITORY / "zoo" / "lhcb_gan.calokit"
    write_bundle(target, replace(bundle, recipe=bundle.recipe.model_copy(update={"name": name})))
    print(
        f"{target}: {run.label}, seed {run.recipe.training.seed}, PRD area {area:.3f} on validation showers"
    )


if __name__ == "__main__":
    main()
