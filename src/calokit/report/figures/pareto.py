"""Several generated samples compared: how alike they are against how long a shower takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from calokit.errors import CalokitError
from calokit.evaluation.scorecard import Measurement, Scorecard, find_headline
from calokit.report.compared import ComparedCards
from calokit.report.figures.style import (
    REFERENCE_LINE,
    colour_of,
    figure_style,
    fix_layout,
    label_decades,
    new_plot,
    plain_label,
)
from calokit.report.verdict import COMPATIBLE_BELOW, INCOMPATIBLE_FROM, Grade, grade_measurement

LEAST_SAMPLES = 2
_LINEAR_UP_TO = 2.0 * INCOMPATIBLE_FROM


@dataclass(frozen=True)
class Contender:
    """One generated sample: its place in the report, its time in ms, and how far from truth it is."""

    index: int
    label: str
    milliseconds: float
    value: float
    error: float = 0.0


def can_compare_times(compared: ComparedCards) -> bool:
    """Tell whether at least two samples state their time and have something to be judged by."""
    return len(_worst_deviations(compared.cards)) >= LEAST_SAMPLES


def draw_pareto(compared: ComparedCards) -> Figure:
    """Draw time per shower against quality: the largest area of all classifiers, and the worst deviation.

    Args:
        compared: The scorecards; those that state no time are left out.

    Returns:
        A figure; a dotted line joins the samples that no other beats in both, a grey band is the floor.

    Raises:
        CalokitError: Fewer than two samples state their time.
    """
    worst = _worst_deviations(compared.cards)
    if len(worst) < LEAST_SAMPLES:
        raise CalokitError(
            "fewer than two samples state their time per shower; `calokit generate` writes it into its files."
        )
    headlines = _headlines(compared)
    scored = len(headlines) == len(worst)
    with figure_style():
        figure = new_plot(5.2 * (2 if scored else 1), 4.2)
        panels = figure.subplots(1, 2 if scored else 1, squeeze=False)[0]
        if scored:
            _draw_headlines(panels[0], headlines)
        _draw_worst(panels[-1], worst)
        for axes in panels:
            _mark_reference(axes, compared.first)
            axes.set_xlabel("time per shower (ms)")
        handles, labels = panels[-1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 4), frameon=False)
        fix_layout(figure)
    return figure


def find_front(contenders: Sequence[Contender]) -> list[Contender]:
    """Return those that no other beats in both time and value, from the fastest to the best.

    Example:
        >>> slow, fast = Contender(0, "slow", 9.0, 0.5), Contender(1, "fast", 1.0, 0.7)
        >>> [c.label for c in find_front([slow, fast, Contender(2, "beaten", 9.5, 0.6)])]
        ['fast', 'slow']
    """
    front: list[Contender] = []
    for one in sorted(contenders, key=lambda c: (c.milliseconds, c.value)):
        if not front or one.value < front[-1].value:
            front.append(one)
    return front


def _worst_deviations(cards: Sequence[Scorecard]) -> list[Contender]:
    """Return for each timed sample its largest deviation from the floor, in standard errors."""
    found = []
    for index, card in enumerate(cards):
        graded = [m.deviation for m in card.measurements if grade_measurement(m) is not Grade.UNGRADED]
        milliseconds = card.generated.milliseconds_per_shower
        if graded and milliseconds:
            found.append(Contender(index, plain_label(card.generated.label), milliseconds, max(graded)))
    return found


def _headlines(compared: ComparedCards) -> list[tuple[Contender, Measurement]]:
    """Return for each timed sample the classifier that tells it best from truth."""
    found = []
    for index, card in enumerate(compared.cards):
        milliseconds = card.generated.milliseconds_per_shower
        headline = find_headline(card.measurements, ("classifier.auc",))
        if headline and milliseconds:
            area = card.measurement(headline)
            one = Contender(index, plain_label(card.generated.label), milliseconds, area.value, area.error)
            found.append((one, area))
    return found


def _draw_headlines(axes: Axes, headlines: Sequence[tuple[Contender, Measurement]]) -> None:
    areas = [area for _, area in headlines]
    low = min(area.floor - area.floor_error for area in areas)
    high = max(area.floor + area.floor_error for area in areas)
    axes.axhspan(low, high, color=REFERENCE_LINE, alpha=0.25, linewidth=0.0)
    _draw_contenders(axes, [one for one, _ in headlines])
    axes.set_ylabel("largest AUC of all classifiers (grey: floor)")


def _draw_worst(axes: Axes, contenders: Sequence[Contender]) -> None:
    axes.axhspan(min(0.0, *(c.value for c in contenders)), COMPATIBLE_BELOW, color=REFERENCE_LINE, alpha=0.25,
                 linewidth=0.0)  # fmt: skip
    _draw_contenders(axes, contenders)
    if max(c.value for c in contenders) > _LINEAR_UP_TO:
        axes.set_yscale("symlog", linthresh=_LINEAR_UP_TO)
    axes.set_ylim(bottom=min(0.0, *(c.value for c in contenders)))
    axes.set_ylabel("largest deviation from the floor (standard errors)")


def _draw_contenders(axes: Axes, contenders: Sequence[Contender]) -> None:
    front = find_front(contenders)
    times, values = [c.milliseconds for c in front], [c.value for c in front]
    axes.plot(times, values, color=REFERENCE_LINE, linestyle=":", zorder=2)
    for one in contenders:
        axes.errorbar(
            one.milliseconds,
            one.value,
            yerr=one.error or None,
            color=colour_of(one.index),
            marker="os^DvP"[one.index % 6],
            markersize=7,
            linestyle="none",
            label=one.label,
            zorder=3,
        )
    times = [c.milliseconds for c in contenders]
    axes.set_xscale("log")
    axes.set_xlim(0.4 * min(times), 2.5 * max(times))
    label_decades(axes.xaxis, *axes.get_xlim())
    axes.margins(y=0.2)


def _mark_reference(axes: Axes, card: Scorecard) -> None:
    """Draw the reference's own time as a line, and widen the axis to hold it."""
    milliseconds = card.reference.milliseconds_per_shower
    if not milliseconds:
        return
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, 0.5 * milliseconds), max(high, 2.0 * milliseconds))
    label_decades(axes.xaxis, *axes.get_xlim())
    axes.axvline(milliseconds, color=REFERENCE_LINE, linestyle="--", label=plain_label(card.reference.label))
