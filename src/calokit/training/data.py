"""The training input: endless shuffled batches from a file of any size, the same for the same seed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from calokit.compute.draws import Purpose, order_generator
from calokit.errors import ShowerFileError, SplitError, UnitWarning
from calokit.recipes.recipe import Sampler
from calokit.showers import ShowerFile, Showers, Split, concatenate
from calokit.showers.units_check import find_unit_mistakes, read_scale, states_its_unit
from calokit.showers.writer import chunk_rows
from calokit.training.samplers import EnergyWeights

POOL_BYTES = 64 * 2**20
"""How many bytes of showers are shuffled among each other at a time."""
SAMPLE_BYTES = 256 * 2**20
"""How many bytes of showers transforms are fitted on at most (2,773 showers of 24,200 cells)."""


def open_for_training(view: ShowerFile) -> ShowerFile:
    """Return the view after checking that its showers may train; warns of energies in another unit.

    Raises:
        SplitError: The view is not a training split, or may hold test showers.
    """
    if view.meant_for in (Split.TEST, Split.VALIDATION):
        raise SplitError(
            f"{view.path} is meant for {view.meant_for}; training on it would make every later score "
            "worthless."
        )
    if view.split is not Split.TRAIN:
        raise SplitError(f"{view.path}: training takes the split 'train', not {str(view.split)!r}.")
    stated = states_its_unit(view)
    for mistake in find_unit_mistakes(read_scale(view), view.detector, view.particle, stated):
        warnings.warn(f"{view.path}: {mistake}", UnitWarning, stacklevel=2)
    return view


class ShuffledShowers:
    """Draws batches epoch by epoch: blocks of the file in random order, mixed within pools of bounded size.

    Any batch can be produced from its number alone, so a resumed training sees what it would have seen.

    Args:
        view: The showers to draw from.
        batch_size: Showers a batch.
        seed: Decides the order.
        sampler: How often a shower is drawn by its incident energy; unless `even`, an epoch draws as many
            showers as there are, some several times and some never.

    Raises:
        ShowerFileError: The view is smaller than one batch.
    """

    def __init__(self, view: ShowerFile, batch_size: int, seed: int, sampler: Sampler = "even") -> None:
        if len(view) < batch_size:
            raise ShowerFileError(
                f"{view.path}: {len(view)} showers in split {view.split}, fewer than one batch of "
                f"{batch_size}."
            )
        self.view = view
        self.batch_size = batch_size
        self.seed = seed
        self.weights = None if sampler == "even" else EnergyWeights.measure(sampler, _incident_energies(view))
        self.block = chunk_rows(view.detector.number_of_cells)
        self.blocks_a_pool = max(1, POOL_BYTES // (4 * view.detector.number_of_cells * self.block))
        self.batches_an_epoch = len(view) // batch_size

    def batches(self, start: int = 0) -> Iterator[Showers]:
        """Yield batches number `start`, `start` + 1, ... without end."""
        while True:
            epoch, first = divmod(start, self.batches_an_epoch)
            yield from self._epoch_batches(epoch, first)
            start = (epoch + 1) * self.batches_an_epoch

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Return the places of all showers in the order in which an epoch draws them from one pool."""
        rng = order_generator(self.seed, Purpose.TRAINING, epoch, 0)
        if self.weights is None:
            return rng.permutation(len(self.view))
        return self.weights.order(_incident_energies(self.view), rng)

    def sample(self, showers: int) -> Showers:
        """Return a shuffled, unweighted sample of at most `showers` showers and at most `SAMPLE_BYTES`."""
        rng = order_generator(self.seed, Purpose.TRANSFORMS)
        count = min(showers, SAMPLE_BYTES // (4 * self.view.detector.number_of_cells), len(self.view))
        blocks = rng.permutation(-(-len(self.view) // self.block))
        pool = self._read_pool(blocks[: count // self.block + 2])
        return pool[rng.permutation(len(pool))[:count]]

    def _pools(self, epoch: int) -> list[NDArray[np.int64]]:
        """Split the blocks, in this epoch's order, into pools."""
        blocks = order_generator(self.seed, Purpose.TRAINING, epoch).permutation(
            -(-len(self.view) // self.block)
        )
        return [
            blocks[start : start + self.blocks_a_pool] for start in range(0, len(blocks), self.blocks_a_pool)
        ]

    def _epoch_batches(self, epoch: int, first: int) -> Iterator[Showers]:
        """Yield an epoch's batches from number `first` on, as copies, so that no batch holds its pool."""
        start = first * self.batch_size
        rest: Showers | None = None
        for number, blocks in enumerate(self._pools(epoch)):
            size = sum(self._block_size(block) for block in blocks)
            if start >= size:
                start -= size
                continue
            pool = self._read_pool(blocks)
            order = self._order(pool, order_generator(self.seed, Purpose.TRAINING, epoch, number))
            if rest is not None:
                missing = self.batch_size - len(rest)
                rest = concatenate([rest, pool[order[:missing]]])
                if len(rest) < self.batch_size:
                    continue
                yield rest
                rest, start = None, missing
            while start + self.batch_size <= size:
                yield pool[order[start : start + self.batch_size]]
                start += self.batch_size
            rest = pool[order[start:]] if start < size else None
            start = 0
            del pool

    def _block_size(self, block: int) -> int:
        return int(min(self.block, len(self.view) - block * self.block))

    def _read_pool(self, blocks: NDArray[np.int64]) -> Showers:
        """Return the showers of some blocks."""
        starts = blocks * self.block
        sizes = [self._block_size(block) for block in blocks]
        return concatenate([self.view.read(a, a + size) for a, size in zip(starts, sizes, strict=True)])

    def _order(self, pool: Showers, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return the places in a pool in the order in which they shall be drawn."""
        if self.weights is None:
            return rng.permutation(len(pool))
        return self.weights.order(pool.incident_energies.astype(np.float64), rng)


def _incident_energies(view: ShowerFile) -> NDArray[np.float64]:
    """Return the incident energies (event,) of a view in MeV, reading the condition columns only."""
    return np.concatenate([np.exp(one.conditions()[0][:, 0]) for one in view.incident_chunks()])
