"""Planted damages: showers made wrong by a known amount, to show that a test would notice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from calokit.arrays import Float64
from calokit.showers import Showers

LARGEST_TILT = 0.9
"""Bound of the tilt in `widen_showers`: no cell loses more than this part of its energy."""


def widen_showers(showers: Showers, factor: float) -> Showers:
    """Return showers that spread further from the impact by a factor, with the same cells hit.

    Energy moves from the near to the far hit cells of each shower: with d the distance of a cell from the
    impact, e' = e (1 + k (d / <d> - 1)), where k = (factor^2 - 1) <d^2> / (<d^3> / <d> - <d^2>) and <> are
    energy-weighted means. So the shower's energy stays, and its root mean square distance from the impact
    grows by the factor exactly. Where hardly any energy lies outside one cell the k that would be needed is
    cut at 0.9, and the shower grows by less. Without positions the centre of energy takes the place of the
    impact.

    Args:
        showers: The showers.
        factor: At least 1; 1.05 makes showers 5 % wider.
    """
    cells = showers.detector.cells
    centres = _centres(showers)
    distance = np.hypot(cells.x[None, :] - centres[:, :1], cells.y[None, :] - centres[:, 1:])
    energies = showers.energies.astype(np.float64)
    first, second, third = (_mean(energies, energies * distance**power)[:, None] for power in (1, 2, 3))
    gain = np.divide(third, first, out=np.zeros_like(first), where=first > 0) - second
    needed = (factor**2 - 1.0) * second
    tilt = np.minimum(np.divide(needed, gain, out=np.zeros_like(gain), where=gain > 0), LARGEST_TILT)
    relative = np.divide(distance, first, out=np.ones_like(distance), where=first > 0)
    return replace(showers, energies=(energies * (1.0 + tilt * (relative - 1.0))).astype(np.float32))


def bend_spectrum(showers: Showers, threshold: float, amount: float = 0.05) -> Showers:
    """Return showers whose cell spectrum is bent near the cut, their visible energies kept.

    Cells between 1 and 3 times the threshold are multiplied by 1 + amount * (1 - u)^2 (1 + 2 u) with
    u = ln(e / threshold) / ln 3, a factor that falls smoothly from 1 + amount to 1; then the whole shower is
    scaled back to its visible energy above threshold.

    Args:
        showers: The showers; cells at or below the threshold are set to 0.
        threshold: MeV, above 0.
        amount: Relative change at the cut.
    """
    energies = showers.with_threshold(threshold).energies.astype(np.float64)
    near = (energies > 0) & (energies < 3.0 * threshold)
    u = np.log(energies[near] / threshold) / np.log(3.0)
    bent = energies.copy()
    bent[near] *= 1.0 + amount * (1.0 - u) ** 2 * (1.0 + 2.0 * u)
    before, after = energies.sum(axis=1, keepdims=True), bent.sum(axis=1, keepdims=True)
    bent *= np.divide(before, after, out=np.ones_like(before), where=after > 0)
    return replace(showers, energies=bent.astype(np.float32))


def scale_energies(showers: Showers, factor: float) -> Showers:
    """Return showers with every cell multiplied by a factor: a response that is wrong by a known amount."""
    return replace(showers, energies=showers.energies * np.float32(factor))


def kill_cell(showers: Showers, cell: int) -> Showers:
    """Return showers with one cell that reads nothing.

    Args:
        showers: The showers.
        cell: Flat number.
    """
    energies = showers.energies.copy()
    energies[:, cell] = 0.0
    return replace(showers, energies=energies)


def smear_layer(showers: Showers, layer: int, spread: float, seed: int) -> Showers:
    """Return showers in which one layer's energy is multiplied by a normal factor, a different one each.

    Args:
        showers: The showers.
        layer: Number of the layer.
        spread: Standard deviation of the factor about 1; factors below 0 become 0.
        seed: Of the factors.
    """
    factors = np.random.default_rng(seed).normal(1.0, spread, len(showers))
    energies = showers.energies.copy()
    chosen = showers.detector.cells.layer == layer
    energies[:, chosen] *= np.maximum(factors, 0.0).astype(np.float32)[:, None]
    return replace(showers, energies=energies)


def collapse_showers(showers: Showers, part: float, seed: int) -> Showers:
    """Return showers of which a part are copies of few others: a generator that has lost its variety.

    The chosen showers take the image of one of ten, scaled to their own visible energy, and keep their own
    incident particle.

    Args:
        showers: The showers, at least 20.
        part: Fraction of the showers that become copies.
        seed: Of the choice.
    """
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(showers))
    models, chosen = order[:10], order[10 : 10 + round(part * len(showers))]
    energies = showers.energies.copy()
    copies = energies[generator.choice(models, len(chosen))].astype(np.float64)
    before, after = copies.sum(axis=1), energies[chosen].sum(axis=1, dtype=np.float64)
    scale = np.divide(after, before, out=np.zeros_like(before), where=before > 0)
    energies[chosen] = (copies * scale[:, None]).astype(np.float32)
    return replace(showers, energies=energies)


def shuffle_conditions(showers: Showers, seed: int) -> Showers:
    """Return the same images with the incident particles of others: an image that ignores its particle.

    Particles are exchanged between neighbours in energy (groups of 20), so that only what finely depends on
    the particle, and its position and direction, is lost.

    Args:
        showers: The showers.
        seed: Of the exchange.
    """
    generator = np.random.default_rng(seed)
    by_energy = np.argsort(showers.incident_energies, kind="stable")
    exchanged = by_energy.copy()
    for start in range(0, len(by_energy), 20):
        group = slice(start, start + 20)
        exchanged[group] = generator.permutation(by_energy[group])
    place = np.empty(len(by_energy), dtype=np.int64)
    place[by_energy] = exchanged
    return replace(showers, energies=showers.energies[place])


def _centres(showers: Showers) -> Float64:
    """Return the impacts, or the centres of energy where these are not known; (event, 2) in mm."""
    if showers.positions is not None:
        return showers.positions.astype(np.float64)
    cells = showers.detector.cells
    energies = showers.energies.astype(np.float64)
    return np.stack([_mean(energies, energies * axis) for axis in (cells.x, cells.y)], axis=1)


def _mean(energies: Float64, weighted: Float64) -> Float64:
    """Return the energy-weighted mean by event, 0 for empty showers."""
    total, above = energies.sum(axis=1), weighted.sum(axis=1)
    mean: Float64 = np.divide(above, total, out=np.zeros_like(above), where=total > 0)
    return mean
