"""What every generated shower keeps: no cell up to the threshold, no more energy than its particle."""

from __future__ import annotations

import torch
from torch import Tensor


def keep_promises(energies: Tensor, threshold_mev: float, most_mev: Tensor | None) -> Tensor:
    """Return showers with cells up to the threshold empty, and those of too much energy scaled down.

    Args:
        energies: (event, cell) MeV.
        threshold_mev: Cells at or below it count as empty, MeV.
        most_mev: (event,) the largest visible energy, MeV: that of the incident particle; None sets no limit.

    Returns:
        (event, cell) MeV; a shower that keeps its promises already stays as it is, to the bit.

    Example:
        >>> keep_promises(torch.tensor([[6.0, 2.0, 0.1], [3.0, 1.0, 0.0]]), 0.2, torch.tensor([4.0, 9.0]))
        tensor([[3., 1., 0.],
                [3., 1., 0.]])
    """
    above = _cut(energies, threshold_mev)
    if most_mev is None:
        return above
    scale = (most_mev / above.sum(1).clamp_min(threshold_mev)).clamp_max(1.0)
    return _cut(above * scale[:, None], threshold_mev)


def _cut(energies: Tensor, threshold_mev: float) -> Tensor:
    return torch.where(energies > threshold_mev, energies, energies.new_zeros(()))
