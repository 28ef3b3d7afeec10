"""What a box may do with its energy: what its two children share, and between which bounds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

EDGE = 1e-6
"""Parts of a child nearer than this (as a ratio) to a bound are moved off it."""


@dataclass(frozen=True)
class EnergyChoice:
    """What a box may do with its energy; both children have hits, each of at least the threshold.

    Attributes:
        energy: Energy of the box in thresholds (row,).
        first: Hits of the first child (row,).
        second: Hits of the second child (row,).
        above: Whether children of several hits share what is above their thresholds: hardly ever are all of
            several hits near it. A single hit keeps its threshold among what is shared.
    """

    energy: Tensor
    first: Tensor
    second: Tensor
    above: bool = False

    @property
    def single(self) -> Tensor:
        """Whether both children are single hits (row,)."""
        return (self.first == 1) & (self.second == 1)

    @cached_property
    def kept(self) -> tuple[Tensor, Tensor]:
        """Thresholds that the first and the second child have for sure, and do not share (row,)."""
        nothing = torch.zeros_like(self.first)
        if not self.above:
            return nothing, nothing
        return torch.where(self.first > 1, self.first, 0.0), torch.where(self.second > 1, self.second, 0.0)

    @cached_property
    def shared(self) -> Tensor:
        """What is shared, in thresholds (row,)."""
        if not self.above:
            return self.energy
        return (self.energy - self.kept[0] - self.kept[1]).clamp_min(EDGE * self.energy)

    @cached_property
    def least(self) -> tuple[Tensor, Tensor]:
        """The least that the first and the second child take of what is shared (row,)."""
        if not self.above:
            return self.first, self.second
        little = EDGE * self.shared
        return torch.where(self.first > 1, little, 1.0), torch.where(self.second > 1, little, 1.0)

    def double(self) -> EnergyChoice:
        """Return the same in double precision."""
        energy, first, second = (one.double() for one in (self.energy, self.first, self.second))
        return EnergyChoice(energy, first, second, self.above)

    def bounds(self) -> tuple[Tensor, Tensor]:
        """Return the smallest and the largest z = ln(first child's part / second child's) (row,)."""
        first, second = self.least
        spare = (self.shared - first - second).clamp_min(EDGE * self.shared)
        return (
            torch.log(first) - torch.log(second + spare),
            torch.log(first + spare) - torch.log(second),
        )

    def mean_hits(self, ratio: Tensor) -> tuple[Tensor, Tensor]:
        """Return ln(part a hit) of both children (row,) at z = `ratio`."""
        logarithm = torch.log(self.shared)
        return (
            logarithm + nn.functional.logsigmoid(ratio) - torch.log(self.first),
            logarithm + nn.functional.logsigmoid(-ratio) - torch.log(self.second),
        )

    def parts(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Return what children of given energies (row,) have of what is shared."""
        return (
            torch.maximum(first - self.kept[0], self.least[0]),
            torch.maximum(second - self.kept[1], self.least[1]),
        )

    def share_out(self, ratio: Tensor) -> tuple[Tensor, Tensor]:
        """Return the energies of both children (row,) in thresholds at z = `ratio`.

        The smaller part is found, the larger is the rest, and neither falls below its least.
        """
        behind = ratio < 0
        small = self.shared * torch.sigmoid(-ratio.abs())
        least, other = (torch.where(behind, *pair) for pair in (self.least, self.least[::-1]))
        small = torch.minimum(torch.maximum(small, least), torch.maximum(self.shared - other, least))
        small = small + torch.where(behind, *self.kept)
        large = self.energy - small
        return torch.where(behind, small, large), torch.where(behind, large, small)
