"""All levels of one tree: the likelihood of given boxes, and drawing them from the root down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from calokit.compute.draws import keyed_uniform
from calokit.models.cascade.boxes import Rows
from calokit.models.cascade.energy_choice import EnergyChoice
from calokit.models.cascade.energy_draw import EnergyDraw
from calokit.models.cascade.hit_draw import HitChoice, HitDraw
from calokit.models.cascade.level_network import LevelNetwork
from calokit.models.cascade.sight import Part, Scene
from calokit.models.cascade.tables import BoxTables

COLOURS = 4


@dataclass(frozen=True)
class Cuts:
    """The boxes of given showers that have hits and are cut, and how.

    Attributes:
        rows: The boxes, level after level.
        seen: What they see (row, input).
        choice: What could be done with their hits.
        taken: Hits of the first child (row,).
        both: The rows whose children both have hits (pair,).
        share: What these could do with their energy.
        first: What the first child of these has of what they share, in thresholds (pair,).
        second: What the second has (pair,).
    """

    rows: Rows
    seen: Tensor
    choice: HitChoice
    taken: Tensor
    both: Tensor
    share: EnergyChoice
    first: Tensor
    second: Tensor

    @property
    def ratio(self) -> Tensor:
        """Z = ln(first child's part / second child's) (pair,)."""
        return torch.log(self.first / self.second)


class Stage(nn.Module):
    """The networks of a tree's levels.

    Args:
        tables: The boxes.
        parts: What a box may look at.
        width: Width of hidden layers.
        layers: Hidden layers.
        hit_terms: Terms of the hits' density.
        energy_terms: Terms of the energy's density, and whether it knows of the threshold (`EnergyDraw`).
        lender: A stage of like boxes whose networks and densities serve this one too; they stay its own.
    """

    def __init__(
        self,
        tables: BoxTables,
        parts: Sequence[Part],
        width: int,
        layers: int,
        hit_terms: int,
        energy_terms: tuple[int, int, int, bool],
        lender: Stage | None = None,
    ) -> None:
        super().__init__()
        self.tables = tables
        self.parts = tuple(parts)
        self.borrows = lender is not None
        if lender is None:
            inputs = sum(part.width for part in parts)
            self.hits = HitDraw(hit_terms)
            self.energy = EnergyDraw(*energy_terms)
            self.networks = nn.ModuleList(
                LevelNetwork(inputs, width, layers, self.hits, self.energy) for _ in range(tables.tree.levels)
            )
        else:  # seen here, but no parts of this module
            self.__dict__ |= {name: getattr(lender, name) for name in ("hits", "energy", "networks")}

    def see(self, scene: Scene, rows: Rows) -> Tensor:
        """Return all that boxes see (row, input)."""
        return torch.cat([part(self.tables, scene, rows) for part in self.parts], 1)

    def active(self, scene: Scene) -> Rows:
        """Return the boxes that have hits and are cut, level after level."""
        hits = scene.values.hits
        found = ((hits > 0) & self.tables.splits[:, None]).nonzero()
        return Rows(found[:, 0], found[:, 1], hits.shape[1])

    @torch.no_grad()
    def fit(self, cuts: Cuts) -> None:
        """Set the scales of the networks' inputs from a sample; borrowed ones have those of the lender."""
        if self.borrows:
            return
        for network, piece in self._levels(cuts.rows):
            network.fit(cuts.seen[piece])

    def place_lines(self, places: Tensor, widths: Tensor) -> None:
        """Set the lines of the spectrum (line,): ln(energy / threshold), and width in ln(energy)."""
        for network in self.networks:
            assert isinstance(network, LevelNetwork)
            network.lines.copy_(torch.cat([places, torch.log(widths)]))

    def cuts(self, scene: Scene) -> Cuts:
        """Return how the boxes of given showers were cut."""
        rows = self.active(scene)
        one, two = rows.places(self.tables.halves).unbind(1)
        energy, hits = scene.values.energy.view(-1), scene.values.hits.view(-1)
        place = rows.place
        return self.cuts_of(
            rows, self.see(scene, rows), energy[place], hits[place], hits[one], energy[one], energy[two]
        )

    def cuts_of(
        self,
        rows: Rows,
        seen: Tensor,
        energy: Tensor,
        hits: Tensor,
        taken: Tensor,
        one: Tensor,
        two: Tensor,
    ) -> Cuts:
        """Return how boxes were cut.

        Args:
            rows: The boxes, level after level.
            seen: What they see (row, input).
            energy: Their energies in thresholds (row,).
            hits: Their hits (row,).
            taken: Hits of the first children (row,).
            one: Energies of the first children in thresholds (row,).
            two: Energies of the second children (row,).
        """
        choice = self._hit_choice(rows, hits)
        both = ((taken > 0) & (taken < hits)).nonzero()[:, 0]
        share = self._share(energy[both], taken[both], hits[both])
        first, second = share.parts(one[both], two[both])
        return Cuts(rows, seen, choice, taken, both, share, first, second)

    def run(self, cuts: Cuts) -> tuple[Tensor, Tensor]:
        """Return the outputs of all networks: for the hits of all rows, for the energy of the rows `both`."""
        hits, shapes = [], []
        choice, both, share = cuts.choice, cuts.both, cuts.share
        for network, piece in self._levels(cuts.rows):
            hidden = network.look(cuts.seen[piece])
            hits.append(network.hit_outputs(hidden))
            start, stop = torch.searchsorted(both, both.new_tensor([piece.start, piece.stop])).tolist()
            some = both[start:stop]
            part = HitChoice(choice.hits[some], choice.first[some], choice.second[some])
            here = slice(start, stop)
            pair = self._share(share.energy[here], share.first[here], part.hits)
            shapes.append(network.energy_outputs(hidden[some - piece.start], pair, part))
        return torch.cat(hits), torch.cat(shapes)

    def draw(self, scene: Scene, keys: Tensor, first_number: int) -> None:
        """Fill the boxes below the roots, which are given.

        Args:
            scene: Values hold the roots only.
            keys: One int64 a block.
            first_number: The counter of the tree's first box.
        """
        values = scene.values
        block = values.hits[0].nonzero()[:, 0]
        rows = Rows(torch.zeros_like(block), block, values.hits.shape[1])
        for network in self.networks:
            assert isinstance(network, LevelNetwork)
            uncut = rows[~self.tables.splits[rows.box]]
            following = [self._pass_on(scene, uncut)]
            colour = self.tables.colour[rows.box].masked_fill(~self.tables.splits[rows.box], COLOURS)
            for turn in range(COLOURS):
                here = rows[(colour == turn).nonzero()[:, 0]]
                if len(here):
                    following += self._draw_level(network, scene, here, keys, first_number)
            rows = Rows(
                torch.cat([one.box for one in following]),
                torch.cat([one.block for one in following]),
                rows.blocks,
            )

    def _levels(self, rows: Rows) -> list[tuple[LevelNetwork, slice]]:
        """Return each level's network and its rows."""
        ends = torch.searchsorted(rows.box, rows.box.new_tensor(self.tables.tree.starts)).tolist()
        found = []
        for network, start, stop in zip(self.networks, ends[:-2], ends[1:-1], strict=True):
            assert isinstance(network, LevelNetwork)
            if stop > start:
                found.append((network, slice(start, stop)))
        return found

    def _choice(self, scene: Scene, rows: Rows) -> tuple[Tensor, HitChoice]:
        """Return energies (row,) and what may be done with the hits."""
        place = rows.place
        hits = self._hit_choice(rows, scene.values.hits.view(-1)[place])
        return scene.values.energy.view(-1)[place], hits

    def _hit_choice(self, rows: Rows, hits: Tensor) -> HitChoice:
        """Return what may be done with hits (row,)."""
        capacity = self.tables.capacity[self.tables.halves[rows.box]]
        return HitChoice(hits, capacity[:, 0], capacity[:, 1])

    def _share(self, energy: Tensor, taken: Tensor, hits: Tensor) -> EnergyChoice:
        """Return what may be done with the energy of boxes whose children both have hits."""
        return EnergyChoice(energy, taken, hits - taken, self.energy.near_threshold)

    def _pass_on(self, scene: Scene, rows: Rows) -> Rows:
        """Hand boxes that are not cut to the next level as they are."""
        place = rows.place
        child = Rows(self.tables.halves[rows.box, 0], rows.block, rows.blocks)
        scene.values.write(
            child.place, scene.values.energy.view(-1)[place], scene.values.hits.view(-1)[place]
        )
        return child

    def _draw_level(
        self, network: LevelNetwork, scene: Scene, rows: Rows, keys: Tensor, first_number: int
    ) -> list[Rows]:
        """Draw boxes of one level and colour, and return their children that have hits."""
        energy, choice = self._choice(scene, rows)
        number = 4 * (first_number + rows.box)
        key = keys[rows.block]
        hidden = network.look(self.see(scene, rows))
        taken = self.hits.draw(network.hit_outputs(hidden), choice, *uniform_pair(key, number))
        given = torch.where(taken > 0, energy, torch.zeros_like(energy))
        kept = energy - given
        both = ((taken > 0) & (taken < choice.hits)).nonzero()[:, 0]
        if len(both):
            part = HitChoice(choice.hits[both], choice.first[both], choice.second[both])
            share = self._share(energy[both], taken[both], part.hits)
            outputs = network.energy_outputs(hidden[both], share, part)
            ratio = self.energy.draw(outputs, share, *uniform_pair(key[both], number[both] + 2))
            one, two = share.share_out(ratio)
            given[both], kept[both] = one, two
        children = self.tables.halves[rows.box]
        left = choice.hits - taken
        result = []
        for box, hits, part_energy in ((children[:, 0], taken, given), (children[:, 1], left, kept)):
            full = hits.nonzero()[:, 0]
            child = Rows(box[full], rows.block[full], rows.blocks)
            scene.values.write(child.place, part_energy[full], hits[full])
            result.append(child)
        return result


def uniform_pair(keys: Tensor, counters: Tensor) -> tuple[Tensor, Tensor]:
    """Return the uniform numbers of two counters, one and the next, for each key (row,)."""
    both = torch.stack([counters, counters + 1])
    first, second = keyed_uniform(keys, both).unbind(0)
    return first, second
