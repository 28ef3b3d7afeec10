"""Drawing showers from a cascade: totals, then layers, then the cells of each layer in turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from calokit.models.batches import IncidentTensors, TrainingBatch
from calokit.models.cascade.boxes import BoxValues
from calokit.models.cascade.scenes import EventFacts, Memory, moments_seen
from calokit.models.cascade.sight import Scene
from calokit.models.cascade.spectral_lines import LINE_WIDTHS, SMALLEST_WIDTH
from calokit.models.cascade.stage import Stage, uniform_pair
from calokit.models.cascade.tree import SplitTree

if TYPE_CHECKING:
    from calokit.models.cascade.surrogate import CascadeSurrogate

FIRST_BOX = 16
"""Counter of the first box; those before it are for the totals."""

CHUNK_CELLS = 800_000
"""Showers with about so many cells in a layer together are drawn at a time."""

CHUNK_SHOWERS = 2048
"""At most so many showers are drawn at a time."""


class CascadeDrawing:
    """How a cascade draws, box by box, on any device.

    Args:
        model: The cascade.
    """

    def __init__(self, model: CascadeSurrogate) -> None:
        self.model = model
        self.tree = model.tree
        self.surroundings = model.surroundings

    def showers(self, incidents: IncidentTensors, keys: Tensor) -> Tensor:
        """Return the shower (event, cell) in MeV of each incident particle and key (event,)."""
        pieces = [self._draw(incidents[some], keys[some]) for some in self._chunks(len(incidents))]
        return torch.cat(pieces)

    def complete(self, batch: TrainingBatch, keys: Tensor, layers: int) -> Tensor:
        """Return showers (event, place) whose cells behind the first layers are drawn anew."""
        pieces = [self._complete(batch[some], keys[some], layers) for some in self._chunks(len(batch))]
        return torch.cat(pieces)

    def _chunks(self, events: int) -> list[slice]:
        """Return which events are worked on together: draws follow from the keys, whoever is beside."""
        largest = max(plane.cells for plane in self.tree.planes)
        size = min(max(64, CHUNK_CELLS // largest), CHUNK_SHOWERS)
        return [slice(start, start + size) for start in range(0, max(events, 1), size)]

    def _complete(self, batch: TrainingBatch, keys: Tensor, layers: int) -> Tensor:
        """Complete a few showers."""
        model, seen = self.model, self.model.seen(batch.energies)
        cells = model.cells_in(seen)
        facts = model.facts(batch.incidents, cells.visible, cells.count)
        places = [self.tree.cells_of(layer) for layer in range(self.tree.layers)]
        known = [torch.stack([cells.energy[place], cells.hits[place]]) for place in places]
        totals = torch.stack([one.sum(1) for one in known], 1)
        drawn = self._to_mev(self._draw_cells(facts, totals, keys, known[:layers]))
        first = self.tree.first_cells[layers]
        drawn[:, :first] = torch.where(seen > model.threshold, seen, 0.0)[:, :first]
        return drawn

    def draw_totals(self, incidents: IncidentTensors, keys: Tensor) -> tuple[EventFacts, Tensor]:
        """Return what is known of events, visible energies in thresholds and hits (2, event) drawn."""
        model = self.model
        features = model.incident(incidents)
        uniforms = [
            one for number in range(3) for one in uniform_pair(keys, torch.full_like(keys, 2 * number))
        ]
        with model.device.full_precision():
            visible, count = model.totals.draw(
                features, incidents.energies, model.threshold, tuple(uniforms[:5])
            )
        visible = visible / model.threshold
        return model.facts(incidents, visible, count, features), torch.stack([visible, count])

    def _draw(self, incidents: IncidentTensors, keys: Tensor) -> Tensor:
        """Draw showers (event, cell) in MeV."""
        facts, roots = self.draw_totals(incidents, keys)
        totals = self._draw_layers(facts, roots, keys)
        return self._to_mev(self._draw_cells(facts, totals, keys))

    def _draw_cells(
        self, facts: EventFacts, totals: Tensor, keys: Tensor, known: Sequence[Tensor] = ()
    ) -> Tensor:
        """Draw the cells (cell, event) of layers whose energies and hits (2, layer, event) are given.

        Args:
            facts: What is known of each event.
            totals: Energies and hits of all layers.
            keys: One int64 an event.
            known: Energies and hits (2, cell, event) of the cells of the first layers, which are not drawn.
        """
        features = self.surroundings.layer_features(*totals)
        events = torch.arange(len(keys), device=keys.device)
        memory = self.surroundings.first_memory(len(keys))
        last = total = self.surroundings.weigh(0, memory.last)
        drawn: list[Tensor] = []
        before: tuple[BoxValues, ...] = ()
        values = None
        for layer, kind in enumerate(self.tree.plane_of):
            stage, plane = self.model.stages[kind], self.tree.planes[kind]
            assert isinstance(stage, Stage)
            if self.model.depth is not None:
                same = values is not None and kind == self.tree.plane_of[layer - 1]
                before = _look_back_once(before, values if same else None, memory, plane.tree)
            flight = self.surroundings.flight(facts, layer)
            given = layer < len(known)
            values = (
                BoxValues.of_cells(plane.tree, *known[layer])
                if given
                else BoxValues.empty(plane.tree.boxes, totals[:, layer])
            )
            moments = moments_seen(last, total, flight)
            scene = Scene(
                values, before, events, facts.features, features[layer], flight, facts.slopes, moments
            )
            if not given:
                stage.draw(scene, keys, self.model.first_numbers[layer])
            cells = torch.stack([values.energy[plane.tree.leaves], values.hits[plane.tree.leaves]])
            drawn.append(cells[0])
            if layer + 1 < self.tree.layers:
                memory = self.surroundings.remember(memory, cells, layer)
                last = self.surroundings.weigh(layer, cells)
                total = total + last
        return torch.cat(drawn)

    def _draw_layers(self, facts: EventFacts, roots: Tensor, keys: Tensor) -> Tensor:
        """Draw energy and hits of every layer (2, layer, event) from those of all (2, event)."""
        depth = BoxValues.empty(self.tree.depth.boxes, roots)
        if self.model.depth is not None:
            self.model.depth.draw(self.surroundings.depth_scene(facts, depth), keys, FIRST_BOX)
        leaves = self.tree.depth.leaves
        return torch.stack([depth.energy[leaves], depth.hits[leaves]])

    def _to_mev(self, energy: Tensor) -> Tensor:
        """Return energies (event, cell) in MeV, of hits never at or below the threshold."""
        threshold, lines = self.model.threshold, self.model.exact_lines
        least = torch.nextafter(threshold, threshold + 1)
        found = torch.where(energy > 0, (energy * threshold).clamp_min(float(least)), 0.0)
        for line in lines[lines > threshold]:  # narrower than can be drawn
            found = torch.where((found / line - 1).abs() < LINE_WIDTHS * SMALLEST_WIDTH, line, found)
        return found.T.contiguous()


def _look_back_once(
    before: tuple[BoxValues, ...], values: BoxValues | None, memory: Memory, tree: SplitTree
) -> tuple[BoxValues, ...]:
    """Return the boxes of the layers before a layer.

    Args:
        before: Those of the layer before it.
        values: The boxes of the layer before, or None where its tree is another (or there is none).
        memory: The cells of the layers before.
        tree: The layer's tree.
    """
    if values is None:
        return tuple(BoxValues.of_cells(tree, *one) for one in (memory.last, memory.second, memory.all))
    return values, before[0], before[2].plus(values)
