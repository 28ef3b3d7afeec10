"""Which page of a report each measurement, curve, spectrum and image belongs on: one table."""

from __future__ import annotations

from dataclasses import dataclass

OVERVIEW = "overview"
"""Key of the first page, with the verdict."""
MORE = "more"
"""Key of the page that takes whatever no other page claims."""


@dataclass(frozen=True)
class Topic:
    """One page of a report.

    Attributes:
        key: Name in addresses (`report.html#lateral`) and in the `topic` field of a scorecard's entries.
        title: Words.
        question: What the page answers, in a sentence.
        prefixes: Beginnings of the keys of what belongs here.
    """

    key: str
    title: str
    question: str
    prefixes: tuple[str, ...] = ()


TOPICS = (
    Topic(
        "response",
        "Response and resolution",
        "Is the energy that the calorimeter sees right, on average and in its spread, at every energy?",
        ("response", "resolution", "linearity", "visible", "energy", "containment", "leakage", "sampling"),
    ),
    Topic(
        "longitudinal",
        "Longitudinal shape",
        "Does the shower begin, peak and end at the right depth?",
        ("longitudinal", "layer", "depth", "length", "start", "peak_layer", "shower_max"),
    ),
    Topic(
        "lateral",
        "Lateral shape",
        "Is the shower as wide as it should be, about the right place?",
        ("lateral", "width", "centre", "radial", "radius", "mean_image", "moliere", "ring", "asymmetry"),
    ),
    Topic(
        "cells",
        "Cells and occupancy",
        "Are the right cells hit, as often and as hard as they should be?",
        ("cell", "hit", "hottest", "occupancy", "sparsity", "mse", "squared_error", "mask"),
    ),
    Topic(
        "topology",
        "Topology",
        "Do hits lie beside each other, and do their energies look, as in truth? What gives a sample away?",
        ("topology", "classifier_group", "readout", "isolated", "cluster", "line"),
    ),
    Topic(
        "conditions",
        "Conditions",
        "Does every energy, impact and direction get the response, width and hits that truth has there?",
        ("conditions",),
    ),
    Topic(
        "correlations",
        "Correlations",
        "Do the parts of one shower go together as they do in truth?",
        ("correlation", "covariance", "joint"),
    ),
    Topic(
        "classifiers",
        "Classifiers and distances",
        "How well can anything tell the two samples apart, all observables or cells taken together?",
        (
            "classifier", "auc", "distance", "frechet", "fpd", "kpd", "kernel", "mmd", "neighbours",
            "precision", "recall", "density", "coverage", "mahalanobis", "sliced",
        ),
    ),
    Topic(MORE, "More", "What the other pages have no place for."),
)  # fmt: skip
"""The pages of measurements, in the order of a report."""

GALLERY = Topic("gallery", "Event gallery", "Do single showers of the same incident particles look alike?")
"""The page of showers side by side."""

DISTANCE_WORDS = ("separation", "wasserstein", "chi2", "kolmogorov", "quantile", "mean", "spread", "ratio")
"""First words of keys that name a way to compare; what is compared stands behind the dot."""

_KEYS = {topic.key for topic in TOPICS}


def topic_of(name: str, topic: str = "") -> str:
    """Return the key of the page that something of a scorecard belongs on; unknown things go to `more`.

    Args:
        name: Its key. A way of comparing before the first dot is passed over; of the prefixes that then fit
            the longest decides.
        topic: Its own `topic` field, which comes first where it is not empty.

    Example:
        >>> topic_of("separation.width"), topic_of("layer_energy_3"), topic_of("hits.mean_ratio")
        ('lateral', 'longitudinal', 'cells')
        >>> topic_of("sparkle"), topic_of("sparkle", "cells"), topic_of("width_x", "made up")
        ('more', 'cells', 'more')
    """
    if topic:
        return topic if topic in _KEYS else MORE
    first, _, rest = name.partition(".")
    compared = rest if first in DISTANCE_WORDS and rest else name
    fitting = [
        (len(prefix), known.key)
        for known in TOPICS
        for prefix in known.prefixes
        if compared.startswith(prefix)
    ]
    return max(fitting)[1] if fitting else MORE
