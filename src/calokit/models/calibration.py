"""A last correction of generated cells: the spectrum in rings about the impact, made equal to the training's.

A flow solved in few steps leaves small deformations of the spectrum of cells, the same at every generation.
After training, showers are generated for training incidents, and in each ring of distance from the impact a
rising map from the quantiles of the generated values to those of the true ones is kept. It also moves the
border between hit and no hit, so that each ring has the true number of hits on average.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

RING_EDGES = (0.75, 1.5, 2.5, 3.5, 5.0, 7.0, 9.0)
"""Inner borders of the rings, in cell pitches from the impact."""

KNOTS = 256
"""Quantiles kept a ring."""

RING_SHIFT = 1000.0
"""Puts the knots of all rings in one rising row, for one search; far above any value."""

LEAST_HITS = 2 * KNOTS
"""A ring with fewer hits, generated or true, is left as it is."""


class RingCalibration(nn.Module):
    """Rising maps of cell values above zero, one a ring; the identity until `fit` is called."""

    generated_knots: Tensor
    true_knots: Tensor

    def __init__(self) -> None:
        super().__init__()
        knots = torch.linspace(0.0, 8.0, KNOTS).repeat(len(RING_EDGES) + 1, 1)
        self.register_buffer("generated_knots", knots.clone())
        self.register_buffer("true_knots", knots.clone())

    def fit(self, generated: Tensor, true: Tensor, radius: Tensor) -> None:
        """Set the maps.

        Args:
            generated: (event, cell) values as the solver leaves them; above zero is a hit.
            true: (event, cell) values of true showers of the same incidents.
            radius: (event, cell) distance from the impact, in cell pitches.
        """
        rings = find_rings(radius)
        for ring in range(len(RING_EDGES) + 1):
            inside = rings == ring
            mine, truth = generated[inside], true[inside]
            hits = truth[truth > 0].sort().values
            if len(hits) < LEAST_HITS or int((mine > 0).sum()) < LEAST_HITS:
                continue
            drawn = mine.sort().values[-len(hits) :]
            places = torch.linspace(0, len(hits) - 1, KNOTS).round().long()
            self.generated_knots[ring] = _strictly_rising(drawn[places])
            self.true_knots[ring] = hits[places]

    def forward(self, values: Tensor, radius: Tensor) -> Tensor:
        """Return calibrated values (event, cell); below a ring's first knot there is no hit (-1)."""
        rings = find_rings(radius).expand_as(values)
        result = torch.full_like(values, -1.0)
        hit = values > self.generated_knots[:, 0][rings]
        value, ring = values[hit], rings[hit]
        shifts = torch.arange(len(self.generated_knots)) * RING_SHIFT
        all_knots = (self.generated_knots + shifts[:, None]).flatten().double()
        place = torch.searchsorted(all_knots, value.double() + shifts[ring]) - ring * KNOTS
        high = place.clamp(1, KNOTS - 1)
        low_from, high_from = self.generated_knots[ring, high - 1], self.generated_knots[ring, high]
        low_to, high_to = self.true_knots[ring, high - 1], self.true_knots[ring, high]
        along = (value - low_from) / (high_from - low_from)
        inside = torch.lerp(low_to, high_to, along.clamp(0.0, 1.0))
        beyond = (value - self.generated_knots[ring, -1]).clamp_min(0.0)
        result[hit] = (inside + beyond).clamp_min(1e-6)
        return result


def find_rings(radius: Tensor) -> Tensor:
    """Return the number of the ring of each cell, of the shape of `radius` (cell pitches)."""
    return torch.bucketize(radius.contiguous(), torch.tensor(RING_EDGES))


def _strictly_rising(values: Tensor) -> Tensor:
    """Return sorted values with ties moved apart by the least that float32 can tell."""
    return values + torch.arange(len(values)) * 1e-6
