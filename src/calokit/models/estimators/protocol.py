"""What every reconstruction network offers: estimates of the incident particle from the hits of a shower."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from calokit.classical.energy import CalibratedSum
from calokit.classical.hits import CellGrid, GridHits
from calokit.classical.track_fit import LineFit, directions_to_slopes
from calokit.compute.draws import Draws
from calokit.detector import Detector
from calokit.models.estimators.hit_batch import HitBatch
from calokit.models.protocols import FinishingData, Trainable
from calokit.showers import Showers
from calokit.units import MEV_PER_GEV

DEPOSIT_CLASSES = 4
"""Classes of the deposit for which the classical line knows the errors of its centroids."""


@dataclass(frozen=True)
class Estimates:
    """Estimates for some events; None where the network does not give them.

    Attributes:
        energy: (event,) MeV.
        energy_uncertainty: (event,) MeV, one standard deviation.
        position: (event, 2) x and y at the front face, mm.
        position_uncertainty: (event, 2) mm.
        direction: (event, 3) unit vectors.
        direction_uncertainty: (event, 2) of the angles of the projections to the xz and yz planes, rad.
        count: (event,) number of particles.
        particle_energy: (event, particle) MeV, the largest first, 0 where there is no particle.
        particle_position: (event, particle, 2) mm.
    """

    energy: Tensor | None = None
    energy_uncertainty: Tensor | None = None
    position: Tensor | None = None
    position_uncertainty: Tensor | None = None
    direction: Tensor | None = None
    direction_uncertainty: Tensor | None = None
    count: Tensor | None = None
    particle_energy: Tensor | None = None
    particle_position: Tensor | None = None

    def columns(self) -> dict[str, np.ndarray]:
        """Return what is estimated, by name."""
        known = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value.cpu().numpy() for name, value in known.items() if value is not None}


def unit_vectors(slopes: Tensor) -> Tensor:
    """Return float32 unit vectors (event, 3) of slopes dx/dz and dy/dz (event, 2)."""
    exact = slopes.double()
    length = (exact.square().sum(dim=1, keepdim=True) + 1.0).sqrt()
    return (torch.nn.functional.pad(exact, (0, 1), value=1.0) / length).float()


class Reconstructor(Trainable[HitBatch]):
    """A network from the hits of a shower to its incident particle.

    Args:
        detector: A detector of one Cartesian section.

    Raises:
        ConfigurationError: The detector has another readout.
    """

    keeps_inputs: ClassVar[bool] = True
    fit_seed: ClassVar[int | None] = 1
    """Runs of all seeds have equal transforms, so that they can be joined."""
    hit_scale_mev: float = 0.1
    """Energy by which deposits enter networks as ln(1 + e / scale); about a particle's most probable one."""
    looks_at_neighbours: bool = False
    learns_entries: bool = False
    """Whether charged entries are among what it trains on."""

    sum_line: Tensor
    line_errors: Tensor
    line_deposits: Tensor
    line_numbers: Tensor

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.grid = CellGrid.of(detector)
        layers = self.grid.shape[0]
        self.register_buffer("sum_line", torch.tensor([1.0, 0.0], dtype=torch.float64))
        self.register_buffer("line_errors", torch.ones(DEPOSIT_CLASSES, layers, 2, dtype=torch.float64))
        self.register_buffer("line_deposits", torch.ones(DEPOSIT_CLASSES, dtype=torch.float64))
        self.register_buffer("line_numbers", torch.zeros(6, dtype=torch.float64))

    def fit_transforms(self, sample: Showers) -> None:
        """Calibrate the classical sum and line on training showers."""
        line = CalibratedSum.fit(sample.visible_energies, sample.incident_energies.astype(np.float64))
        self.sum_line.copy_(torch.tensor([line.slope, line.offset_mev]))
        positions = np.zeros((len(sample), 2)) if sample.positions is None else sample.positions
        slopes = (
            np.zeros((len(sample), 2))
            if sample.directions is None
            else directions_to_slopes(sample.directions)
        )
        fit = LineFit.fit(GridHits.of(sample), positions.astype(np.float64), slopes)
        self.line_errors.copy_(torch.from_numpy(fit.layer_errors))
        self.line_deposits.copy_(torch.from_numpy(fit.deposits))
        numbers = [fit.cut, fit.reach_mm, *fit.prior_slopes, *fit.prior_widths]
        self.line_numbers.copy_(torch.tensor(numbers, dtype=torch.float64))

    @property
    def line_fit(self) -> LineFit:
        """The classical line fit, as calibrated."""
        cut, reach, *rest = self.line_numbers.cpu().tolist()
        return LineFit(
            cut,
            reach,
            self.line_errors.cpu().numpy(),
            self.line_deposits.cpu().numpy(),
            np.array(rest[:2]),
            np.array(rest[2:]),
        )

    def prepare(self, showers: Showers) -> HitBatch:
        """Return the hits, and what classical reconstruction makes of them."""
        hits = GridHits.of(showers)
        fitted = self.line_fit(hits)
        lines = np.concatenate([fitted.positions, fitted.slopes], axis=1).astype(np.float32)
        neighbours = None
        if self.looks_at_neighbours:
            scaled = np.log1p(hits.neighbourhoods() / self.hit_scale_mev)
            neighbours = torch.from_numpy(scaled.astype(np.float16))
        entries = None
        if self.learns_entries and showers.entries is not None:
            counts = showers.entries[hits.event, hits.cell].astype(np.float32)
            entries = torch.from_numpy(counts[:, None])
        return HitBatch.of(showers, hits, neighbours, torch.from_numpy(lines), entries)

    def classical_energy(self, batch: HitBatch) -> Tensor:
        """Return the calibrated sum (event,), GeV, never below 0.05 GeV."""
        deposits = batch.sums.sum(dim=1)
        energy: Tensor = (self.sum_line[0] * deposits + self.sum_line[1]) / MEV_PER_GEV
        return energy.clamp_min(0.05)

    def finish(self, data: FinishingData[HitBatch], draws: Draws) -> None:
        """Correct biases and uncertainties on validation showers."""
        del draws
        self.calibrate_on(data.whole_validation())

    def calibrate_on(self, batch: HitBatch) -> None:
        """Correct biases and uncertainties, after training, on showers that did not train; by default not.

        Args:
            batch: Validation showers.
        """

    @abstractmethod
    def estimate(self, batch: HitBatch) -> Estimates:
        """Return what the network makes of the hits."""
