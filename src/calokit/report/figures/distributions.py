"""Spectra and curves of generated samples over the reference, each with a ratio panel."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from calokit.errors import CalokitError
from calokit.evaluation.scorecard import Curve, Scorecard, Spectrum
from calokit.report.compared import ComparedCards
from calokit.report.figures.style import (
    FLOOR_LINE,
    REFERENCE_FILL,
    REFERENCE_LINE,
    colour_of,
    figure_style,
    fix_layout,
    has_power,
    label_decades,
    line_of,
    new_plot,
    plain_label,
    short_label,
)
from calokit.report.rounding import round_to_error

Floats = NDArray[np.float64]
_Named = TypeVar("_Named", Spectrum, Curve)

FLOOR_LABEL = "floor"
_MARGINS = {"left": 0.15, "right": 0.97, "bottom": 0.11, "top": 0.915, "hspace": 0.06}
"""Where the panels of every plot stand, so that plots may lie beside each other."""
_RAISED = 1.06
"""Height of titles above a power of ten; matplotlib would measure all numbers each time to find it."""
_RATIO_LETTERS = 18
"""So many letters stand beside the ratio panel."""
RATIO_RANGES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Half widths of the ratio panel, of which the smallest that shows the well measured bins is taken."""


@dataclass(frozen=True)
class _Baseline:
    """What ratios are taken to: values with errors in bins, mostly the reference's."""

    label: str
    values: Floats
    errors: Floats

    @property
    def by_difference(self) -> bool:
        """Whether values of both signs make ratios meaningless, so that differences are shown."""
        return bool((self.values > 0.0).any() and (self.values < 0.0).any())

    @property
    def middle(self) -> float:
        """What equal values give in the lower panel."""
        return 0.0 if self.by_difference else 1.0

    def compare(self, values: Floats) -> Floats:
        """Return values over the baseline, or less it, bin by bin."""
        return values - self.values if self.by_difference else divide(values, self.values)

    def scale(self, errors: Floats) -> Floats:
        """Return errors as they are seen beside `compare`."""
        return errors if self.by_difference else np.abs(divide(errors, self.values))


@dataclass(frozen=True)
class _Trace:
    """One generated sample's values in bins, with the baseline of its own scorecard."""

    index: int
    label: str
    edges: Floats
    centres: Floats
    values: Floats
    errors: Floats
    baseline: _Baseline


def draw_spectrum(compared: ComparedCards, name: str) -> Figure:
    """Draw one spectrum: the reference as a grey area, each generated sample as a line, ratios below.

    Args:
        compared: The scorecards; those without this spectrum are left out.
        name: The spectrum's key.

    Returns:
        A figure; in the ratio panel, the grey band is the reference's statistical error alone and each
        coloured band the generated sample's alone. Triangles at the rim mark bins outside the panel.

    Raises:
        CalokitError: No scorecard has that spectrum.
    """
    cards = compared.cards
    drawn = [(i, c, s) for i, c in enumerate(cards) if (s := _find(c.spectra, name)) is not None]
    if not drawn:
        raise _unknown("spectrum", name, [s.name for card in cards for s in card.spectra])
    first = drawn[0][2]
    edges = _array(first.edges)
    traces = [_trace_spectrum(index, card, spectrum) for index, card, spectrum in drawn]
    baseline = traces[0].baseline
    with figure_style():
        figure, main, ratio = _panels()
        main.stairs(baseline.values, edges, fill=True, color=REFERENCE_FILL, label=baseline.label, zorder=1)
        main.stairs(baseline.values, edges, color=REFERENCE_LINE, linewidth=1.0, zorder=2)
        _draw_band(main, edges, baseline.values, baseline.errors, REFERENCE_LINE)
        for trace in traces:
            _draw_steps(main, trace, trace.values, trace.errors)
        _scale_density(main, [baseline.values, *(t.values for t in traces)], log=first.log_y)
        main.set_ylabel(_density_label(first.x_label))
        half_width = _draw_baseline_ratio(ratio, edges, traces)
        for trace in traces:
            values, errors = _ratio(trace)
            _draw_steps(ratio, trace, values, errors)
            _mark_outside(ratio, trace, values, half_width)
        _finish(main, ratio, first.x_label, first.log_x, edges, cards, "upper right")
        fix_layout(figure)
    return figure


