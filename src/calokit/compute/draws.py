"""Random numbers: every draw follows from a seed, its purpose and its number.

What must be the same on every device (generation, validation, calibration) is drawn on the processor and
moved; what trains is drawn where it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from calokit.compute.device import CPU, Device

Generator = torch.Generator
"""A source of random numbers on one device."""

NOISE_ROWS = 256
"""Noise is drawn for so many showers at a time, whether all are used or not (see `draw_noise`)."""


class Purpose(IntEnum):
    """What random numbers are for; numbers of two purposes have nothing to do with each other."""

    GENERATION = 0
    TRAINING = 1
    VALIDATION = 2
    CALIBRATION = 3
    MONITOR = 4
    INITIAL_WEIGHTS = 5
    LAYERS = 6
    """Dropout."""
    TIMING = 7
    TRANSFORMS = 8
    LIKELIHOOD = 9
    """Random places on the steps of distributions; points that a likelihood is integrated over."""


@dataclass(frozen=True)
class Noise:
    """Random numbers that a surrogate asks for, for each shower.

    Attributes:
        kind: `normal` (float32, standard), `uniform` (float32 in [0, 1)) or `key` (int64, any), from which
            `keyed_uniform` makes as many numbers as turn out to be needed.
        width: How many a shower.
    """

    kind: Literal["normal", "uniform", "key"]
    width: int = 1


class Draws:
    """Random numbers made by one generator, for tensors on one device.

    Args:
        generator: The source; its own device is where numbers are made.
        device: Where they are wanted; by default where they are made.

    Example:
        >>> draws = Draws(draw_generator(1, Purpose.TRAINING, 0))
        >>> draws.normal(2, 3).shape, draws.permutation(4).sort().values.tolist()
        (torch.Size([2, 3]), [0, 1, 2, 3])
    """

    def __init__(self, generator: torch.Generator, device: Device | None = None) -> None:
        self.generator = generator
        self.made_on = generator.device
        self.device = Device(str(generator.device)) if device is None else device

    def normal(self, *shape: int) -> Tensor:
        """Return standard normal numbers, float32."""
        return self.device.put(torch.randn(shape, generator=self.generator, device=self.made_on))

    def uniform(self, *shape: int) -> Tensor:
        """Return numbers in [0, 1), float32."""
        return self.device.put(torch.rand(shape, generator=self.generator, device=self.made_on))

    def permutation(self, count: int) -> Tensor:
        """Return the numbers 0 to `count` - 1 (int64) in random order."""
        return self.device.put(torch.randperm(count, generator=self.generator, device=self.made_on))

    def noise(self, wanted: Mapping[str, Noise], showers: int) -> dict[str, Tensor]:
        """Return noise (shower, width) by name, drawn in the order of the names (see `draw_noise`)."""
        return {
            name: self.device.put(draw_noise(noise, showers, self.generator))
            for name, noise in wanted.items()
        }


def draw_noise(noise: Noise, showers: int, generator: torch.Generator) -> Tensor:
    """Draw noise whose first rows do not depend on how many rows follow.

    Returns:
        (shower, width); always a multiple of 256 rows is drawn, and the rest left unused.
    """
    shape = (-(-showers // NOISE_ROWS) * NOISE_ROWS, noise.width)
    match noise.kind:
        case "normal":
            drawn = torch.randn(shape, generator=generator, device=generator.device)
        case "uniform":
            drawn = torch.rand(shape, generator=generator, device=generator.device)
        case "key":
            drawn = torch.randint(-(2**63), 2**63 - 1, shape, generator=generator, device=generator.device)
    return drawn[:showers]


def draw_generator(seed: int, purpose: Purpose, number: int, device: Device = CPU) -> torch.Generator:
    """Return the generator of one number of a purpose: the same for the same three, whatever came before.

    Args:
        seed: The user's.
        purpose: What the draws are for.
        number: Of the training step, of the block of showers, ...
        device: Where numbers are made.
    """
    if purpose is Purpose.GENERATION:  # as the first bundles were shipped with, whose showers shall stay
        return device.generator((seed * 0x9E3779B97F4A7C15 + number * 0xBF58476D1CE4E5B9 + 1) % 2**63)
    return device.generator(_mixed(seed, purpose, number))


def order_generator(seed: int, purpose: Purpose, *numbers: int) -> np.random.Generator:
    """Return numpy's generator for the order of showers of a purpose, of one epoch, of one pool, ..."""
    return np.random.default_rng((len(numbers), purpose, seed, *numbers))


def seed_layers(seed: int, purpose: Purpose, number: int) -> None:
    """Seed torch's own generators, on all devices, from which layers draw (initial weights, dropout)."""
    torch.manual_seed(_mixed(seed, purpose, number))


def keyed_uniform(keys: Tensor, counters: Tensor) -> Tensor:
    """Return a number in (0, 1) for each key and counter: the same on every device, in any order.

    Two rounds of the finaliser of splitmix64 (Steele, Lea and Flood, OOPSLA 2014) over key and counter.

    Args:
        keys: int64, as drawn for `Noise("key")`.
        counters: int64, of a shape that fits the keys'.

    Returns:
        float32, of the upper 23 bits; never 0 or 1.

    Example:
        >>> [round(u, 3) for u in keyed_uniform(torch.tensor([7, 7, 8]), torch.tensor([0, 1, 0])).tolist()]
        [0.491, 0.012, 0.739]
    """
    mixed = _finalise(_finalise(keys + counters * _signed(0x9E3779B97F4A7C15)) + keys)
    return (_shifted(mixed, 41).float() + 0.5) * 2.0**-23


def _finalise(bits: Tensor) -> Tensor:
    bits = (bits ^ _shifted(bits, 30)) * _signed(0xBF58476D1CE4E5B9)
    bits = (bits ^ _shifted(bits, 27)) * _signed(0x94D049BB133111EB)
    return bits ^ _shifted(bits, 31)


def _shifted(bits: Tensor, places: int) -> Tensor:
    """Return bits moved right, zeros coming in from the left."""
    return (bits >> places) & ((1 << (64 - places)) - 1)


def _signed(number: int) -> int:
    """Return 64 bits as torch's int64 counts them."""
    return number - 2**64 if number >= 2**63 else number


def _mixed(seed: int, purpose: Purpose, number: int) -> int:
    """Return 63 bits that follow from seed, purpose and number."""
    state = np.random.SeedSequence((purpose, seed, number)).generate_state(1, np.uint64)
    return int(state[0]) >> 1
