"""Scorecards as one table in the terminal: every measurement beside its floor."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from calokit.evaluation.scorecard import Measurement, Sample, Scorecard
from calokit.report.compared import find_measurement, measurement_names, require_same_reference
from calokit.report.rounding import round_plainly, round_to_error
from calokit.report.topics import topic_of
from calokit.report.verdict import Grade, grade_measurement, state_verdict

GRADE_STYLES = {
    Grade.COMPATIBLE: "green",
    Grade.DOUBTFUL: "yellow",
    Grade.INCOMPATIBLE: "red",
    Grade.UNGRADED: "",
}
GRADE_MARKS = {Grade.COMPATIBLE: "  ", Grade.DOUBTFUL: " *", Grade.INCOMPATIBLE: "**", Grade.UNGRADED: "  "}
_MOST_SAMPLES_ON_ONE_LINE = 2
_WIDTH_FOR_TWO = 100


def scorecard_table(scorecards: Sequence[Scorecard], width: int = 100) -> Table:
    """Lay out scorecards against one reference as a table for the terminal.

    Rows are measurements; columns are the floor (truth against truth) and one for each generated sample,
    coloured by the deviation from the floor (green < 2, yellow < 5, red >= 5 standard errors) and marked
    with stars, so that the colours are not needed. From three samples on (two where there are fewer than 100
    columns) the error stands below the value.

    Args:
        scorecards: One for each generated sample, all against the same reference.
        width: Columns of the terminal.

    Returns:
        A table that fits 80 columns with up to three samples and 100 with up to five.

    Raises:
        CalokitError: None was given, or they do not share detector, threshold and reference.
    """
    cards = require_same_reference(scorecards)
    most = _MOST_SAMPLES_ON_ONE_LINE if width >= _WIDTH_FOR_TWO else 1
    stacked = len(cards) > most
    table = Table(
        title=_headline(cards),
        title_justify="left",
        title_style="",
        caption=_legend(cards),
        caption_justify="left",
        caption_style="",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0) if stacked else (0, 1),
        show_edge=False,
    )
    table.add_column("measurement", overflow="fold", ratio=None)
    table.add_column("floor", justify="right", no_wrap=True)
    for card in cards:
        table.add_column(card.generated.label, justify="right", no_wrap=not stacked, overflow="fold")
    before = None
    for name in measurement_names(cards):
        known = next(m for card in cards if (m := find_measurement(card, name)) is not None)
        topic = topic_of(name, known.topic)
        if before not in (None, topic):
            table.add_section()
        before = topic
        table.add_row(*_row(name, cards, stacked))
    return table


def _row(name: str, cards: Sequence[Scorecard], stacked: bool) -> list[Text]:
    """Lay out one measurement: its words, its floor (of the first scorecard that has it), its values."""
    measurements = [find_measurement(card, name) for card in cards]
    known = next(m for m in measurements if m is not None)
    arrow = "↓" if known.direction == "lower" else "↑"
    title = Text().append(f"{arrow} ", style="dim")
    title.append(f"{known.title} ({known.unit})" if known.unit else known.title)
    row = [title, Text(_format(known.floor, known.floor_error, stacked), style="dim")]
    return row + [_cell(measurement, stacked) for measurement in measurements]


def _cell(measurement: Measurement | None, stacked: bool) -> Text:
    if measurement is None:
        return Text("–", style="dim")
    grade = grade_measurement(measurement)
    value = _format(measurement.value, measurement.error, stacked)
    mark = GRADE_MARKS[grade]
    return Text(mark.strip() + value if stacked else value + mark, GRADE_STYLES[grade])


def _format(value: float, error: float, stacked: bool) -> str:
    rounded = round_to_error(value, error)
    return rounded.lines() if stacked else rounded.plain()


def _headline(cards: Sequence[Scorecard]) -> Text:
    """Say what was compared: detector, showers, threshold, floor, and the time of each sample."""
    first = cards[0]
    text = Text()
    text.append(first.detector, style="bold")
    text.append(f"  threshold {first.threshold_mev:g} MeV")
    text.append(f"\nfloor: {first.floor_sample}")
    for sample in (first.reference, *(card.generated for card in cards)):
        text.append(f"\n{sample.label}: {_describe_sample(sample)}")
    return text


def _describe_sample(sample: Sample) -> str:
    text = f"{sample.showers:,} showers".replace(",", " ")
    if sample.milliseconds_per_shower is not None:
        text += f", {round_plainly(sample.milliseconds_per_shower)} ms per shower"
        text += f" ({sample.timing_note})" if sample.timing_note else ""
    return text


def _legend(cards: Sequence[Scorecard]) -> Text:
    text = Text("from the floor: ")
    text.append("< 2 σ", style="green")
    text.append(", ")
    text.append("< 5 σ *", style="yellow")
    text.append(", ")
    text.append("≥ 5 σ **", style="red")
    text.append("; ↓ lower, ↑ higher is more alike")
    for card in cards:
        agrees = card.verdict is None or card.verdict.agrees
        text.append(f"\n{state_verdict(card)}", style="bold" if agrees else "bold red")
    for card in cards:
        for warning in card.warnings:
            text.append(f"\nwarning ({card.generated.label}): {warning}", style="yellow")
    return text
