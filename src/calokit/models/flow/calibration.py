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

ENERGY_CLASSES = 4
"""Classes of incident energy, of equal size in the calibration sample, each with rings of its own."""

KNOTS = 256
"""Quantiles kept a ring and class."""

RING_SHIFT = 1000.0
"""Puts the knots of all rings in one rising row, for one search; far above any value."""

LEAST_HITS = 2 * KNOTS
"""A ring with fewer hits, generated or true, is left as it is."""


class RingCalibration(nn.Module):
    """Rising maps of cell values above zero, one a ring and class of energy; the identity until `fit`."""

    generated_knots: Tensor
    true_knots: Tensor
    hit_rates: Tensor
    energy_edges: Tensor

    def __init__(self) -> None:
        super().__init__()
        groups = ENERGY_CLASSES * (len(RING_EDGES) + 1)
        knots = torch.linspace(0.0, 8.0, KNOTS).repeat(groups, 1)
        self.register_buffer("energy_edges", torch.logspace(3.0, 5.0, ENERGY_CLASSES + 1)[1:-1])
        self.register_buffer("generated_knots", knots.clone())
        self.register_buffer("true_knots", knots.clone())
        self.register_buffer("hit_rates", torch.zeros(groups))

    def fit(self, generated: Tensor, true: Tensor, radius: Tensor, incident: Tensor) -> None:
        """Set the maps.

        Args:
            generated: (event, cell) values as the solver leaves them; above zero is a hit.
            true: (event, cell) values of true showers of the same incidents.
            radius: (event, cell) distance from the impact, in cell pitches.
            incident: (event,) incident energies, MeV.
        """
        places = torch.arange(1, ENERGY_CLASSES, device=incident.device) / ENERGY_CLASSES
        self.energy_edges.copy_(incident.quantile(places))
        rings = self.groups(radius, incident)
        for ring in range(len(self.hit_rates)):
            inside = rings == ring
            mine, truth = generated[inside], true[inside]
            hits = truth[truth > 0].sort().values
            if len(hits) < LEAST_HITS or int((mine > 0).sum()) < LEAST_HITS:
                continue
            drawn = mine.sort().values[-len(hits) :]
            places = torch.linspace(0, len(hits) - 1, KNOTS, device=hits.device).round().long()
            self.hit_rates[ring] = len(hits) / len(truth)
            self.generated_knots[ring] = _strictly_rising(drawn[places])
            self.true_knots[ring] = hits[places]

    def groups(self, radius: Tensor, incident: Tensor) -> Tensor:
        """Return the number of the ring and class of each cell (event, cell)."""
        classes = torch.bucketize(incident.contiguous(), self.energy_edges)
        return find_rings(radius) + (len(RING_EDGES) + 1) * classes[:, None]

    def forward(self, values: Tensor, rings: Tensor) -> Tensor:
        """Return calibrated values (event, cell); below a group's first knot there is no hit (-1).

        Args:
            values: (event, cell) values as the solver leaves them.
            rings: (event, cell) numbers from `groups`.
        """
        result = torch.full_like(values, -1.0)
        hit = values > self.generated_knots[:, 0][rings]
        value, ring = values[hit], rings[hit]
        shifts = torch.arange(len(self.generated_knots), device=values.device) * RING_SHIFT
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


def match_hits(
    calibration: RingCalibration,
    values: Tensor,
    rings: Tensor,
    hits: Tensor,
    small: float,
    matched: Tensor,
    added: Tensor,
) -> Tensor:
    """Give every shower the drawn number of hits, by adding or dropping small ones.

    A flow in few steps scatters about the number of hits it was asked for, which widens the distribution of
    every cell count. Small hits are dropped at random; missing ones are added in places drawn by the rings'
    hit rates, with values drawn from the small part of the rings' spectra.

    Args:
        calibration: The fitted rings; unfitted, nothing is added.
        values: (event, cell) calibrated values, a hit above zero.
        rings: (event, cell) numbers from `RingCalibration.groups`.
        hits: (event,) drawn numbers of hits.
        small: Values below it may be dropped or added.
        matched: (event, cell) uniform noise that decides which hits are dropped and where some are added.
        added: (event, cell) uniform noise that decides their values.

    Returns:
        (event, cell) values.
    """
    hit = values > 0
    excess = (hit.sum(1) - hits.long())[:, None]
    droppable = hit & (values < small)
    order = torch.where(droppable, matched, torch.full((), 2.0)).argsort(1).argsort(1)
    dropped = droppable & (order < excess)
    gumbel = -torch.log(-torch.log(matched.clamp(1e-7, 1 - 1e-7)))
    rates = calibration.hit_rates[rings]
    score = torch.where(hit | (rates <= 0), torch.full((), -1e9), torch.log(rates.clamp_min(1e-9)) + gumbel)
    missing = (score > -1e8) & (score.argsort(1, descending=True).argsort(1) < -excess)
    share = torch.stack([(knots < small).double().mean() for knots in calibration.true_knots]).float()
    place = added * share[rings] * (KNOTS - 1)
    below = place.long().clamp(0, KNOTS - 2)
    drawn = torch.lerp(
        calibration.true_knots[rings, below], calibration.true_knots[rings, below + 1], place - below
    )
    values = torch.where(dropped, torch.full((), -1.0), values)
    return torch.where(missing, drawn.clamp_min(1e-6), values)


def find_rings(radius: Tensor) -> Tensor:
    """Return the number of the ring of each cell, of the shape of `radius` (cell pitches)."""
    return torch.bucketize(radius.contiguous(), radius.new_tensor(RING_EDGES))


def _strictly_rising(values: Tensor) -> Tensor:
    """Return sorted values with ties moved apart by the least that float32 can tell."""
    return values + torch.arange(len(values), device=values.device) * 1e-6
