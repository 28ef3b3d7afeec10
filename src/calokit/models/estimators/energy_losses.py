"""The losses of the LUXE report: errors of the energy, plain, over E, and over the square root of E."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

from calokit.models.estimators.settings import EnergyLossName


def energy_loss(name: EnergyLossName, estimated: Tensor, true: Tensor, delta: float = 1.0) -> Tensor:
    """Return a loss, the mean over the events of a batch.

    `norm` divides the error by E, `snorm` by the square root of E; so `snorm_mse` is the mean of (dE)^2 / E,
    which weighs every energy alike where the resolution goes as the square root of E. The `rms` losses are
    square roots of a batch's mean.

    Args:
        name: Which loss.
        estimated: (event,) GeV.
        true: (event,) GeV.
        delta: Where the Huber losses turn from a square to a line, in the units of the error.

    Example:
        >>> import torch
        >>> float(energy_loss("snorm_mse", torch.tensor([5.0]), torch.tensor([4.0])))
        0.25
    """
    error = estimated - true
    if name.startswith("norm_"):
        error = error / true
    elif name.startswith("snorm_"):
        error = error / true.sqrt()
    return _SHAPES[name.rpartition("_")[2]](error, delta)


def _absolute(error: Tensor, delta: float) -> Tensor:  # noqa: ARG001
    return error.abs().mean()


def _square(error: Tensor, delta: float) -> Tensor:  # noqa: ARG001
    return error.square().mean()


def _root(error: Tensor, delta: float) -> Tensor:  # noqa: ARG001
    return error.square().mean().clamp_min(1e-12).sqrt()


def _huber(error: Tensor, delta: float) -> Tensor:
    return functional.huber_loss(error, error.new_zeros(error.shape), delta=delta)


_SHAPES: dict[str, Callable[[Tensor, float], Tensor]] = {
    "mae": _absolute,
    "mse": _square,
    "rms": _root,
    "huber": _huber,
}
