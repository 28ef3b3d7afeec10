"""The state of a cascade: energy and hits of every box, and rows of the boxes that are worked on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from calokit.models.cascade.tree import SplitTree


@dataclass
class BoxValues:
    """Energy and hits of every box of a tree in a number of blocks (one layer of one shower each).

    Attributes:
        energy: In thresholds (box + 1, block); the last row stands for no box and is zero.
        hits: (box + 1, block).
        seen: ln(1 + energy) and ln(1 + hits) (box + 1, block, 2), which is what other boxes see.
    """

    energy: Tensor
    hits: Tensor
    seen: Tensor

    @classmethod
    def empty(cls, boxes: int, roots: Tensor) -> BoxValues:
        """Return boxes that hold nothing but the root: energy and hits of each block (2, block)."""
        blocks = roots.shape[1]
        energy, hits, seen = (roots.new_zeros(boxes + 1, blocks, width) for width in (1, 1, 2))
        values = cls(energy[:, :, 0], hits[:, :, 0], seen)
        values.write(torch.arange(blocks, device=roots.device), roots[0], roots[1])
        return values

    @classmethod
    def of_cells(cls, tree: SplitTree, energy: Tensor, hits: Tensor) -> BoxValues:
        """Return all boxes of given cells (cell, block)."""
        values = [add_up(tree, one) for one in (energy, hits)]
        return cls(values[0], values[1], torch.log1p(torch.stack(values, 2)))

    def plus(self, other: BoxValues) -> BoxValues:
        """Return the sum of two layers' boxes of one tree."""
        values = [self.energy + other.energy, self.hits + other.hits]
        return BoxValues(values[0], values[1], torch.log1p(torch.stack(values, 2)))

    def write(self, place: Tensor, energy: Tensor, hits: Tensor) -> None:
        """Set boxes at flat places (row,) to energies and hits (row,)."""
        self.energy.view(-1)[place] = energy
        self.hits.view(-1)[place] = hits
        self.seen.view(-1, 2)[place] = torch.log1p(torch.stack([energy, hits], 1))

    def look(self, place: Tensor) -> Tensor:
        """Return what is seen at flat places (row, box): (row, box x 2)."""
        pairs = self.seen.view(torch.float64).view(-1)  # two float32 moved as one number of eight bytes
        return pairs[place].view(torch.float32)


def add_up(tree: SplitTree, cells: Tensor) -> Tensor:
    """Return the sums over the cells of every box (box + 1, block) of values of cells (cell, block)."""
    total = cells.new_zeros(tree.boxes + 1, cells.shape[1])
    total[tree.leaves] = cells
    for level in reversed(range(tree.levels)):
        start, stop = tree.starts[level], tree.starts[level + 1]
        first, second = torch.from_numpy(tree.children[start:stop]).to(cells.device).unbind(1)
        torch.add(total[first], total[second], out=total[start:stop])
    return total


@dataclass(frozen=True)
class Rows:
    """Boxes that are worked on, one a row.

    Attributes:
        box: Numbers of the boxes (row,).
        block: The block each belongs to (row,).
        blocks: How many blocks there are.
    """

    box: Tensor
    block: Tensor
    blocks: int

    def __len__(self) -> int:
        return len(self.box)

    def __getitem__(self, index: Tensor | slice) -> Rows:
        """Return some of the rows."""
        return Rows(self.box[index], self.block[index], self.blocks)

    @property
    def place(self) -> Tensor:
        """Flat places of the boxes (row,)."""
        return self.box * self.blocks + self.block

    def places(self, table: Tensor) -> Tensor:
        """Return the flat places (row, k) of the boxes that a table (box, k) names for each row's box."""
        return table[self.box] * self.blocks + self.block[:, None]
