"""Mean images and showers side by side, on the readout grid."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import Colormap, ListedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from calokit.errors import CalokitError
from calokit.evaluation.scorecard import EventPair, ImagePair, Measurement, Scorecard, find_headline
from calokit.report.compared import ComparedCards
from calokit.report.figures.energy_scale import (
    draw_energy_bar,
    energy_colours,
    energy_mappable,
    energy_scale,
    label_energies,
)
from calokit.report.figures.style import figure_style, fix_layout, new_image_grid, plain_label, short_label
from calokit.report.rounding import round_to_error

Floats = NDArray[np.float64]
Shown = TypeVar("Shown")

RATIO_RANGES = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Half widths of the colour scale of a ratio image."""
UNCERTAIN_COLOUR = "#C8C8C8"
_TITLE_LETTERS = 24
_PANELS_ACROSS = 5
"""So many single showers stand beside each other on a page."""


def draw_mean_image(compared: ComparedCards, name: str) -> Figure:
    """Draw one mean image: a row for each generated sample with reference, generated and their ratio.

    Args:
        compared: The scorecards; those without this image are left out.
        name: The image's key.

    Returns:
        A figure. Reference and generated share one logarithmic colour scale, empty cells are white; the
        ratio's scale is centred on 1, and cells whose statistical error exceeds the scale are grey.

    Raises:
        CalokitError: No scorecard has that image.
    """
    cards = compared.cards
    pairs = [(card, next((i for i in card.images if i.name == name), None)) for card in cards]
    drawn = [(card, image) for card, image in pairs if image is not None]
    if not drawn:
        known = ", ".join(dict.fromkeys(i.name for card in cards for i in card.images)) or "none"
        raise CalokitError(f"no scorecard has an image {name!r}; known: {known}.")
    scale = energy_scale([np.asarray(side) for _, i in drawn for side in (i.reference, i.generated)])
    half_width = _ratio_half_width([image for _, image in drawn])
    with figure_style():
        figure = new_image_grid(10.2, 2.95 * len(drawn) + 0.4)
        panels = figure.subplots(len(drawn), 3, squeeze=False)
        for row, (card, image) in zip(panels, drawn, strict=True):
            grid = (np.asarray(image.row_edges), np.asarray(image.column_edges))
            for axes, side, title in (
                (row[0], image.reference, plain_label(card.reference.label)),
                (row[1], image.generated, plain_label(card.generated.label)),
            ):
                _draw_energies(axes, grid, np.asarray(side), scale)
                axes.set_title(short_label(title, 32))
            draw_energy_bar([row[1]], scale, _lowest([image.reference, image.generated]), "mean E (MeV)")
            ratio = _draw_ratio(row[2], grid, image, half_width)
            row[2].set_title(
                " / ".join(short_label(one.label, 16) for one in (card.generated, card.reference))
            )
            ticks = 1.0 + half_width * np.linspace(-1.0, 1.0, 5)
            figure.colorbar(ratio, ax=row[2], label="ratio", pad=0.02, ticks=ticks, extend="both")
            for axes in row:
                axes.set_xlabel(image.row_label)
                axes.set_ylabel(image.column_label)
                if _are_lengths((image.row_label, image.column_label)):
                    _scale_equally(axes, grid)
        figure.suptitle(f"{drawn[0][1].title}, {cards[0].detector}", fontsize=11, fontweight="bold")
        fix_layout(figure)
    return figure