def draw_curve(compared: ComparedCards, name: str) -> Figure:
    """Draw a quantity against another (response, resolution, hits against energy), ratios below.

    Args:
        compared: The scorecards; those without this curve are left out.
        name: The curve's key.

    Returns:
        A figure; bands as in `draw_spectrum`. Where the reference has both signs, differences stand below.
        The curve's floor, where it has one, is a dotted black line. A curve without reference values (a
        squared error) is shown against its floor instead.

    Raises:
        CalokitError: No scorecard has that curve.
    """
    cards = compared.cards
    drawn = [(i, c, k) for i, c in enumerate(cards) if (k := _find(c.curves, name)) is not None]
    if not drawn:
        raise _unknown("curve", name, [c.name for card in cards for c in card.curves])
    first = drawn[0][2]
    edges = _array(first.edges)
    traces = [_trace_curve(index, card, curve) for index, card, curve in drawn]
    baseline = traces[0].baseline
    with figure_style():
        figure, main, ratio = _panels()
        _draw_band(main, edges, baseline.values, baseline.errors, REFERENCE_LINE)
        main.stairs(
            baseline.values, edges, color=REFERENCE_LINE, baseline=None, label=baseline.label, zorder=2
        )
        half_width = _draw_baseline_ratio(ratio, edges, traces)
        if first.floor and baseline.label != FLOOR_LABEL:
            floor, centres = _array(first.floor), traces[0].centres
            main.plot(centres, floor, color=FLOOR_LINE, linestyle=":", label=FLOOR_LABEL, zorder=3)
            ratio.plot(centres, baseline.compare(floor), color=FLOOR_LINE, linestyle=":", zorder=3)
        for trace in traces:
            values, errors = _ratio(trace)
            _draw_points(main, trace, trace.values, trace.errors)
            _draw_points(ratio, trace, values, errors)
            _mark_outside(ratio, trace, values, half_width)
        known = [baseline.values, *(trace.values for trace in traces)]
        if first.log_y and all(bool((values > 0.0).any()) for values in known):
            _scale_density(main, known, log=True)
        else:
            main.margins(y=0.25)
            main.set_ylim(bottom=_lower_end(main, known))
        main.set_ylabel(first.y_label)
        _finish(main, ratio, first.x_label, first.log_x, edges, cards, "best")
        fix_layout(figure)
    return figure


def divide(numerator: Floats, denominator: Floats) -> Floats:
    """Divide bin by bin; not-a-number where the denominator is zero or either is not known.

    Example:
        >>> divide(np.array([1.0, 2.0]), np.array([2.0, 0.0]))
        array([0.5, nan])
    """
    defined = np.isfinite(numerator) & np.isfinite(denominator) & (denominator != 0.0)
    ratio: Floats = np.divide(numerator, denominator, out=np.full(numerator.shape, np.nan), where=defined)
    return ratio


def _trace_spectrum(index: int, card: Scorecard, spectrum: Spectrum) -> _Trace:
    edges = _array(spectrum.edges)
    name = plain_label(card.reference.label)
    baseline = _Baseline(name, _array(spectrum.reference), _array(spectrum.reference_error))
    return _Trace(
        index,
        f"{plain_label(card.generated.label)}: {_describe_separation(spectrum)}",
        edges,
        _centres(edges, spectrum.log_x),
        _array(spectrum.generated),
        _array(spectrum.generated_error),
        baseline,
    )


