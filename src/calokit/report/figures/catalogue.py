"""Every figure of a comparison, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from matplotlib.figure import Figure

from calokit.evaluation.scorecard import Curve, ImagePair, Scorecard, Spectrum
from calokit.files import file_word
from calokit.report.compared import require_same_reference
from calokit.report.figures.distributions import draw_curve, draw_spectrum
from calokit.report.figures.images import draw_events, draw_hero, draw_mean_image
from calokit.report.figures.pareto import can_compare_times, draw_pareto
from calokit.report.figures.side_views import draw_side_views, has_depth
from calokit.report.figures.style import figure_bytes, figure_style, figure_svg, save_figure
from calokit.report.topics import GALLERY, OVERVIEW, TOPICS, topic_of

__all__ = [
    "NamedFigure",
    "draw_curve",
    "draw_events",
    "draw_hero",
    "draw_mean_image",
    "draw_pareto",
    "draw_side_views",
    "draw_spectrum",
    "figure_bytes",
    "figure_style",
    "figure_svg",
    "list_figures",
    "save_figure",
]

_Named = TypeVar("_Named", Curve, Spectrum, ImagePair)


@dataclass(frozen=True)
class NamedFigure:
    """A figure that is drawn when it is asked for."""

    key: str
    """File name without ending, such as `spectrum_visible_energy`."""
    topic: str
    """Key of the page it belongs on."""
    title: str
    draw: Callable[[], Figure]
    wide: bool = False
    """Whether it takes the whole width of a page."""


def list_figures(scorecards: Sequence[Scorecard]) -> list[NamedFigure]:
    """List the figures that the scorecards have content for, in the order of a report.

    Raises:
        CalokitError: The scorecards do not belong together.
    """
    cards = require_same_reference(scorecards)
    curves = _first_of_each(curve for card in cards for curve in card.curves)
    spectra = _first_of_each(spectrum for card in cards for spectrum in card.spectra)
    images = _first_of_each(image for card in cards for image in card.images)
    figures = [
        NamedFigure(
            f"curve_{file_word(c.name)}", topic_of(c.name, c.topic), c.title, _bind(draw_curve, cards, c.name)
        )
        for c in curves
    ]
    figures += [
        NamedFigure(
            f"spectrum_{file_word(s.name)}",
            topic_of(s.name, s.topic),
            s.title,
            _bind(draw_spectrum, cards, s.name),
        )
        for s in spectra
    ]
    figures += [
        NamedFigure(
            f"image_{file_word(i.name)}",
            topic_of(i.name, i.topic),
            i.title,
            _bind(draw_mean_image, cards, i.name),
            wide=True,
        )
        for i in images
    ]
    figures += _list_whole(cards)
    order = [OVERVIEW, *(topic.key for topic in (*TOPICS, GALLERY))]
    return sorted(figures, key=lambda figure: order.index(figure.topic))


def _list_whole(cards: Sequence[Scorecard]) -> list[NamedFigure]:
    """Return the figures that show no single entry of a scorecard: comparisons and single showers."""
    figures = []
    if can_compare_times(cards):
        figures.append(
            NamedFigure("pareto", OVERVIEW, "Quality against time", lambda: draw_pareto(cards), wide=True)
        )
    if cards[0].events:
        title = "Showers of the same incident particles"
        figures.append(NamedFigure("hero", OVERVIEW, title, lambda: draw_hero(cards[0]), wide=True))
    if any(card.events for card in cards):
        title = "Showers of the same incident particles, summed over layers"
        figures.append(NamedFigure("events", GALLERY.key, title, lambda: draw_events(cards), wide=True))
    if has_depth(cards):
        title = "The same showers from the side"
        figures.append(
            NamedFigure("side_views", GALLERY.key, title, lambda: draw_side_views(cards), wide=True)
        )
    return figures


def _first_of_each(items: Iterable[_Named]) -> list[_Named]:
    """Return the first of those that share a name, in their order."""
    found: dict[str, _Named] = {}
    for item in items:
        found.setdefault(item.name, item)
    return list(found.values())


def _bind(
    draw: Callable[[Sequence[Scorecard], str], Figure], cards: Sequence[Scorecard], name: str
) -> Callable[[], Figure]:
    return lambda: draw(cards, name)
