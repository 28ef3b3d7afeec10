"""The splitting cascade as a surrogate: totals, then layers, then the cells of each layer in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from calokit.arrays import Float32
from calokit.compute.device import Device
from calokit.compute.draws import Draws, Noise
from calokit.compute.precision import PLAIN, Precision
from calokit.detector import Detector
from calokit.errors import RunError
from calokit.models.batches import IncidentTensors, TrainingBatch
from calokit.models.cascade.boxes import BoxValues
from calokit.models.cascade.compiled.availability import compiled_cuts, compiled_drawing
from calokit.models.cascade.densities import log_density
from calokit.models.cascade.drawing import FIRST_BOX, CascadeDrawing
from calokit.models.cascade.incident_features import IncidentFeatures
from calokit.models.cascade.likelihood import CascadeLikelihood
from calokit.models.cascade.own_coordinate import measure_features
from calokit.models.cascade.planes import grow_trees
from calokit.models.cascade.rare_atoms import correct_rare_atoms
from calokit.models.cascade.scenes import LAYER_FEATURES, EventFacts, Memory, Surroundings
from calokit.models.cascade.settings import CascadeSettings
from calokit.models.cascade.sight import (
    BoxPart,
    FlightPart,
    HitMomentPart,
    IncidentPart,
    LayerPart,
    MemoryPart,
    MomentPart,
    OwnPart,
    Part,
    Scene,
    TrackPart,
    WindowPart,
)
from calokit.models.cascade.spectral_lines import SMALLEST_WIDTH, measure_lines
from calokit.models.cascade.spectrum_correction import correct_spectrum
from calokit.models.cascade.stage import Cuts, Stage
from calokit.models.cascade.symmetries import find_symmetries
from calokit.models.cascade.tables import BoxTables
from calokit.models.cascade.threshold import choose_training_threshold
from calokit.models.cascade.tile_readout import TileReadout
from calokit.models.cascade.totals import Totals
from calokit.models.cascade.window import AROUND, BESIDE
from calokit.models.protocols import CumulativeValues, Surrogate
from calokit.showers import Showers

FIT_CELLS = 1_000_000
"""The scales of the inputs are found on showers of about so many cells together."""

TOTALS_FEATURES, DEVIATIONS = 3, 2
"""What boxes are told of the shower's energy and hits, and of how far these lie from their trends."""

SPREAD_SHOWERS = 256
"""Tiles of so many showers are shared over the cells of a file at a time: these are many."""


@dataclass(frozen=True)
class CellValues:
    """Showers as the cascade sees them.

    Attributes:
        energy: In thresholds, 0 at or below (cell, event).
        hits: 1 above the threshold (cell, event).
        visible: Sum of the energies in thresholds (event,).
        count: Number of hits (event,).
    """

    energy: Tensor
    hits: Tensor
    visible: Tensor
    count: Tensor


