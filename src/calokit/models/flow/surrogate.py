"""Two-stage conditional flow matching: the shower's totals given the incident, then all cells given both.

Stage 1 draws the visible fraction and the hit count, stage 2 all cells. Both learn the velocity of straight
paths from noise to data (Lipman et al., arXiv:2210.02747, eq. 23 with sigma_min = 0). Two stages as in
CaloDREAM (arXiv:2405.09629); the totals carry the energy response, which the cells alone reproduce poorly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from calokit.compute.device import Device
from calokit.compute.draws import NOISE_ROWS, Draws, Noise, Purpose, draw_generator
from calokit.detector import Detector
from calokit.errors import ConfigurationError
from calokit.models.batches import IncidentTensors, TrainingBatch
from calokit.models.flow.calibration import RingCalibration, match_hits
from calokit.models.flow.hit_mixture import HitMixture
from calokit.models.flow.settings import FlowSettings
from calokit.models.flow.transforms import LogCells, ShowerTotals
from calokit.models.parts.blocks import ConvolutionalNetwork, DenseNetwork
from calokit.models.parts.conditions import IncidentEncoder
from calokit.models.parts.places import CartesianImage
from calokit.models.parts.promises import keep_promises
from calokit.models.parts.solvers import find_solver, integrate
from calokit.models.parts.steps import uniform_times
from calokit.models.parts.symmetries import SquareSymmetries
from calokit.models.parts.times import sinusoidal_features
from calokit.models.protocols import Surrogate
from calokit.showers import Showers

SOLVE_ROWS = 128
"""Events solved at a time: their images stay in a processor's cache."""

SMALL_THRESHOLDS = 30.0
"""Hits below so many thresholds may be added or dropped to match the drawn number of hits."""

LARGE_THRESHOLDS = 20.0
"""Cells above so many thresholds alone are scaled, where the settings say so."""

SOFT_THRESHOLDS = 100.0
"""Cells well below so many thresholds keep their energy when a shower is scaled to its visible energy."""


