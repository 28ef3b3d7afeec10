"""Pairs of hits that touch, found from the hits alone: time and memory grow with hits, not with cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calokit.arrays import Integer
from calokit.detector import Detector
from calokit.evaluation.topology.neighbours import DIAGONAL, IN_LAYER, CellPairs, neighbour_pairs
from calokit.showers.hits import Hits

Pairs = tuple[Integer, Integer]


@dataclass(frozen=True)
class HitPairs:
    """Pairs of touching hits of a batch of showers, each once, by axis.

    Attributes:
        hits: The hits, in order of event and in it of cell.
        by_axis: Positions in `hits` of the two hits of each pair, by the axes of `neighbour_pairs`.
    """

    hits: Hits
    by_axis: dict[str, Pairs]

    @property
    def in_layer(self) -> Pairs:
        """Pairs that share a side or a corner in a layer."""
        return self._join([axis for axis in self.by_axis if axis in (*IN_LAYER, DIAGONAL)])

    @property
    def in_space(self) -> Pairs:
        """Pairs in a layer and in depth."""
        return self._join(list(self.by_axis))

    def count_neighbours(self, pairs: Pairs) -> Integer:
        """Return how many of the pairs each hit belongs to; (hit,)."""
        number = len(self.hits.event)
        counts: Integer = np.bincount(pairs[0], minlength=number) + np.bincount(pairs[1], minlength=number)
        return counts

    def _join(self, axes: list[str]) -> Pairs:
        nothing = np.zeros(0, np.int64)
        pairs = [self.by_axis[axis] for axis in axes] or [(nothing, nothing)]
        return np.concatenate([one for one, _ in pairs]), np.concatenate([two for _, two in pairs])


def find_hit_pairs(hits: Hits, detector: Detector) -> HitPairs:
    """Return the pairs of touching hits.

    Args:
        hits: In order of event and in it of cell, as `find_hits` gives them.
        detector: Whose cells they are of.
    """
    keys = hits.event * detector.number_of_cells + hits.cell
    found = {}
    for axis, lists in neighbour_pairs(detector).items():
        one, partner = expand_partners(hits.cell, lists)
        wanted = hits.event[one] * detector.number_of_cells + partner
        two = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
        real = keys[two] == wanted if len(keys) else np.zeros(0, bool)
        found[axis] = one[real], two[real]
    return HitPairs(hits, found)


def expand_partners(cells: Integer, lists: CellPairs) -> Pairs:
    """Return position and partner for every entry in the lists of some cells, one after the other.

    Args:
        cells: (position,) flat cells.
        lists: Partners by cell.

    Returns:
        (entry,) positions in `cells` and (entry,) flat cells.
    """
    starts = lists.starts[cells]
    counts = lists.starts[cells + 1] - starts
    position = np.repeat(np.arange(len(cells)), counts)
    first = np.cumsum(counts) - counts
    place = np.arange(len(position)) + np.repeat(starts - first, counts)
    return position, lists.partners[place]
