"""The observables whose distributions a comparison shows and judges: one list, with words and topic."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ShownObservable:
    """An observable that is compared.

    Attributes:
        name: Its column of `Observables`.
        topic: Page of a report that it belongs on (`report/topics.py`).
        title: Words for a figure.
        label: Axis label, with unit.
    """

    name: str
    topic: str
    title: str
    label: str


SHOWN_OBSERVABLES = (
    ShownObservable("visible_fraction", "response", "visible / incident energy", "visible / incident energy"),
    ShownObservable("hits", "cells", "hits in a shower", "cells above threshold"),
    ShownObservable("centre_x", "lateral", "centre of energy in x", "x from the impact (mm)"),
    ShownObservable("centre_y", "lateral", "centre of energy in y", "y from the impact (mm)"),
    ShownObservable("width_x", "lateral", "width in x", "width in x (mm)"),
    ShownObservable("width_y", "lateral", "width in y", "width in y (mm)"),
    ShownObservable("hottest_1", "cells", "energy in the hottest cell", "fraction of the visible energy"),
    ShownObservable("depth", "longitudinal", "mean depth", "depth (mm)"),
    ShownObservable("depth_width", "longitudinal", "length", "spread in depth (mm)"),
    ShownObservable(
        "asymmetry_along",
        "lateral",
        "asymmetry along the momentum",
        "(ahead - behind) / visible energy",
    ),
    ShownObservable(
        "asymmetry_across",
        "lateral",
        "asymmetry across the momentum",
        "(left - right) / visible energy",
    ),
    ShownObservable("width_along", "lateral", "width along the momentum", "width along the momentum (mm)"),
    ShownObservable("width_across", "lateral", "width across the momentum", "width across the momentum (mm)"),
)
"""Those that a detector and its showers do not have are left out."""