def draw_events(compared: ComparedCards, count: int = 6) -> Figure:
    """Draw single showers: for each incident side by side the reference's shower and each generated one.

    Args:
        compared: The scorecards.
        count: The most incidents drawn; those of the first scorecard that has events.

    Returns:
        A figure; each incident has one logarithmic colour scale (MeV a cell, summed over layers), its energy
        on the left and a cross where the particle entered.

    Raises:
        CalokitError: No scorecard has events.
    """
    cards = compared.cards
    showers = _spread(compared.pictured, count)
    incidents = [_of_first(events) for events in showers]
    if not incidents:
        raise _no_events()
    columns = 1 + len(cards)
    blocks = min(max(1, _PANELS_ACROSS // columns), len(incidents))
    rows = -(-len(incidents) // blocks)
    labels = _axis_labels(cards, incidents[0])
    labelled = [plain_label(cards[0].reference.label), *(plain_label(card.generated.label) for card in cards)]
    titles = [textwrap.fill(label, _TITLE_LETTERS) for label in labelled]
    with figure_style():
        figure = new_image_grid(blocks * (2.3 * columns + 1.1), 2.15 * rows + 0.5)
        panels = figure.subplots(rows, blocks * columns, squeeze=False, sharex="col", sharey="row")
        places = panels.reshape(rows * blocks, columns)
        for place, (incident, events) in enumerate(zip(incidents, showers, strict=True)):
            row = places[place]
            sides = [incident, *events]
            images = [np.asarray(incident.reference)]
            images += [np.asarray(event.generated) for event in sides[1:] if event is not None]
            scale = energy_scale(images)
            _draw_row(row, sides, scale, labels)
            row[0].set_ylabel(f"{_format_energy(incident)}\n{labels[1]}", loc="center")
            draw_energy_bar(list(row), scale, _lowest(images), "E (MeV)")
            for axes, title in zip(row, titles, strict=True):
                if place < blocks:
                    axes.set_title(title)
                if place + blocks >= len(incidents):
                    axes.set_xlabel(labels[0])
                    axes.tick_params(labelbottom=True)
        for row in places[len(incidents) :]:
            for axes in row:
                axes.set_visible(False)
        fix_layout(figure)
    return figure


def draw_hero(scorecard: Scorecard, count: int = 4) -> Figure:
    """Draw a few incidents with the reference's shower above the generated one, the headline in the title.

    Args:
        scorecard: The comparison.
        count: The most incidents drawn, spread over those the scorecard has.

    Returns:
        A wide figure for the top of a page.

    Raises:
        CalokitError: The scorecard has no events.
    """
    if not scorecard.events:
        raise _no_events()
    incidents = sorted(scorecard.events, key=lambda event: event.incident_energy_gev)
    chosen = np.unique(np.linspace(0, len(incidents) - 1, min(count, len(incidents))).round().astype(int))
    events = [incidents[i] for i in chosen]
    labels = _axis_labels([scorecard], events[0])
    with figure_style():
        figure = new_image_grid(1.95 * len(events) + 0.9, 5.6)
        panels = figure.subplots(2, len(events), squeeze=False, sharex=True, sharey=True)
        for column, event in enumerate(events):
            scale = energy_scale([np.asarray(event.reference), np.asarray(event.generated)])
            grid = (np.asarray(event.row_edges), np.asarray(event.column_edges))
            for axes, side in zip(panels[:, column], (event.reference, event.generated), strict=True):
                _draw_energies(axes, grid, np.asarray(side), scale)
                if _are_lengths(labels):
                    _mark_impact(axes, event)
                    _scale_equally(axes, grid)
            panels[0, column].set_title(_format_energy(event))
            panels[1, column].set_xlabel(labels[0], loc="center")
            colour_bar = figure.colorbar(
                energy_mappable(scale), ax=list(panels[:, column]), location="bottom", pad=0.02, aspect=22
            )
            colour_bar.set_label("E (MeV)", loc="center")
            label_energies(colour_bar.ax.xaxis, scale)
        for axes, sample in zip(panels[:2, 0], (scorecard.reference, scorecard.generated), strict=True):
            axes.set_ylabel(f"{short_label(plain_label(sample.label), 30)}\n{labels[1]}", loc="center")
        figure.suptitle(_hero_title(scorecard), fontsize=11)
        fix_layout(figure)
    return figure


def _hero_title(scorecard: Scorecard) -> str:
    headline = find_headline(scorecard.measurements, ("classifier.auc",))
    pair = f"{plain_label(scorecard.reference.label)} and {plain_label(scorecard.generated.label)}"
    title = f"{scorecard.detector}: {pair}, same incidents"
    return f"{title}\n{_describe_score(scorecard.measurement(headline))}" if headline else title


def _describe_score(score: Measurement) -> str:
    value = round_to_error(score.value, score.error).mathtext()
    floor = round_to_error(score.floor, score.floor_error).mathtext()
    return f"{score.title} {value} (floor {floor})"


def _of_first(events: Sequence[EventPair | None]) -> EventPair:
    """Return the event of the first scorecard that has it."""
    return next(event for event in events if event is not None)


def _no_events() -> CalokitError:
    return CalokitError("no scorecard has single events; evaluate with at least one event to show.")


def _draw_row(
    row: Sequence[Axes], sides: Sequence[EventPair | None], scale: LogNorm, labels: tuple[str, str]
) -> None:
    """Draw the reference's shower of the first event, then the generated shower of each other."""
    for place, (axes, event) in enumerate(zip(row, sides, strict=True)):
        if event is None:
            axes.text(0.5, 0.5, "not among\nits events", ha="center", va="center", transform=axes.transAxes)
            continue
        grid = (np.asarray(event.row_edges), np.asarray(event.column_edges))
        _draw_energies(axes, grid, np.asarray(event.reference if place == 0 else event.generated), scale)
        if _are_lengths(labels):
            _mark_impact(axes, event)
            _scale_equally(axes, grid)


def _draw_energies(axes: Axes, grid: tuple[Floats, Floats], image: Floats, scale: LogNorm) -> QuadMesh:
    """Draw energies (row is x, column is y) with empty cells white."""
    energies = np.ma.masked_less_equal(image, 0.0)
    return axes.pcolormesh(grid[0], grid[1], energies.T, norm=scale, cmap=energy_colours(), rasterized=True)


def _lowest(images: Sequence[Sequence[Sequence[float]] | Floats]) -> float:
    """Return the least positive energy of some images."""
    energies = np.concatenate([np.asarray(image).ravel() for image in images])
    return float(energies[energies > 0.0].min(initial=np.inf))


def _draw_ratio(axes: Axes, grid: tuple[Floats, Floats], image: ImagePair, half_width: float) -> QuadMesh:
    ratio, error = _ratio(image)
    uncertain = np.isfinite(ratio) & (error > half_width)
    shown = np.ma.masked_where(~np.isfinite(ratio) | uncertain, ratio)
    scale = Normalize(1.0 - half_width, 1.0 + half_width)
    mesh = axes.pcolormesh(grid[0], grid[1], shown.T, norm=scale, cmap=_ratio_colours(), rasterized=True)
    if uncertain.any():
        grey = np.ma.masked_where(~uncertain, np.ones_like(ratio))
        axes.pcolormesh(grid[0], grid[1], grey.T, cmap=ListedColormap([UNCERTAIN_COLOUR]), rasterized=True)
        axes.annotate(
            f"grey: statistical error above {half_width:g}",
            (0.5, 0.02),
            xycoords="axes fraction",
            ha="center",
            fontsize=7.5,
            bbox={"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": "none", "alpha": 0.85},
        )
    return mesh


def _ratio(image: ImagePair) -> tuple[Floats, Floats]:
    """Return generated over reference and its error; not-a-number where the reference is empty."""
    reference, generated = np.asarray(image.reference), np.asarray(image.generated)
    ratio = np.divide(generated, reference, out=np.full(reference.shape, np.nan), where=reference > 0.0)
    error = np.array([[np.inf if e is None else e for e in row] for row in image.ratio_error])
    return ratio, error


def _ratio_half_width(images: Sequence[ImagePair]) -> float:
    """Choose the scale that shows the ratios of 90 % of the energy, and exceeds their errors."""
    reach = []
    for image in images:
        ratio, error = _ratio(image)
        known = np.isfinite(ratio) & np.isfinite(error)
        weights = np.asarray(image.reference)[known]
        if weights.sum() > 0.0:
            reach += [_weighted_quantile(v, weights, 0.9) for v in (np.abs(ratio[known] - 1.0), error[known])]
    needed = max(reach, default=RATIO_RANGES[-1])
    return next((half_width for half_width in RATIO_RANGES if half_width >= needed), RATIO_RANGES[-1])


def _weighted_quantile(values: Floats, weights: Floats, fraction: float) -> float:
    """Return the smallest value below which that fraction of the weight lies."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, fraction * reached[-1])])


def _ratio_colours() -> Colormap:
    return colormaps["RdBu_r"].with_extremes(bad="white")


def _mark_impact(axes: Axes, event: EventPair) -> None:
    if event.position_mm is not None:
        x, y = event.position_mm
        axes.plot(x, y, marker="+", color="black", markersize=9, markeredgewidth=2.2)
        axes.plot(x, y, marker="+", color="white", markersize=8, markeredgewidth=1.0)


def _format_energy(event: EventPair) -> str:
    return f"{event.incident_energy_gev:.3g} GeV"


def _axis_labels(cards: Sequence[Scorecard], event: EventPair) -> tuple[str, str]:
    """Name the axes as the mean image on the same grid names them; x and y where there is none."""
    for card in cards:
        for image in card.images:
            if (image.row_edges, image.column_edges) == (event.row_edges, event.column_edges):
                return image.row_label, image.column_label
    return "x (mm)", "y (mm)"


def _are_lengths(labels: tuple[str, str]) -> bool:
    """Tell axes of the front face, in mm, from an angle and a radius."""
    return labels[0].startswith("x") and labels[1].startswith("y")


def _scale_equally(axes: Axes, grid: tuple[Floats, Floats]) -> None:
    """Give both lengths one scale, but for grids so long that little would be seen."""
    width, height = np.ptp(grid[0]), np.ptp(grid[1])
    axes.set_aspect("equal" if 0.2 < width / height < 5.0 else "auto")


def _spread(found: Sequence[Shown], count: int) -> list[Shown]:
    """Return at most so many of a sequence, evenly spread from its first to its last.

    Example:
        >>> _spread("abcdefgh", 3)
        ['a', 'e', 'h']
    """
    chosen = np.unique(np.linspace(0, len(found) - 1, min(count, len(found))).round().astype(int))
    return [found[number] for number in chosen]
