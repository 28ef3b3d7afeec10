"""Every figure of a comparison, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from calokit.evaluation.scorecard import Scorecard
from calokit.report.distributions import draw_curve, draw_spectrum
from calokit.report.files import file_word
from calokit.report.images import draw_events, draw_hero, draw_mean_image
from calokit.report.style import figure_bytes, figure_style, figure_svg, save_figure
from calokit.report.verdict import require_same_reference

__all__ = [
    "NamedFigure",
    "draw_curve",
    "draw_events",
    "draw_hero",
    "draw_mean_image",
    "draw_spectrum",
    "figure_bytes",
    "figure_style",
    "figure_svg",
    "list_figures",
    "save_figure",
]

SECTIONS = ("energy", "shapes", "cells", "images", "events")
"""Keys of the parts of a report, in order."""
_CELL_WORDS = ("cell", "hit", "hottest", "sparsity", "occupancy")
_ENERGY_WORDS = ("energy", "visible", "response", "resolution", "mse")


@dataclass(frozen=True)
class NamedFigure:
    """A figure that is drawn when it is asked for."""

    key: str
    """File name without ending, such as `spectrum_visible_energy`."""
    section: str
    """One of `SECTIONS`."""
    title: str
    draw: Callable[[], Figure]


def list_figures(scorecards: Sequence[Scorecard]) -> list[NamedFigure]:
    """List the figures that the scorecards have content for, in the order of a report.

    Raises:
        CalokitError: The scorecards do not belong together.
    """
    cards = require_same_reference(scorecards)
    curves = {curve.name: curve.title for card in cards for curve in card.curves}
    spectra = {spectrum.name: spectrum.title for card in cards for spectrum in card.spectra}
    images = {image.name: image.title for card in cards for image in card.images}
    figures = [
        NamedFigure(f"curve_{file_word(name)}", section_of(name), title, _bind(draw_curve, cards, name))
        for name, title in curves.items()
    ]
    figures += [
        NamedFigure(f"spectrum_{file_word(name)}", section_of(name), title, _bind(draw_spectrum, cards, name))
        for name, title in spectra.items()
    ]
    figures += [
        NamedFigure(f"image_{file_word(name)}", "images", title, _bind(draw_mean_image, cards, name))
        for name, title in images.items()
    ]
    if any(card.events for card in cards):
        title = "Showers of the same incidents, summed over layers"
        figures.append(NamedFigure("events", "events", title, lambda: draw_events(cards)))
    return sorted(figures, key=lambda figure: SECTIONS.index(figure.section))


def section_of(name: str) -> str:
    """Place a curve or spectrum in a part of the report by the words of its key.

    Example:
        >>> section_of("visible_energy"), section_of("layer_energy_3"), section_of("cell_energy")
        ('energy', 'shapes', 'cells')
    """
    if any(word in name for word in _CELL_WORDS):
        return "cells"
    if "layer" not in name and any(word in name for word in _ENERGY_WORDS):
        return "energy"
    return "shapes"


def _bind(
    draw: Callable[[Sequence[Scorecard], str], Figure], cards: Sequence[Scorecard], name: str
) -> Callable[[], Figure]:
    return lambda: draw(cards, name)
