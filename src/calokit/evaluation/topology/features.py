"""What the strong judge sees of a shower: its conditions and every observable there is, each in a group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calokit.evaluation.classifiers.boosted_judge import CONDITIONS, FeatureTable
from calokit.evaluation.samples.observables import ObservableCalculator, Observables, features_of
from calokit.evaluation.topology.calculator import TopologyCalculator, group_of_observable
from calokit.evaluation.topology.lines import SpectralLine
from calokit.showers import Showers
from calokit.showers.hits import Hits, find_hits


class FeatureMaker:
    """Makes the judge's table of showers.

    Args:
        observables: Computes the observables without topology, at its own threshold.
        lines: Spectral lines, found from the reference.
    """

    def __init__(self, observables: ObservableCalculator, lines: Sequence[SpectralLine] = ()) -> None:
        self.observables = observables
        self.topology = TopologyCalculator(observables.detector, observables.threshold, lines)

    def __call__(
        self, showers: Showers, hits: Hits | None = None, observables: Observables | None = None
    ) -> FeatureTable:
        """Return the table; hits and observables save finding them again where already known."""
        threshold = self.observables.threshold
        hits = find_hits(showers, threshold) if hits is None else hits
        observables = self.observables(showers, hits) if observables is None else observables
        known, names = features_of(observables, showers, threshold)
        conditions = len(showers.conditions()[1])
        found = self.topology(showers, hits)
        groups = [CONDITIONS] * conditions + [group_of_observable(name) for name in names[conditions:]]
        return FeatureTable(
            np.concatenate([known, found.values], axis=1), (*names, *found.names), (*groups, *found.groups)
        )
