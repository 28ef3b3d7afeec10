"""The layer lists of the Conv2D GAN: which convolutions unfold a cube of numbers to a volume and fold one.

Seeds document 002; the lists are those of the public code by its author (jaruskri/ECALsim_adaGAN): `main` for
25 x 25 x 25 cells, `Conv2Dangle` for 51 x 51 x 25.
"""

from __future__ import annotations

from dataclasses import dataclass

Shape = tuple[int, int, int]
"""Layers, rows and columns."""


@dataclass(frozen=True)
class UnfoldingLayer:
    """A convolution of a generating path.

    Attributes:
        sizes: Size of its kernel along an axis that unfolds to so many cells.
        channels: Channels that it makes in a path whose channels in the end are so many.
        padded: Whether the image keeps its size.
        strides: Where a transposed convolution comes before it, by how much that stretches an axis.
    """

    sizes: dict[int, int]
    channels: dict[int, int]
    padded: bool = True
    strides: dict[int, int] | None = None


@dataclass(frozen=True)
class ViewLayers:
    """Generator and discriminator for volumes of one shape.

    Attributes:
        seed_cells: The generator unfolds a cube of so many numbers a side.
        unfolding: The generator's path, whichever axis it takes as channels.
        last_channels: Channels in which the discriminator's path ends.
    """

    seed_cells: int
    unfolding: tuple[UnfoldingLayer, ...]
    last_channels: int


SMALL, LARGE = 32, 64
"""Published numbers of channels."""
FOLDING = ((8, LARGE, True), (6, SMALL, False), (5, SMALL, False), (4, SMALL, False), (3, SMALL, False))
"""Sizes, channels and padding of the discriminator's path; one more of size 3 ends it."""
LAST_SIZE = 3


def folded(cells: int) -> int:
    """Return how many cells of an axis the discriminator's path leaves.

    Example:
        >>> folded(25), folded(51)
        (9, 35)
    """
    return cells - sum(size - 1 for size, _, padded in FOLDING if not padded) - (LAST_SIZE - 1)


CUBE = ViewLayers(
    seed_cells=5,
    unfolding=(
        UnfoldingLayer({25: 5}, {25: SMALL}),
        UnfoldingLayer({25: 5}, {25: LARGE}, strides={25: 3}),
        UnfoldingLayer({25: 8}, {25: LARGE}, strides={25: 2}),
        UnfoldingLayer({25: 5}, {25: LARGE}, padded=False),
        UnfoldingLayer({25: 4}, {25: SMALL}),
        UnfoldingLayer({25: 3}, {25: SMALL}),
        UnfoldingLayer({25: 2}, {25: 25}, padded=False),
    ),
    last_channels=9,
)
WIDE = ViewLayers(
    seed_cells=11,
    unfolding=(
        UnfoldingLayer({25: 5, 51: 5}, {25: SMALL, 51: SMALL}),
        UnfoldingLayer({25: 5, 51: 5}, {25: LARGE, 51: LARGE}, strides={25: 2, 51: 3}),
        UnfoldingLayer({25: 8, 51: 7}, {25: LARGE, 51: LARGE}, padded=False, strides={25: 2, 51: 2}),
        UnfoldingLayer({25: 6, 51: 5}, {25: LARGE, 51: LARGE}, padded=False),
        UnfoldingLayer({25: 5, 51: 4}, {25: LARGE, 51: LARGE}, padded=False),
        UnfoldingLayer({25: 4, 51: 3}, {25: SMALL, 51: LARGE}),
        UnfoldingLayer({25: 3, 51: 2}, {25: SMALL, 51: 51}, padded=False),
        UnfoldingLayer({25: 2, 51: 2}, {25: 25, 51: 51}, padded=False),
    ),
    last_channels=10,
)
LAYERS: dict[Shape, ViewLayers] = {(25, 25, 25): CUBE, (25, 51, 51): WIDE}
"""The volumes that the layer lists unfold to."""
