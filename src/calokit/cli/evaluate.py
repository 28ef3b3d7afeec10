"""`calokit evaluate`: generated showers beside the reference's, with floors and errors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from calokit.cli.options import (
    DetectorName,
    DeviceName,
    Seed,
    SplitName,
    Threads,
    make_console,
    named_detector,
)
from calokit.errors import ConfigurationError

if TYPE_CHECKING:
    from calokit.evaluation import Evaluation, Scorecard
    from calokit.showers import ShowerFile


def evaluate(
    reference: Annotated[Path, typer.Argument(help="The reference showers (Geant4).")],
    generated: Annotated[list[Path], typer.Argument(help="One file or several to judge, of any origin.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The report's folder: scorecard.json and report.html.")
    ] = Path("report"),
    split: SplitName = "all",
    detector: DetectorName = None,
    floor: Annotated[
        Path | None,
        typer.Option(
            help="Reference showers of other seeds, judged alike; without it the reference is halved."
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0.0, help="Cells at or below it are empty, in MeV (default: the detector's, or chosen)."
        ),
    ] = None,
    classifiers: Annotated[
        int, typer.Option(min=0, help="Trainings of each classifier; more give a better error, 0 gives none.")
    ] = 3,
    showers: Annotated[
        int, typer.Option(min=100, help="At most so many showers of each class for the classifiers.")
    ] = 60_000,
    challenge: Annotated[
        int,
        typer.Option(min=0, help="Trainings of CaloChallenge's classifiers too (hours without a GPU)."),
    ] = 0,
    readout: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="NOISE THRESHOLD",
            help="Judge once more with all samples behind a readout: noise and threshold of a cell, in MeV.",
        ),
    ] = None,
    readout_spread: Annotated[
        float, typer.Option(min=0.0, help="With --readout: relative spread of each cell; 0.03 is 3 %.")
    ] = 0.0,
    page: Annotated[
        bool, typer.Option(help="Draw report.html and its figures; without them, numbers only.")
    ] = True,
    cells: Annotated[
        str | None, typer.Option(help="Flat numbers of the cells to show: 130,210 (default: chosen).")
    ] = None,
    seed: Seed = 1,
    threads: Threads = 0,
    device_name: DeviceName = "auto",
) -> None:
    """Judge generated showers by the reference, and write a scorecard and a report."""
    from calokit.compute.device import Device
    from calokit.compute.threads import use_threads
    from calokit.evaluation import Evaluation, EvaluationSettings
    from calokit.files import check_folder_writable, file_word
    from calokit.report.compared import ComparedCards
    from calokit.report.pages.comparison import write_report, write_scorecard
    from calokit.report.terminal import scorecard_table
    from calokit.showers import open_showers

    check_folder_writable(output)
    use_threads(threads)
    device = Device.of(device_name)
    settings = EvaluationSettings.from_mapping(
        {
            "threshold_mev": threshold,
            "classifier_seeds": classifiers,
            "classifier_showers": showers,
            "challenge_seeds": challenge,
            "readout": None
            if readout is None
            else {"noise": readout[0], "spread": readout_spread, "threshold": readout[1]},
            "cells": None if cells is None else cells.split(","),
            "seed": seed,
        },
        "the options of calokit evaluate",
    )
    truth = open_showers(reference, split, named_detector(detector))
    other = None if floor is None else open_showers(floor, like=truth.detector)
    views = [open_showers(path, like=truth.detector) for path in generated]
    evaluation = Evaluation(truth, other, settings, device.name, views)
    if len({file_word(path.stem) for path in generated}) < len(generated):
        raise ConfigurationError(
            "two of the generated files have the same name (signs and dots aside); rename one of them."
        )
    found = []
    for view in views:
        found.append(judge(evaluation, view))
        write_scorecard(found[-1], output, several=len(views) > 1)  # kept, should a later one fail
    cards = ComparedCards.of(*found)
    told = f"scorecards: {output}"
    if page:
        told = f"report: {write_report(cards, output)} (scorecards as JSON and figures as PDF beside it)"
    console = make_console()
    console.print(scorecard_table(cards, console.width, console.encoding))
    console.print(told)


def judge(evaluation: Evaluation, generated: ShowerFile) -> Scorecard:
    """Judge one file; its label is the file's name."""
    card = evaluation.judge(generated)
    sample = card.generated.model_copy(update={"label": generated.path.stem})
    return card.model_copy(update={"generated": sample})
