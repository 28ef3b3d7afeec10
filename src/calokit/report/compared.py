"""Several scorecards of one reference, side by side."""

from __future__ import annotations

from collections.abc import Sequence

from calokit.errors import CalokitError
from calokit.evaluation.scorecard import EventHits, Measurement, Scorecard


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


def has_display(scorecards: Sequence[Scorecard]) -> bool:
    """Tell whether the scorecards hold what a display needs: hits, and a detector to draw them in."""
    return any(card.hits and card.detector_description is not None for card in scorecards)


def leading_card(scorecards: Sequence[Scorecard]) -> Scorecard:
    """Return the scorecard whose events are shown: the first that has what a display needs."""
    return next(card for card in scorecards if card.hits and card.detector_description is not None)


def find_incident(card: Scorecard, event: EventHits) -> EventHits | None:
    """Return a scorecard's event of the same incident particle; None where it lacks it."""
    wanted = (event.incident_energy_gev, event.position_mm, event.direction)
    return next((e for e in card.hits if (e.incident_energy_gev, e.position_mm, e.direction) == wanted), None)
