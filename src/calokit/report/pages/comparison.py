"""A comparison as one self-contained file of several pages, with figures and numbers as files beside it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources
from importlib.metadata import version
from pathlib import Path

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from calokit.errors import CalokitError
from calokit.evaluation.samples.gallery import MOST_HITS
from calokit.evaluation.scorecard import EventHits, Scorecard, Spectrum
from calokit.files import check_folder_writable, file_word, write_bytes, write_text
from calokit.report.compared import has_display, leading_card, require_same_reference
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
    usual_showers,
)
from calokit.report.pages.event_display import pack_display
from calokit.report.rounding import round_to_error
from calokit.report.topics import OVERVIEW
from calokit.report.verdict import state_verdict

MOST_PAGE_BYTES = 5_000_000
"""Figures that would make the page larger are not set into it; the page names their files instead."""
_TEXT_BYTES = 150_000
"""Kept free for the words and tables of the page."""
_STYLES = ("report.css", "display.css")
_DISPLAY_SCRIPTS = ("display_data.js", "display_cells.js", "display_view.js", "display.js")


_MARKS = "a cross marks where the particle entered. Empty cells are white."
_CAPTIONS = {
    "pareto": "Lower and further left is better; the dotted line joins the samples that no other beats in "
    "both. Grey: the floor, on the right what is compatible with it. Times are as the files state them, on "
    "the machines named under “How it was made”.",
    "hero": f"Each column has one colour scale; {_MARKS}",
    "events": f"The showers of an incident share one colour scale; {_MARKS}",
    "side_views": "Energies are summed along the line of sight; each row has one colour scale. The beam "
    "comes from the left. Across the beam only the range with hits is shown.",
}


def write_report(scorecards: Sequence[Scorecard], folder: Path) -> Path:
    """Write a report on samples compared with one reference.

    Writes `report.html` (one file that needs nothing else, not even a network), `scorecard.json` (with
    several samples `scorecard_LABEL.json` each) and `figures/*.pdf` and `*.svg`, each whole or not at all,
    the page last.

    Args:
        scorecards: One for each generated sample, all against the same reference.
        folder: Where; made where it is missing.

    Returns:
        The path of the page.

    Raises:
        CalokitError: None was given, or they do not share detector, threshold and reference.
    """
    cards = require_same_reference(scorecards)
    check_folder_writable(folder)
    for card in cards:
        name = "scorecard.json" if len(cards) == 1 else f"scorecard_{file_word(card.generated.label)}.json"
        write_text(folder / name, card.to_json())
    display = pack_display(cards) if has_display(cards) else None
    scripts = _read_scripts(with_display=display is not None)
    taken = sum(map(len, (*scripts, display or "")))
    figures = _draw_figures(cards, folder / "figures", MOST_PAGE_BYTES - _TEXT_BYTES - taken)
    page = _render(cards, figures, display, scripts)
    path = folder / "report.html"
    write_text(path, page)
    return path


def _draw_figures(cards: Sequence[Scorecard], folder: Path, room: int) -> dict[str, list[PlacedFigure]]:
    """Draw every figure once, write its files, and keep the SVG text as long as the page may grow."""
    placed: dict[str, list[PlacedFigure]] = {}
    for named in list_figures(cards):
        figure = named.draw()
        drawn = figure_bytes(figure, "svg")
        write_bytes(folder / f"{named.key}.svg", drawn)
        write_bytes(folder / f"{named.key}.pdf", figure_bytes(figure, "pdf", 200.0))
        svg = embed_svg(drawn.decode(), named.key)
        inline = len(svg) <= room
        room -= len(svg) if inline else 0
        one = PlacedFigure(
            named.key, named.title, _caption(named, cards), Markup(svg) if inline else None, named.wide
        )
        placed.setdefault(named.topic, []).append(one)
    return placed


def _caption(named: NamedFigure, cards: Sequence[Scorecard]) -> str:
    """Say what the bands, crosses and colours of a figure mean."""
    if named.key in _CAPTIONS:
        return _CAPTIONS[named.key]
    if named.key.startswith("image_"):
        return "Reference and generated share one colour scale. Empty cells are white."
    if named.key.startswith("curve_"):
        return "Bands and bars are statistical errors; grey is the reference's alone."
    return " ".join(
        _describe_separation(card.generated.label, spectrum)
        for card in cards
        for spectrum in card.spectra
        if f"spectrum_{file_word(spectrum.name)}" == named.key
    )


def _describe_separation(label: str, spectrum: Spectrum) -> str:
    separation = round_to_error(spectrum.separation, spectrum.separation_error).plain()
    floor = round_to_error(spectrum.separation_floor, spectrum.separation_floor_error).plain()
    return f"{label}: separation {separation}, floor {floor}."


def _render(
    cards: Sequence[Scorecard],
    figures: dict[str, list[PlacedFigure]],
    display: str | None,
    scripts: list[Markup],
) -> str:
    environment = Environment(
        loader=FunctionLoader(lambda name: _read("templates", name)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    first = cards[0]
    described = first.detector_description
    return environment.get_template("report.html.j2").render(
        detector=first.detector,
        detector_title=first.detector if described is None else f"{first.detector}: {described.title}",
        detector_digest="" if described is None else described.digest(),
        threshold=f"{first.threshold_mev:g}",
        floor=first.floor_sample,
        labels=[card.generated.label for card in cards],
        reference=first.reference,
        verdicts=[(state_verdict(card), describe_outcome(card)) for card in cards],
        families=sorted({f"{c.verdict.family_wise_rate:.0%}" for c in cards if c.verdict is not None}),
        remarks=[remark for card in cards for remark in find_remarks(card)],
        warnings=[(card.generated.label, warning) for card in cards for warning in card.warnings],
        samples=[describe_sample(sample) for sample in (first.reference, *(c.generated for c in cards))],
        settings=describe_settings(cards),
        seeds=[(card.generated.label, card.seed) for card in cards],
        format_version=first.format_version,
        version=version("calokit"),
        usual_showers=group_digits(usual_showers(cards)),
        pages=build_pages(cards, figures),
        figures=figures.get(OVERVIEW, []),
        style=Markup("\n".join(_read("assets", name) for name in _STYLES)),
        scripts=scripts,
        script_digests=[_digest_for_policy(script) for script in scripts],
        licence=Markup(_read("vendor", "three.LICENSE.txt")),
        **_display_words(cards, display),
    )


def _display_words(cards: Sequence[Scorecard], display: str | None) -> dict[str, object]:
    """Return what the template of the event display is filled with."""
    if display is None:
        return {"display": None}
    card = leading_card(cards)
    showers = [shower for event in card.hits for shower in (event.reference, event.generated)]
    detector = card.detector_description
    return {
        "display": Markup(display),
        "display_events": [_name_event(event) for event in card.hits],
        "display_layers": 1 if detector is None else detector.number_of_layers,
        "display_to_scale": '"toScale":true' in display,
        "display_cut": MOST_HITS if any(shower.hits > len(shower.cells) for shower in showers) else 0,
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
