"""Spectra and curves of generated samples over the reference, each with a ratio panel."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from calokit.errors import CalokitError
from calokit.evaluation.scorecard import Curve, Scorecard, Spectrum
from calokit.report.rounding import round_to_error
from calokit.report.style import (
    FLOOR_LINE,
    REFERENCE_FILL,
    REFERENCE_LINE,
    colour_of,
    figure_style,
    fix_layout,
    line_of,
    new_plot,
)
from calokit.report.verdict import require_same_reference

Floats = NDArray[np.float64]
_Drawn = TypeVar("_Drawn", Spectrum, Curve)

RATIO_RANGES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Half widths of the ratio panel, of which the smallest that shows the well measured bins is taken."""


def draw_spectrum(scorecards: Sequence[Scorecard], name: str) -> Figure:
    """Draw one spectrum: the reference as a grey area, each generated sample as a line, ratios below.

    Args:
        scorecards: Against the same reference; those without this spectrum are left out.
        name: The spectrum's key.

    Returns:
        A figure; in the ratio panel, the grey band is the reference's statistical error alone and each
        coloured band the generated sample's alone. Triangles at the rim mark bins outside the panel.

    Raises:
        CalokitError: No scorecard has that spectrum, or the scorecards do not belong together.
    """
    cards = require_same_reference(scorecards)
    chosen = [(i, card, _find(card.spectra, name)) for i, card in enumerate(cards)]
    drawn = [(i, card, spectrum) for i, card, spectrum in chosen if spectrum is not None]
    if not drawn:
        raise _unknown("spectrum", name, [s.name for card in cards for s in card.spectra])
    first = drawn[0][2]
    with figure_style():
        figure, main, ratio = _panels()
        _draw_band(main, _edges(first), _array(first.reference), _array(first.reference_error), REFERENCE_LINE)
        reference_label = f"{cards[0].reference.label}"
        main.stairs(
            _array(first.reference), _edges(first), fill=True, color=REFERENCE_FILL, label=reference_label, zorder=1
        )
        main.stairs(_array(first.reference), _edges(first), color=REFERENCE_LINE, linewidth=1.0, zorder=2)
        for index, card, spectrum in drawn:
            values, errors = _array(spectrum.generated), _array(spectrum.generated_error)
            _draw_band(main, _edges(spectrum), values, errors, colour_of(index))
            main.stairs(
                values,
                _edges(spectrum),
                color=colour_of(index),
                linestyle=line_of(index),
                linewidth=1.4,
                label=f"{card.generated.label}: {_describe_separation(spectrum)}",
                zorder=4,
            )
        _scale_density(main, first, [s for _, _, s in drawn])
        main.set_ylabel(_density_label(first.x_label))
        _draw_ratios(ratio, drawn, reference_label, stepped=True)
        _finish(main, ratio, first.x_label, first.log_x, _edges(first), cards)
        fix_layout(figure)
    return figure


def draw_curve(scorecards: Sequence[Scorecard], name: str) -> Figure:
    """Draw a quantity against another (response, resolution, hits against energy), ratios below.

    Args:
        scorecards: Against the same reference; those without this curve are left out.
        name: The curve's key.

    Returns:
        A figure; bands as in `draw_spectrum`. Where the curve has a floor it is a dotted black line.

    Raises:
        CalokitError: No scorecard has that curve, or the scorecards do not belong together.
    """
    cards = require_same_reference(scorecards)
    chosen = [(i, card, _find(card.curves, name)) for i, card in enumerate(cards)]
    drawn = [(i, card, curve) for i, card, curve in chosen if curve is not None]
    if not drawn:
        raise _unknown("curve", name, [c.name for card in cards for c in card.curves])
    first = drawn[0][2]
    edges = _edges(first)
    with figure_style():
        figure, main, ratio = _panels()
        reference, error = _array(first.reference), _array(first.reference_error)
        _draw_band(main, edges, reference, error, REFERENCE_LINE)
        main.stairs(reference, edges, color=REFERENCE_LINE, baseline=None, label=cards[0].reference.label, zorder=2)
        if first.floor:
            centres = _centres(edges, first.log_x)
            main.plot(centres, _array(first.floor), color=FLOOR_LINE, linestyle=":", label="floor", zorder=3)
        for index, card, curve in drawn:
            _draw_points(main, curve, _array(curve.generated), _array(curve.generated_error), index, card)
        main.margins(y=0.25)
        main.set_ylabel(first.y_label)
        _draw_ratios(ratio, drawn, cards[0].reference.label, stepped=False)
        _finish(main, ratio, first.x_label, first.log_x, edges, cards)
        fix_layout(figure)
    return figure


def divide(numerator: Floats, denominator: Floats) -> Floats:
    """Divide bin by bin; not-a-number where the denominator is zero or either is not known.

    Example:
        >>> divide(np.array([1.0, 2.0]), np.array([2.0, 0.0]))
        array([0.5, nan])
    """
    defined = np.isfinite(numerator) & np.isfinite(denominator) & (denominator != 0.0)
    return np.divide(numerator, denominator, out=np.full(numerator.shape, np.nan), where=defined)


def _panels() -> tuple[Figure, Axes, Axes]:
    figure = new_plot(5.6, 4.8)
    figure.get_layout_engine().set(hspace=0.0, h_pad=0.03)  # type: ignore[union-attr]
    main, ratio = figure.subplots(2, 1, sharex=True, height_ratios=[3.0, 1.0])
    return figure, main, ratio


