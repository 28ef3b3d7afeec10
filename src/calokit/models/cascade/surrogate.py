"""The splitting cascade as a surrogate: totals, then layers, then the cells of each layer in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from calokit.compute.device import Device
from calokit.compute.draws import Draws, Noise
from calokit.compute.precision import PLAIN, Precision
from calokit.detector import Detector
from calokit.models.batches import IncidentTensors, TrainingBatch
from calokit.models.cascade.boxes import BoxValues
from calokit.models.cascade.incident_features import IncidentFeatures
from calokit.models.cascade.likelihood import CascadeLikelihood
from calokit.models.cascade.planes import grow_trees
from calokit.models.cascade.scenes import LAYER_FEATURES, EventFacts, Memory, Surroundings, moments_of
from calokit.models.cascade.settings import CascadeSettings
from calokit.models.cascade.sight import (
    BoxPart,
    FlightPart,
    IncidentPart,
    LayerPart,
    MemoryPart,
    MomentPart,
    OwnPart,
    Part,
    Scene,
    WindowPart,
)
from calokit.models.cascade.spectral_lines import SMALLEST_WIDTH, measure_lines
from calokit.models.cascade.stage import Stage, uniform_pair
from calokit.models.cascade.symmetries import find_symmetries
from calokit.models.cascade.tables import BoxTables
from calokit.models.cascade.threshold import choose_training_threshold
from calokit.models.cascade.totals import Totals
from calokit.models.cascade.tree import SplitTree
from calokit.models.cascade.window import AROUND, BESIDE
from calokit.models.protocols import CumulativeValues, Surrogate
from calokit.showers import Showers

FIRST_BOX = 16
"""Counter of the first box; those before it are for the totals."""

FIT_CELLS = 1_000_000
"""The scales of the inputs are found on showers of about so many cells together."""

CHUNK_CELLS = 800_000
"""Showers with about so many cells in a layer together are drawn at a time."""

CHUNK_SHOWERS = 2048
"""At most so many showers are drawn at a time."""

LINE_WIDTHS = 5.0
"""Cells within so many widths of a line without width are given its energy."""

TOTALS_FEATURES = 3


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

    blocks_at_once = 8
    threshold: Tensor
    exact_lines: Tensor

    def __init__(self, settings: CascadeSettings, detector: Detector) -> None:
        super().__init__()
        self.settings = settings
        self.tree = grow_trees(detector)
        self.surroundings = Surroundings(self.tree)
        self.images = find_symmetries(detector, self.tree)
        self.incident = IncidentFeatures(settings.conditions, self.tree.planes[self.tree.plane_of[0]].grid)
        self.totals = Totals(
            self.incident.width, settings.totals_width, settings.totals_terms, detector.number_of_cells
        )
        self.register_buffer("threshold", torch.tensor(settings.threshold_mev or 0.1, dtype=torch.float32))
        self.register_buffer("exact_lines", torch.zeros(settings.line_terms))
        self.depth = self._make_stage(None) if self.tree.layers > 1 else None
        self.stages = nn.ModuleList(self._make_stage(number) for number in range(len(self.tree.planes)))
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
        """Return the totals and the boxes, each with an optimiser of its own."""
        stages = list(self.stages) if self.depth is None else [self.depth, *self.stages]
        return {"totals": self.totals, "cascade": nn.ModuleList(stages)}

    def fit_transforms(self, sample: Showers) -> None:
        """Choose the threshold where it is open, and set trends and scales."""
        if self.settings.threshold_mev is None:
            self.threshold.fill_(choose_training_threshold(sample.energies))
        batch = TrainingBatch.of(sample)
        self.incident.fit(batch.incidents)
        cells = self.cells_of(batch)
        full = cells.count > 0
        visible = cells.visible * self.threshold
        self.totals.fit(batch.incidents.energies[full], visible[full], cells.count[full])
        found = measure_lines(sample.energies, self.threshold_mev, self.settings.line_terms)
        lines = [torch.from_numpy(one).float() for one in found[:2]]
        exact = np.where(found[1] <= SMALLEST_WIDTH, found[2], 0.0)
        self.exact_lines.copy_(torch.from_numpy(exact))
        few = batch[: max(64, FIT_CELLS // sample.detector.number_of_cells)]
        cells = self.cells_of(few)
        facts = self.facts(few.incidents, cells.visible, cells.count)
        for stage, scene in self.scenes(facts, cells):
            stage.fit(scene)
            stage.place_lines(*lines)

    def adapt_start(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return all but the trends and bounds of the totals: those are of the showers trained on now."""
        own = {f"totals.{name}" for name, _ in self.totals.named_buffers()}
        return {name: one for name, one in tensors.items() if name not in own}

    def symmetries(self) -> Callable[[TrainingBatch, Draws], TrainingBatch] | None:
        """Return the mirror images and turns of the detector, or None where it has none."""
        return self.images if len(self.images) > 1 else None

    def losses(self, batch: TrainingBatch, draws: Draws) -> dict[str, Tensor]:
        """Return the negative log-likelihoods: of the totals a shower, of the boxes a box."""
        del draws  # nothing is drawn: the likelihood is exact
        totals, boxes, count = self._log_densities(batch)
        return {"totals": -totals.mean(), "cascade": -boxes.sum() / max(count, 1)}

    def validation_losses(self, batch: TrainingBatch, draws: Draws) -> dict[str, Tensor]:
        """Return the negative log-likelihoods of totals and boxes, a shower."""
        del draws
        totals, boxes, _ = self._log_densities(batch)
        return {"totals": -totals.mean(), "cascade": -boxes.mean()}

    def log_likelihood(self, batch: TrainingBatch) -> Tensor:
        """Return the log density of each shower (event,) given its incident particle.

        A density in the energies (MeV) of the cells that have hits; which cells those are is a probability.
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
        keys = noise["key"][:, 0]
        largest = max(plane.cells for plane in self.tree.planes)
        size = min(max(64, CHUNK_CELLS // largest), CHUNK_SHOWERS)
        pieces = [
            self._draw(incidents[start : start + size], keys[start : start + size])
            for start in range(0, len(incidents), size)
        ]
        return torch.cat(pieces)

    @torch.no_grad()
    def complete(self, batch: TrainingBatch, keys: Tensor, layers: int) -> Tensor:
        """Return showers whose cells behind the first layers are drawn anew; see `CompletesShowers`."""
        self.incident.need(batch.incidents)
        cells = self.cells_of(batch)
        facts = self.facts(batch.incidents, cells.visible, cells.count)
        places = [self.tree.cells_of(layer) for layer in range(self.tree.layers)]
        known = [torch.stack([cells.energy[place], cells.hits[place]]) for place in places]
        totals = torch.stack([one.sum(1) for one in known], 1)
        drawn = self._to_mev(self._draw_cells(facts, totals, keys, known[:layers]))
        first = self.tree.first_cells[layers]
        drawn[:, :first] = torch.where(batch.energies > self.threshold, batch.energies, 0.0)[:, :first]
        return drawn

    def _make_stage(self, plane: int | None) -> Stage:
        """Return the networks of a plane's tree, or of the layers' (None)."""
        settings, names = self.settings, self.settings.parts
        if plane is None:
            tables = BoxTables(self.tree.depth, None)
        else:
            tables = BoxTables(self.tree.planes[plane].tree, self.tree.planes[plane])
        neighbours = len(BESIDE if plane is None else AROUND)
        stacked = plane is not None and self.tree.layers > 1
        incident = self.incident.width + TOTALS_FEATURES
        choices: list[tuple[str, bool, Part]] = [
            ("incident", True, IncidentPart(incident)),
            ("box", True, BoxPart(tables.shape.shape[1])),
            ("flight", plane is not None, FlightPart()),
            ("window", True, WindowPart(neighbours)),
            ("layer", stacked, LayerPart(LAYER_FEATURES)),
            ("memory", stacked, MemoryPart(neighbours)),
            ("moments", stacked, MomentPart()),
        ]
        parts = [part for name, there, part in choices if there and name in names]
        terms = (settings.shared_terms, settings.own_terms, settings.line_terms)
        return Stage(tables, [OwnPart(), *parts], settings.width, settings.layers, settings.hit_terms, terms)

    def cells_of(self, batch: TrainingBatch) -> CellValues:
        """Return showers as the cascade sees them."""
        energies = batch.energies.T
        above = energies > self.threshold
        energy = torch.where(above, energies / self.threshold, 0.0).contiguous()
        hits = above.to(energy.dtype).contiguous()
        return CellValues(energy, hits, energy.sum(0), hits.sum(0))

    def facts(self, incidents: IncidentTensors, visible: Tensor, count: Tensor) -> EventFacts:
        """Return what is known of events: incident particles, visible energy in thresholds, hits (event,)."""
        logarithms = [torch.log1p(visible), torch.log1p(count)]
        totals = torch.stack([*logarithms, logarithms[0] - logarithms[1]], 1)
        return EventFacts(
            torch.cat([self.incident(incidents), totals], 1),
            self.incident.positions(incidents),
            self.incident.slopes(incidents),
        )

    def _log_densities(self, batch: TrainingBatch) -> tuple[Tensor, Tensor, int]:
        """Return log densities of totals and of boxes (event,), and how many boxes were cut."""
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
        facts = self.facts(batch.incidents, cells.visible, cells.count)
        boxes = cells.visible.new_zeros(len(batch))
        count = 0
        for stage, scene in self.scenes(facts, cells):
            density, cut = stage.log_density(scene)
            boxes = boxes.index_add(0, scene.event, density)
            count += cut
        return totals.float(), boxes, count

    def scenes(self, facts: EventFacts, cells: CellValues) -> Iterator[tuple[Stage, Scene]]:
        """Yield every stage with all that is known of given showers."""
        layers = [
            torch.stack([cells.energy[self.tree.cells_of(layer)], cells.hits[self.tree.cells_of(layer)]])
            for layer in range(self.tree.layers)
        ]
        totals = torch.stack([one.sum(1) for one in layers], 1)
        if self.depth is not None:
            yield (
                self.depth,
                self.surroundings.depth_scene(facts, BoxValues.of_cells(self.tree.depth, *totals)),
            )
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

    def _look_back(self, facts: EventFacts, layers: list[Tensor]) -> tuple[list[Memory], list[Tensor]]:
        """Return the memory and the moments (event, 2, moment) of every layer."""
        memory = self.surroundings.first_memory(len(facts.positions))
        memories = [memory]
        for layer, cells in enumerate(layers[:-1]):
            memory = self.surroundings.remember(memory, cells, layer)
            memories.append(memory)
        sums = [self.surroundings.weigh(layer, cells[0]) for layer, cells in enumerate(layers)]
        return memories, self.surroundings.moments(facts, sums)

    def _draw(self, incidents: IncidentTensors, keys: Tensor) -> Tensor:
        """Draw showers (event, cell) in MeV."""
        features = self.incident(incidents)
        uniforms = [
            one for number in range(3) for one in uniform_pair(keys, torch.full_like(keys, 2 * number))
        ]
        with self.device.full_precision():
            visible, count = self.totals.draw(
                features, incidents.energies, self.threshold, tuple(uniforms[:5])
            )
        visible = visible / self.threshold
        facts = self.facts(incidents, visible, count)
        totals = self._draw_layers(facts, visible, count, keys)
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
        last = total = self.surroundings.weigh(0, memory.last[0])
        drawn: list[Tensor] = []
        before: tuple[BoxValues, ...] = ()
        values = None
        for layer, kind in enumerate(self.tree.plane_of):
            stage, plane = self.stages[kind], self.tree.planes[kind]
            assert isinstance(stage, Stage)
            if self.depth is not None:
                same = values is not None and kind == self.tree.plane_of[layer - 1]
                before = _look_back_once(before, values if same else None, memory, plane.tree)
            flight = self.surroundings.flight(facts, layer)
            given = layer < len(known)
            values = (
                BoxValues.of_cells(plane.tree, *known[layer])
                if given
                else BoxValues.empty(plane.tree.boxes, totals[:, layer])
            )
            moments = torch.stack([moments_of(last, flight), moments_of(total, flight)], 1)
            scene = Scene(
                values, before, events, facts.features, features[layer], flight, facts.slopes, moments
            )
            if not given:
                stage.draw(scene, keys, self.first_numbers[layer])
            cells = torch.stack([values.energy[plane.tree.leaves], values.hits[plane.tree.leaves]])
            drawn.append(cells[0])
            if layer + 1 < self.tree.layers:
                memory = self.surroundings.remember(memory, cells, layer)
                last = self.surroundings.weigh(layer, cells[0])
                total = total + last
        return torch.cat(drawn)

    def _draw_layers(self, facts: EventFacts, visible: Tensor, count: Tensor, keys: Tensor) -> Tensor:
        """Draw energy and hits of every layer (2, layer, event)."""
        depth = BoxValues.empty(self.tree.depth.boxes, torch.stack([visible, count]))
        if self.depth is not None:
            self.depth.draw(self.surroundings.depth_scene(facts, depth), keys, FIRST_BOX)
        leaves = self.tree.depth.leaves
        return torch.stack([depth.energy[leaves], depth.hits[leaves]])

    def _to_mev(self, energy: Tensor) -> Tensor:
        """Return energies (event, cell) in MeV, of hits never at or below the threshold."""
        least = torch.nextafter(self.threshold, self.threshold + 1)
        found = torch.where(energy > 0, (energy * self.threshold).clamp_min(float(least)), 0.0)
        for line in self.exact_lines[self.exact_lines > self.threshold]:  # narrower than can be drawn
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
