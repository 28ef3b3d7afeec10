"""Scorecards as one table in the terminal: every measurement beside its floor."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from calokit.evaluation.scorecard import Measurement, Sample, Scorecard
from calokit.report.compared import ComparedCards
from calokit.report.plain_text import fit_encoding
from calokit.report.rounding import round_plainly, round_to_error
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


def scorecard_table(compared: ComparedCards, width: int = 100, encoding: str = "utf-8") -> Table:
    """Lay out scorecards against one reference as a table for the terminal.

    Rows are measurements; columns are the floor (truth against truth) and one for each generated sample,
    coloured by the deviation from the floor (green < 2, yellow < 5, red >= 5 standard errors) and marked
    with stars, so that the colours are not needed. From three samples on (two where there are fewer than 100
    columns) the error stands below the value.

    Args:
        compared: The scorecards.
        width: Columns of the terminal.
        encoding: Of the output; signs that it cannot write are replaced.

    Returns:
        A table that fits 80 columns with up to three samples and 100 with up to five.
    """
    cards = compared.cards

    def fit(text: Text) -> Text:
        return _fit(text, encoding)

    most = _MOST_SAMPLES_ON_ONE_LINE if width >= _WIDTH_FOR_TWO else 1
    stacked = len(cards) > most
    table = Table(
        title=fit(_headline(cards)),
        title_justify="left",
        title_style="",
        caption=fit(_legend(cards)),
        caption_justify="left",
        caption_style="",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0) if stacked else (0, 1),
        show_edge=False,
    )
    table.add_column("measurement", overflow="fold", ratio=None)
    table.add_column("floor", justify="right", no_wrap=True)
    for card in cards:
        table.add_column(
            fit(Text(card.generated.label)), justify="right", no_wrap=not stacked, overflow="fold"
        )
    before = None
    for name, measurements in compared.rows.items():
        topic = compared.known(name).topic
        if before not in (None, topic):
            table.add_section()
        before = topic
        table.add_row(*map(fit, _row(compared.known(name), measurements, stacked)))
    return table


def _fit(text: Text, encoding: str) -> Text:
    """Return text that an encoding can write, with its styles."""
    fitted = Text()
    for part in text.divide(sorted({end for span in text.spans for end in (span.start, span.end)})):
        style = part.spans[0].style if part.spans else text.style
        fitted.append(fit_encoding(part.plain, encoding), style)
    return fitted


def _row(known: Measurement, measurements: Sequence[Measurement | None], stacked: bool) -> list[Text]:
    """Lay out one measurement: its words, its floor (of the first scorecard that has it), its values."""
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
    origin = f" ({first.threshold_origin})" if first.threshold_origin else ""
    text.append(f"  threshold {first.threshold_mev:g} MeV{origin}")
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
        text.append(f"\n{state_verdict(card)}", style="bold" if card.verdict.agrees else "bold red")
    for card in cards:
        for warning in card.warnings:
            text.append(f"\nwarning ({card.generated.label}): {warning}", style="yellow")
    return text
