"""How a box's energy is shared by two children that both have hits: mixtures of truncated logistics."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from calokit.models.cascade.logistic import choose, draw_between, log_density, log_mass

SMALLEST_WIDTH = 0.01
SMALLEST_LINE = 0.001
EDGE = 1e-6
"""Shares of a child nearer than this (as a ratio) to a bound are moved off it."""


@dataclass(frozen=True)
class EnergyChoice:
    """What a box may do with its energy; both children have hits, each of at least the threshold.

    Attributes:
        energy: Energy of the box in thresholds (row,).
        first: Hits of the first child (row,).
        second: Hits of the second child (row,).
    """

    energy: Tensor
    first: Tensor
    second: Tensor

    def bounds(self) -> tuple[Tensor, Tensor]:
        """Return the smallest and the largest z = ln(first child's energy / second child's) (row,)."""
        spare = (self.energy - self.first - self.second).clamp_min(EDGE * self.energy)
        return (
            torch.log(self.first) - torch.log(self.second + spare),
            torch.log(self.first + spare) - torch.log(self.second),
        )

    def mean_hits(self, ratio: Tensor) -> tuple[Tensor, Tensor]:
        """Return ln(energy a hit / threshold) of both children (row,) at z = `ratio`."""
        logarithm = torch.log(self.energy)
        return (
            logarithm + nn.functional.logsigmoid(ratio) - torch.log(self.first),
            logarithm + nn.functional.logsigmoid(-ratio) - torch.log(self.second),
        )


class EnergyDraw(nn.Module):
    """The density of z = ln(first child's energy / second child's).

    Terms are logistics in z, in ln(energy a hit / threshold) of either child (which do not depend on the
    parent: an isolated hit knows nothing of its neighbours), and narrow ones there at places that all boxes
    share (lines of the spectrum); each is truncated to what the threshold allows.

    Args:
        shared: Terms in z.
        own: Terms in each child's own energy.
        lines: Narrow terms in each child's own energy.
    """

    def __init__(self, shared: int, own: int, lines: int) -> None:
        super().__init__()
        self.shared, self.own, self.lines = shared, own, lines
        self.terms = shared + 2 * own + 2 * lines
        self.placed = shared + 2 * own
        self.outputs = self.terms + 2 * self.placed
        self.line_place = nn.Parameter(torch.linspace(0.5, 3.0, lines) if lines else torch.zeros(0))
        self.line_width = nn.Parameter(torch.full((lines,), -3.0))

    def start(self) -> Tensor:
        """Return outputs (output,) to begin training from."""
        own = torch.linspace(0.5, 4.0, self.own) if self.own > 1 else torch.full((self.own,), 1.5)
        places = torch.cat([torch.linspace(-1.5, 1.5, self.shared), own, own])
        return torch.cat([torch.zeros(self.terms), places, torch.zeros(self.placed)])

    def log_density(self, outputs: Tensor, choice: EnergyChoice, ratio: Tensor) -> Tensor:
        """Return the logarithm of the density in z (row,).

        Args:
            outputs: (row, output) of the network.
            choice: What is allowed.
            ratio: z (row,).
        """
        low, high = choice.bounds()
        ratio = torch.maximum(torch.minimum(ratio, high), low)
        weights, location, width = self._mixture(outputs, choice)
        places = self._coordinates(choice, ratio)
        steep = self._coordinates_slope(ratio)
        low_places, high_places = self._bounds(choice, low, high)
        mass = log_mass((low_places - location) / width, (high_places - location) / width)
        density = log_density((places - location) / width) - torch.log(width) - mass + steep
        return torch.logsumexp(weights + density, 1)

    def draw(self, outputs: Tensor, choice: EnergyChoice, first: Tensor, second: Tensor) -> Tensor:
        """Draw z (row,) from two uniform numbers (row,) each."""
        low, high = choice.bounds()
        weights, location, width = self._mixture(outputs, choice)
        term = choose(weights, first)[:, None]
        low_places, high_places = (one.gather(1, term)[:, 0] for one in self._bounds(choice, low, high))
        location, width = location.gather(1, term)[:, 0], width.gather(1, term)[:, 0]
        place = location + width * draw_between(
            (low_places - location) / width, (high_places - location) / width, second
        )
        kind = self._kinds(place.device)[term[:, 0]]
        hits = torch.where(kind == 1, choice.first, choice.second)
        child = (place + torch.log(hits) - torch.log(choice.energy)).clamp_max(-EDGE)
        odds = child - torch.log(-torch.expm1(child))
        ratio = torch.where(kind == 0, place, torch.where(kind == 1, odds, -odds))
        return torch.maximum(torch.minimum(ratio, high), low)

    def _kinds(self, device: torch.device) -> Tensor:
        """Return the coordinate of each term (term,): 0 is z, 1 and 2 the energy a hit of a child."""
        sizes = torch.tensor([self.shared, self.own, self.own, self.lines, self.lines], device=device)
        return torch.repeat_interleave(torch.tensor([0, 1, 2, 1, 2], device=device), sizes)

    def _spread(self, in_ratio: Tensor, in_first: Tensor, in_second: Tensor) -> Tensor:
        """Return (row, term) of a number in each coordinate (row,)."""
        return torch.stack([in_ratio, in_first, in_second], 1)[:, self._kinds(in_ratio.device)]

    def _coordinates(self, choice: EnergyChoice, ratio: Tensor) -> Tensor:
        return self._spread(ratio, *choice.mean_hits(ratio))

    def _coordinates_slope(self, ratio: Tensor) -> Tensor:
        """Return ln |d coordinate / dz| (row, term)."""
        return self._spread(
            torch.zeros_like(ratio), nn.functional.logsigmoid(-ratio), nn.functional.logsigmoid(ratio)
        )

    def _bounds(self, choice: EnergyChoice, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Return the smallest and largest value of each term's coordinate (row, term)."""
        first_low, second_high = choice.mean_hits(low)
        first_high, second_low = choice.mean_hits(high)
        return self._spread(low, first_low, second_low), self._spread(high, first_high, second_high)

    def _mixture(self, outputs: Tensor, choice: EnergyChoice) -> tuple[Tensor, Tensor, Tensor]:
        """Return logarithms of weights, locations and widths (row, term)."""
        weights = torch.log_softmax(outputs[:, : self.terms], 1)
        free = outputs[:, self.terms : self.terms + self.placed]
        base = torch.log(choice.first / choice.second)[:, None]
        location = torch.cat([free[:, : self.shared] + base, free[:, self.shared :]], 1)
        width = torch.exp(outputs[:, self.terms + self.placed :].clamp(-6.0, 3.0)) + SMALLEST_WIDTH
        if self.lines:
            rows = len(outputs)
            line = self.line_place.expand(rows, -1)
            narrow = (torch.exp(self.line_width) + SMALLEST_LINE).expand(rows, -1)
            location = torch.cat([location, line, line], 1)
            width = torch.cat([width, narrow, narrow], 1)
        return weights, location, width
