"""All observables of topology and spectrum of a batch of showers, in named groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calokit.arrays import Float32
from calokit.detector import Detector
from calokit.evaluation.samples.observables import median_pitch
from calokit.evaluation.topology.clusters import measure_clusters, measure_hot_cells
from calokit.evaluation.topology.columns import Columns, offsets_from_flight
from calokit.evaluation.topology.hit_pairs import find_hit_pairs
from calokit.evaluation.topology.impact_cells import measure_impact_cells
from calokit.evaluation.topology.layers import measure_layers
from calokit.evaluation.topology.lines import SpectralLine
from calokit.evaluation.topology.rings import measure_rings
from calokit.evaluation.topology.spectrum import measure_lines, measure_spectrum
from calokit.evaluation.topology.touching_hits import measure_touching
from calokit.showers import Showers
from calokit.showers.hits import Hits, find_hits


@dataclass(frozen=True)
class GroupedObservables:
    """Observables of each shower, each in a group.

    Attributes:
        names: The k column names.
        groups: The k groups, in the same order.
        values: (event, k) float32.
    """

    names: tuple[str, ...]
    groups: tuple[str, ...]
    values: Float32


class TopologyCalculator:
    """Computes the observables of topology and spectrum of showers of one detector at one threshold.

    All are finite, for empty showers too; energies enter as parts of the visible energy or as logarithms.
    Groups: `topology` (`measure_touching`, `measure_clusters`), `spectrum` (`measure_spectrum`), `line`
    (`measure_lines`), `hot cells` (`measure_hot_cells`), `lateral` (`measure_rings`), `layers`
    (`measure_layers`) and `impact cells` (`measure_impact_cells`); a group that a detector has nothing for
    is left out.

    Args:
        detector: Whose cells the showers have.
        threshold: MeV; cells at or below it count as empty.
        lines: Spectral lines, found from the reference.

    Example:
        >>> from calokit.detector import load_detector
        >>> detector = load_detector("zdc_ecal")
        >>> energies = np.zeros((1, 400), np.float32)
        >>> energies[0, [210, 211, 290]] = 5.0
        >>> found = TopologyCalculator(detector, 0.1)(Showers(energies, np.ones(1, np.float32), detector))
        >>> [float(found.values[0, found.names.index(name)]) for name in ("isolated_hits", "clusters")]
        [1.0, 2.0]
    """

    def __init__(self, detector: Detector, threshold: float, lines: Sequence[SpectralLine] = ()) -> None:
        self.detector, self.threshold, self.lines = detector, threshold, tuple(lines)
        self.pitch = median_pitch(detector)

    def __call__(self, showers: Showers, hits: Hits | None = None) -> GroupedObservables:
        """Return the observables of showers; `hits` saves finding them again where already known."""
        hits = find_hits(showers, self.threshold) if hits is None else hits
        pairs = find_hit_pairs(hits, self.detector)
        offsets = offsets_from_flight(showers, hits)
        groups: dict[str, Columns] = {
            "topology": measure_touching(pairs, self.detector) | measure_clusters(pairs),
            "spectrum": measure_spectrum(hits, self.threshold),
            "line": measure_lines(hits, self.lines),
            "hot cells": measure_hot_cells(hits, self.detector, offsets),
            "lateral": measure_rings(hits, offsets, self.pitch),
            "layers": measure_layers(hits, self.detector, offsets, self.pitch),
            "impact cells": measure_impact_cells(showers, hits, offsets, self.threshold),
        }
        columns = [(name, group, column) for group, found in groups.items() for name, column in found.items()]
        return GroupedObservables(
            tuple(name for name, _, _ in columns),
            tuple(group for _, group, _ in columns),
            np.stack([column for _, _, column in columns], axis=1).astype(np.float32),
        )


def group_of_observable(name: str) -> str:
    """Return the group of one of the columns of `ObservableCalculator`.

    Args:
        name: Its name.

    Example:
        >>> group_of_observable("layer_3"), group_of_observable("hits"), group_of_observable("hottest_4")
        ('layers', 'totals', 'hot cells')
    """
    for prefixes, group in (
        (("visible", "hits"), "totals"),
        (("hottest",), "hot cells"),
        (("cells_",), "spectrum"),
        (("layer_", "depth"), "layers"),
    ):
        if name.startswith(prefixes):
            return group
    return "lateral"
