"""What the cascade's density says of given showers: by parts, draw by draw, by incident particle."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from calokit.compute.draws import keyed_uniform
from calokit.models.batches import IncidentTensors, TrainingBatch
from calokit.models.cascade.densities import log_densities, log_density
from calokit.models.cascade.energy_choice import EnergyChoice
from calokit.models.cascade.scenes import EventFacts
from calokit.models.cascade.sight import (
    BoxPart,
    LayerPart,
    MemoryPart,
    OwnPart,
    Scene,
    TrackPart,
    WindowPart,
)
from calokit.models.cascade.spectral_lines import LINE_WIDTHS, SMALLEST_WIDTH
from calokit.models.cascade.stage import Cuts, Stage
from calokit.models.protocols import CumulativeValues

if TYPE_CHECKING:
    from calokit.models.cascade.surrogate import CascadeSurrogate, CellValues

INCIDENT_BLIND = (OwnPart, BoxPart, WindowPart, LayerPart, MemoryPart, TrackPart)
"""Parts of what a box sees in which the incident particle has no say."""
WALL = 50.0
"""Nats a width by which the density of the incident particle falls where its totals cannot be drawn."""


class CascadeLikelihood:
    """The likelihood of a cascade.

    Args:
        model: The cascade.
    """

    def __init__(self, model: CascadeSurrogate) -> None:
        self.model = model

    def log_parts(self, batch: TrainingBatch) -> dict[str, Tensor]:
        """Return the log densities of totals and layers (event,) and of the cells (event, layer)."""
        model, cells = self.model, self.model.cells_of(batch)
        facts = model.facts(batch.incidents, cells.visible, cells.count)
        unit = math.log(model.threshold_mev)
        parts = {"totals": self._totals(batch.incidents, cells.visible, cells.count)}
        by_layer: list[Tensor] = [facts.features] * model.tree.layers
        hits = [cells.hits[model.tree.cells_of(layer)].sum(0) for layer in range(model.tree.layers)]
        for stage, cuts in model.cuts(facts, cells):
            density = log_density(stage, cuts)
            if stage is model.depth:
                full = (torch.stack(hits) > 0).sum(0)
                parts["layers"] = density - unit * (full - 1).clamp_min(0)
                continue
            for layer, one in zip(self._layers(stage), density.view(-1, len(batch)), strict=True):
                by_layer[layer] = one - unit * (hits[layer] - 1).clamp_min(0)
        parts["cells"] = torch.stack(by_layer, 1)
        return parts

    @torch.no_grad()
    def cumulative_values(self, batch: TrainingBatch, keys: Tensor) -> Iterator[CumulativeValues]:
        """Yield where every draw of given showers lies in its distribution; see `HasLikelihood`."""
        model, cells = self.model, self.model.cells_of(batch)
        facts = model.facts(batch.incidents, cells.visible, cells.count)
        with model.device.full_precision():
            energy, hits = model.totals.cumulative(
                model.incident(batch.incidents),
                batch.incidents.energies,
                cells.visible * model.threshold,
                cells.count,
                model.threshold,
            )
        full = (cells.count > 0).nonzero()[:, 0]
        every = torch.arange(len(batch), device=full.device)
        for kind, ends, event, counter in (("energy", energy, every, 0), ("hits", hits[full], full, 1)):
            uniform = keyed_uniform(keys[event], torch.full_like(event, counter))
            nowhere = torch.zeros_like(event)
            yield CumulativeValues(
                "totals", kind, event, nowhere, nowhere - 1, _between(ends[:, 0], ends[:, 1], uniform)
            )
        for stage, cuts in model.cuts(facts, cells):
            if len(cuts.rows):
                yield from self._stage_values(stage, cuts, keys)

    def of_incidents(self, energies: Tensor) -> Callable[[IncidentTensors], Tensor]:
        """Return the log density (event,) of showers (event, cell) as a function of their incident particles.

        What does not depend on the incident particle is found once.
        """
        model, anywhere = self.model, _on_axis(energies.new_ones(len(energies)))
        cells = model.cells_of(TrainingBatch(anywhere, energies))
        facts = model.facts(anywhere, cells.visible, cells.count)
        known = [(stage, scene, stage.cuts(scene)) for stage, scene in model.scenes(facts, cells)]
        places = [model.tree.cells_of(layer) for layer in range(model.tree.layers)]
        sums = [
            model.surroundings.weigh(layer, torch.stack([cells.energy[place], cells.hits[place]]))
            for layer, place in enumerate(places)
        ]
        unit = math.log(model.threshold_mev) * (cells.count - 1).clamp_min(0)

        def log_density(incidents: IncidentTensors) -> Tensor:
            facts = model.facts(incidents, cells.visible, cells.count)
            moments = model.surroundings.moments(facts, sums)
            total = self._walled_totals(incidents, cells) - unit
            for stage, scene, cuts in known:
                if len(cuts.rows):
                    moved = self._move(stage, scene, facts, moments)
                    hits, pairs = log_densities(stage, replace(cuts, seen=_see_anew(stage, moved, cuts)))
                    total = total.index_add(0, scene.event[cuts.rows.block], hits)
                    total = total.index_add(0, scene.event[cuts.rows.block[cuts.both]], pairs)
            return total

        return log_density

    @torch.no_grad()
    def scan_energies(self, energies: Tensor, candidates: Tensor) -> Tensor:
        """Return the log density (event, candidate) of the totals of showers (event, cell), on the axis."""
        ones = energies.new_ones(len(energies))
        cells = self.model.cells_of(TrainingBatch(_on_axis(ones), energies))
        return torch.stack([self._walled_totals(_on_axis(ones * one), cells) for one in candidates], 1)

    def _walled_totals(self, incidents: IncidentTensors, cells: CellValues) -> Tensor:
        """Return the log density of totals (event,), falling off steeply where they cannot be drawn."""
        model, visible = self.model, cells.visible * self.model.threshold
        found = self._totals(incidents, cells.visible, cells.count)
        return found - WALL * model.totals.beyond(incidents.energies, visible, model.threshold).float()

    def _totals(self, incidents: IncidentTensors, visible: Tensor, count: Tensor) -> Tensor:
        model = self.model
        with model.device.full_precision():
            found = model.totals.log_density(
                model.incident(incidents),
                incidents.energies,
                visible * model.threshold,
                count,
                model.threshold,
            )
        return found.float()

    def _layers(self, stage: Stage) -> tuple[int, ...]:
        """Return the layers of a stage's blocks; -1 where the stage is that of all layers."""
        if stage is self.model.depth:
            return (-1,)
        stages = list(self.model.stages)
        return self.model.tree.planes[stages.index(stage)].layers

    def _move(self, stage: Stage, scene: Scene, facts: EventFacts, moments: list[Tensor]) -> Scene:
        """Return the scene of a stage with other incident particles."""
        if stage is self.model.depth:
            return replace(scene, incident=facts.features, flight=facts.positions, slopes=facts.slopes)
        here = self._layers(stage)
        return replace(
            scene,
            incident=facts.features,
            flight=torch.cat([self.model.surroundings.flight(facts, layer) for layer in here]),
            slopes=facts.slopes.repeat(len(here), 1),
            moments=torch.cat([moments[layer] for layer in here]),
        )

    def _stage_values(self, stage: Stage, cuts: Cuts, keys: Tensor) -> Iterator[CumulativeValues]:
        """Yield the cumulative values of the draws of one stage."""
        model, tree = self.model, stage.tables.tree
        part = "layers" if stage is model.depth else "cells"
        layers = torch.tensor(self._layers(stage), device=keys.device)
        layer = layers[torch.div(cuts.rows.block, len(keys), rounding_mode="floor")]
        first = torch.tensor([*model.first_numbers, model.first_numbers[0] - model.tree.depth.boxes])
        number = 4 * (first.to(keys.device)[layer] + cuts.rows.box)  # -1 is the last: that of the layers
        level = torch.bucketize(cuts.rows.box, torch.tensor(tree.starts, device=keys.device), right=True) - 1
        event = cuts.rows.block % len(keys)
        hits, shapes = stage.run(cuts)
        free = (cuts.choice.least < cuts.choice.most).nonzero()[:, 0]
        below, top = stage.hits.cumulative(hits, cuts.choice, cuts.taken)
        value = _between(below[free], top[free], keyed_uniform(keys[event[free]], number[free]))
        yield CumulativeValues(part, "hits", event[free], level[free], layer[free], value)
        both = cuts.both
        if len(both):
            lines = model.exact_lines[model.exact_lines > model.threshold] / model.threshold
            low, high = reach_of_lines(cuts, lines)
            below, top = (stage.energy.cumulative(shapes, cuts.share, end) for end in (low, high))
            value = _between(below, top, keyed_uniform(keys[event[both]], number[both] + 2))
            yield CumulativeValues(part, "energy", event[both], level[both], layer[both], value)


