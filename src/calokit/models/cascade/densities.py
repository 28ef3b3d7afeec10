"""The densities of how given boxes were cut: by torch, or by compiled loops that know their slopes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from calokit.compute.device import Device
from calokit.models.cascade.compiled import availability
from calokit.models.cascade.stage import Cuts, Stage


def log_density(stage: Stage, cuts: Cuts) -> Tensor:
    """Return the logarithm of the density (block,) of all boxes of a stage given the root.

    The density is one in the energies of hits, in thresholds.
    """
    total = cuts.taken.new_zeros(cuts.rows.blocks)
    if not len(cuts.rows):
        return total
    found, density = log_densities(stage, cuts)
    total = total.index_add(0, cuts.rows.block, found)
    return total.index_add(0, cuts.rows.block[cuts.both], density)


def log_densities(stage: Stage, cuts: Cuts) -> tuple[Tensor, Tensor]:
    """Return the log probability of the hits of every row, and the log density of the rows `both`."""
    hits, shapes = stage.run(cuts)
    on_host = Device.holding(hits).is_host and hits.dtype == torch.float32
    if on_host and availability.numba_compiles():
        found, density = _by_loops(stage, cuts, hits, shapes)
    else:
        found = stage.hits.log_probability(hits, cuts.choice, cuts.taken)
        density = stage.energy.log_density(shapes, cuts.share, cuts.ratio)
    return found, density + torch.log((cuts.first + cuts.second) / (cuts.first * cuts.second))


class _WithSlopes(torch.autograd.Function):
    """A function of each row of outputs whose derivatives are known."""

    @staticmethod
    def forward(ctx: Any, outputs: Tensor, density: Tensor, slopes: Tensor) -> Tensor:
        del outputs
        ctx.save_for_backward(slopes)
        return density

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (slopes,) = ctx.saved_tensors
        return gradients[0][:, None] * slopes, None, None


def _by_loops(stage: Stage, cuts: Cuts, hits: Tensor, shapes: Tensor) -> tuple[Tensor, Tensor]:
    from calokit.models.cascade.compiled.densities import find_energy_densities, find_hit_densities

    found = find_hit_densities(stage.hits, hits.detach(), cuts, hits.requires_grad)
    density = find_energy_densities(stage.energy, shapes.detach(), cuts, shapes.requires_grad)
    return _join(hits, *found), _join(shapes, *density)


def _join(outputs: Tensor, density: Tensor, slopes: Tensor) -> Tensor:
    """Return the density (row,) as a function of outputs (row, output)."""
    if not outputs.requires_grad:
        return density
    joined: Tensor = _WithSlopes.apply(outputs, density, slopes)  # type: ignore[no-untyped-call]
    return joined
