"""What stands on the pages of a report: measurements and figures by topic, samples, settings, remarks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from markupsafe import Markup

from calokit.evaluation.scorecard import Sample, Scorecard
from calokit.report.rounding import round_plainly, round_to_error
from calokit.report.topics import GALLERY, TOPICS, topic_of
from calokit.report.verdict import (
    Grade,
    find_measurement,
    format_deviation,
    grade_measurement,
    measurement_names,
)

_SUSPICIOUSLY_GOOD = -5.0
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


@dataclass(frozen=True)
class MeasurementRow:
    """One measurement in words: its floor, and the value of each sample."""

    title: str
    unit: str
    better: str
    note: str
    showers: str
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


def build_pages(cards: Sequence[Scorecard], figures: Mapping[str, list[PlacedFigure]]) -> list[Page]:
    """Return the pages that have content, in the order of a report, the gallery of events last.

    Args:
        cards: Against the same reference.
        figures: By the key of their topic.
    """
    rows: dict[str, list[MeasurementRow]] = {}
    for name in measurement_names(cards):
        known = next(m for card in cards if (m := find_measurement(card, name)) is not None)
        rows.setdefault(topic_of(name, known.topic), []).append(lay_out_measurement(name, cards))
    pages = [
        Page(topic.key, topic.title, topic.question, rows.get(topic.key, []), figures.get(topic.key, []))
        for topic in (*TOPICS, GALLERY)
    ]
    return [page for page in pages if page.rows or page.figures]


def lay_out_measurement(name: str, cards: Sequence[Scorecard]) -> MeasurementRow:
    """Return one measurement as a row of a table; a dash where a scorecard lacks it."""
    measurements = [find_measurement(card, name) for card in cards]
    known = next(m for m in measurements if m is not None)
    return MeasurementRow(
        title=known.title,
        unit=known.unit,
        better="lower" if known.direction == "lower" else "higher",
        note=known.note,
        showers=_group_digits(known.showers_per_class) if known.showers_per_class else "",
        floor=round_to_error(known.floor, known.floor_error).plain(),
        cells=[
            ValueCell("–", "", Grade.UNGRADED.value)
            if m is None
            else ValueCell(
                round_to_error(m.value, m.error).plain(), format_deviation(m), grade_measurement(m).value
            )
            for m in measurements
        ],
    )


def describe_sample(sample: Sample) -> dict[str, str]:
    """Return where a sample came from, in words; of its path only the file's name."""
    milliseconds = sample.milliseconds_per_shower
    return {
        "label": sample.label,
        "file": _base_name(sample.path) or "–",
        "sha256": sample.sha256 or "–",
        "split": sample.split,
        "showers": _group_digits(sample.showers),
        "generator": sample.generator or "–",
        "time": "–" if milliseconds is None else f"{round_plainly(milliseconds)} ms",
        "timing_note": sample.timing_note,
    }


def describe_settings(cards: Sequence[Scorecard]) -> list[tuple[str, str]]:
    """Return name and value of every setting in words, by sample where the samples differ in one."""
    names = dict.fromkeys(name for card in cards for name in card.settings)
    described = []
    for name in names:
        values = {card.generated.label: _write_setting(card.settings.get(name)) for card in cards}
        same = len(set(values.values())) == 1
        text = next(iter(values.values())) if same else "; ".join(f"{k}: {v}" for k, v in values.items())
        described.append((name.replace("_", " "), text))
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


def _write_setting(value: Any) -> str:
    if value is None:
        return "chosen from the reference"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value)


def _group_digits(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _base_name(path: str) -> str:
    return PureWindowsPath(path).name if "\\" in path else PurePosixPath(path).name