def _trace_curve(index: int, card: Scorecard, curve: Curve) -> _Trace:
    edges = _array(curve.edges)
    name, label = (plain_label(sample.label) for sample in (card.reference, card.generated))
    baseline = _Baseline(name, _array(curve.reference), _array(curve.reference_error))
    if curve.floor and not np.isfinite(baseline.values).any():
        baseline = _Baseline(FLOOR_LABEL, _array(curve.floor), _array(curve.floor_error))
    values, errors = _array(curve.generated), _array(curve.generated_error)
    return _Trace(index, label, edges, _centres(edges, curve.log_x), values, errors, baseline)


def _panels() -> tuple[Figure, Axes, Axes]:
    figure = new_plot(5.6, 4.8, _MARGINS)
    main, ratio = figure.subplots(2, 1, sharex=True, height_ratios=[3.0, 1.0])
    return figure, main, ratio


def _draw_steps(axes: Axes, trace: _Trace, values: Floats, errors: Floats) -> None:
    colour = colour_of(trace.index)
    _draw_band(axes, trace.edges, values, errors, colour)
    axes.stairs(
        values,
        trace.edges,
        baseline=None,
        color=colour,
        linestyle=line_of(trace.index),
        linewidth=1.4,
        label=trace.label,
        zorder=4,
    )


def _draw_points(axes: Axes, trace: _Trace, values: Floats, errors: Floats) -> None:
    axes.errorbar(
        trace.centres,
        values,
        yerr=errors,
        color=colour_of(trace.index),
        linestyle=line_of(trace.index),
        linewidth=1.1,
        marker="os^DvP"[trace.index % 6],
        label=trace.label,
        zorder=4 + trace.index,
    )


def _ratio(trace: _Trace) -> tuple[Floats, Floats]:
    """Return generated over (or less) the baseline, and the generated sample's error alone on that scale."""
    return trace.baseline.compare(trace.values), trace.baseline.scale(trace.errors)


def _draw_baseline_ratio(axes: Axes, edges: Floats, traces: Sequence[_Trace]) -> float:
    """Draw the baseline's own error as a band about equality; return the panel's half width."""
    baseline = traces[0].baseline
    band, middle = baseline.scale(baseline.errors), baseline.middle
    _draw_band(axes, edges, np.full_like(band, middle), band, REFERENCE_LINE)
    axes.axhline(middle, color=REFERENCE_LINE, linewidth=0.8, zorder=2)
    half_width = _ratio_half_width(traces)
    axes.set_ylim(middle - 1.08 * half_width, middle + 1.08 * half_width)
    word = "less" if baseline.by_difference else "ratio to"
    axes.set_ylabel(f"{word}\n{short_label(baseline.label, _RATIO_LETTERS)}", fontsize=9, loc="center")
    return half_width


def _mark_outside(axes: Axes, trace: _Trace, ratio: Floats, half_width: float) -> None:
    middle = trace.baseline.middle
    for outside, place, marker in (
        (ratio > middle + 1.08 * half_width, middle + half_width, "^"),
        (ratio < middle - 1.08 * half_width, middle - half_width, "v"),
    ):
        if outside.any():
            heights = np.full(int(outside.sum()), place)
            colour = colour_of(trace.index)
            axes.plot(trace.centres[outside], heights, marker, color=colour, markersize=3.5, zorder=6)


def _ratio_half_width(traces: Sequence[_Trace]) -> float:
    """Choose the panel so that it shows nine in ten of the bins that the baseline knows to 20 %."""
    reach = []
    if traces[0].baseline.by_difference:
        sizes = [np.abs(trace.baseline.compare(trace.values)) + trace.errors for trace in traces]
        return float(np.nanmax([*np.concatenate(sizes), *traces[0].baseline.errors]))
    for trace in traces:
        ratio, error = _ratio(trace)
        known = np.isfinite(ratio) & (trace.baseline.errors < 0.2 * np.abs(trace.baseline.values))
        reach.append(np.abs(ratio[known] - 1.0) + np.nan_to_num(error[known]))
    found = np.concatenate(reach)
    if found.size == 0:
        return RATIO_RANGES[-1]
    needed = float(np.quantile(found, 0.9))
    return next((half_width for half_width in RATIO_RANGES if half_width >= needed), RATIO_RANGES[-1])


