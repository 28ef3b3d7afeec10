"""What stands on the pages of a report: measurements and figures by topic, samples, settings, remarks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from markupsafe import Markup

from calokit.evaluation.scorecard import Sample, Scorecard
from calokit.report.compared import ComparedCards
from calokit.report.rounding import round_plainly, round_to_error
from calokit.report.topics import GALLERY, TOPICS, page_of
from calokit.report.verdict import Grade, format_deviation, grade_measurement

_SUSPICIOUSLY_GOOD = -5.0
_SAID_APART = ("threshold_mev", "seed")
_NONE_MEANS = {
    "cells": "chosen from the reference",
    "challenge_patience": "none: every epoch is gone through",
}
"""What a setting that was left open means; of others, that there is none."""
_GRADED = (Grade.COMPATIBLE, Grade.DOUBTFUL, Grade.INCOMPATIBLE)


@dataclass(frozen=True)
class PlacedFigure:
    """A figure as a page shows it; `svg` is None where it was left out to keep the file small."""

    key: str
    title: str
    caption: str
    svg: Markup | None
    wide: bool


@dataclass(frozen=True)
class ValueCell:
    """One sample's value of a measurement, with its distance from the floor and the grade of that."""

    value: str
    deviation: str
    grade: str
    flagged: bool = False
    """Whether the verdict names it as farther from the floor than chance explains."""


@dataclass(frozen=True)
class MeasurementRow:
    """One measurement in words: its floor, and the value of each sample."""

    title: str
    unit: str
    better: str
    note: str
    showers: str
    """How many a class; empty where it is as many as for most and no classifier."""
    floor: str
    cells: list[ValueCell]


@dataclass(frozen=True)
class Page:
    """One topic with what the scorecards say about it."""

    key: str
    title: str
    question: str
    rows: list[MeasurementRow]
    figures: list[PlacedFigure]

    @property
    def counts(self) -> list[tuple[str, int]]:
        """How many of the values have each grade, the best first; those without a grade are left out."""
        found = Counter(cell.grade for row in self.rows for cell in row.cells)
        return [(grade.value, found[grade.value]) for grade in _GRADED if found[grade.value]]

    @property
    def worst(self) -> str:
        """The worst grade among the values; empty where there is none."""
        return self.counts[-1][0] if self.counts else ""


def build_pages(compared: ComparedCards, figures: Mapping[str, list[PlacedFigure]]) -> list[Page]:
    """Return the pages that have content, in the order of a report, the gallery of events last.

    Args:
        compared: The scorecards.
        figures: By the key of their topic.
    """
    usual = usual_showers(compared)
    rows: dict[str, list[MeasurementRow]] = {}
    for name in compared.rows:
        row = lay_out_measurement(name, compared, usual)
        rows.setdefault(page_of(compared.known(name).topic), []).append(row)
    pages = [
        Page(topic.key, topic.title, topic.question, rows.get(topic.key, []), figures.get(topic.key, []))
        for topic in (*TOPICS, GALLERY)
    ]
    return [page for page in pages if page.rows or page.figures]


def usual_showers(compared: ComparedCards) -> int:
    """Return how many showers a class most measurements were made with; 0 where none says."""
    counts = Counter(
        m.showers_per_class for card in compared.cards for m in card.measurements if m.showers_per_class
    )
    return counts.most_common(1)[0][0] if counts else 0


def lay_out_measurement(name: str, compared: ComparedCards, usual: int = 0) -> MeasurementRow:
    """Return one measurement as a row of a table; a dash where a scorecard lacks it.

    Args:
        name: Its key.
        compared: The scorecards.
        usual: A number of showers a class that needs no mention, but for classifiers.
    """
    known = compared.known(name)
    mentioned = known.showers_per_class and (known.showers_per_class != usual or "classifier" in name)
    return MeasurementRow(
        title=known.title[:1].upper() + known.title[1:].replace(" - ", " − "),
        unit=known.unit,
        better="lower" if known.direction == "lower" else "higher",
        note=known.note,
        showers=group_digits(known.showers_per_class) if mentioned else "",
        floor=round_to_error(known.floor, known.floor_error).plain(),
        cells=[
            ValueCell("–", "", Grade.UNGRADED.value)
            if m is None
            else ValueCell(
                round_to_error(m.value, m.error).plain(),
                format_deviation(m).replace("-0.0 ", "0.0 ").replace("-", "−"),
                grade_measurement(m).value,
                name in card.verdict.flagged,
            )
            for card, m in zip(compared.cards, compared.rows[name], strict=True)
        ],
    )


def describe_outcome(card: Scorecard) -> str:
    """Return `agrees` or `differs` as the scorecard's verdict says."""
    return "agrees" if card.verdict.agrees else "differs"


def describe_sample(sample: Sample) -> dict[str, str]:
    """Return where a sample came from, in words; of its path only the file's name."""
    milliseconds = sample.milliseconds_per_shower
    return {
        "label": sample.label,
        "file": _base_name(sample.path) or "–",
        "sha256": sample.sha256 or "–",
        "split": sample.split,
        "showers": group_digits(sample.showers),
        "generator": sample.generator or "–",
        "time": "–" if milliseconds is None else f"{round_plainly(milliseconds)} ms",
        "timing_note": sample.timing_note,
    }


def describe_settings(compared: ComparedCards) -> list[tuple[str, str]]:
    """Return name and value of every setting in words, by sample where the samples differ in one."""
    names = dict.fromkeys(
        name for card in compared.cards for name in card.settings if name not in _SAID_APART
    )
    described = []
    for name in names:
        values = {
            card.generated.label: _write_setting(name, card.settings.get(name)) for card in compared.cards
        }
        same = len(set(values.values())) == 1
        text = next(iter(values.values())) if same else "; ".join(f"{k}: {v}" for k, v in values.items())
        described.append((name.replace("_", " ").capitalize(), text))
    return described


def find_remarks(card: Scorecard) -> list[str]:
    """Point at measurements far better than the floor, which an honest comparison rarely gives."""
    graded = [m for m in card.measurements if grade_measurement(m) is not Grade.UNGRADED]
    return [
        f"{card.generated.label}: {m.title} is better than the floor by {-m.deviation:.1f} standard errors; "
        "check that the floor fits and that the generated showers are not copies of the reference's."
        for m in graded
        if m.deviation < _SUSPICIOUSLY_GOOD
    ]


def join_warnings(compared: ComparedCards) -> list[str]:
    """Return each warning once, behind the names of the samples that it is about (none where it is all)."""
    about: dict[str, list[str]] = {}
    for card in compared.cards:
        for warning in dict.fromkeys(card.warnings):
            about.setdefault(warning, []).append(card.generated.label)
    everyone = len(compared.cards)
    return [
        warning if len(labels) == everyone > 1 else f"{', '.join(labels)}: {warning}"
        for warning, labels in about.items()
    ]


def _write_setting(name: str, value: Any) -> str:
    if value is None:
        return _NONE_MEANS.get(name, "none")
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {one}" for key, one in value.items())
    if isinstance(value, int) and not isinstance(value, bool):
        return group_digits(value)
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value)


def group_digits(number: int) -> str:
    """Write a number in groups of three digits that no line ends between.

    Example:
        >>> group_digits(12345) == "12\N{NO-BREAK SPACE}345"
        True
    """
    return f"{number:,}".replace(",", "\N{NO-BREAK SPACE}")


def _base_name(path: str) -> str:
    return PureWindowsPath(path).name if "\\" in path else PurePosixPath(path).name