def _draw_points(axes: Axes, curve: Curve, values: Floats, errors: Floats, index: int, card: Scorecard) -> None:
    centres = _centres(_edges(curve), curve.log_x)
    axes.errorbar(
        centres,
        values,
        yerr=errors,
        color=colour_of(index),
        linestyle=line_of(index),
        linewidth=1.1,
        marker="os^DvP"[index % 6],
        label=card.generated.label,
        zorder=4 + index,
    )


def _draw_ratios(
    axes: Axes, drawn: Sequence[tuple[int, Scorecard, _Drawn]], reference_label: str, *, stepped: bool
) -> None:
    """Draw generated over reference with the two statistical errors apart."""
    first = drawn[0][2]
    reference = _array(first.reference)
    band = np.abs(divide(_array(first.reference_error), reference))
    _draw_band(axes, _edges(first), np.ones_like(reference), band, REFERENCE_LINE)
    axes.axhline(1.0, color=REFERENCE_LINE, linewidth=0.8, zorder=2)
    ratios = [divide(_array(d.generated), _array(d.reference)) for _, _, d in drawn]
    errors = [np.abs(divide(_array(d.generated_error), _array(d.reference))) for _, _, d in drawn]
    half_width = _ratio_half_width(ratios, errors, band)
    axes.set_ylim(1.0 - 1.08 * half_width, 1.0 + 1.08 * half_width)
    for (index, card, item), ratio, error in zip(drawn, ratios, errors, strict=True):
        if isinstance(item, Curve):
            _draw_points(axes, item, ratio, error, index, card)
        else:
            _draw_band(axes, _edges(item), ratio, error, colour_of(index))
            axes.stairs(
                ratio, _edges(item), baseline=None, color=colour_of(index), linestyle=line_of(index), zorder=4
            )
        _mark_outside(axes, _centres(_edges(item), item.log_x), ratio, half_width, colour_of(index))
    if isinstance(first, Curve) and first.floor and not stepped:
        floor_ratio = divide(_array(first.floor), reference)
        axes.plot(_centres(_edges(first), first.log_x), floor_ratio, color=FLOOR_LINE, linestyle=":", zorder=3)
    axes.set_ylabel(f"ratio to\n{reference_label}", fontsize=9, loc="center")


def _mark_outside(axes: Axes, centres: Floats, ratio: Floats, half_width: float, colour: str) -> None:
    for outside, place, marker in (
        (ratio > 1.0 + 1.08 * half_width, 1.0 + half_width, "^"),
        (ratio < 1.0 - 1.08 * half_width, 1.0 - half_width, "v"),
    ):
        if outside.any():
            heights = np.full(int(outside.sum()), place)
            axes.plot(centres[outside], heights, marker, color=colour, markersize=3.5, zorder=6)


def _ratio_half_width(ratios: Sequence[Floats], errors: Sequence[Floats], band: Floats) -> float:
    """Choose the panel so that it shows nine in ten of the bins that the reference knows to 20 %."""
    reach = []
    for ratio, error in zip(ratios, errors, strict=True):
        known = np.isfinite(ratio) & (band < 0.2)
        reach.append(np.abs(ratio[known] - 1.0) + np.nan_to_num(error[known]))
    found = np.concatenate(reach)
    if found.size == 0:
        return RATIO_RANGES[-1]
    needed = float(np.quantile(found, 0.9))
    return next((half_width for half_width in RATIO_RANGES if half_width >= needed), RATIO_RANGES[-1])


def _draw_band(axes: Axes, edges: Floats, values: Floats, errors: Floats, colour: str) -> None:
    """Fill value ± error of each bin as a step."""
    low, high = values - errors, values + errors
    axes.fill_between(
        edges,
        np.append(low, low[-1]),
        np.append(high, high[-1]),
        step="post",
        color=colour,
        alpha=0.3,
        linewidth=0.0,
        zorder=3,
    )


def _scale_density(axes: Axes, first: Spectrum, spectra: Sequence[Spectrum]) -> None:
    values = np.concatenate([_array(first.reference), *(_array(s.generated) for s in spectra)])
    highest = float(values.max(initial=0.0))
    if first.log_y and highest > 0.0:
        lowest = float(values[values > 0.0].min())
        axes.set_yscale("log")
        axes.set_ylim(0.5 * lowest, highest * (highest / lowest) ** 0.25 * 2.0)
    elif highest > 0.0:
        axes.set_ylim(0.0, 1.35 * highest)


def _finish(
    main: Axes, ratio: Axes, x_label: str, log_x: bool, edges: Floats, cards: Sequence[Scorecard]
) -> None:
    if log_x:
        main.set_xscale("log")
    main.set_xlim(edges[0], edges[-1])
    main.tick_params(labelbottom=False)
    ratio.set_xlabel(x_label)
    main.legend(loc="upper right", fontsize=8)
    main.set_title(cards[0].detector, loc="left", fontweight="bold")
    main.set_title(f"cells above {cards[0].threshold_mev:g} MeV", loc="right")
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


def _edges(item: Spectrum | Curve) -> Floats:
    return np.asarray(item.edges, dtype=np.float64)


def _array(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _find(items: Sequence[_Drawn], name: str) -> _Drawn | None:
    return next((item for item in items if item.name == name), None)


def _unknown(kind: str, name: str, known: Sequence[str]) -> CalokitError:
    return CalokitError(f"no scorecard has a {kind} {name!r}; known: {', '.join(dict.fromkeys(known)) or 'none'}.")