class FlowSurrogate(Surrogate):
    """The two-stage flow for a detector with one Cartesian section.

    Args:
        settings: Sizes, transforms and solvers.
        detector: One section, Cartesian, an even number of rows and columns; layers are channels.

    Raises:
        ConfigurationError: The detector has another readout, or the solver times do not run from 0 to 1.
    """

    def __init__(self, settings: FlowSettings, detector: Detector) -> None:
        super().__init__()
        self.settings = settings
        self.threshold_mev = settings.threshold_mev
        self.conditions = settings.conditions
        self.image = CartesianImage(detector)
        times = settings.times
        if times[0] != 0.0 or times[-1] != 1.0 or list(times) != sorted(times):
            raise ConfigurationError(f"model.times must rise from 0 to 1, given {list(times)}.")
        self.encoder = IncidentEncoder(
            settings.conditions, self.image.pitch_mm, (self.image.rows, self.image.columns)
        )
        self.cells = LogCells(
            settings.threshold_mev, settings.log_scale, settings.zero_mean, settings.zero_width
        )
        self.mixture = HitMixture(settings.zero_mean, settings.zero_width)
        self.calibration = RingCalibration()
        self.totals = ShowerTotals(0.5 * settings.threshold_mev)
        time_width = sinusoidal_features(torch.zeros(1)).shape[1]
        self.totals_velocity = DenseNetwork(
            [self.encoder.width + 2 + time_width, *[settings.totals_width] * settings.totals_layers, 2]
        )
        self.cells_network = ConvolutionalNetwork(
            self.image.layers,
            2,
            self.image.geometry_channels,
            self.encoder.width + 2 + time_width,
            settings.channels,
            settings.blocks,
        )

    def fit_transforms(self, sample: Showers) -> None:
        """Set the scales of conditions and totals from training showers."""
        batch = TrainingBatch.of(sample)
        self.encoder.fit(batch.incidents)
        visible, hits = self._measure_totals(batch.energies)
        full = hits > 0
        if not bool(full.any()):
            raise ConfigurationError(
                f"no cell of the training sample is above {self.settings.threshold_mev} MeV; lower "
                "model.threshold_mev or check the energy unit of the file (MeV)."
            )
        self.totals.fit(batch.incidents.energies[full], visible[full], hits[full])
        self.cells.fit(batch.energies)
        self.mixture.fit(self.cells(batch.energies[full], Draws(draw_generator(0, Purpose.TRANSFORMS, 0))))

    def parts(self) -> dict[str, nn.Module]:
        """Return the two stages, each with an optimiser of its own."""
        return {"totals": self.totals_velocity, "cells": self.cells_network}

    def symmetries(self) -> Callable[[TrainingBatch, Draws], TrainingBatch]:
        """Return the mirror images and turns of the readout."""
        return SquareSymmetries(self.image)

    def losses(self, batch: TrainingBatch, draws: Draws) -> dict[str, Tensor]:
        """Return the flow-matching losses of both stages: mean squared errors of the velocity."""
        visible, hits = self._measure_totals(batch.energies)
        encoded = self.encoder(batch.incidents)
        return {
            "totals": self._totals_loss(batch.incidents.energies, visible, hits, encoded, draws),
            "cells": self._cells_loss(batch, visible, hits, encoded, draws),
        }

    def noise(self) -> dict[str, Noise]:
        """Return what totals and cells start from, and what matches the number of hits."""
        wanted = {"totals": Noise("normal", 2), "cells": Noise("normal", self.image.cells)}
        if self.settings.match_hits:
            matched = Noise("uniform", self.image.cells)
            wanted |= {"matched": matched, "added": matched}
        return wanted

    def showers(self, incidents: IncidentTensors, noise: Mapping[str, Tensor]) -> Tensor:
        """Make totals, then cells; cut at the threshold and scale the cells to the visible energy."""
        values, visible, hits = self._solve_both(incidents, noise)
        rings = self.calibration.groups(self._radius(incidents, values), incidents.energies)
        calibrated = self.calibration(values, rings)
        if self.settings.match_hits:
            small = math.log(SMALL_THRESHOLDS) / self.settings.log_scale
            calibrated = match_hits(
                self.calibration, calibrated, rings, hits, small, noise["matched"], noise["added"]
            )
        energies = self._scale_to_visible(self.cells.inverse(calibrated), visible)
        most = incidents.energies if self.settings.at_most_incident else None
        return keep_promises(energies, self.threshold_mev, most)

    @torch.no_grad()
    def calibrate(self, sample: Showers, draws: Draws) -> None:
        """Set the ring calibration from showers generated for training incidents."""
        batch = self.device.put(TrainingBatch.of(sample))
        wanted = {name: noise for name, noise in self.noise().items() if name in ("totals", "cells")}
        pieces = [batch.incidents[start : start + NOISE_ROWS] for start in range(0, len(batch), NOISE_ROWS)]
        generated = torch.cat(
            [self._solve_both(piece, draws.noise(wanted, len(piece)))[0] for piece in pieces]
        )
        true = self.cells(batch.energies, draws)
        self.calibration.fit(generated, true, self._radius(batch.incidents, true), batch.incidents.energies)

    def _solve_both(
        self, incidents: IncidentTensors, noise: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Solve both flows; return cell values, visible energies (MeV) and hit counts."""
        encoded = self.encoder(incidents)
        visible, hits = self._solve_totals(incidents.energies, encoded, noise["totals"])
        condition = torch.cat([encoded, self._totals_condition(incidents.energies, visible, hits)], dim=1)
        geometry = self.image.geometry(incidents.positions).expand(len(incidents), -1, -1, -1)
        pieces = [slice(start, start + SOLVE_ROWS) for start in range(0, len(incidents), SOLVE_ROWS)]
        values = [self._solve(noise["cells"][piece], geometry[piece], condition[piece]) for piece in pieces]
        return torch.cat(values), visible, hits

    def _solve(self, noise: Tensor, geometry: Tensor, condition: Tensor) -> Tensor:
        """Carry noise (event, cell) to cell values."""

        def velocity(state: Tensor, time: float) -> Tensor:
            return self._cells_velocity(state, geometry, condition, state.new_full((len(state),), time))

        return integrate(find_solver(self.settings.solver), velocity, noise, self.settings.times)

    def _radius(self, incidents: IncidentTensors, values: Tensor) -> Tensor:
        """Return the distance (event, cell) of each cell from the impact, in cell pitches."""
        radius = self.image.radius(incidents.positions)
        return radius[:, None].expand(-1, self.image.layers, -1, -1).flatten(1).expand_as(values)

    def _measure_totals(self, energies: Tensor) -> tuple[Tensor, Tensor]:
        above = energies > self.settings.threshold_mev
        return (energies * above).sum(1), above.sum(1).to(energies.dtype)

    def _totals_condition(self, incident: Tensor, visible: Tensor, hits: Tensor) -> Tensor:
        condition: Tensor = self.totals(incident, visible, hits, torch.full_like(hits, 0.5))
        return condition

    def _totals_loss(
        self, incident: Tensor, visible: Tensor, hits: Tensor, encoded: Tensor, draws: Draws
    ) -> Tensor:
        times_seen = self.settings.totals_draws
        incident, visible, hits = (x.repeat(times_seen) for x in (incident, visible, hits))
        target = self.totals(incident, visible, hits, draws.uniform(len(hits)))
        noise = draws.normal(*target.shape)
        times = _draw_times(len(target), draws)
        state = noise + times[:, None] * (target - noise)
        with Device.holding(state).full_precision():
            predicted = self._totals_velocity(state, encoded.repeat(times_seen, 1), times)
        loss: Tensor = (predicted - (target - noise)).square().mean()
        return loss

    def _cells_loss(
        self, batch: TrainingBatch, visible: Tensor, hits: Tensor, encoded: Tensor, draws: Draws
    ) -> Tensor:
        target = self.cells(batch.energies, draws)
        noise = draws.normal(*target.shape)
        times = _draw_times(len(target), draws)
        state = noise + times[:, None] * (target - noise)
        condition = torch.cat(
            [encoded, self._totals_condition(batch.incidents.energies, visible, hits)], dim=1
        )
        geometry = self.image.geometry(batch.incidents.positions)
        predicted = self._cells_velocity(state, geometry, condition, times)
        full = (hits > 0).to(target.dtype)[:, None]
        error = (predicted - (target - noise)).square() * full
        loss: Tensor = error.sum() / (full.sum() * target.shape[1]).clamp_min(1)
        return loss

    def _solve_totals(self, incident: Tensor, encoded: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        def velocity(state: Tensor, time: float) -> Tensor:
            with Device.holding(state).full_precision():
                return self._totals_velocity(state, encoded, state.new_full((len(state),), time))

        times = uniform_times(self.settings.totals_steps)
        solved = integrate(find_solver(self.settings.totals_solver), velocity, noise, times)
        return self.totals.inverse(solved, incident)

    def _totals_velocity(self, state: Tensor, encoded: Tensor, times: Tensor) -> Tensor:
        inputs = torch.cat([state, encoded, sinusoidal_features(times)], dim=1)
        velocity: Tensor = self.totals_velocity(inputs)
        return velocity

    def _cells_velocity(self, state: Tensor, geometry: Tensor, condition: Tensor, times: Tensor) -> Tensor:
        full_condition = torch.cat([condition, sinusoidal_features(times)], dim=1)
        outputs = self.cells_network(self.image.fold(state), geometry, full_condition).float()
        log_odds, correction = outputs.flatten(1).chunk(2, dim=1)
        velocity: Tensor = self.mixture(state, times, log_odds, correction)
        return velocity

    def _scale_to_visible(self, energies: Tensor, visible: Tensor) -> Tensor:
        """Bring the sum of the cells to the drawn visible energy, moving large cells more than small ones.

        Cells take up the difference in proportion to e^2 / (e + SOFT): all of them, or the large ones alone,
        so that the spectrum of small deposits (with its lines) stays as it was drawn. Rarely, where that
        would take too much, all are scaled; showers without a large cell stay as they were drawn.
        """
        threshold = self.settings.threshold_mev
        share = energies.square() / (energies + SOFT_THRESHOLDS * threshold)
        if self.settings.scaling == "large_cells":
            share = share * (energies > LARGE_THRESHOLDS * threshold)
        total = energies.sum(1, keepdim=True)
        missing = visible[:, None] - total
        scaled = energies + missing * share / share.sum(1, keepdim=True).clamp_min(1e-12)
        everywhere = energies * visible[:, None] / total.clamp_min(1e-12)
        moving = (energies * (share > 0)).sum(1, keepdim=True)
        return torch.where((missing < -0.5 * moving) & (moving > 0), everywhere, scaled)


def _draw_times(count: int, draws: Draws) -> Tensor:
    """Draw logit-normal times (Esser et al., arXiv:2403.03206), stratified over the batch."""
    place = (draws.permutation(count) + draws.uniform(count)) / count
    return torch.sigmoid(torch.special.ndtri(place.clamp(1e-6, 1 - 1e-6)))
