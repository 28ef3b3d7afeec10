"""Incident particles from showers by the likelihood of a surrogate: posterior means and widths.

The maximum is found by Newton steps on parabolas through points one step apart, all showers of a block at
once; then the posterior with a flat prior is integrated by importance sampling about it. The mean of the
posterior has the least squared error of all estimates, if the density is right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from calokit.arrays import Float64, Integer
from calokit.bundles.ranges import ENERGY, KINDS
from calokit.compute.device import CPU, Device
from calokit.compute.draws import Draws, Purpose, draw_generator
from calokit.detector import Detector
from calokit.inference.condition_space import ConditionSpace
from calokit.models.batches import TrainingBatch
from calokit.models.estimators.protocol import Estimates, unit_vectors
from calokit.models.protocols import HasLikelihood
from calokit.showers import Showers

CANDIDATES = 200
"""Energies among which a search begins."""
SCAN = 4
"""Impacts are scanned so many steps to either side of the centre of the deposits, along x and then y."""
SCAN_STEP = 0.125
"""One step of it, in widths of a cell."""
CELL_WEIGHT = 4.0
"""A cell weighs in the centre as the logarithm of its part of the deposits plus this, if that is positive."""
NEWTON_STEPS = 3
FIRST_STEP = {"position": 0.06, "direction": 0.1}
"""First distance of the points of a parabola, in widths of a cell and in parts of the box."""
ENERGY_STEP = 0.7
"""That of ln(energy), in standard deviations of what the totals leave over."""
SMALLEST_ENERGY_STEP = 0.01
LONGEST = 3.0
"""A Newton step takes at most so many of these distances."""
SHRINK, GROW = 0.3, 2.0
"""By how much the distances may change from step to step."""
SAMPLES = 48
"""Points that the posterior is integrated over; half of them mirror the others."""
WIDER = 1.3
"""Points spread so much wider than the parabola says."""

LogLikelihood = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Parabola:
    """A log-likelihood about a point, for each shower.

    Attributes:
        centre: (event, coordinate).
        value: At the centre (event,).
        gradient: (event, coordinate).
        curvature: Minus the second derivatives (event, coordinate, coordinate).
        best: The highest of the points that it was fitted through (event, coordinate).
        height: The value there (event,).
    """

    centre: Tensor
    value: Tensor
    gradient: Tensor
    curvature: Tensor
    best: Tensor
    height: Tensor

    @classmethod
    def through(
        cls, log_likelihood: LogLikelihood, centre: Tensor, step: Tensor, pairs: list[tuple[int, int]]
    ) -> Parabola:
        """Fit it through points one step (event, coordinate) apart along each axis, and across pairs."""
        count = centre.shape[1]
        value = log_likelihood(centre)
        curvature = value.new_zeros(len(value), count, count)
        gradient = torch.zeros_like(centre)
        up: list[Tensor] = []
        best, height = centre, value
        for axis in range(count):
            shift = torch.zeros_like(step)
            shift[:, axis] = step[:, axis]
            above, below = log_likelihood(centre + shift), log_likelihood(centre - shift)
            gradient[:, axis] = (above - below) / (2 * step[:, axis])
            curvature[:, axis, axis] = (2 * value - above - below) / step[:, axis].square()
            up.append(above)
            for point, found in ((centre + shift, above), (centre - shift, below)):
                best = torch.where((found > height)[:, None], point, best)
                height = torch.maximum(found, height)
        for one, two in pairs:
            shift = torch.zeros_like(step)
            shift[:, [one, two]] = step[:, [one, two]]
            mixed = log_likelihood(centre + shift) - up[one] - up[two] + value
            curvature[:, one, two] = curvature[:, two, one] = -mixed / (step[:, one] * step[:, two])
        return cls(centre, value, gradient, curvature, best, height)

    def axes(self, widths: Tensor) -> tuple[Tensor, Tensor]:
        """Return precisions and principal axes in units of widths, none below that of a flat prior.

        Args:
            widths: Standard deviations of the prior (coordinate,).
        """
        scaled = self.curvature * widths[:, None] * widths
        scaled = scaled + torch.eye(len(widths), dtype=scaled.dtype)
        precision, axes = torch.linalg.eigh(scaled)
        return precision.clamp_min(1.0), axes


class LikelihoodFit:
    """Estimates incident particles by a surrogate that knows its density.

    Args:
        model: The surrogate.
        space: The conditions that are looked for.
        detector: Its detector.
        device: Where the surrogate is.
        seed: Decides the points that the posterior is integrated over.
    """

    def __init__(
        self,
        model: HasLikelihood,
        space: ConditionSpace,
        detector: Detector,
        device: Device = CPU,
        seed: int = 1,
    ) -> None:
        self.model = model
        self.device = device
        self.space = space.to(device)
        places = np.column_stack([detector.cells.x, detector.cells.y])
        self.places = device.put(torch.from_numpy(places).float())
        self.pitch_mm = find_pitch(places, np.asarray(detector.cells.layer))
        steps = [FIRST_STEP.get(kind_of(name), 0.0) for name in space.names]
        scales = {"position": self.pitch_mm}
        boxes = (space.high - space.low).tolist()
        first = [
            step * scales.get(kind_of(name), box)
            for name, step, box in zip(space.names, steps, boxes, strict=True)
        ]
        self.first_steps = device.put(torch.tensor(first).double())
        half = Draws(draw_generator(seed, Purpose.LIKELIHOOD, 0)).normal(SAMPLES // 2, len(space))
        self.points = device.put(torch.cat([half, -half]))
        self.middle = ((self.space.low + self.space.high) / 2).double()
        self.box_widths = ((self.space.high - self.space.low) / 12**0.5).double()

    @torch.inference_mode()
    def estimate(self, showers: Showers) -> Estimates:
        """Return posterior means and standard deviations of what the model knows of incident particles."""
        energies = self.device.put(TrainingBatch.of(showers)).energies
        likelihood = self.model.likelihood_of(energies)

        def log_posterior(points: Tensor) -> Tensor:
            inside = points.clamp(self.space.low, self.space.high)
            found = likelihood(self.space.incidents(inside.float())).double()
            return found + self.space.power * inside[:, self.space.names.index(ENERGY)]

        peak = self._climb(log_posterior, *self._start(log_posterior, energies))
        points, weights = self._sample(log_posterior, peak)
        return self._summarise(points, weights)

    def _start(self, log_posterior: LogLikelihood, energies: Tensor) -> tuple[Tensor, Tensor]:
        """Return where the search begins (event, coordinate), and the first steps.

        The energy is the mean that the totals leave over within the training range, the impact the
        log-weighted centre of the deposits (Awes et al., Nucl. Instrum. Meth. A 311 (1992) 130), moved to the
        best of a scan.
        """
        space = self.space
        start = self.middle.expand(len(energies), -1).clone()
        energy = space.names.index(ENERGY)
        low, high = float(space.low[energy]) + space.beyond, float(space.high[energy]) - space.beyond
        candidates = torch.linspace(low, high, CANDIDATES, device=start.device).double()
        scanned = self.model.scan_energies(energies, torch.exp(candidates).float()).double()
        weights = torch.softmax(scanned + space.power * candidates, 1)
        start[:, energy] = weights @ candidates
        spread = (weights * (candidates - start[:, energy, None]).square()).sum(1).sqrt()
        step = self.first_steps.expand_as(start).clone()
        step[:, energy] = (ENERGY_STEP * spread).clamp_min(SMALLEST_ENERGY_STEP)
        total = energies.sum(1, keepdim=True).clamp_min(1e-9)
        weights = (CELL_WEIGHT + torch.log((energies / total).clamp_min(1e-9))).clamp_min(0.0)
        centres = weights @ self.places / weights.sum(1, keepdim=True).clamp_min(1e-9)
        for axis, letter in enumerate("xy"):
            if f"impact {letter}" in space.names:
                start[:, space.names.index(f"impact {letter}")] = centres[:, axis].double()
        start = start.clamp(space.low, space.high)
        for letter in "xy":
            if f"impact {letter}" in space.names:
                start = self._scan(log_posterior, start, space.names.index(f"impact {letter}"))
        return start, step

    def _scan(self, log_posterior: LogLikelihood, start: Tensor, axis: int) -> Tensor:
        """Return the highest (event, coordinate) of points along one coordinate."""
        best, height = start, log_posterior(start)
        for number in (*range(-SCAN, 0), *range(1, SCAN + 1)):
            point = start.clone()
            point[:, axis] += number * SCAN_STEP * self.pitch_mm
            found = log_posterior(point)
            best = torch.where((found > height)[:, None], point, best)
            height = torch.maximum(found, height)
        return best

    def _climb(self, log_posterior: LogLikelihood, centre: Tensor, step: Tensor) -> Parabola:
        """Return the parabola about the highest point that Newton steps reach."""
        space = self.space
        for _ in range(NEWTON_STEPS):
            found = Parabola.through(log_posterior, centre, step, space.pairs)
            precision, axes = found.axes(self.box_widths)
            pull = torch.einsum("eji,ej->ei", axes, found.gradient * self.box_widths) / precision
            move = self.box_widths * torch.einsum("eij,ej->ei", axes, pull)
            move = torch.maximum(torch.minimum(move, LONGEST * step), -LONGEST * step)
            target = (centre + move).clamp(space.low, space.high)
            better = (log_posterior(target) >= found.height)[:, None]
            centre = torch.where(better, target, found.best.clamp(space.low, space.high))
            width = self.box_widths * torch.einsum("eij,ej->ei", axes.square(), 1 / precision).sqrt()
            step = torch.maximum(torch.minimum(width, GROW * step), SHRINK * step)
        return Parabola.through(log_posterior, centre, step, space.pairs)

    def _sample(self, log_posterior: LogLikelihood, peak: Parabola) -> tuple[Tensor, Tensor]:
        """Return points (sample, event, coordinate) of the posterior and their weights (sample, event).

        They lie about the peak, and where the likelihood is flat about the middle of the box.
        """
        precision, axes = peak.axes(self.box_widths)
        off = torch.einsum("eji,ej->ei", axes, (peak.centre - self.middle) / self.box_widths)
        known = torch.einsum("eij,ej->ei", axes, off * (1.0 - 1.0 / precision))
        spread = WIDER * self.box_widths[:, None] * axes / precision.sqrt()[:, None, :]
        about = self.middle + self.box_widths * known
        points = about + torch.einsum("eij,sj->sei", spread, self.points.double())
        heights = []
        for normal, here in zip(self.points, points, strict=True):
            outside = ((here < self.space.low) | (here > self.space.high)).any(1)
            height = log_posterior(here) + 0.5 * normal.double().square().sum()
            heights.append(height.masked_fill(outside, -torch.inf))
        height = torch.stack(heights)
        nowhere = torch.isinf(height).all(0)
        height[0, nowhere] = 0.0
        points[0, nowhere] = about[nowhere]
        return points, torch.softmax(height, 0)

    def _summarise(self, points: Tensor, weights: Tensor) -> Estimates:
        """Return weighted means and standard deviations."""
        flat = points.reshape(-1, len(self.space)).float()
        incidents = self.space.incidents(flat)
        shape = weights.shape
        energy, energy_width = _moments(incidents.energies.view(shape)[..., None], weights)
        found: dict[str, Tensor] = {"energy": energy[:, 0], "energy_uncertainty": energy_width[:, 0]}
        looked_for = {kind_of(name) for name in self.space.names}
        if "position" in looked_for:
            assert incidents.positions is not None
            place = _moments(incidents.positions.view(*shape, 2), weights)
            found |= {"position": place[0], "position_uncertainty": place[1]}
        if "direction" in looked_for or self.space.tie is not None:
            assert incidents.directions is not None
            angle = incidents.directions.norm(dim=1, keepdim=True).clamp_min(1e-9)
            slopes = (incidents.directions * torch.tan(angle) / angle).view(*shape, 2)
            mean, _ = _moments(slopes, weights)
            found["direction"] = unit_vectors(mean)
            found["direction_uncertainty"] = _moments(torch.atan(slopes), weights)[1]
        return Estimates(**{name: one.float() for name, one in found.items()})


def kind_of(name: str) -> str:
    """Return the condition that a coordinate belongs to: energy, position or direction."""
    return KINDS.get(name, "direction")


def find_pitch(places: Float64, layers: Integer) -> float:
    """Return the median distance in mm from a cell of the first layer (cell, 2) to the nearest other one."""
    first = np.unique(places[layers == layers[0]], axis=0)
    if len(first) < 2:
        return 1.0
    return float(np.median(cKDTree(first).query(first, 2)[0][:, 1]))


def _moments(values: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return weighted means and standard deviations over the first axis of values (sample, event, k)."""
    mean = (weights[..., None] * values).sum(0)
    width = (weights[..., None] * (values - mean).square()).sum(0).sqrt()
    return mean, width
