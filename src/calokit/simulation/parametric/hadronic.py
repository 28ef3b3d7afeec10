"""Hadronic showers: an electromagnetic and a hadronic component behind the first interaction.

Profile in depth: R. K. Bock, T. Hansl-Kozanecka, T. P. Shah, Nucl. Instrum. Meth. 186 (1981) 533: from the
first interaction on, dE = E [w Gamma(a; b s) ds + (1 - w) Gamma(a; d l) dl] with s in radiation lengths, l in
interaction lengths, a = 0.6165 + 0.3183 ln E, b = 0.2198, d = 0.9099 - 0.0237 ln E, w = 0.4634, E in GeV. The
fluctuation of w, the signal of the hadronic component and the radii are simple choices of ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammainc

from calokit.arrays import Float64
from calokit.simulation.parametric.electromagnetic import RadialProfiles
from calokit.simulation.parametric.medium import DepthSteps, Medium

ELECTROMAGNETIC_PART = 0.4634
ELECTROMAGNETIC_SPREAD = 0.17
"""Standard deviation of the electromagnetic part from shower to shower at 10 GeV; it falls as E^-0.25."""
HADRON_TO_ELECTRON = 0.65
"""Signal of the hadronic component beside that of the electromagnetic one: nuclear binding takes the rest."""
HADRON_RESOLUTION_FACTOR = 2.5
"""Sampling fluctuations of the hadronic component beside those of the electromagnetic one."""
CORE_INTERACTION_LENGTHS = 0.10
TAIL_INTERACTION_LENGTHS = 0.45
"""Radii of the hadronic component, in interaction lengths."""
TAIL_PART = 0.45


@dataclass(frozen=True, eq=False)
class HadronicProfiles:
    """Deposits of hadronic showers in the steps of a detector.

    Attributes:
        start: Depth of the first interaction in interaction lengths along the path (shower,).
        electromagnetic: Part of the energy in each step through the electromagnetic component (shower, step).
        hadronic: Part through the hadronic component, before its smaller signal (shower, step).
    """

    start: Float64
    electromagnetic: Float64
    hadronic: Float64


def draw_hadronic_profiles(
    energies_gev: Float64, steps: DepthSteps, stretch: Float64, rng: np.random.Generator
) -> HadronicProfiles:
    """Draw where hadrons interact and how their energy is shared over the steps.

    Args:
        energies_gev: Incident energies (shower,).
        steps: The steps in depth.
        stretch: Path length for each mm of depth, 1 / cos(theta) (shower,).
        rng: Where the draws come from.
    """
    count = len(energies_gev)
    start = rng.exponential(1.0, count)
    ln_e = np.log(np.maximum(energies_gev, 0.5))
    shape = np.maximum(0.6165 + 0.3183 * ln_e, 0.4)[:, None]
    slope = np.maximum(0.9099 - 0.0237 * ln_e, 0.3)[:, None]
    spread = ELECTROMAGNETIC_SPREAD * (energies_gev / 10.0) ** -0.25
    part = np.clip(ELECTROMAGNETIC_PART + spread * rng.standard_normal(count), 0.02, 0.98)[:, None]
    start_x0 = _radiation_lengths_at(start, steps, stretch)

    def between(edges: Float64, begin: Float64, rate: Float64 | float) -> Float64:
        low, high = (np.maximum(edge * stretch[:, None] - begin[:, None], 0.0) for edge in edges)
        share: Float64 = gammainc(shape, rate * high) - gammainc(shape, rate * low)
        return share

    return HadronicProfiles(
        start,
        part * between(steps.radiation_lengths, start_x0, 0.2198),
        (1.0 - part) * between(steps.interaction_lengths, start, slope),
    )


def hadronic_radii(showers: int, steps: DepthSteps, media: list[Medium]) -> RadialProfiles:
    """Return the radial profiles of the hadronic component, the same for every shower."""
    lengths = np.array([media[section].interaction_length_mm for section in steps.section])
    shape = (showers, len(lengths))
    return RadialProfiles(
        np.broadcast_to(CORE_INTERACTION_LENGTHS * lengths, shape),
        np.broadcast_to(TAIL_INTERACTION_LENGTHS * lengths, shape),
        np.full(shape, 1.0 - TAIL_PART),
    )


def _radiation_lengths_at(start: Float64, steps: DepthSteps, stretch: Float64) -> Float64:
    """Return the depth in X0 along the path at which so many interaction lengths are passed (shower,)."""
    interaction = np.concatenate([[0.0], steps.interaction_lengths[1]])
    radiation = np.concatenate([[0.0], steps.radiation_lengths[1]])
    passed = np.interp(start / stretch, interaction, radiation)
    beyond = np.maximum(start / stretch - interaction[-1], 0.0) * radiation[-1] / interaction[-1]
    reached: Float64 = (passed + beyond) * stretch
    return reached
