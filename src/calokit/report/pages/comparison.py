"""A comparison as one self-contained file of several pages, with figures and numbers as files beside it."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from importlib.metadata import version
from pathlib import Path

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from calokit.errors import CalokitError
from calokit.evaluation.samples.gallery import MOST_HITS
from calokit.evaluation.scorecard import EventHits, Scorecard
from calokit.files import check_folder_writable, file_word, write_bytes, write_text
from calokit.progress import Progress, show_progress
from calokit.report.compared import ComparedCards
from calokit.report.figures.catalogue import NamedFigure, list_figures
from calokit.report.figures.style import embed_svg, figure_bytes
from calokit.report.pages.contents import (
    PlacedFigure,
    build_pages,
    describe_outcome,
    describe_sample,
    describe_settings,
    find_remarks,
    group_digits,
    join_warnings,
    usual_showers,
)
from calokit.report.pages.event_display import PackedDisplay, pack_display
from calokit.report.topics import OVERVIEW
from calokit.report.verdict import state_verdict

MOST_PAGE_BYTES = 5_000_000
"""Figures that would make the page larger are not set into it; the page names their files instead."""
_TEXT_BYTES = 150_000
"""Kept free for the words and tables of the page."""
_STYLES = ("report.css", "display.css")
_DISPLAY_SCRIPTS = ("display_data.js", "display_cells.js", "display_view.js", "display.js")


def write_report(compared: ComparedCards, folder: Path, progress: Progress = show_progress) -> Path:
    """Write a report on samples compared with one reference.

    Writes `report.html` (one file that needs nothing else, not even a network), `scorecard.json` (with
    several samples `scorecard_LABEL.json` each) and `figures/*.pdf` and `*.svg`, each whole or not at all,
    the page last.

    Args:
        compared: The scorecards.
        folder: Where; made where it is missing.
        progress: Shows how many figures are drawn; see `calokit.progress`.

    Returns:
        The path of the page.

    Raises:
        OutputError: The folder takes no files.
    """
    cards = compared.cards
    check_folder_writable(folder)
    for card in cards:
        write_scorecard(card, folder, several=len(cards) > 1)
    display = None if compared.leading is None else pack_display(compared)
    scripts = _read_scripts(with_display=display is not None)
    taken = sum(map(len, scripts)) + (0 if display is None else len(display.text))
    room = MOST_PAGE_BYTES - _TEXT_BYTES - taken
    figures = _draw_figures(compared, folder / "figures", room, progress)
    page = _render(compared, figures, display, scripts)
    path = folder / "report.html"
    write_text(path, page)
    return path


def write_scorecard(card: Scorecard, folder: Path, several: bool) -> Path:
    """Write one scorecard as JSON into a folder, as `scorecard.json` or, of several, with its label."""
    name = f"scorecard_{file_word(card.generated.label)}.json" if several else "scorecard.json"
    write_text(folder / name, card.to_json())
    return folder / name


def _draw_figures(
    compared: ComparedCards, folder: Path, room: int, progress: Progress
) -> dict[str, list[PlacedFigure]]:
    """Draw every figure once, write its files, and keep the SVG text as long as the page may grow."""
    placed: dict[str, list[PlacedFigure]] = {}
    listed = list_figures(compared)
    with progress(len(listed), "drawing the report", "figures") as advance:
        for named in listed:
            svg = _draw_figure(named, folder)
            inline = len(svg) <= room
            room -= len(svg) if inline else 0
            shown = Markup(svg) if inline else None
            one = PlacedFigure(named.key, named.title, named.caption, shown, named.wide)
            placed.setdefault(named.topic, []).append(one)
            advance(1)
    return placed


def _draw_figure(named: NamedFigure, folder: Path) -> str:
    """Draw a figure, write its files, and return its SVG text for the page."""
    figure = named.draw()
    drawn = figure_bytes(figure, "svg")
    write_bytes(folder / f"{named.key}.svg", drawn)
    write_bytes(folder / f"{named.key}.pdf", figure_bytes(figure, "pdf", 200.0))
    return embed_svg(drawn.decode(), named.key)


def _render(
    compared: ComparedCards,
    figures: dict[str, list[PlacedFigure]],
    display: PackedDisplay | None,
    scripts: list[Markup],
) -> str:
    environment = Environment(
        loader=FunctionLoader(lambda name: _read("templates", name)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    cards, first = compared.cards, compared.first
    described = first.detector_description
    return environment.get_template("report.html.j2").render(
        detector=first.detector,
        detector_title=first.detector if described is None else f"{first.detector}: {described.title}",
        detector_digest="" if described is None else described.digest(),
        threshold=f"{first.threshold_mev:g}",
        floor=first.floor_sample,
        labels=compared.labels,
        reference=first.reference,
        verdicts=[(state_verdict(card), describe_outcome(card)) for card in cards],
        families=sorted({f"{c.verdict.family_wise_rate:.0%}" for c in cards}),
        remarks=[remark for card in cards for remark in find_remarks(card)],
        warnings=join_warnings(compared),
        samples=[describe_sample(sample) for sample in (first.reference, *(c.generated for c in cards))],
        settings=describe_settings(compared),
        seeds=[(card.generated.label, card.seed) for card in cards],
        format_version=first.format_version,
        version=version("calokit"),
        usual_showers=group_digits(usual_showers(compared)),
        pages=build_pages(compared, figures),
        figures=figures.get(OVERVIEW, []),
        style=Markup("\n".join(_read("assets", name) for name in _STYLES)),
        scripts=scripts,
        script_digests=[_digest_for_policy(script) for script in scripts],
        licence=Markup(_read("vendor", "three.LICENSE.txt")),
        **_display_words(compared, display),
    )


def _display_words(compared: ComparedCards, display: PackedDisplay | None) -> dict[str, object]:
    """Return what the template of the event display is filled with."""
    if display is None or compared.leading is None:
        return {"display": None}
    return {
        "display": Markup(display.text),
        "display_events": [_name_event(event) for event in compared.leading.hits],
        "display_layers": display.layers,
        "display_to_scale": display.to_scale,
        "display_cut": MOST_HITS if display.cut else 0,
    }


def _name_event(event: EventHits) -> str:
    """Return energy and place of an incident particle in a few words."""
    words = f"{event.incident_energy_gev:.3g} GeV"
    if event.position_mm is not None:
        words += f" at x {event.position_mm[0]:.0f}, y {event.position_mm[1]:.0f} mm".replace("-", "−")
    return words


def _read_scripts(*, with_display: bool) -> list[Markup]:
    """Return the page's scripts, those of the event display as one with its names to itself."""
    scripts = [_read("assets", "pages.js")]
    if with_display:
        parts = "\n".join(_read("assets", name) for name in _DISPLAY_SCRIPTS)
        scripts += [_read("vendor", "three.min.js"), f"(() => {{\n{parts}\n}})();\n"]
    for script in scripts:
        if "</script" in script or "<!--" in script:
            raise CalokitError(
                "a script of the report holds text that would end it early; install calokit again."
            )
    return [Markup(script) for script in scripts]


def _digest_for_policy(script: str) -> str:
    """Return the source expression by which a content security policy lets exactly this script run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _read(folder: str, name: str) -> str:
    """Return a text file of this package."""
    text = resources.files("calokit.report").joinpath(folder, name).read_text(encoding="utf-8")
    return text.replace("\r\n", "\n")
