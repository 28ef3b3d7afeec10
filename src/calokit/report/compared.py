"""Several scorecards of one reference, checked once and looked up by name."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property

from calokit.errors import CalokitError
from calokit.evaluation.scorecard import EventHits, EventPair, Measurement, Scorecard
from calokit.files import file_word


@dataclass(frozen=True)
class ComparedCards:
    """Scorecards that may stand side by side; `ComparedCards.of` checks that.

    Attributes:
        cards: One for each generated sample, all against the same reference.
    """

    cards: tuple[Scorecard, ...]

    @classmethod
    def of(cls, *scorecards: Scorecard) -> ComparedCards:
        """Return the scorecards as one value, after checking that they may stand side by side.

        Raises:
            CalokitError: None was given, two have the same label, or they differ in detector, threshold or
                reference sample.
        """
        if not scorecards:
            raise CalokitError("no scorecard was given; a report needs at least one.")
        for scorecard in scorecards[1:]:
            _require_same_reference(scorecards[0], scorecard)
        labels = [file_word(scorecard.generated.label) for scorecard in scorecards]
        if len(set(labels)) < len(labels):
            given = ", ".join(scorecard.generated.label for scorecard in scorecards)
            raise CalokitError(f"generated samples need different labels in one report; given: {given}.")
        return cls(scorecards)

    @property
    def first(self) -> Scorecard:
        """The first scorecard, for what all share: detector, threshold, reference."""
        return self.cards[0]

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Names of the generated samples."""
        return tuple(card.generated.label for card in self.cards)

    @cached_property
    def rows(self) -> dict[str, tuple[Measurement | None, ...]]:
        """Each measurement by name, one place a scorecard (None where it lacks it), in their order."""
        by_card = [{m.name: m for m in card.measurements} for card in self.cards]
        names = dict.fromkeys(name for known in by_card for name in known)
        return {name: tuple(known.get(name) for known in by_card) for name in names}

    def known(self, name: str) -> Measurement:
        """Return a measurement of the first scorecard that has it, for its words and its floor."""
        return next(m for m in self.rows[name] if m is not None)

    @cached_property
    def leading(self) -> Scorecard | None:
        """The scorecard whose hits are shown: the first with hits and a detector to draw them in."""
        return next((c for c in self.cards if c.hits and c.detector_description is not None), None)

    @cached_property
    def incidents(self) -> list[tuple[EventHits | None, ...]]:
        """For each incident of the leading scorecard the event of every one (None where it lacks it)."""
        if self.leading is None:
            return []
        leading = self.leading
        return list(zip(*(_find_hits(card, leading) for card in self.cards), strict=True))

    @cached_property
    def pictured(self) -> list[tuple[EventPair | None, ...]]:
        """The same of the summed images, of the first scorecard that has some; in order of energy."""
        events = next((card.events for card in self.cards if card.events), [])
        found = list(zip(*(_find_images(card, events) for card in self.cards), strict=True))
        order = sorted(range(len(events)), key=lambda number: events[number].incident_energy_gev)
        return [found[number] for number in order]


def _require_same_reference(first: Scorecard, other: Scorecard) -> None:
    for what, left, right in (
        ("detector", first.detector, other.detector),
        ("threshold (MeV)", first.threshold_mev, other.threshold_mev),
        ("reference file (sha256)", first.reference.sha256, other.reference.sha256),
        ("reference split", first.reference.split, other.reference.split),
    ):
        if left != right:
            raise CalokitError(
                f"{what} of {first.generated.label!r} is {left!r}, of {other.generated.label!r} "
                f"{right!r}: one report compares samples with one reference; write two reports."
            )


def _same_places(wanted: Sequence[Hashable], known: Sequence[Hashable]) -> list[int | None]:
    """Return where the incidents of one card stand in another's: the k-th of equal ones where the k-th is.

    Example:
        >>> _same_places(["a", "b", "a"], ["a", "a", "c"])
        [0, None, 1]
    """
    places: dict[Hashable, list[int]] = {}
    for place, incident in enumerate(known):
        places.setdefault(incident, []).append(place)
    return [places[incident].pop(0) if places.get(incident) else None for incident in wanted]


def _incident(energy: float, *known: Sequence[float] | None) -> Hashable:
    """Return an incident as one value to look up."""
    return energy, *(None if one is None else tuple(one) for one in known)


def _find_hits(card: Scorecard, leading: Scorecard) -> list[EventHits | None]:
    """Return the event of a card for every one of the leading card's."""
    wanted, known = (
        [_incident(event.incident_energy_gev, event.position_mm, event.direction) for event in one.hits]
        for one in (leading, card)
    )
    return [None if place is None else card.hits[place] for place in _same_places(wanted, known)]


def _find_images(card: Scorecard, events: Sequence[EventPair]) -> list[EventPair | None]:
    """Return the event of a card for every one of some."""
    wanted, known = (
        [_incident(event.incident_energy_gev, event.position_mm) for event in one]
        for one in (events, card.events)
    )
    return [None if place is None else card.events[place] for place in _same_places(wanted, known)]
