"""The page "Your own detector in an afternoon", done as it says.

    python -m benchmarks.systems.own_detector [--work FOLDER] [--small] [--backend parametric]

Writes the page's YAML files into the folder, runs its commands there one by one, and writes what they took
and found to benchmarks/results/own_detector.json, which docs/update_guide.py carries into the page. Killed,
the same command goes on: simulations and training where they were, the rest anew. --small runs everything
with few showers for seconds, and records nothing.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.record import REPOSITORY, Row, describe_circumstances, print_rows, write_record
from calokit.bundles.bundle import read_bundle
from calokit.evaluation import read_scorecard
from calokit.files import write_text
from calokit.showers import open_showers

PAGE = REPOSITORY / "docs" / "your_own_detector.md"
PICTURE = REPOSITORY / "docs" / "images" / "own_detector.png"
SMALL = {"10000": "400", "4000": "240", "15": "0.05"}
"""Counts and minutes of the page, and what --small takes instead."""


def files_of(page: str) -> dict[str, str]:
    """Return the YAML files that stand on the page, by name."""
    return dict(re.findall(r"```yaml\n# (\S+)\n(.*?)```", page, flags=re.DOTALL))


def commands_of(page: str, small: bool, backend: str) -> list[list[str]]:
    """Return the words of the page's commands, without `calokit`."""
    found = []
    for line in re.findall(r"^    calokit (.*)$", page, flags=re.MULTILINE):
        words = [SMALL.get(word, word) if small else word for word in shlex.split(line)]
        found.append(words + (["--backend", backend] if words[0] == "simulate" else []))
    return found


def run_page(folder: Path, small: bool, backend: str) -> list[Row]:
    """Write the page's files into a folder and run its commands there; return what each took.

    Raises:
        SystemExit: One of them failed.
    """
    page = PAGE.read_text(encoding="utf-8")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files_of(page).items():
        write_text(folder / name, text)
    rows: list[Row] = []
    for words in commands_of(page, small, backend):
        if words[0] == "train" and (folder / "run" / "run.json").is_file():
            if (folder / "run" / "cascade.calokit").is_file():
                continue
            words = ["train", "-o", "run", "--resume"]
        started = time.monotonic()
        code = call(words, folder)
        if code:
            raise SystemExit(f"calokit {shlex.join(words)} ended with {code}.")
        rows.append({"command": shlex.join(words), "seconds": round(time.monotonic() - started, 1)})
    return rows


def call(words: list[str], folder: Path) -> int:
    """Call `calokit` with some words in a folder, as a user does; return how it ended."""
    command = [sys.executable, "-m", "calokit", *words]
    return subprocess.run(command, cwd=folder, env=dict(os.environ, COLUMNS="110"), check=False).returncode


def findings(folder: Path) -> dict[str, object]:
    """Return the page's numbers: sizes, times, and each area with error, floor and floor's error."""
    card = read_scorecard(folder / "report" / "scorecard.json")
    made = read_bundle(folder / "run" / "cascade.calokit").provenance
    areas = {
        one.name: [one.value, one.error, one.floor, one.floor_error]
        for one in card.measurements
        if one.name.startswith(("classifier.auc", "readout.auc"))
    }
    sizes = {name: len(open_showers(folder / f"{name}.h5")) for name in ("showers", "test")}
    return {
        "showers": sizes,
        "training_steps": made["steps"],
        "training_minutes": made["seconds"] / 60,
        "training_cpu_minutes": made["cpu_seconds"] / 60,
        "milliseconds_per_shower": card.generated.milliseconds_per_shower,
        "headline": card.headline,
        "headline_read_out": card.headline_read_out,
        "areas": areas,
        "threshold_mev": card.threshold_mev,
    }


def draw_picture(folder: Path) -> None:
    """Draw Geant4 beside generated showers from the side, for the page."""
    import calokit
    from calokit.report.figures.catalogue import save_figure

    save_figure(calokit.plot(read_scorecard(folder / "report" / "scorecard.json"), "side_views"), PICTURE)


def main() -> None:
    """Run the page and write the record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, default=Path("own_detector"))
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--backend", choices=("geant4", "parametric"), default="geant4")
    arguments = parser.parse_args()
    circumstances = describe_circumstances(1)
    rows = run_page(arguments.work, arguments.small, arguments.backend)
    found = findings(arguments.work)
    print_rows("the page's commands", rows, circumstances)
    if not arguments.small:
        write_record("own_detector", rows, circumstances, **found)
        draw_picture(arguments.work)


if __name__ == "__main__":
    main()