def _draw_band(axes: Axes, edges: Floats, values: Floats, errors: Floats, colour: str) -> None:
    """Fill value ± error of each bin from edge to edge, leaving out bins without a value."""
    corners = np.repeat(edges, 2)[1:-1]
    low, high = np.repeat(values - errors, 2), np.repeat(values + errors, 2)
    axes.fill_between(corners, low, high, color=colour, alpha=0.3, linewidth=0.0, zorder=3)


def _scale_density(axes: Axes, densities: Sequence[Floats], *, log: bool) -> None:
    values = np.concatenate(densities)
    highest = float(values.max(initial=0.0))
    if log and highest > 0.0:
        lowest = float(values[values > 0.0].min())
        axes.set_yscale("log")
        axes.set_ylim(0.5 * lowest, highest * (highest / lowest) ** (0.15 + 0.1 * (len(densities) - 1)) * 2.0)
    elif highest > 0.0:
        axes.set_ylim(0.0, (1.2 + 0.15 * (len(densities) - 1)) * highest)
    else:
        axes.text(0.5, 0.4, "no entries in this range", ha="center", transform=axes.transAxes)
        axes.set_ylim(0.0, 1.0)


def _lower_end(axes: Axes, values: Sequence[Floats]) -> float:
    """Return where the axis begins: not below 0 where no value lies there."""
    lowest = float(axes.get_ylim()[0])
    known = np.concatenate(values)
    return max(lowest, 0.0) if (known[np.isfinite(known)] >= 0.0).all() else lowest


def _finish(
    main: Axes,
    ratio: Axes,
    x_label: str,
    log_x: bool,
    edges: Floats,
    cards: Sequence[Scorecard],
    legend: Literal["upper right", "best"],
) -> None:
    if log_x:
        main.set_xscale("log")
        label_decades(ratio.xaxis, edges[0], edges[-1])
    main.set_xlim(edges[0], edges[-1])
    main.tick_params(labelbottom=False)
    ratio.set_xlabel(x_label)
    main.legend(loc=legend, fontsize=8)
    height = _RAISED if has_power(main.yaxis) else 1.0
    main.set_title(cards[0].detector, loc="left", fontweight="bold", y=height)
    main.set_title(f"cells above {cards[0].threshold_mev:g} MeV", loc="right", y=height)
    main.get_figure().align_ylabels([main, ratio])  # type: ignore[union-attr]


def _describe_separation(spectrum: Spectrum) -> str:
    separation = round_to_error(spectrum.separation, spectrum.separation_error).mathtext()
    floor = round_to_error(spectrum.separation_floor, spectrum.separation_floor_error).mathtext()
    return f"separation {separation}\n(floor {floor})"


def _density_label(x_label: str) -> str:
    """Name the density after the unit in the brackets that end the horizontal label."""
    unit = re.search(r"\(([^()]+)\)\s*$", x_label)
    return f"probability density (1/{unit.group(1)})" if unit else "probability density"


def _centres(edges: Floats, log_x: bool) -> Floats:
    return np.sqrt(edges[1:] * edges[:-1]) if log_x else 0.5 * (edges[1:] + edges[:-1])


def _array(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _find(items: Sequence[_Named], name: str) -> _Named | None:
    return next((item for item in items if item.name == name), None)


def _unknown(kind: str, name: str, known: Sequence[str]) -> CalokitError:
    names = ", ".join(dict.fromkeys(known)) or "none"
    return CalokitError(f"no scorecard has a {kind} {name!r}; known: {names}.")
