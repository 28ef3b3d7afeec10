"""Errors of reconstructed energies and places, by true energy, with their statistical errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from calokit.arrays import Float64
from calokit.evaluation.estimates.energy_groups import group_by_energy
from calokit.evaluation.metrics.core_resolution import gaussian_core
from calokit.evaluation.metrics.resolution_law import ResolutionLaw, fit_resolution_law
from calokit.units import MEV_PER_GEV

RESAMPLES = 300
"""Draws of the showers that bootstrap errors come from."""
LEAST_ENERGIES = 3
"""Fewer do not fix the three terms of a resolution law."""


@dataclass(frozen=True)
class EnergyErrors:
    """Errors of an energy estimate at each true energy; GeV, each with its statistical error.

    Where the true energies are a continuous spectrum, in bins of them (`group_by_energy`).

    Attributes:
        energies: (energy,) true energies, or the mean of each bin.
        showers: (energy,) int64.
        mean: (energy, 2) ME, the mean of estimate - truth.
        absolute: (energy, 2) MAE, the mean of |estimate - truth|.
        rms: (energy, 2) root of the mean of (estimate - truth)^2: the bias counts.
        width: (energy, 2) standard deviation about the mean: the bias does not count.
        core: (energy, 2) width of the Gaussian core.
    """

    energies: Float64
    showers: NDArray[np.int64]
    mean: Float64
    absolute: Float64
    rms: Float64
    width: Float64
    core: Float64

    @classmethod
    def of(cls, estimated_mev: Float64, true_mev: Float64) -> Self:
        """Measure estimates (event,) of true energies (event,), MeV.

        The errors of ME and MAE are standard errors; of RMS and width the first-order ones from the fourth
        moment; of the core from resampled showers.

        Raises:
            CalokitError: There are fewer than twenty showers.

        Example:
            >>> true = np.repeat([2000.0, 4000.0], 50)
            >>> found = EnergyErrors.of(true + np.tile([100.0, -100.0], 50), true)
            >>> found.rms[:, 0].round(6).tolist(), found.mean[:, 0].tolist()
            ([0.1, 0.1], [0.0, 0.0])
        """
        rows = []
        groups = group_by_energy(true_mev)
        for energy, members in zip(groups.energies, groups.members, strict=True):
            error = (estimated_mev - true_mev)[members] / MEV_PER_GEV
            number = len(error)
            centred = error - error.mean()
            core = gaussian_core(error + energy / MEV_PER_GEV)
            rows.append(
                [
                    energy / MEV_PER_GEV,
                    number,
                    error.mean(),
                    centred.std() / np.sqrt(number),
                    np.abs(error).mean(),
                    np.abs(error).std() / np.sqrt(number),
                    *root_mean_square(error),
                    *root_mean_square(centred),
                    core.width,
                    core.width_error,
                ]
            )
        table = np.array(rows)
        pairs = [table[:, start : start + 2] for start in range(2, table.shape[1], 2)]
        return cls(table[:, 0], table[:, 1].astype(np.int64), *pairs)

    def law(self) -> ResolutionLaw | None:
        """Return a / sqrt(E) (+) b / E (+) c fitted to width / true energy; None for fewer than three."""
        if len(self.energies) < LEAST_ENERGIES:
            return None
        return fit_resolution_law(
            self.energies, self.width[:, 0] / self.energies, self.width[:, 1] / self.energies
        )

    def relative_bias(self) -> Float64:
        """Return ME / E and its error, (energy, 2)."""
        return self.mean / self.energies[:, None]


@dataclass(frozen=True)
class PairedRatio:
    """Ratio of one estimate's RMS to another's on the same showers, by bootstrap of the showers.

    Attributes:
        energies: (energy,) GeV.
        ratio: (energy,) RMS of the first / RMS of the second.
        error: (energy,) spread over the resampled showers.
        mean: Average over the energies.
        mean_error: Its error.
    """

    energies: Float64
    ratio: Float64
    error: Float64
    mean: float
    mean_error: float

    @property
    def significance(self) -> float:
        """How many errors the average lies below one."""
        return (1.0 - self.mean) / self.mean_error

    @property
    def worst(self) -> float:
        """The largest number of errors by which the ratio lies above one, over the energies."""
        return float(np.max((self.ratio - 1.0) / self.error))


def paired_rms_ratio(
    first: Float64, second: Float64, true: Float64, groups: Float64 | None = None, seed: int = 0
) -> PairedRatio:
    """Compare the RMS errors of two estimates of the same showers.

    The showers are drawn again with replacement, both estimates together, so that what both get wrong alike
    does not count as an error of the comparison.

    Args:
        first: (event,) or (event, k) estimates; over k components squares are added.
        second: (event,) or (event, k) estimates.
        true: (event,) or (event, k) truths.
        groups: (event,) true energies in MeV to average over; None takes `true`.
        seed: Of the draws.

    Raises:
        CalokitError: There are fewer than twenty showers.
    """
    grouped = group_by_energy(true if groups is None else groups)
    rng = np.random.default_rng(seed)
    ratios, draws = [], []
    squares = [((one - true) ** 2).reshape(len(true), -1).sum(axis=1) for one in (first, second)]
    for members in grouped.members:
        one, other = squares[0][members], squares[1][members]
        picked = rng.integers(0, len(members), (RESAMPLES, len(members)))
        ratios.append(np.sqrt(one.mean() / other.mean()))
        draws.append(np.sqrt(one[picked].mean(axis=1) / other[picked].mean(axis=1)))
    drawn = np.array(draws)
    return PairedRatio(
        grouped.energies / MEV_PER_GEV,
        np.array(ratios),
        drawn.std(axis=1, ddof=1),
        float(np.mean(ratios)),
        float(drawn.mean(axis=0).std(ddof=1)),
    )


@dataclass(frozen=True)
class Coverage:
    """How often the truth lies within an estimate's uncertainty.

    Attributes:
        levels: (level,) parts of a normal distribution, such as 0.683.
        covered: (level, 2) parts found, with their errors.
        pull_width: Standard deviation of (estimate - truth) / uncertainty and its error.
    """

    levels: Float64
    covered: Float64
    pull_width: tuple[float, float]


def measure_coverage(
    estimated: Float64,
    uncertainty: Float64,
    true: Float64,
    levels: tuple[float, ...] = (0.5, 0.683, 0.9, 0.954),
) -> Coverage:
    """Count how often the truth lies within the central intervals of normal distributions.

    Args:
        estimated: (event,) estimates.
        uncertainty: (event,) standard deviations.
        true: (event,) truths, in the same unit.
        levels: Parts of the intervals.

    Example:
        >>> draws = np.random.default_rng(0).normal(size=20_000)
        >>> found = measure_coverage(draws, np.ones(20_000), np.zeros(20_000))
        >>> bool(np.all(np.abs(found.covered[:, 0] - found.levels) < 4 * found.covered[:, 1]))
        True
    """
    from scipy.stats import norm

    pulls = (estimated - true) / uncertainty
    found = []
    for level in levels:
        part = float((np.abs(pulls) < norm.ppf(0.5 + 0.5 * level)).mean())
        found.append([part, np.sqrt(max(part * (1 - part), 1e-12) / len(pulls))])
    width, error = root_mean_square(pulls - pulls.mean())
    return Coverage(np.array(levels), np.array(found), (width, error))


def memorised_energies(
    estimated_mev: Float64, true_mev: Float64, known_mev: Float64, fresh_mev: Float64
) -> tuple[float, float]:
    """Return how much larger the RMS is at unseen energies than at seen ones, and the error.

    The RMS / sqrt(E) is averaged over both kinds of energies; a network that has learned the training
    energies by heart resolves them better. Zero means no difference.

    Args:
        estimated_mev: (event,) estimates, MeV.
        true_mev: (event,) true energies, MeV.
        known_mev: Energies that were trained on.
        fresh_mev: Energies between them that were not.
    """

    def mean_of(grid: Float64) -> tuple[float, float]:
        values = []
        for energy in grid:
            error = (estimated_mev[true_mev == energy] - energy) / np.sqrt(energy * MEV_PER_GEV)
            values.append(root_mean_square(error))
        table = np.array(values)
        return float(table[:, 0].mean()), float(np.sqrt((table[:, 1] ** 2).sum()) / len(table))

    (seen, seen_error), (unseen, unseen_error) = mean_of(known_mev), mean_of(fresh_mev)
    return unseen / seen - 1.0, float(np.hypot(seen_error, unseen_error) / seen)


def root_mean_square(values: Float64) -> tuple[float, float]:
    """Return the root mean square of numbers (number,) and its first-order error; NaN of none.

    Example:
        >>> root_mean_square(np.array([3.0, -3.0, 3.0, 3.0]))
        (3.0, 0.0)
    """
    if len(values) == 0:
        return float("nan"), float("nan")
    square = values**2
    root = float(np.sqrt(square.mean()))
    return root, float(square.std() / np.sqrt(len(values)) / max(2.0 * root, 1e-300))
