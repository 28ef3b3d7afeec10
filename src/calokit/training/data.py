"""The training input: endless shuffled batches from a file of any size, the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from calokit.arrays import Float64
from calokit.compute.draws import Purpose, order_generator
from calokit.errors import ShowerFileError, SplitError
from calokit.recipes.recipe import Sampler
from calokit.showers import ShowerFile, Showers, Split, concatenate
from calokit.showers.units_check import warn_of_units
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
    warn_of_units(view, 2)
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
        weights: Instead, how often each shower (event,) is drawn, in proportion.

    Raises:
        ShowerFileError: The view is smaller than one batch.
    """

    def __init__(
        self,
        view: ShowerFile,
        batch_size: int,
        seed: int,
        sampler: Sampler = "even",
        weights: Float64 | None = None,
    ) -> None:
        if len(view) < batch_size:
            cut = "" if view.meant_for else " (a file that names no split is cut into 60, 20 and 20 %)"
            raise ShowerFileError(
                f"{view.path}: {len(view)} showers in split {view.split}{cut}: fewer than one batch of "
                f"{batch_size}. Use more showers, or smaller batches (--set training.batch_size="
                f"{max(1, len(view) // 4)})."
            )
        self.view = view
        self.batch_size = batch_size
        self.seed = seed
        if weights is None and sampler != "even":
            energies = _incident_energies(view)
            weights = EnergyWeights.measure(sampler, energies).of(energies)
        self.weights = None if weights is None else weights / weights.sum()
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
        return rng.permutation(np.repeat(np.arange(len(self.view)), self._times(epoch)))

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
        times = self._times(epoch)
        for number, blocks in enumerate(self._pools(epoch)):
            drawn = np.concatenate(
                [times[block * self.block :][: self._block_size(block)] for block in blocks]
            )
            size = int(drawn.sum())
            if start >= size:
                start -= size
                continue
            pool = self._read_pool(blocks)
            places = np.repeat(np.arange(len(pool)), drawn)
            order = order_generator(self.seed, Purpose.TRAINING, epoch, number).permutation(places)
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

    def _times(self, epoch: int) -> NDArray[np.int64]:
        """Return how often an epoch draws each shower (event,); weights hold over all of them together."""
        count = len(self.view)
        if self.weights is None:
            return np.ones(count, np.int64)
        rng = order_generator(self.seed, Purpose.TRAINING, epoch, 0, 0)
        return np.bincount(rng.choice(count, size=count, p=self.weights), minlength=count)


def _incident_energies(view: ShowerFile) -> NDArray[np.float64]:
    """Return the incident energies (event,) of a view in MeV, reading the condition columns only."""
    return np.concatenate([np.exp(one.conditions()[0][:, 0]) for one in view.incident_chunks()])
