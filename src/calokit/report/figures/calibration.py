"""Figures of a density's calibration: cumulative values by kind of draw, deviations, likelihoods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from calokit.arrays import Float64
from calokit.evaluation.calibration import CalibrationRow
from calokit.evaluation.outliers import Outlier, ShowerLikelihoods
from calokit.report.figures.style import (
    FLOOR_LINE,
    GENERATED_COLOURS,
    GENERATED_LINES,
    REFERENCE_FILL,
    label_decades,
    new_plot,
)

SHOWN_BINS = 20
"""Bins of the histograms of cumulative values."""
MARKERS = ("o", "s", "^", "D", "v", "P")
AXIS_WORDS = {"level": "level of the tree", "layer": "layer", "energy": "incident energy (GeV)"}
DRAWN = 6000
"""Showers of a cloud of points, at most."""


def name_draw(row: CalibrationRow) -> str:
    """Return what is drawn, in words.

    Example:
        >>> from calokit.evaluation.metrics.uniformity import measure_uniformity
        >>> counts = np.full(100, 1)
        >>> name_draw(CalibrationRow("totals", "energy", "all", "", counts, measure_uniformity(counts)))
        'visible energy'
    """
    if row.part == "totals":
        return "visible energy" if row.kind == "energy" else "hits of the shower"
    return f"{row.kind} of {row.part}"


def draw_cumulative_values(rows: Sequence[CalibrationRow]) -> Figure:
    """Draw the density of the cumulative values of every kind of draw, with what chance does to it."""
    whole = [row for row in rows if row.axis == "all"]
    figure = new_plot(3.2 * len(whole) / 2 + 0.6, 5.0)
    panels = figure.subplots(2, (len(whole) + 1) // 2, sharex=True, squeeze=False).ravel()
    edges = np.linspace(0.0, 1.0, SHOWN_BINS + 1)
    for number, (axes, row) in enumerate(zip(panels, whole, strict=False)):
        counts = row.counts.reshape(SHOWN_BINS, -1).sum(1)
        density = SHOWN_BINS * counts / counts.sum()
        chance = np.sqrt(SHOWN_BINS / counts.sum())
        axes.axhspan(1 - chance, 1 + chance, color=REFERENCE_FILL, zorder=0)
        axes.axhline(1.0, color=FLOOR_LINE, linewidth=0.8, linestyle=":")
        colour = GENERATED_COLOURS[number % len(GENERATED_COLOURS)]
        axes.stairs(density, edges, baseline=None, color=colour, linewidth=1.4)
        reach = 1.25 * max(3.0 * chance, float(np.abs(density - 1).max()))
        axes.set_ylim(max(1 - reach, 0.0), 1 + 1.5 * reach)
        axes.text(0.04, 0.95, name_draw(row), transform=axes.transAxes, va="top", fontsize=9)
        axes.text(
            0.96,
            0.95,
            f"{row.uniformity.values} draws",
            transform=axes.transAxes,
            va="top",
            ha="right",
            fontsize=7,
        )
    for axes in panels[len(whole) :]:
        axes.set_axis_off()
    figure.supxlabel("cumulative value of the draw", fontsize=10)
    figure.supylabel("density (band: chance)", fontsize=10)
    return figure


def draw_deviations(rows: Sequence[CalibrationRow], axis: str) -> Figure:
    """Draw the largest deviation of every kind of draw over level, layer or energy, in units of the floor.

    Args:
        rows: The calibration test.
        axis: `level`, `layer` or `energy`.
    """
    lines = _by_draw([row for row in rows if row.axis == axis])
    figure = new_plot(6.4, 3.6)
    axes = figure.subplots()
    top = 2.0
    for number, (name, group) in enumerate(lines.items()):
        place = _places(group, axis)
        ratio = np.array([row.uniformity.deviation / row.uniformity.floor for row in group])
        top = max(top, float(ratio.max()))
        axes.plot(
            place,
            ratio,
            label=name,
            **_style(number),
        )
    axes.axhline(1.0, color=FLOOR_LINE, linewidth=0.8)
    axes.axhspan(0.6, 1.6, color=REFERENCE_FILL, zorder=0)
    axes.set_ylim(0.0, 1.35 * top)
    if axis == "energy":
        axes.set_xscale("log")
        label_decades(axes.xaxis, *axes.get_xlim())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.margins(x=0.04)
    axes.set_xlabel(AXIS_WORDS[axis])
    axes.set_ylabel("largest deviation / floor")
    axes.legend(ncols=2, fontsize=8)
    return figure


def draw_together(rows: Sequence[CalibrationRow]) -> Figure | None:
    """Draw over the level how much what is left over in one draw of a shower is left over in the others."""
    lines = _by_draw([row for row in rows if row.together is not None and row.axis == "level"])
    if not lines:
        return None
    figure = new_plot(6.4, 3.4)
    axes = figure.subplots()
    for number, (name, group) in enumerate(lines.items()):
        value, error = np.array([row.together for row in group if row.together is not None]).T
        axes.errorbar(
            _places(group, "level") + 0.06 * number,
            value,
            error,
            label=name,
            **_style(number),
        )
    axes.axhline(1.0, color=FLOOR_LINE, linewidth=0.8)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.35 * (high - low))
    axes.margins(x=0.04)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel(AXIS_WORDS["level"])
    axes.set_ylabel("variance of a shower's sum")
    axes.legend(ncols=2, fontsize=8)
    return figure


def draw_likelihoods(showers: ShowerLikelihoods, outliers: Sequence[Outlier]) -> Figure:
    """Draw log-likelihoods over the incident energy, and the distribution of the robust scores by part."""
    figure = new_plot(9.6, 3.8)
    left, right = figure.subplots(1, 2)
    step = max(1, len(showers.totals) // DRAWN)
    colour = GENERATED_COLOURS[0]
    left.plot(
        showers.energies_gev[::step],
        showers.totals[::step],
        ".",
        color=colour,
        markersize=1.5,
        rasterized=True,
    )
    marked = [(one.energy_gev, one.log_likelihood) for one in outliers]
    if marked:
        left.plot(*np.array(marked).T, "o", color=GENERATED_COLOURS[1], fillstyle="none", markersize=6)
    if showers.energies_gev.max() > 5.0 * showers.energies_gev.min():
        left.set_xscale("log")
        label_decades(left.xaxis, showers.energies_gev.min(), showers.energies_gev.max())
    left.margins(x=0.04)
    left.set_xlabel("incident energy (GeV)")
    left.set_ylabel("log-likelihood of a shower")
    handles = [
        Line2D([], [], color=colour, marker=".", linestyle="none", label="showers"),
        Line2D(
            [], [], color=GENERATED_COLOURS[1], marker="o", fillstyle="none", linestyle="none", label="listed"
        ),
    ]
    left.legend(handles=handles)
    _draw_scores(right, {"all": showers.scores["all"], **{one: showers.scores[one] for one in showers.parts}})
    return figure


def _draw_scores(axes: Axes, scores: dict[str, Float64]) -> None:
    for number, (name, values) in enumerate(scores.items()):
        axes.hist(
            np.clip(values, -10.0, 6.0),
            bins=64,
            range=(-10.0, 6.0),
            histtype="step",
            color=GENERATED_COLOURS[number % len(GENERATED_COLOURS)],
            linestyle=GENERATED_LINES[number % len(GENERATED_LINES)],
            label=name,
        )
    axes.set_yscale("log")
    axes.set_ylim(0.5, 8 * axes.get_ylim()[1])
    axes.set_xlabel("robust score (beyond the ends: at them)")
    axes.set_ylabel("showers")
    axes.legend(ncols=2)


def _by_draw(rows: Sequence[CalibrationRow]) -> dict[str, list[CalibrationRow]]:
    """Return rows by the name of their draw, in their order."""
    lines: dict[str, list[CalibrationRow]] = {}
    for row in rows:
        lines.setdefault(name_draw(row), []).append(row)
    return lines


def _style(number: int) -> dict[str, Any]:
    """Return colour, line and marker of a line's number."""
    return {
        "color": GENERATED_COLOURS[number % len(GENERATED_COLOURS)],
        "linestyle": GENERATED_LINES[number % len(GENERATED_LINES)],
        "marker": MARKERS[number % len(MARKERS)],
    }


def _places(group: Sequence[CalibrationRow], axis: str) -> Float64:
    if axis != "energy":
        return np.array([float(row.label) for row in group])
    ends = np.array([[float(word) for word in row.label.split(" to ")] for row in group])
    return np.asarray(np.sqrt(ends[:, 0] * ends[:, 1]))