def _on_axis(energies: Tensor) -> IncidentTensors:
    nowhere = energies.new_zeros(len(energies), 2)
    return IncidentTensors(energies, nowhere, nowhere)


def _see_anew(stage: Stage, scene: Scene, cuts: Cuts) -> Tensor:
    """Return what boxes see of a scene, of which only what follows the incident particle is looked at."""
    pieces, start = [], 0
    for part in stage.parts:
        blind = isinstance(part, INCIDENT_BLIND)
        old = cuts.seen[:, start : start + part.width]
        pieces.append(old if blind else part(stage.tables, scene, cuts.rows))
        start += part.width
    return torch.cat(pieces, 1)


def reach_of_lines(cuts: Cuts, lines: Tensor) -> tuple[Tensor, Tensor]:
    """Return z of the pairs, from and to: an interval where a single hit lies on a line without width."""
    choice: EnergyChoice = cuts.share
    low = high = cuts.ratio
    width = LINE_WIDTHS * SMALLEST_WIDTH
    for line in lines:
        for energy, hits, sign in ((cuts.first, choice.first, 1), (cuts.second, choice.second, -1)):
            inside = (hits == 1) & ((energy / line - 1).abs() < width) & (choice.shared > line * (1 + width))
            ends = [line * (1 + end * width) for end in (-sign, sign)]
            odds = [sign * torch.log(end / (choice.shared - end).clamp_min(1e-6)) for end in ends]
            low, high = torch.where(inside, odds[0], low), torch.where(inside, odds[1], high)
    return low, high


def _between(low: Tensor, high: Tensor, uniform: Tensor) -> Tensor:
    return low + uniform * (high - low)
