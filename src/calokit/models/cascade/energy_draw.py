"""How two children with hits share a box's energy: mixtures of truncated, nearly normal densities."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from calokit.arrays import Float64
from calokit.models.cascade.energy_choice import EDGE, EnergyChoice
from calokit.models.cascade.logistic import (
    bend,
    choose,
    draw_between,
    log_density,
    log_mass,
    log_slope,
    straighten,
)
from calokit.models.cascade.own_coordinate import OwnCoordinate
from calokit.models.cascade.pair_coordinate import PairCoordinate
from calokit.models.cascade.spectral_lines import NOWHERE

SMALLEST_WIDTH = 0.01
NEVER = -1e30
BEYOND = 4.0
"""Terms lie at most so many widths outside of what is allowed."""
WIDE = 1.5
"""Logarithm of the width that the widest terms begin with."""


@dataclass(frozen=True)
class Places:
    """Where z and its bounds lie in the coordinates of all kinds of terms: `EnergyDraw` has five.

    Attributes:
        bottoms: The lower ends of coordinates (row, kind).
        tops: The upper ends (row, kind).
        at: z (row, kind).
        steepness: ln |d coordinate / d z| there (row, kind).
        base: Added to the location of terms in z (row,).
    """

    bottoms: Tensor
    tops: Tensor
    at: Tensor
    steepness: Tensor
    base: Tensor


class EnergyDraw(nn.Module):
    """The density of z = ln(first child's part / second child's) of what they share (`EnergyChoice`).

    Terms are nearly normal in z, in ln(part a hit) of either child (which does not depend on the parent: an
    isolated hit knows nothing of its neighbours), and narrow ones there at lines of the spectrum
    (`spectral_lines`); each is truncated to what the threshold allows.

    Args:
        shared: Terms in z, those of two single hits in the coordinate of `PairCoordinate`.
        own: Terms in each child's own part, in the coordinate of `OwnCoordinate`.
        lines: Narrow terms in each child's own part.
        near_threshold: Whether terms follow the features of the spectrum of single hits; for `EnergyChoice`
            with children that share what is `above` their thresholds.

    Attributes:
        spectrum: The coordinate of a child's own part.
        pairs: That of what two single hits share.
        outputs: What a network gives for each box: weights, then locations and widths of all terms but lines.
        shape: The same with the places and widths of lines appended, which is what the densities take.
    """

    def __init__(self, shared: int, own: int, lines: int, near_threshold: bool = False) -> None:
        super().__init__()
        self.near_threshold = near_threshold
        self.spectrum = OwnCoordinate(near_threshold)
        self.pairs = PairCoordinate(near_threshold)
        self.shared, self.own, self.lines = shared, own, lines
        self.terms = shared + 2 * own + 2 * lines
        self.placed = shared + 2 * own
        self.outputs = self.terms + 2 * self.placed
        self.shape = self.outputs + 2 * lines
        self.coordinate_of = [0] * shared + [1] * own + [2] * own + [3] * lines + [4] * lines
        self._kinds = torch.tensor([(0, 1, 2, 1, 2)[number] for number in self.coordinate_of])

    def follow(self, features: Float64) -> None:
        """Set the coordinates of single hits by features of their spectrum (bin,); see `measure_features`."""
        self.spectrum.place(features)
        self.pairs.place(features)

    def start(self) -> Tensor:
        """Return outputs (output,) to begin training from."""
        own = torch.linspace(0.5, 4.0, self.own) if self.own > 1 else torch.full((self.own,), 1.5)
        places = torch.cat([torch.linspace(-1.5, 1.5, self.shared), own, own])
        widths = torch.zeros(self.placed)
        widths[self.shared - 1 :: self.own or 1] = WIDE  # one wide term of each kind
        return torch.cat([torch.zeros(self.terms), places, widths])

    def no_lines(self) -> Tensor:
        """Return places and logarithms of widths (2 x lines,) of lines that no hit can lie on."""
        return torch.cat([torch.full((self.lines,), NOWHERE), torch.zeros(self.lines)])

    def log_density(self, shape: Tensor, choice: EnergyChoice, ratio: Tensor) -> Tensor:
        """Return the logarithm of the density in z (row,).

        Args:
            shape: Outputs and lines (row, shape).
            choice: What is allowed.
            ratio: z (row,).
        """
        exact, there = self._places_of(shape, choice, ratio)
        weights, places, bottoms, tops, width = self._standardise(exact, there)
        mass = log_mass(bend(bottoms), bend(tops))
        steep = self._spread(there.steepness)
        density = log_density(bend(places)) + log_slope(places) - torch.log(width) - mass + steep
        return (torch.logsumexp(weights + density, 1) - torch.logsumexp(weights, 1)).to(ratio.dtype)

    def cumulative(self, shape: Tensor, choice: EnergyChoice, ratio: Tensor) -> Tensor:
        """Return the probability (row,) of a smaller z than `ratio`; arguments as for the density."""
        weights, places, bottoms, tops, _ = self._standardise(*self._places_of(shape, choice, ratio))
        falling = self._kinds.to(weights.device) == 2  # the second child has the less, the more the first
        left = torch.where(falling, places, bottoms)
        right = torch.where(falling, tops, places)
        part = log_mass(bend(left), bend(right)) - log_mass(bend(bottoms), bend(tops))
        share = (torch.softmax(weights, 1) * torch.exp(part.clamp_max(0.0))).sum(1).clamp(0.0, 1.0)
        return share.to(ratio.dtype)

    @torch.no_grad()
    def places(self, choice: EnergyChoice, ratio: Tensor) -> Places:
        """Return where z = `ratio` (row,) and its bounds lie."""
        low, high = choice.bounds()
        inside = torch.maximum(torch.minimum(ratio, high), low)
        return Places(
            *self._ends(choice, low, high),
            self._coordinates(choice, inside, *choice.mean_hits(inside)),
            self._steepness(choice, ratio),
            torch.log(choice.first / choice.second),
        )

    def _places_of(self, shape: Tensor, choice: EnergyChoice, ratio: Tensor) -> tuple[Tensor, Places]:
        """Return outputs and places; in double precision where the coordinate of several hits ends."""
        if self.near_threshold:  # little of single precision is left there
            shape, choice, ratio = shape.double(), choice.double(), ratio.double()
        return shape, self.places(choice, ratio)

    def _standardise(self, shape: Tensor, there: Places) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return logarithms of weights, and z and its bounds in widths of each term; and the widths."""
        bottoms, tops, places = (self._spread(one) for one in (there.bottoms, there.tops, there.at))
        weights, location, width = self._mixture(shape, there.base)
        weights = self._only_possible(weights, location, bottoms, tops)
        location = _keep_near(location, width, bottoms, tops)
        places, bottoms, tops = ((one - location) / width for one in (places, bottoms, tops))
        return weights, places, bottoms, tops, width

    def draw(self, shape: Tensor, choice: EnergyChoice, first: Tensor, second: Tensor) -> Tensor:
        """Draw z (row,) from two uniform numbers (row,) each."""
        weights, location, width = self._mixture(shape, torch.log(choice.first / choice.second))
        if self.lines:
            bottoms, tops = (self._spread(one) for one in self._ends(choice, *choice.bounds()))
            weights = self._only_possible(weights, location, bottoms, tops)
        term = choose(weights, first)
        location, width = (one.gather(1, term[:, None])[:, 0] for one in (location, width))
        if not self.near_threshold:
            return self._draw_term(term, location, width, choice, second)
        # where the coordinate of several hits ends, little of single precision is left
        numbers = (location.double(), width.double(), choice.double(), second.double())
        return self._draw_term(term, *numbers).to(shape.dtype)

    def _draw_term(
        self, term: Tensor, location: Tensor, width: Tensor, choice: EnergyChoice, uniform: Tensor
    ) -> Tensor:
        """Draw z (row,) from a term of each row, at its location and of its width (row,)."""
        low, high = choice.bounds()
        kind = self._kinds.to(term.device)[term]
        own = torch.where(kind == 1, choice.first, choice.second)
        offset = torch.log(choice.shared / own)
        turn = torch.where(kind == 2, -1.0, 1.0).to(low.dtype)
        near, far = torch.where(kind == 2, -high, low), torch.where(kind == 2, -low, high)
        shared = kind == 0
        follows = ~shared & (term < self.placed)
        pair = shared & choice.single
        bottom, top = (
            torch.where(
                shared,
                self.pairs.coordinate(end, choice.energy, pair),
                torch.where(follows, self.spectrum.coordinate(mean, own), mean),
            )
            for end, mean in ((end, offset + nn.functional.logsigmoid(end)) for end in (near, far))
        )
        location = _keep_near(location, width, bottom, top)
        left, right = (bend((end - location) / width) for end in (bottom, top))
        place = location + width * straighten(draw_between(left, right, uniform))
        mean = torch.where(follows, self.spectrum.back(place, own), place)
        child = (mean - offset).clamp_max(-EDGE)
        odds = child - torch.log(-torch.expm1(child))
        ratio = turn * torch.where(shared, self.pairs.back(place, choice.energy, pair), odds)
        return torch.maximum(torch.minimum(ratio, high), low)

    def _only_possible(self, weights: Tensor, location: Tensor, bottoms: Tensor, tops: Tensor) -> Tensor:
        """Return weights without the lines that lie outside the bounds."""
        if not self.lines:
            return weights
        outside = (location <= bottoms) | (location >= tops)
        return weights.masked_fill(
            outside & (torch.arange(self.terms, device=weights.device) >= self.placed), NEVER
        )

    def _ends(self, choice: EnergyChoice, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Return the lower and the upper ends of all coordinates (row, kind) between bounds of z (row,)."""
        first_low, second_high = choice.mean_hits(low)
        first_high, second_low = choice.mean_hits(high)
        return (
            self._coordinates(choice, low, first_low, second_low),
            self._coordinates(choice, high, first_high, second_high),
        )

    def _coordinates(self, choice: EnergyChoice, ratio: Tensor, first: Tensor, second: Tensor) -> Tensor:
        """Return z and ln(part a hit) of both children (row,) in all coordinates (row, kind)."""
        shared = self.pairs.coordinate(ratio, choice.energy, choice.single)
        own = self.spectrum.coordinate(first, choice.first)
        other = self.spectrum.coordinate(second, choice.second)
        return torch.stack([shared, own, other, first, second], 1)

    def _steepness(self, choice: EnergyChoice, ratio: Tensor) -> Tensor:
        """Return ln |d coordinate / d z| (row, kind) at z = `ratio` (row,)."""
        first, second = choice.mean_hits(ratio)
        line = (nn.functional.logsigmoid(-ratio), nn.functional.logsigmoid(ratio))
        shared = self.pairs.log_slope(ratio, choice.energy, choice.single)
        own = line[0] + self.spectrum.log_slope(first, choice.first)
        other = line[1] + self.spectrum.log_slope(second, choice.second)
        return torch.stack([shared, own, other, *line], 1)

    def _spread(self, numbers: Tensor) -> Tensor:
        """Return the numbers (row, term) of each term's coordinate (row, kind)."""
        return numbers[:, self.coordinate_of]

    def _mixture(self, shape: Tensor, base: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logarithms of weights (not normalised), locations and widths (row, term)."""
        sizes = [self.terms, self.placed, self.placed, self.lines, self.lines]
        weights, free, spread, line, narrow = torch.split(shape, sizes, dim=1)
        location = torch.cat([free[:, : self.shared] + base[:, None], free[:, self.shared :], line, line], 1)
        narrow = torch.exp(narrow)
        width = torch.exp(spread.clamp(-6.0, 3.0)) + SMALLEST_WIDTH
        return weights, location, torch.cat([width, narrow, narrow], 1)


def _keep_near(location: Tensor, width: Tensor, bottom: Tensor, top: Tensor) -> Tensor:
    """Return locations that lie beyond the bounds by a few widths at most, so that no digits are lost."""
    return torch.maximum(torch.minimum(location, top + BEYOND * width), bottom - BEYOND * width)
