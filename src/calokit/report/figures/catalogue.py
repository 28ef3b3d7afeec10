"""Every figure of a comparison, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from matplotlib.figure import Figure

from calokit.evaluation.scorecard import Curve, ImagePair, Spectrum
from calokit.files import file_word
from calokit.report.compared import ComparedCards
from calokit.report.figures.distributions import draw_curve, draw_spectrum
from calokit.report.figures.images import draw_events, draw_hero, draw_mean_image
from calokit.report.figures.pareto import can_compare_times, draw_pareto
from calokit.report.figures.side_views import draw_side_views, has_depth
from calokit.report.figures.style import figure_bytes, figure_style, figure_svg, save_figure
from calokit.report.rounding import round_to_error
from calokit.report.topics import GALLERY, OVERVIEW, TOPICS, page_of

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

_MARKS = "a cross marks where the particle entered. Empty cells are white."


@dataclass(frozen=True)
class NamedFigure:
    """A figure that is drawn when it is asked for."""

    key: str
    """File name without ending, such as `spectrum_visible_energy`."""
    topic: str
    """Key of the page it belongs on."""
    title: str
    caption: str
    """What its bands, crosses and colours mean, or the numbers that belong to it."""
    draw: Callable[[], Figure]
    wide: bool = False
    """Whether it takes the whole width of a page."""


def list_figures(compared: ComparedCards) -> list[NamedFigure]:
    """List the figures that the scorecards have content for, in the order of a report."""
    figures = [*_list_curves(compared), *_list_spectra(compared), *_list_images(compared)]
    figures += [*_list_overview(compared), *_list_gallery(compared)]
    order = [OVERVIEW, *(topic.key for topic in (*TOPICS, GALLERY))]
    return sorted(figures, key=lambda figure: order.index(figure.topic))


def _list_curves(compared: ComparedCards) -> Iterator[NamedFigure]:
    caption = "Bands and bars are statistical errors; grey is the reference's alone."
    for curve in _first_of_each(curve for card in compared.cards for curve in card.curves):
        draw = partial(draw_curve, compared, curve.name)
        yield NamedFigure(f"curve_{file_word(curve.name)}", page_of(curve.topic), curve.title, caption, draw)


def _list_spectra(compared: ComparedCards) -> Iterator[NamedFigure]:
    for first in _first_of_each(spectrum for card in compared.cards for spectrum in card.spectra):
        caption = " ".join(
            _describe_separation(card.generated.label, spectrum)
            for card in compared.cards
            for spectrum in card.spectra
            if spectrum.name == first.name
        )
        draw = partial(draw_spectrum, compared, first.name)
        yield NamedFigure(
            f"spectrum_{file_word(first.name)}", page_of(first.topic), first.title, caption, draw
        )


def _list_images(compared: ComparedCards) -> Iterator[NamedFigure]:
    caption = "Reference and generated share one colour scale. Empty cells are white."
    for image in _first_of_each(image for card in compared.cards for image in card.images):
        draw = partial(draw_mean_image, compared, image.name)
        key = f"image_{file_word(image.name)}"
        yield NamedFigure(key, page_of(image.topic), image.title, caption, draw, wide=True)


def _list_overview(compared: ComparedCards) -> Iterator[NamedFigure]:
    if can_compare_times(compared):
        yield NamedFigure(
            "pareto",
            OVERVIEW,
            "Quality against time",
            "Lower and further left is better; the dotted line joins the samples that no other beats in "
            "both. Grey: the floor, on the right what is compatible with it. Times are as the files state "
            "them, on the machines named under “How it was made”.",
            partial(draw_pareto, compared),
            wide=True,
        )
    if compared.first.events:
        yield NamedFigure(
            "hero",
            OVERVIEW,
            "Showers of the same incident particles",
            f"Each column has one colour scale; {_MARKS}",
            partial(draw_hero, compared.first),
            wide=True,
        )


def _list_gallery(compared: ComparedCards) -> Iterator[NamedFigure]:
    if compared.pictured:
        yield NamedFigure(
            "events",
            GALLERY.key,
            "Showers of the same incident particles, summed over layers",
            f"The showers of an incident share one colour scale; {_MARKS}",
            partial(draw_events, compared),
            wide=True,
        )
    if has_depth(compared):
        yield NamedFigure(
            "side_views",
            GALLERY.key,
            "The same showers from the side",
            "Energies are summed along the line of sight; each row has one colour scale. The beam "
            "comes from the left. Across the beam only the range with hits is shown.",
            partial(draw_side_views, compared),
            wide=True,
        )


def _first_of_each(items: Iterable[_Named]) -> list[_Named]:
    """Return the first of those that share a name, in their order."""
    found: dict[str, _Named] = {}
    for item in items:
        found.setdefault(item.name, item)
    return list(found.values())


def _describe_separation(label: str, spectrum: Spectrum) -> str:
    separation = round_to_error(spectrum.separation, spectrum.separation_error).plain()
    floor = round_to_error(spectrum.separation_floor, spectrum.separation_floor_error).plain()
    return f"{label}: separation {separation}, floor {floor}."
