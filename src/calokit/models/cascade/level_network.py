"""The network of one level: from what a box sees to the densities of its hits and of its energy."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from calokit.compute.device import Device
from calokit.models.cascade.energy_choice import EnergyChoice
from calokit.models.cascade.energy_draw import EnergyDraw
from calokit.models.cascade.hit_draw import HitChoice, HitDraw

OUTPUT_SCALE = 0.1
"""Factor on the initial weights of the last layers: training begins near the start of the densities."""


class LevelNetwork(nn.Module):
    """A dense trunk, a head for the hits, and another hidden layer for the energy, which sees the hits.

    Args:
        inputs: Width of what a box sees.
        width: Width of the hidden layers.
        layers: Hidden layers of the trunk.
        hits: Density of the hits.
        energy: Density of the energy.
    """

    lines: Tensor
    mean: Tensor
    scale: Tensor

    CHOSEN = 6

    def __init__(self, inputs: int, width: int, layers: int, hits: HitDraw, energy: EnergyDraw) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("scale", torch.ones(inputs))
        self.trunk = nn.Sequential(
            *(
                one
                for before, after in pairwise([inputs, *[width] * layers])
                for one in (nn.Linear(before, after), nn.SiLU())
            )
        )
        self.hits_head = nn.Linear(width, hits.outputs)
        self.energy_layer = nn.Linear(width + self.CHOSEN, width)
        self.energy_head = nn.Linear(width, energy.outputs)
        self.register_buffer("lines", energy.no_lines())
        with torch.no_grad():
            for head, start in ((self.hits_head, hits.start()), (self.energy_head, energy.start())):
                head.weight.mul_(OUTPUT_SCALE)
                head.bias.copy_(start)

    @torch.no_grad()
    def fit(self, seen: Tensor) -> None:
        """Set mean and width of every input from a sample (row, input)."""
        if len(seen) > 1:
            self.mean.copy_(seen.mean(0))
            self.scale.copy_(1 / seen.std(0).clamp_min(0.02))

    def look(self, seen: Tensor) -> Tensor:
        """Return the trunk's last hidden layer (row, width) for what boxes see (row, input)."""
        hidden = nn.functional.linear(seen, *self.first_layer())
        for number in range(1, len(self.trunk)):
            hidden = self.trunk[number](hidden)
        return hidden

    def first_layer(self) -> tuple[Tensor, Tensor]:
        """Return weight and bias of the first layer, the scales of the inputs taken into them."""
        first = self.trunk[0]
        assert isinstance(first, nn.Linear)
        weight = first.weight * self.scale
        return weight, first.bias - weight @ self.mean

    def hit_outputs(self, hidden: Tensor) -> Tensor:
        """Return the outputs for the hits (row, output)."""
        with Device.holding(hidden).full_precision():
            outputs: Tensor = self.hits_head(hidden.float())
        return outputs

    def energy_outputs(self, hidden: Tensor, energy: EnergyChoice, hits: HitChoice) -> Tensor:
        """Return the shape of the energy's density (row, shape), given the hits of both children."""
        one, two = energy.first, energy.second
        chosen = torch.stack(
            [
                torch.log(one) - 1,
                torch.log(two) - 1,
                torch.log(energy.energy / (one + two)) / 2 - 1,
                torch.log(one / hits.first),
                torch.log(two / hits.second),
                torch.log(one / two),
            ],
            1,
        )
        deeper = nn.functional.silu(self.energy_layer(torch.cat([hidden, chosen], 1)))
        with Device.holding(hidden).full_precision():
            outputs: Tensor = self.energy_head(deeper.float())
        return torch.cat([outputs, self.lines.expand(len(outputs), -1)], 1)
