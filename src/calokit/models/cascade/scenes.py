"""Puts together what is known around the boxes: layers, layers before, moments, line of flight."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from calokit.compute.device import Device
from calokit.models.cascade.boxes import BoxValues
from calokit.models.cascade.planes import DetectorTree, Plane, carry_shares
from calokit.models.cascade.sight import MOMENTS, Scene

LAYER_FEATURES = 19


@dataclass(frozen=True)
class EventFacts:
    """What is known of each event before its layers.

    Attributes:
        features: Of the incident particle and the totals (event, feature).
        positions: Impact at the front face in mm (event, 2).
        slopes: dx/dz and dy/dz (event, 2).
    """

    features: Tensor
    positions: Tensor
    slopes: Tensor


@dataclass
class Memory:
    """The layers before a layer, on that layer's grid.

    Attributes:
        last: Energy and hits of the layer before (2, cell, event).
        second: Those of the one before that.
        all: Their sum over all layers before.
    """

    last: Tensor
    second: Tensor
    all: Tensor


class Surroundings(nn.Module):
    """Builds scenes for a detector.

    Args:
        tree: The detector's trees.
    """

    def __init__(self, tree: DetectorTree) -> None:
        super().__init__()
        self.tree = tree
        for number, plane in enumerate(tree.planes):
            self.register_buffer(f"weights_{number}", moment_weights(plane), persistent=False)
        for one, other in set(pairwise(tree.plane_of)):
            if one != other:
                shares = carry_shares(tree.planes[one], tree.planes[other])
                name = f"shares_{one}_{other}"
                self.register_buffer(name, torch.from_numpy(shares).float(), persistent=False)

    def layer_features(self, energy: Tensor, hits: Tensor) -> Tensor:
        """Return features of every layer (layer, event, LAYER_FEATURES) from their energies and hits.

        Args:
            energy: In thresholds (layer, event).
            hits: (layer, event).
        """
        layers, events = energy.shape
        columns = []
        for values in (energy, hits):
            padded = torch.log1p(torch.nn.functional.pad(values, (0, 0, 2, 2)))
            columns += [padded[shift : shift + layers] for shift in range(5)]
            total = values.cumsum(0)
            columns += [
                torch.log1p((total - values).clamp_min(0)),
                torch.log1p((total[-1] - total).clamp_min(0)),
            ]
        place = (torch.arange(layers, device=energy.device) / max(layers - 1, 1))[:, None].expand(-1, events)
        columns += [place, *(torch.cos(math.pi * harmonic * place) for harmonic in (1, 2, 3, 4))]
        return torch.stack(columns, 2)

    def carry(self, values: Tensor, source: int, target: int) -> Tensor:
        """Return values of the cells of a layer (..., cell, event) on the grid of another."""
        one, other = self.tree.plane_of[source], self.tree.plane_of[target]
        if one == other:
            return values
        with Device.holding(values).full_precision():
            return self.get_buffer(f"shares_{one}_{other}") @ values

    def first_memory(self, events: int) -> Memory:
        """Return the memory of the first layer: nothing."""
        weights = self.get_buffer(f"weights_{self.tree.plane_of[0]}")
        empty = weights.new_zeros(2, weights.shape[1], events)
        return Memory(empty, empty, empty)

    def remember(self, memory: Memory, cells: Tensor, layer: int) -> Memory:
        """Return the memory of the layer after `layer`.

        Args:
            memory: The memory of the layer.
            cells: Its energy and hits (2, cell, event).
            layer: Its number.
        """
        known = torch.stack([cells, memory.last, memory.all + cells])
        return Memory(*self.carry(known, layer, layer + 1))

    def weigh(self, layer: int, cells: Tensor) -> Tensor:
        """Return sums of a layer's moments (2, MOMENTS + 1, event) over energy and hits (2, cell, event)."""
        with Device.holding(cells).full_precision():
            summed: Tensor = self.get_buffer(f"weights_{self.tree.plane_of[layer]}") @ cells
        return summed

    def flight(self, facts: EventFacts, layer: int) -> Tensor:
        """Return where the line of flight meets a layer (event, 2), in mm."""
        return facts.positions + float(self.tree.layer_z[layer]) * facts.slopes

    def moments(self, facts: EventFacts, sums: list[Tensor]) -> list[Tensor]:
        """Return the moments (event, 4, MOMENTS) that each layer sees; see `Scene`.

        Args:
            facts: What is known of each event.
            sums: Of each layer, as `weigh` returns them.
        """
        last = total = torch.zeros_like(sums[0])
        moments = []
        for layer, found in enumerate(sums):
            flight = self.flight(facts, layer)
            moments.append(moments_seen(last, total, flight))
            last, total = found, total + found
        return moments

    def depth_scene(self, facts: EventFacts, values: BoxValues) -> Scene:
        """Return the scene of the tree of layers."""
        events = len(facts.positions)
        nothing = facts.positions.new_zeros(events, 0)
        return Scene(
            values,
            (),
            torch.arange(events, device=nothing.device),
            facts.features,
            nothing,
            facts.positions,
            facts.slopes,
            nothing,
        )


def moment_weights(plane: Plane) -> Tensor:
    """Return the matrix (MOMENTS + 1, cell) that sums 1, x, y, x^2, y^2, x y and r over energies."""
    x, y, radius = torch.from_numpy(plane.cell_centres).float().unbind(1)
    return torch.stack([torch.ones_like(x), x, y, x * x, y * y, x * y, radius])


def moments_seen(last: Tensor, before: Tensor, flight: Tensor) -> Tensor:
    """Return the moments (event, 4, MOMENTS) of the layer before and of all before, by energy and by hits.

    Args:
        last: Sums of the layer before (2, MOMENTS + 1, event), as `Surroundings.weigh` returns them.
        before: Those of all before.
        flight: Where the line of flight meets the layer (event, 2), in mm.
    """
    return torch.stack([moments_of(one[kind], flight) for kind in range(2) for one in (last, before)], 1)


def moments_of(sums: Tensor, flight: Tensor) -> Tensor:
    """Return means, variances and radius (event, MOMENTS) of sums (MOMENTS + 1, event).

    A layer without energy has its centre on the line of flight (event, 2), and no width.
    """
    total = sums[0]
    full = total > 0
    mean = sums[1:] / torch.where(full, total, torch.ones_like(total))
    x, y = mean[0], mean[1]
    variances = torch.stack([mean[2] - x * x, mean[3] - y * y, mean[4] - x * y])
    found = torch.cat([mean[:2], variances, mean[5:]])
    centre = flight.T
    empty = torch.cat([centre, torch.zeros_like(variances), centre.norm(dim=0, keepdim=True)])
    moments = torch.where(full, found, empty).T
    assert moments.shape[1] == MOMENTS
    return moments
