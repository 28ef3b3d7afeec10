"""A comparison as one self-contained page, with its figures and numbers as files beside it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from calokit.evaluation.scorecard import Sample, Scorecard, Spectrum
from calokit.report.figures import NamedFigure, draw_hero, figure_bytes, figure_svg, list_figures
from calokit.report.files import file_word, write_atomically
from calokit.report.rounding import round_plainly, round_to_error
from calokit.report.verdict import (
    Grade,
    find_measurement,
    format_deviation,
    grade_measurement,
    measurement_names,
    require_same_reference,
    state_verdict,
)

MOST_INLINE_BYTES = 5_000_000
"""Figures beyond this size in all are not set into the page; the page names their files instead."""
SECTION_TITLES = {
    "energy": "Energy response",
    "shapes": "Shower shapes",
    "cells": "Cells",
    "images": "Mean images",
    "events": "Events side by side",
}
_SUSPICIOUSLY_GOOD = -5.0


@dataclass(frozen=True)
class _PlacedFigure:
    """A figure as the template shows it."""

    key: str
    title: str
    caption: str
    svg: Markup | None
    wide: bool


def write_report(scorecards: Sequence[Scorecard], folder: Path) -> Path:
    """Write a report on samples compared with one reference.

    Writes `report.html` (one file that needs nothing else), `scorecard.json` (with several samples
    `scorecard_LABEL.json` each) and `figures/*.pdf` and `*.png`, each whole or not at all, the page last.

    Args:
        scorecards: One for each generated sample, all against the same reference.
        folder: Where; made where it is missing.

    Returns:
        The path of the page.

    Raises:
        CalokitError: None was given, or they do not share detector, threshold and reference.
    """
    cards = require_same_reference(scorecards)
    for card in cards:
        name = "scorecard.json" if len(cards) == 1 else f"scorecard_{file_word(card.generated.label)}.json"
        write_atomically(folder / name, card.to_json().encode())
    sections = _draw_sections(cards, folder / "figures")
    hero = _draw_hero(cards[0], folder / "figures")
    page = _render(cards, sections, hero)
    path = folder / "report.html"
    write_atomically(path, page.encode())
    return path


def _draw_sections(cards: Sequence[Scorecard], folder: Path) -> dict[str, list[_PlacedFigure]]:
    """Draw every figure once, write its files, and keep the SVG text as long as the page may grow."""
    sections: dict[str, list[_PlacedFigure]] = {key: [] for key in SECTION_TITLES}
    room = MOST_INLINE_BYTES
    for named in list_figures(cards):
        figure = named.draw()
        for suffix in ("pdf", "png"):
            write_atomically(folder / f"{named.key}.{suffix}", figure_bytes(figure, suffix, 200.0))
        svg = figure_svg(figure, named.key)
        inline = len(svg) <= room
        room -= len(svg) if inline else 0
        sections[named.section].append(_place(named, cards, svg if inline else None))
    return sections


def _place(named: NamedFigure, cards: Sequence[Scorecard], svg: str | None) -> _PlacedFigure:
    wide = named.section in {"images", "events"}
    return _PlacedFigure(
        named.key, named.title, _caption(named, cards), None if svg is None else Markup(svg), wide
    )


def _caption(named: NamedFigure, cards: Sequence[Scorecard]) -> str:
    """Say what the bands, crosses and colours of a figure mean."""
    if named.section == "events":
        return (
            "Each row has one colour scale; a cross marks where the particle entered. Empty cells are white."
        )
    if named.section == "images":
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


def _draw_hero(card: Scorecard, folder: Path) -> Markup | None:
    """Draw the first sample's events for the top of the page; None where there are none."""
    if not card.events:
        return None
    figure = draw_hero(card)
    image = figure_bytes(figure, "png", 200.0)
    write_atomically(folder / "hero.png", image)
    write_atomically(folder / "hero.pdf", figure_bytes(figure, "pdf", 200.0))
    encoded = base64.b64encode(image).decode()
    return Markup('<img src="data:image/png;base64,{}" alt="{}">').format(
        encoded, f"showers of {card.reference.label} above showers of {card.generated.label}"
    )


def _render(cards: Sequence[Scorecard], sections: dict[str, list[_PlacedFigure]], hero: Markup | None) -> str:
    source = resources.files("calokit.report").joinpath("templates", "report.html.j2")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    first = cards[0]
    return environment.from_string(source.read_text(encoding="utf-8")).render(
        detector=first.detector,
        threshold=f"{first.threshold_mev:g}",
        floor=first.floor_sample,
        labels=[card.generated.label for card in cards],
        reference=first.reference,
        verdicts=[state_verdict(card) for card in cards],
        remarks=[remark for card in cards for remark in _remarks(card)],
        warnings=[(card.generated.label, warning) for card in cards for warning in card.warnings],
        rows=[_table_row(name, cards) for name in measurement_names(cards)],
        samples=[_describe_sample(sample) for sample in (first.reference, *(c.generated for c in cards))],
        seeds=[(card.generated.label, card.seed) for card in cards],
        format_version=first.format_version,
        sections=[(key, SECTION_TITLES[key], placed) for key, placed in sections.items() if placed],
        hero=hero,
    )


def _table_row(name: str, cards: Sequence[Scorecard]) -> dict[str, Any]:
    """Lay out one measurement: words, floor, and value with grade for each sample."""
    measurements = [find_measurement(card, name) for card in cards]
    known = next(m for m in measurements if m is not None)
    cells = [
        {"value": "–", "deviation": "", "grade": Grade.UNGRADED.value}
        if m is None
        else {
            "value": round_to_error(m.value, m.error).plain(),
            "deviation": format_deviation(m),
            "grade": grade_measurement(m).value,
        }
        for m in measurements
    ]
    return {
        "title": known.title,
        "unit": known.unit,
        "better": "lower" if known.direction == "lower" else "higher",
        "note": known.note,
        "showers": f"{known.showers_per_class:,}".replace(",", " ") if known.showers_per_class else "",
        "floor": round_to_error(known.floor, known.floor_error).plain(),
        "cells": cells,
    }


def _describe_sample(sample: Sample) -> dict[str, str]:
    milliseconds = sample.milliseconds_per_shower
    return {
        "label": sample.label,
        "file": _base_name(sample.path) or "–",
        "sha256": sample.sha256 or "–",
        "split": sample.split,
        "showers": f"{sample.showers:,}".replace(",", " "),
        "generator": sample.generator or "–",
        "time": "–" if milliseconds is None else f"{round_plainly(milliseconds)} ms",
        "timing_note": sample.timing_note,
    }


def _remarks(card: Scorecard) -> list[str]:
    """Point at measurements far better than the floor, which an honest comparison rarely gives."""
    graded = [m for m in card.measurements if grade_measurement(m) is not Grade.UNGRADED]
    return [
        f"{card.generated.label}: {m.title} is better than the floor by {-m.deviation:.1f} standard errors; "
        "check that the floor fits and that the generated showers are not copies of the reference's."
        for m in graded
        if m.deviation < _SUSPICIOUSLY_GOOD
    ]


def _base_name(path: str) -> str:
    return PureWindowsPath(path).name if "\\" in path else PurePosixPath(path).name
