"""The parametric simulation: incident particles in, deposits in the cells out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calokit.arrays import Float32, Float64, Integer
from calokit.detector import CartesianReadout, Detector
from calokit.detector.tile_sharing import tile_smearing
from calokit.showers.particles import Particles
from calokit.simulation.parametric.electromagnetic import (
    RadialProfiles,
    count_spots,
    draw_profiles,
    spread_across,
)
from calokit.simulation.parametric.hadronic import (
    HADRON_RESOLUTION_FACTOR,
    HADRON_TO_ELECTRON,
    draw_hadronic_profiles,
    hadronic_radii,
)
from calokit.simulation.parametric.medium import DepthSteps, average_medium, cut_into_steps
from calokit.simulation.parametric.spots import spread_spots
from calokit.units import MEV_PER_GEV

MUON = 13
NEUTRAL = (2112, -2112, 130)
LANDAU_SPREAD = 0.15
"""Spread of the loss of a minimum ionising particle in a step, in units of the mean loss."""


@dataclass(frozen=True, eq=False)
class _Incidents:
    """Incident particles one after the other, with the event of each."""

    event: Integer
    energies_mev: Float64
    pdg: Integer
    impacts: Float64
    slopes: Float64

    @property
    def stretch(self) -> Float64:
        """Path length for each mm of depth (particle,)."""
        path: Float64 = np.sqrt(1.0 + (self.slopes**2).sum(axis=1))
        return path

    def select(self, chosen: NDArray[np.bool_]) -> _Incidents:
        """Return some of them."""
        return _Incidents(
            self.event[chosen],
            self.energies_mev[chosen],
            self.pdg[chosen],
            self.impacts[chosen],
            self.slopes[chosen],
        )


class ParametricSimulator:
    """Makes showers by formulas.

    Electrons, positrons and photons follow Grindhammer and Peters (arXiv:hep-ex/0001020), hadrons the two
    components of Bock et al. (Nucl. Instrum. Meth. 186 (1981) 533), muons leave a track. What leaves the
    detector at its back, front or sides is lost.

    Args:
        detector: Every section needs slabs.

    Raises:
        DetectorError: A section describes no material.

    Example:
        >>> from calokit.detector import load_detector
        >>> from calokit.simulation.sample import load_sample
        >>> detector = load_detector("clic_ecal")
        >>> particles = load_sample("clic_electrons").draw(1, 0, 200)
        >>> deposits = ParametricSimulator(detector).simulate(particles, np.random.default_rng(1))
        >>> deposits.shape, bool(0.015 < deposits.sum() / particles.total_energies.sum() < 0.025)
        ((200, 15625), True)
    """

    def __init__(self, detector: Detector) -> None:
        detector.radiation_lengths  # noqa: B018 (refuses a section without material)
        self.detector = detector
        self.media = [average_medium(detector, section) for section in detector.sections]
        self.steps: DepthSteps = cut_into_steps(detector, self.media)
        sections = self.steps.section
        self._sampling = np.array([medium.sampling_fraction for medium in self.media])[sections]
        self._variance = np.array([medium.resolution**2 for medium in self.media])[sections]
        self._moliere = np.array([medium.moliere_radius_mm for medium in self.media])[sections]
        thickness = self.steps.back_mm - self.steps.front_mm
        self._mip_mev = np.array([medium.mip_loss_mev_per_mm for medium in self.media])[sections] * thickness

    def simulate(self, particles: Particles, rng: np.random.Generator) -> Float32:
        """Return the deposits of events.

        Args:
            particles: The incident particles.
            rng: Where all draws come from.

        Returns:
            (event, cell) float32, MeV visible in each cell.
        """
        incidents = _flatten(particles)
        kind = np.abs(incidents.pdg)
        electromagnetic = np.isin(kind, (11, 22, 111))
        muons = kind == MUON
        cells = self.detector.number_of_cells
        deposits: Float64 = np.zeros(len(particles) * cells)
        for chosen, shower in (
            (electromagnetic, self._electromagnetic),
            (muons, self._muons),
            (~electromagnetic & ~muons, self._hadrons),
        ):
            if chosen.any():
                some = incidents.select(chosen)
                for visible, radial, spots in shower(some, rng):
                    which, cell, energy = spread_spots(
                        self.detector, self.steps, visible, radial, spots, some.impacts, some.slopes, rng
                    )
                    inside = cell >= 0
                    place = some.event[which[inside]] * cells + cell[inside]
                    deposits += np.bincount(place, energy[inside], len(deposits))
        return self._through_tiles(deposits.reshape(len(particles), cells)).astype(np.float32)

    def _electromagnetic(
        self, incidents: _Incidents, rng: np.random.Generator
    ) -> list[tuple[Float64, RadialProfiles, Float64]]:
        energies = incidents.energies_mev / MEV_PER_GEV
        medium = self.media[0]
        entry = self._gap_depth(incidents)
        profiles = draw_profiles(energies, incidents.pdg == 22, entry, medium, rng)
        along = self.steps.radiation_lengths[:, None, :] * incidents.stretch[:, None]
        deposited = incidents.energies_mev[:, None] * (
            profiles.fractions(along[1]) - profiles.fractions(along[0])
        )
        middle = np.maximum((along[0] + along[1]) / 2 - profiles.start[:, None], 0.0)
        radial = spread_across(energies, middle / profiles.maximum[:, None], medium, self._moliere)
        visible = self._sample(deposited * self._sampling, self._sampling, self._variance, rng)
        return [(visible, radial, count_spots(energies, medium))]

    def _hadrons(
        self, incidents: _Incidents, rng: np.random.Generator
    ) -> list[tuple[Float64, RadialProfiles, Float64]]:
        energies = incidents.energies_mev / MEV_PER_GEV
        profiles = draw_hadronic_profiles(energies, self.steps, incidents.stretch, rng)
        visible = incidents.energies_mev[:, None] * self._sampling
        variance = HADRON_RESOLUTION_FACTOR**2 * self._variance
        core = self._sample(visible * profiles.electromagnetic, self._sampling, variance, rng)
        seen = visible * profiles.hadronic * HADRON_TO_ELECTRON
        halo = self._sample(seen, self._sampling, variance, rng)
        charged = ~np.isin(incidents.pdg, NEUTRAL)
        before = self.steps.interaction_lengths[1] * incidents.stretch[:, None] < profiles.start[:, None]
        core = core + self._track(incidents, rng) * (before & charged[:, None])
        shape = core.shape
        narrow = RadialProfiles(
            np.broadcast_to(0.4 * self._moliere, shape),
            np.broadcast_to(1.5 * self._moliere, shape),
            np.full(shape, 0.75),
        )
        spots = np.maximum(0.5 * count_spots(energies, self.media[-1]), 1.0)
        return [(core, narrow, spots), (halo, hadronic_radii(len(energies), self.steps, self.media), spots)]

    def _muons(
        self, incidents: _Incidents, rng: np.random.Generator
    ) -> list[tuple[Float64, RadialProfiles, Float64]]:
        track = self._track(incidents, rng)
        point = np.full(track.shape, 1e-3)
        return [(track, RadialProfiles(point, point, np.ones(track.shape)), np.ones(len(track)))]

    def _track(self, incidents: _Incidents, rng: np.random.Generator) -> Float64:
        """Return the visible loss of a minimum ionising particle in each step (particle, step)."""
        mean = self._mip_mev * incidents.stretch[:, None]
        moyal = -2.0 * np.log(np.abs(rng.standard_normal(mean.shape)) + 1e-12)
        return np.maximum(mean * (1.0 + LANDAU_SPREAD * (moyal - 1.2704)), 0.0)

    def _sample(
        self, visible: Float64, sampling: Float64, variance: Float64, rng: np.random.Generator
    ) -> Float64:
        """Let visible energies fluctuate: variance / deposited energy in GeV is their relative variance."""
        scale = variance * MEV_PER_GEV * sampling
        drawn: Float64 = rng.standard_gamma(np.maximum(visible / scale, 1e-12)) * scale
        return drawn

    def _gap_depth(self, incidents: _Incidents) -> Float64:
        """Return the depth in X0 lost by flying through the air between cells of the first section."""
        section = self.detector.sections[0]
        gap, readout = section.cell_gap_mm, section.readout
        if gap == 0.0 or not isinstance(readout, CartesianReadout):
            return np.zeros(len(incidents.event))
        air = np.zeros(len(incidents.event))
        for axis, edges in enumerate((readout.row_edges, readout.column_edges)):
            at, slope = incidents.impacts[:, axis], incidents.slopes[:, axis]
            pitch = edges[1] - edges[0]
            offset = np.mod(at - edges[0] + pitch / 2, pitch) - pitch / 2
            left = gap / 2 - np.where(slope > 0, offset, -offset)
            length = left / np.maximum(np.abs(slope), 1e-9)
            air = np.maximum(air, np.where(np.abs(offset) < gap / 2, length, 0.0))
        lost: Float64 = air / self.media[0].radiation_length_mm
        return lost

    def _through_tiles(self, deposits: Float64) -> Float64:
        """Sum the grid cells of tiled sections into tiles and share these over the grid again."""
        first = 0
        for section in self.detector.sections:
            if section.tiles is not None:
                cells = section.number_of_cells // section.number_of_layers
                for layer in range(section.number_of_layers):
                    part = slice(first + layer * cells, first + (layer + 1) * cells)
                    deposits[:, part] = deposits[:, part] @ tile_smearing(section, layer)
            first += section.number_of_cells
        return deposits


def _flatten(particles: Particles) -> _Incidents:
    """Put the particles of all events one after the other."""
    event, place = np.nonzero(particles.energies > 0)
    directions = particles.directions[event, place].astype(np.float64)
    return _Incidents(
        event.astype(np.int64),
        particles.energies[event, place].astype(np.float64),
        particles.pdg[event, place].astype(np.int64),
        particles.positions[event, place].astype(np.float64),
        directions[:, :2] / directions[:, 2:],
    )
