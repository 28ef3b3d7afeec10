"""The pages of a report by topic: titles and questions. What belongs where, its maker says (`topic`)."""

from __future__ import annotations

from dataclasses import dataclass

OVERVIEW = "overview"
"""Key of the first page, with the verdict."""
MORE = "more"
"""Key of the page that takes whatever names no other page."""


@dataclass(frozen=True)
class Topic:
    """One page of a report.

    Attributes:
        key: Name in addresses (`report.html#lateral`) and in the `topic` field of a scorecard's entries.
        title: Words.
        question: What the page answers, in a sentence.
    """

    key: str
    title: str
    question: str


TOPICS = (
    Topic(
        "response",
        "Response and resolution",
        "Is the energy that the calorimeter sees right, on average and in its spread, at every energy?",
    ),
    Topic(
        "longitudinal",
        "Longitudinal shape",
        "Does the shower begin, peak and end at the right depth?",
    ),
    Topic(
        "lateral",
        "Lateral shape",
        "Is the shower as wide as it should be, about the right place?",
    ),
    Topic(
        "cells",
        "Cells and occupancy",
        "Are the right cells hit, as often and as hard as they should be?",
    ),
    Topic(
        "topology",
        "Topology",
        "Do hits lie beside each other, and do their energies look, as in truth? What gives a sample away?",
    ),
    Topic(
        "conditions",
        "Conditions",
        "Does every energy, impact and direction get the response, width and hits that truth has there?",
    ),
    Topic(
        "correlations",
        "Correlations",
        "Do the parts of one shower go together as they do in truth?",
    ),
    Topic(
        "classifiers",
        "Classifiers and distances",
        "How well can anything tell the two samples apart, all observables or cells taken together?",
    ),
    Topic(MORE, "More", "What the other pages have no place for."),
)
"""The pages of measurements, in the order of a report."""

GALLERY = Topic("gallery", "Event gallery", "Do single showers of the same incident particles look alike?")
"""The page of showers side by side."""

_KEYS = {topic.key for topic in TOPICS}


def page_of(topic: str) -> str:
    """Return the key of the page of a topic; a topic without a page goes to `more`.

    Example:
        >>> page_of("cells"), page_of("made up"), page_of("")
        ('cells', 'more', 'more')
    """
    return topic if topic in _KEYS else MORE
