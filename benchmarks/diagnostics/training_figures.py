"""How a training went, and how results depend on a setting: from its log, and from the rows of a study."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from calokit.errors import CalokitError, RunError, suggest_near_miss
from calokit.report.figures.style import REFERENCE_LINE, colour_of, figure_style, line_of, new_plot


@dataclass(frozen=True)
class TrainingHistory:
    """What a training has logged at its validations.

    Attributes:
        steps: (validation,) steps done.
        losses: By term, (validation,).
        edges_gev: (bin + 1,) of the incident energy; empty where nothing was monitored.
        squared_errors: (validation, bin).
        overall: (validation,) squared error over all energies.
    """

    steps: NDArray[np.int64]
    losses: dict[str, NDArray[np.float64]]
    edges_gev: NDArray[np.float64]
    squared_errors: NDArray[np.float64]
    overall: NDArray[np.float64]


def read_history(folder: Path) -> TrainingHistory:
    """Read the validations from the log of a run folder.

    Raises:
        RunError: There is no log, or no validation in it.
    """
    path = folder / "log.jsonl"
    try:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
    except (OSError, json.JSONDecodeError):
        raise RunError(f"{path}: no readable log of a training.") from None
    found = [line for line in lines if "validation" in line]
    if not found:
        raise RunError(f"{path}: no validation was logged; train on, or lower training.validate_every.")
    monitored = [line["monitor"] for line in found if line.get("monitor")]
    names = found[0]["validation"]
    return TrainingHistory(
        np.array([line["step"] for line in found], np.int64),
        {name: np.array([line["validation"][name] for line in found]) for name in names},
        np.array(monitored[0]["edges_gev"] if monitored else []),
        np.array([one["mse"] for one in monitored], np.float64),
        np.array([one["all"] for one in monitored], np.float64),
    )


def draw_history(histories: Mapping[str, TrainingHistory], presentations: Mapping[str, int]) -> Figure:
    """Draw the squared error against the showers presented, over all energies and in bins of the energy.

    Args:
        histories: By label; those that logged no squared errors are left out.
        presentations: Showers a step, by label.

    Returns:
        A figure: on the left all trainings, on the right the energy bins of each at its last validation.

    Raises:
        CalokitError: No training logged squared errors.
    """
    drawn = {label: one for label, one in histories.items() if len(one.overall)}
    if not drawn:
        raise CalokitError("no squared errors were logged; train with training.monitor_showers above 0.")
    with figure_style():
        figure = new_plot(9.4, 3.8)
        left, right = figure.subplots(1, 2)
        for index, (label, history) in enumerate(drawn.items()):
            look: dict[str, Any] = {"color": colour_of(index), "linestyle": line_of(index)}
            left.plot(history.steps * presentations[label], history.overall, label=label, **look)
            right.stairs(history.squared_errors[-1], history.edges_gev, label=label, **look)
        for axes in (left, right):
            axes.set_yscale("log")
            axes.set_ylabel("squared error of cell / incident energy")
        left.set_xlabel("showers presented")
        right.set_xscale("log")
        right.set_xlabel("incident energy (GeV)")
        left.legend(frameon=False)
    return figure


def draw_against_setting(
    rows: Sequence[Mapping[str, Any]], metric: str, values: Mapping[str, float], title: str
) -> Figure:
    """Draw a metric of a study against a setting: every seed a point, their mean a line, the floor below.

    Args:
        rows: Rows of a study's table.
        metric: Key, such as `mse.mean`.
        values: The setting's value by the rows' label; other labels are left out.
        title: Name of the setting, for the axis.

    Raises:
        CalokitError: No row has one of the labels, or the rows lack the metric.
    """
    chosen = [row for row in rows if row["label"] in values]
    if not chosen:
        raise CalokitError(f"no row is labelled {', '.join(values)}; run the study first.")
    if metric not in chosen[0]["metrics"]:
        raise CalokitError(f"no metric {metric!r}. {suggest_near_miss(metric, chosen[0]['metrics'])}")
    places = np.array([values[row["label"]] for row in chosen])
    found = np.array([row["metrics"][metric] for row in chosen])
    with figure_style():
        figure = new_plot(5.2, 3.8)
        axes = figure.subplots()
        axes.errorbar(places, found[:, 0], found[:, 1], fmt="o", color=colour_of(0), label="each seed")
        ordered = np.unique(places)
        means = [found[places == place, 0].mean() for place in ordered]
        axes.plot(ordered, means, color=colour_of(0))
        axes.axhline(found[:, 2].mean(), color=REFERENCE_LINE, linestyle=":", label="floor")
        axes.set_xlabel(title)
        axes.set_ylabel(metric)
        if places.min() > 0 and places.max() > 10 * places.min():
            axes.set_xscale("log")
        axes.legend(frameon=False)
    return figure
