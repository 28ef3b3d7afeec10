"""How far measurements lie from their floor, as grades and as one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from calokit.errors import CalokitError
from calokit.evaluation.scorecard import Measurement, Scorecard
from calokit.evaluation.significance import judge_measurements
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
        One to three sentences of plain text.
    """
    verdict = scorecard.verdict or judge_measurements(scorecard.measurements)
    if verdict.tested == 0:
        return f"{scorecard.generated.label}: nothing was measured that has a floor and an error."
    sample = f"{scorecard.generated.label} against {scorecard.reference.label}"
    family = f"{verdict.tested} measurements, family-wise {100 * verdict.family_wise_rate:.2g} %"
    if verdict.agrees:
        return (
            f"{sample}: not told apart by {scorecard.generated.showers:,} showers ({family}; Holm's test). "
            "More showers, or trained classifiers, may still tell them apart."
        )
    flagged = [found for name in verdict.flagged if (found := find_measurement(scorecard, name)) is not None]
    named = "; ".join(_describe_deviation(m) for m in flagged[:worst])
    count = len(verdict.flagged)
    return f"{sample}: told apart by {count} of {family} (Holm's test). Farthest from the floor: {named}."


def require_same_reference(scorecards: Sequence[Scorecard]) -> tuple[Scorecard, ...]:
    """Return the scorecards, after checking that they may stand side by side.

    Raises:
        CalokitError: None was given, two have the same label, or they differ in detector, threshold or
            reference sample.
    """
    if not scorecards:
        raise CalokitError("no scorecard was given; a report needs at least one.")
    first = scorecards[0]
    labels = [scorecard.generated.label for scorecard in scorecards]
    for scorecard in scorecards[1:]:
        for what, left, right in (
            ("detector", first.detector, scorecard.detector),
            ("threshold (MeV)", first.threshold_mev, scorecard.threshold_mev),
            ("reference file (sha256)", first.reference.sha256, scorecard.reference.sha256),
            ("reference split", first.reference.split, scorecard.reference.split),
        ):
            if left != right:
                raise CalokitError(
                    f"{what} of {first.generated.label!r} is {left!r}, of {scorecard.generated.label!r} "
                    f"{right!r}: one report compares samples with one reference; write two reports."
                )
    if len(set(labels)) < len(labels):
        given = ", ".join(labels)
        raise CalokitError(f"generated samples need different labels in one report; given: {given}.")
    return tuple(scorecards)


def measurement_names(scorecards: Sequence[Scorecard]) -> list[str]:
    """Return every measurement's name once, in the order in which the scorecards first give them."""
    return list(dict.fromkeys(m.name for scorecard in scorecards for m in scorecard.measurements))


def find_measurement(scorecard: Scorecard, name: str) -> Measurement | None:
    """Return the measurement of that name, or None where this scorecard lacks it."""
    return next((m for m in scorecard.measurements if m.name == name), None)


def _describe_deviation(measurement: Measurement) -> str:
    unit = f" {measurement.unit}" if measurement.unit else ""
    value = round_to_error(measurement.value, measurement.error).plain()
    floor = round_to_error(measurement.floor, measurement.floor_error).plain()
    return f"{measurement.title} {value}{unit}, floor {floor}{unit} ({format_deviation(measurement)})"
