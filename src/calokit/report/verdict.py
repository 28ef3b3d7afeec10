"""How far measurements lie from their floor, as grades and as one sentence."""

from __future__ import annotations

from enum import Enum

from calokit.evaluation.scorecard import Measurement, Scorecard
from calokit.report.rounding import round_to_error

COMPATIBLE_BELOW = 2.0
"""Standard errors from the floor up to which a measurement counts as compatible with it."""
INCOMPATIBLE_FROM = 5.0
"""Standard errors from the floor at which a measurement counts as clearly worse than it."""


class Grade(Enum):
    """How a measurement stands against the same measurement of truth against truth."""

    COMPATIBLE = "compatible"
    DOUBTFUL = "doubtful"
    INCOMPATIBLE = "incompatible"
    UNGRADED = "ungraded"
    """Neither the value nor the floor has an error, and they differ: no distance can be stated."""


def grade_measurement(measurement: Measurement) -> Grade:
    """Grade a measurement by its deviation from the floor: < 2, < 5 or >= 5 standard errors.

    A value better than the floor is compatible, however far.
    """
    if measurement.error == measurement.floor_error == 0.0 and measurement.value != measurement.floor:
        return Grade.UNGRADED
    if measurement.deviation < COMPATIBLE_BELOW:
        return Grade.COMPATIBLE
    if measurement.deviation < INCOMPATIBLE_FROM:
        return Grade.DOUBTFUL
    return Grade.INCOMPATIBLE


def format_deviation(measurement: Measurement) -> str:
    """Return the deviation from the floor as text, such as `+3.2 σ`; a dash where it has none."""
    if grade_measurement(measurement) is Grade.UNGRADED:
        return "–"
    size = abs(measurement.deviation)
    return f"{measurement.deviation:+.{0 if size >= 100 else 1}f} σ"


def state_verdict(scorecard: Scorecard, worst: int = 3) -> str:
    """Say in words whether the samples can be told apart, and by which measurements.

    Args:
        scorecard: The comparison.
        worst: How many of the measurements farthest from the floor are named.

    Returns:
        A few sentences of plain text; what alone forbids trust comes first, the headline last.
    """
    alarms = "".join(f"{scorecard.generated.label}: {alarm.text}. " for alarm in scorecard.alarms)
    measured = _state_measured(scorecard, worst)
    return f"NOT TO BE TRUSTED. {alarms}Beside that: {measured}" if alarms else measured


def _state_measured(scorecard: Scorecard, worst: int) -> str:
    """Say whether the measurements tell the samples apart."""
    verdict = scorecard.verdict
    unmeasured = _state_unmeasured(scorecard)
    if verdict.tested == 0:
        nothing = f"{scorecard.generated.label}: nothing was measured that has a floor and an error."
        return nothing + unmeasured
    sample = f"{scorecard.generated.label} against {scorecard.reference.label}"
    headline = f" {state_headline(scorecard)}".rstrip()
    family = f"{verdict.tested} measurements, family-wise {100 * verdict.family_wise_rate:.2g} %"
    if not verdict.flagged:
        return (
            f"{sample}: not told apart by {scorecard.generated.showers:,} showers ({family}; Holm's test). "
            f"More showers, or trained classifiers, may still tell them apart.{headline}{unmeasured}"
        )
    named = "; ".join(_describe_deviation(scorecard.measurement(name)) for name in verdict.flagged[:worst])
    count = len(verdict.flagged)
    told = f"{sample}: told apart by {count} of {family} (Holm's test)."
    return f"{told} Farthest from the floor: {named}.{headline}{unmeasured}"


def _state_unmeasured(scorecard: Scorecard, most: int = 3) -> str:
    """Say what could not be measured, and why the first of it; empty where all was."""
    lacking = scorecard.unmeasured
    if not lacking:
        return ""
    named = "; ".join(f"{one.title}: {one.reason}" for one in lacking[:most])
    more = f"; and {len(lacking) - most} more" if len(lacking) > most else ""
    return f" Not measured ({len(lacking)}): {named}{more}."


def state_headline(scorecard: Scorecard) -> str:
    """Say how large the largest area of all classifiers is, raw and read out; empty where none was trained.

    Args:
        scorecard: The comparison.
    """
    sentences = []
    if scorecard.headline:
        raw = scorecard.measurement(scorecard.headline)
        sentences.append(f"Largest area of all classifiers: {_describe_deviation(raw)}.")
    if scorecard.headline_read_out:
        read_out = scorecard.measurement(scorecard.headline_read_out)
        sentences.append(f"Behind the readout: {_describe_deviation(read_out)}.")
    return " ".join(sentences)


def _describe_deviation(measurement: Measurement) -> str:
    unit = f" {measurement.unit}" if measurement.unit else ""
    value = round_to_error(measurement.value, measurement.error).plain()
    floor = round_to_error(measurement.floor, measurement.floor_error).plain()
    return f"{measurement.title} {value}{unit}, floor {floor}{unit} ({format_deviation(measurement)})"
