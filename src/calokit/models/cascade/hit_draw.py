"""How many of a box's hits go to its first child: atoms at none and all, logistics between."""

from __future__ import annotations

import math
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from calokit.models.cascade.logistic import choose, draw_between, log_mass

SMALLEST_WIDTH = 0.05
MANY = 5
"""Of boxes of fewer hits no probability falls off."""
STEEPER = 4.0
"""By so many powers a probability below `HitDraw.rarest` falls off more steeply than the network says."""


@dataclass(frozen=True)
class HitChoice:
    """What a box may do with its hits.

    Attributes:
        hits: Hits of the box (row,).
        first: Cells of the first child (row,).
        second: Cells of the second child (row,).
    """

    hits: Tensor
    first: Tensor
    second: Tensor

    @property
    def least(self) -> Tensor:
        """Fewest hits that the first child can have (row,)."""
        return (self.hits - self.second).clamp_min(0)

    @property
    def most(self) -> Tensor:
        """Most hits that the first child can have (row,)."""
        return torch.minimum(self.hits, self.first)


class HitDraw(nn.Module):
    """The density of the first child's hits.

    Atoms at 0 and at all hits, and a mixture of logistics on the whole numbers between, each truncated to
    what the cells of both children allow. Of a box of many hits an atom of a probability p below `rarest` has
    p (p / rarest)^STEEPER (and all are normalised again); see `rare_atoms`.

    Args:
        terms: Logistics of the mixture.

    Attributes:
        rarest: A probability (); 0 changes none.
    """

    rarest: Tensor

    def __init__(self, terms: int) -> None:
        super().__init__()
        self.terms = terms
        self.outputs = 2 + 3 * terms
        self.register_buffer("rarest", torch.zeros(()))

    def start(self) -> Tensor:
        """Return outputs (output,) to begin training from."""
        spread = torch.linspace(-1.0, 1.0, self.terms)
        return torch.cat([torch.zeros(2 + self.terms), spread, torch.zeros(self.terms)])

    def log_probability(self, outputs: Tensor, choice: HitChoice, taken: Tensor) -> Tensor:
        """Return the logarithm of the probability (row,) that the first child takes so many hits.

        Args:
            outputs: (row, output) of the network.
            choice: What is allowed.
            taken: Hits of the first child (row,).
        """
        logits, low, high, location, width = self._mixture(outputs, choice)
        normal = torch.log_softmax(logits, 1)
        inside = torch.minimum(torch.maximum(taken[:, None], low), high)
        one = log_mass((inside - 0.5 - location) / width, (inside + 0.5 - location) / width)
        all_ = log_mass((low - 0.5 - location) / width, (high + 0.5 - location) / width)
        between = torch.logsumexp(normal[:, 2:] + one - all_, 1)
        return torch.where(taken <= 0, normal[:, 0], torch.where(taken >= choice.hits, normal[:, 1], between))

    def cumulative(self, outputs: Tensor, choice: HitChoice, taken: Tensor) -> tuple[Tensor, Tensor]:
        """Return the probability (row,) of fewer hits in the first child, and that of fewer or as many."""
        logits, low, high, location, width = self._mixture(outputs, choice)
        weights = torch.softmax(logits, 1)
        inside = torch.minimum(torch.maximum(taken[:, None], low - 1), high)
        whole = log_mass((low - 0.5 - location) / width, (high + 0.5 - location) / width)

        def between(last: Tensor) -> Tensor:
            """Return the probability of none or of so many (row, 1) or fewer, but not of all."""
            mass = log_mass((low - 0.5 - location) / width, (last + 0.5 - location) / width)
            share = torch.where(last < low, 0.0, torch.exp(mass - whole))
            return weights[:, 0] + (weights[:, 2:] * share).sum(1)

        none, every = taken <= 0, taken >= choice.hits
        before, upto = between(inside - 1), between(inside)
        below = torch.where(none, torch.zeros_like(before), torch.where(every, between(high), before))
        top = torch.where(none, weights[:, 0], torch.where(every, torch.ones_like(upto), upto))
        return below.clamp(0.0, 1.0), top.clamp(0.0, 1.0)

    def draw(self, outputs: Tensor, choice: HitChoice, first: Tensor, second: Tensor) -> Tensor:
        """Draw the first child's hits (row,) from two uniform numbers (row,) each."""
        logits, low, high, location, width = self._mixture(outputs, choice)
        term = choose(logits, first)
        picked = (term - 2).clamp_min(0)[:, None]
        low, high = low[:, 0], high[:, 0]
        location = location.gather(1, picked)[:, 0]
        width = width.gather(1, picked)[:, 0]
        place = draw_between((low - 0.5 - location) / width, (high + 0.5 - location) / width, second)
        inside = torch.minimum(torch.maximum(torch.round(location + width * place), low), high)
        return torch.where(term == 0, torch.zeros_like(inside), torch.where(term == 1, choice.hits, inside))

    def log_atoms(self, outputs: Tensor, choice: HitChoice) -> Tensor:
        """Return the logarithms of the probabilities of none and of all (row, 2); -inf for what cannot be."""
        logits = self._mixture(outputs, choice)[0]
        cannot = torch.stack([choice.least > 0, choice.most < choice.hits], 1)
        return torch.log_softmax(logits, 1)[:, :2].masked_fill(cannot, -math.inf)

    def _load_from_state_dict(
        self, state_dict: MutableMapping[str, Any], prefix: str, *others: Any, **named: Any
    ) -> None:
        """Take what was saved before there was `rarest`, too."""
        state_dict.setdefault(f"{prefix}rarest", torch.zeros(()))
        super()._load_from_state_dict(state_dict, prefix, *others, **named)

    def _fall_off(self, logits: Tensor, cannot: Tensor, hits: Tensor) -> Tensor:
        """Return logits (row, 2 + term) of which those of rare atoms are lower."""
        below = torch.log_softmax(logits, 1)[:, :2] - torch.log(self.rarest)
        below = below.clamp_max(0.0).masked_fill(cannot | (hits < MANY)[:, None], 0.0)
        return torch.cat([logits[:, :2] + STEEPER * below, logits[:, 2:]], 1)

    def _mixture(self, outputs: Tensor, choice: HitChoice) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return logits of atoms and terms (row, 2 + term), bounds between (row, 1), locations and widths."""
        least, most, hits = choice.least, choice.most, choice.hits
        low = torch.maximum(least, torch.ones_like(least))[:, None]
        high = torch.minimum(most, hits - 1)[:, None]
        nothing = high < low
        never = torch.finfo(outputs.dtype).min / 4
        atoms = torch.stack([least > 0, most < hits], 1)
        banned = torch.cat([atoms, nothing.expand(-1, self.terms)], 1)
        logits = outputs[:, : 2 + self.terms].masked_fill(banned, never)
        if self.rarest.device.type != "cpu" or self.rarest > 0:  # to ask an accelerator is to wait for it
            logits = self._fall_off(logits, atoms, hits)
        high = torch.maximum(high, low)
        share = torch.log(choice.first / choice.second)[:, None]
        location = hits[:, None] * torch.sigmoid(share + outputs[:, 2 + self.terms : 2 + 2 * self.terms])
        spread = torch.exp(outputs[:, 2 + 2 * self.terms :].clamp(-6.0, 4.0))
        width = 0.5 * torch.sqrt(hits)[:, None] * spread + SMALLEST_WIDTH
        return logits, low, high, location, width