class CascadeSurrogate(Surrogate):
    """The splitting cascade for any detector.

    Args:
        settings: Sizes, terms and what boxes may look at.
        detector: Any.
    """

    blocks_at_once = 16
    threshold: Tensor
    exact_lines: Tensor

    def __init__(self, settings: CascadeSettings, detector: Detector) -> None:
        super().__init__()
        self.settings = settings
        self.tree = grow_trees(detector)
        self.readout = TileReadout(detector) if self.tree.tiled else None
        self.surroundings = Surroundings(self.tree)
        self.images = find_symmetries(detector, self.tree)
        self.incident = IncidentFeatures(settings.conditions, self.tree.planes[self.tree.plane_of[0]].grid)
        self.totals = Totals(
            self.incident.width, settings.totals_width, settings.totals_terms, self.tree.depth.capacity[0]
        )
        self.register_buffer("threshold", torch.tensor(settings.threshold_mev or 0.1, dtype=torch.float32))
        self.register_buffer("exact_lines", torch.zeros(settings.line_terms))
        self.depth = self._make_stage(None) if self.tree.layers > 1 else None
        self.stages = nn.ModuleList()
        for number in range(len(self.tree.planes)):
            self.stages.append(self._make_stage(number))
        boxes = [self.tree.planes[kind].tree.boxes for kind in self.tree.plane_of]
        self.first_numbers = [
            FIRST_BOX + self.tree.depth.boxes + sum(boxes[:layer]) for layer in range(len(boxes))
        ]

    @property
    def threshold_mev(self) -> float:  # type: ignore[override]
        """Cells at or below it count as empty, MeV."""
        return float(self.threshold)

    @property
    def conditions(self) -> tuple[str, ...]:  # type: ignore[override]
        """Which of energy, position and direction of the incident particle it knows."""
        return self.incident.conditions

    def parts(self) -> dict[str, nn.Module]:
        """Return the totals and the boxes (of a single cell, none), each with an optimiser of its own."""
        stages = nn.ModuleList(self.stages if self.depth is None else [self.depth, *self.stages])
        return {"totals": self.totals} | (
            {"cascade": stages} if any(True for _ in stages.parameters()) else {}
        )

    def fit_transforms(self, sample: Showers) -> None:
        """Choose the threshold where it is open, and set trends and scales."""
        batch = TrainingBatch.of(sample)
        seen = self.seen(batch.energies)
        energies = seen.numpy()
        if self.settings.threshold_mev is None:
            worth = None if self.readout is None else self.readout.worth.numpy()
            self.threshold.fill_(choose_training_threshold(energies, worth))
        self.incident.fit(batch.incidents)
        cells = self.cells_in(seen)
        self.totals.fit(batch.incidents.energies, cells.visible * self.threshold, cells.count)
        found = measure_lines(energies, self.threshold_mev, self.settings.line_terms)
        lines = [torch.from_numpy(one).float() for one in found[:2]]
        exact = np.where(found[1] <= SMALLEST_WIDTH, found[2], 0.0)
        self.exact_lines.copy_(torch.from_numpy(exact))
        features = measure_features(energies, self.threshold_mev, *found[:2])
        few = batch[: max(64, FIT_CELLS // energies.shape[1])]
        cells = self.cells_in(seen[: len(few)])
        facts = self.facts(few.incidents, cells.visible, cells.count)
        for stage, cuts in self.cuts(facts, cells):
            stage.fit(cuts)
            stage.place_lines(*lines)
            stage.energy.follow(features)

    @torch.no_grad()
    def calibrate(self, sample: Showers, draws: Draws) -> None:
        """Correct what hardly ever happens, and the spectrum near the threshold where one is followed."""
        batch = self.device.put(TrainingBatch.of(sample))
        correct_rare_atoms(self, batch)
        if self.settings.near_threshold:
            correct_spectrum(self, batch, draws)

    def adapt_start(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return all but what is of the showers trained on now: trends and bounds of the totals, rare atoms.

        Raises:
            RunError: The bundle's energies are shared in other coordinates.
        """
        known = any(name.endswith("pairs.knots") for name in tensors)
        if known != self.settings.near_threshold:
            raise RunError(
                f"the bundle was trained with near_threshold {str(known).lower()}; "
                f"go on from it with --set model.near_threshold={str(known).lower()}."
            )
        own = {f"totals.{name}" for name, _ in self.totals.named_buffers()}
        kept = {
            name: one for name, one in tensors.items() if name not in own and not name.endswith(".rarest")
        }
        return self._told_of_deviations(kept)

    def _told_of_deviations(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the weights of a bundle that tell boxes of deviations, where these are told.

        Raises:
            RunError: The bundle's boxes are told of them, and these are not.
        """
        mine, place = self.state_dict(), OwnPart.width + self.incident.width + TOTALS_FEATURES
        told = "totals.energy_network.0.weight"  # of the incident particle alone
        if told not in tensors or tensors[told].shape != mine[told].shape:
            return tensors
        for name, one in tensors.items():
            if name.endswith(("trunk.0.weight", ".mean", ".scale")) and name in mine:
                more = mine[name].shape[-1] - one.shape[-1]
                if more == -DEVIATIONS and not self.settings.deviations:
                    raise RunError(
                        "the boxes of the bundle are told of deviations; go on from it with --set "
                        "model.deviations=true."
                    )
                if more == DEVIATIONS and self.settings.deviations:
                    new = one.new_full((*one.shape[:-1], more), float(name.endswith(".scale")))
                    tensors[name] = torch.cat([one[..., :place], new, one[..., place:]], -1)
        return tensors

    def symmetries(self) -> Callable[[TrainingBatch, Draws], TrainingBatch] | None:
        """Return the mirror images and turns of the detector, or None where it has none."""
        return self.images if len(self.images) > 1 else None

    def losses(self, batch: TrainingBatch, draws: Draws) -> dict[str, Tensor]:
        """Return the negative log-likelihoods: of the totals a shower, of the boxes a box."""
        del draws  # nothing is drawn: the likelihood is exact
        parts, cut = self._log_densities(batch)
        totals = parts.pop("totals")
        boxes = torch.stack([part.sum() for part in parts.values()]).sum()
        found = {"totals": -totals.mean(), "cascade": -boxes / max(cut, 1)}
        return {name: found[name] for name in self.parts()}

    def validation_losses(self, batch: TrainingBatch, draws: Draws) -> dict[str, Tensor]:
        """Return the negative log-likelihoods of totals, of their shares by layer, and of cells, a shower."""
        del draws
        return {name: -part.mean() for name, part in self._log_densities(batch)[0].items()}

    def kept_apart(self) -> dict[str, nn.Module]:
        """Return totals, layers and cells: the totals overfit long before the cells."""
        layers = {} if self.depth is None else {"layers": self.depth}
        return {"totals": self.totals, **layers, "cells": self.stages}

    def log_likelihood(self, batch: TrainingBatch) -> Tensor:
        """Return the log density of each shower (event,) given its incident particle.

        A density in the energies (MeV) of the cells that have hits (of tiles, in what they count); which
        cells those are is a probability.
        """
        parts = self.log_parts(batch).values()
        return torch.stack([part.view(len(batch), -1).sum(1) for part in parts]).sum(0)

    def log_parts(self, batch: TrainingBatch) -> dict[str, Tensor]:
        """Return the parts (event,) of the log density: of totals, layers, and the cells of each layer."""
        return CascadeLikelihood(self).log_parts(batch)

    def cumulative_values(self, batch: TrainingBatch, keys: Tensor) -> Iterator[CumulativeValues]:
        """Yield where every draw of given showers lies in its distribution; see `HasLikelihood`."""
        return CascadeLikelihood(self).cumulative_values(batch, keys)

    def likelihood_of(self, energies: Tensor) -> Callable[[IncidentTensors], Tensor]:
        """Return the log density of given showers as a function of their incident particles."""
        return CascadeLikelihood(self).of_incidents(energies)

    def scan_energies(self, energies: Tensor, candidates: Tensor) -> Tensor:
        """Return the log density (event, candidate) of the totals for incident energies; `HasLikelihood`."""
        return CascadeLikelihood(self).scan_energies(energies, candidates)

    def precision_in_use(self, device: Device) -> Precision:
        """Return float32: logarithms of energies need its digits."""
        del device
        return PLAIN

    def noise(self) -> dict[str, Noise]:
        """Return one key a shower: boxes make the numbers that they need of it."""
        return {"key": Noise("key")}

    @torch.no_grad()
    def showers(self, incidents: IncidentTensors, noise: Mapping[str, Tensor]) -> Tensor:
        """Return the shower (event, cell) in MeV of each incident particle and key."""
        self.incident.need(incidents)
        drawing = compiled_drawing(self) or CascadeDrawing(self)
        return self.read_out(drawing.showers(incidents, noise["key"][:, 0]))

    @torch.no_grad()
    def write_showers(
        self, incidents: IncidentTensors, noise: Mapping[str, Tensor], energies: Float32
    ) -> None:
        """Write the showers into zeros (event, cell): compiled loops draw them there."""
        drawing, keys = compiled_drawing(self), noise["key"][:, 0]
        if drawing is None:
            super().write_showers(incidents, noise, energies)
            return
        self.incident.need(incidents)
        if self.readout is None:
            drawing.write_showers(incidents, keys, energies)
            return
        for start in range(0, len(keys), SPREAD_SHOWERS):
            some = slice(start, start + SPREAD_SHOWERS)
            self.readout.spread(
                drawing.showers(incidents[some], keys[some]), torch.from_numpy(energies[some])
            )

    @torch.no_grad()
    def complete(self, batch: TrainingBatch, keys: Tensor, layers: int) -> Tensor:
        """Return showers whose cells behind the first layers are drawn anew; see `CompletesShowers`."""
        self.incident.need(batch.incidents)
        return self.read_out(CascadeDrawing(self).complete(batch, keys, layers))

    def _make_stage(self, plane: int | None) -> Stage:
        """Return the networks of a plane's tree, or of the layers' (None)."""
        settings, names = self.settings, self.settings.parts
        lender: nn.Module | None = None
        if plane is None:
            tables = BoxTables(self.tree.depth, None)
        else:
            laid = self.tree.planes[plane]
            tables = BoxTables(laid.tree, laid)
            lender = None if laid.like == plane else self.stages[laid.like]
        neighbours = len(BESIDE if plane is None else AROUND)
        stacked = plane is not None and self.tree.layers > 1
        incident = self.incident.width + TOTALS_FEATURES + (DEVIATIONS if settings.deviations else 0)
        choices: list[tuple[str, bool, Part]] = [
            ("incident", True, IncidentPart(incident)),
            ("box", True, BoxPart(tables.shape.shape[1])),
            ("flight", plane is not None, FlightPart()),
            ("window", True, WindowPart(neighbours)),
            ("layer", stacked, LayerPart(LAYER_FEATURES)),
            ("memory", stacked, MemoryPart(neighbours)),
            ("track", stacked, TrackPart(neighbours)),
            ("moments", stacked, MomentPart()),
            ("hit_moments", stacked, HitMomentPart()),
        ]
        parts = [part for name, there, part in choices if there and name in names]
        energy = (settings.shared_terms, settings.own_terms, settings.line_terms, settings.near_threshold)
        assert lender is None or isinstance(lender, Stage)
        sizes = settings.width, settings.layers, settings.hit_terms
        return Stage(tables, [OwnPart(), *parts], *sizes, energy, lender)

    def seen(self, energies: Tensor) -> Tensor:
        """Return what the trees are over (event, place) of showers in a file's cells (event, cell)."""
        return energies if self.readout is None else self.readout.gather(energies)

    def read_out(self, drawn: Tensor) -> Tensor:
        """Return drawn showers in a file's cells (event, cell)."""
        return drawn if self.readout is None else self.readout.spread(drawn)

    def cells_of(self, batch: TrainingBatch) -> CellValues:
        """Return showers as the cascade sees them."""
        return self.cells_in(self.seen(batch.energies))

    def cells_in(self, seen: Tensor) -> CellValues:
        """Return what is above the threshold of what `seen` returned (event, place)."""
        energies = seen.T
        above = energies > self.threshold
        energy = torch.where(above, energies / self.threshold, 0.0).contiguous()
        hits = above.to(energy.dtype).contiguous()
        return CellValues(energy, hits, energy.sum(0), hits.sum(0))

    def facts(
        self, incidents: IncidentTensors, visible: Tensor, count: Tensor, features: Tensor | None = None
    ) -> EventFacts:
        """Return what is known of events before their layers.

        Args:
            incidents: Their incident particles.
            visible: Visible energies in thresholds (event,).
            count: Numbers of hits (event,).
            features: Of the incident particles, where they are known already (event, feature).
        """
        logarithms = [torch.log1p(visible), torch.log1p(count)]
        known = [
            self.incident(incidents) if features is None else features,
            torch.stack([*logarithms, logarithms[0] - logarithms[1]], 1),
        ]
        if self.settings.deviations:
            energies = visible * self.threshold
            known.append(self.totals.deviations(incidents.energies, energies, count, self.threshold))
        return EventFacts(
            torch.cat(known, 1),
            self.incident.positions(incidents),
            self.incident.slopes(incidents),
        )

    def _log_densities(self, batch: TrainingBatch) -> tuple[dict[str, Tensor], int]:
        """Return log densities (event,) of totals, layers (where several) and cells, and the boxes cut."""
        cells = self.cells_of(batch)
        features = self.incident(batch.incidents)
        with self.device.full_precision():
            totals = self.totals.log_density(
                features,
                batch.incidents.energies,
                cells.visible * self.threshold,
                cells.count,
                self.threshold,
            )
        facts = self.facts(batch.incidents, cells.visible, cells.count, features)
        nothing = cells.visible.new_zeros(len(batch))
        parts = {"totals": totals.float(), "cells": nothing}
        boxes = 0
        for stage, cuts in self.cuts(facts, cells):
            name = "layers" if stage is self.depth else "cells"
            density = log_density(stage, cuts).view(-1, len(batch))
            parts[name] = parts.get(name, nothing) + density.sum(0)
            boxes += len(cuts.rows)
        return parts, boxes

    @torch.no_grad()
    def cuts(self, facts: EventFacts, cells: CellValues) -> Iterator[tuple[Stage, Cuts]]:
        """Yield every stage and how its boxes of given showers were cut.

        A block is a layer of one event: the first blocks are of the stage's first layer.
        """
        given = compiled_cuts(self)
        if given is None:
            for stage, scene in self.scenes(facts, cells):
                yield stage, stage.cuts(scene)
            return
        totals = self._layer_totals(cells)
        if self.depth is not None:
            yield self.depth, self.depth.cuts(self._depth_scene(facts, totals))
        yield from given.cuts(self, facts, cells, self.surroundings.layer_features(*totals))

    def scenes(self, facts: EventFacts, cells: CellValues) -> Iterator[tuple[Stage, Scene]]:
        """Yield every stage with all that is known of given showers."""
        totals = self._layer_totals(cells)
        if self.depth is not None:
            yield self.depth, self._depth_scene(facts, totals)
        layers = [
            torch.stack([cells.energy[self.tree.cells_of(layer)], cells.hits[self.tree.cells_of(layer)]])
            for layer in range(self.tree.layers)
        ]
        features = self.surroundings.layer_features(*totals)
        memories, moments = self._look_back(facts, layers)
        for stage, plane in zip(self.stages, self.tree.planes, strict=True):
            assert isinstance(stage, Stage)
            here = plane.layers

            def joined(pieces: list[Tensor], here: tuple[int, ...] = here) -> Tensor:
                return torch.cat([pieces[layer] for layer in here], 2)

            before = tuple(
                BoxValues.of_cells(plane.tree, *joined([getattr(memory, name) for memory in memories]))
                for name in ("last", "second", "all")
                if self.depth is not None
            )
            yield (
                stage,
                Scene(
                    BoxValues.of_cells(plane.tree, *joined(layers)),
                    before,
                    torch.arange(len(facts.positions), device=facts.positions.device).repeat(len(here)),
                    facts.features,
                    torch.cat([features[layer] for layer in here]),
                    torch.cat([self.surroundings.flight(facts, layer) for layer in here]),
                    facts.slopes.repeat(len(here), 1),
                    torch.cat([moments[layer] for layer in here]),
                ),
            )

    def _layer_totals(self, cells: CellValues) -> Tensor:
        """Return energies in thresholds and hits of the layers (2, layer, event)."""
        layers = [self.tree.cells_of(layer) for layer in range(self.tree.layers)]
        return torch.stack(
            [torch.stack([one[layer].sum(0) for layer in layers]) for one in (cells.energy, cells.hits)]
        )

    def _depth_scene(self, facts: EventFacts, totals: Tensor) -> Scene:
        """Return all that is known in the tree of layers, whose totals (2, layer, event) are given."""
        return self.surroundings.depth_scene(facts, BoxValues.of_cells(self.tree.depth, *totals))

    def _look_back(self, facts: EventFacts, layers: list[Tensor]) -> tuple[list[Memory], list[Tensor]]:
        """Return the memory and the moments (event, 4, moment) of every layer."""
        memory = self.surroundings.first_memory(len(facts.positions))
        memories = [memory]
        for layer, cells in enumerate(layers[:-1]):
            memory = self.surroundings.remember(memory, cells, layer)
            memories.append(memory)
        sums = [self.surroundings.weigh(layer, cells) for layer, cells in enumerate(layers)]
        return memories, self.surroundings.moments(facts, sums)
