"""Log-likelihoods of showers, and those that are far less likely than others of their energy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.ndimage import median_filter, uniform_filter1d

from calokit.arrays import Float64

NEIGHBOURS = 201
"""Showers next in energy that one is compared with."""
WIDTH_OF_NORMAL = 1.4826
"""Standard deviation of a normal distribution over its median distance from the median."""
EQUAL = 1e-6
"""Values whose median distance is a smaller part of their spread are equal but for a few."""


@dataclass(frozen=True)
class Outlier:
    """A shower that is less likely than others of its energy.

    Attributes:
        shower: Its number among the showers, or in the file that they are from.
        energy_gev: Incident energy.
        log_likelihood: In nats.
        score: Distance from the median of its neighbours in energy, in robust standard deviations.
        part: The part that is least likely, in words.
        part_score: Its score.
    """

    shower: int
    energy_gev: float
    log_likelihood: float
    score: float
    part: str
    part_score: float


@dataclass(frozen=True)
class ShowerLikelihoods:
    """Log-likelihoods of showers given their incident particles.

    Attributes:
        energies_gev: Incident energies (event,).
        parts: In nats, by name: (event,), or (event, layer); their sum is the log-likelihood.
    """

    energies_gev: Float64
    parts: Mapping[str, Float64]

    @cached_property
    def totals(self) -> Float64:
        """The log-likelihoods (event,)."""
        parts = [part.reshape(len(part), -1).sum(1) for part in self.parts.values()]
        return np.asarray(np.sum(parts, axis=0))

    @cached_property
    def scores(self) -> dict[str, Float64]:
        """Robust scores (event,) of the whole (`all`), of every part, and of every layer of a part."""
        found = {"all": robust_scores(self.totals, self.energies_gev)}
        for name, part in self.parts.items():
            found[name] = robust_scores(part.reshape(len(part), -1).sum(1), self.energies_gev)
            if part.ndim == 2 and part.shape[1] > 1:
                for layer in range(part.shape[1]):
                    found[f"{name} of layer {layer}"] = robust_scores(part[:, layer], self.energies_gev)
        return found

    def outliers(self, count: int) -> list[Outlier]:
        """Return, by turns, the showers that are least likely as a whole and in each part; none twice."""
        score = self.scores["all"]
        names = [name for name in self.scores if name != "all"]
        parts = np.stack([self.scores[name] for name in names])
        ranked = [np.argsort(self.scores[name], kind="stable")[:count] for name in ("all", *self.parts)]
        listed = dict.fromkeys(np.stack(ranked, 1).ravel().tolist())
        found = []
        for shower in list(listed)[:count]:
            worst = int(parts[:, shower].argmin())
            found.append(
                Outlier(
                    shower,
                    float(self.energies_gev[shower]),
                    float(self.totals[shower]),
                    float(score[shower]),
                    names[worst],
                    float(parts[worst, shower]),
                )
            )
        return found


def robust_scores(values: Float64, energies: Float64) -> Float64:
    """Return how far values lie from the median of their neighbours in energy, in robust widths (event,).

    Medians run over the 201 values next in energy; the width is the median distance from that median there,
    as a normal distribution's, or the root mean square where most are equal (layers that few showers reach).

    Example:
        >>> values = np.append(np.sin(np.arange(401.0)), -20.0)
        >>> scores = robust_scores(values, np.ones(402))
        >>> float(scores[-1]) < -9.0, float(np.abs(scores[:-1]).max()) < 3.0
        (True, True)
        >>> robust_scores(np.append(np.zeros(200), -5.0), np.ones(201)).min().round(1)
        np.float64(-14.2)
    """
    order = np.argsort(energies, kind="stable")
    sorted_values = values[order].astype(np.float64)
    window = min(NEIGHBOURS, 2 * (len(values) // 2) + 1)
    median = median_filter(sorted_values, size=window, mode="mirror")
    off = sorted_values - median
    width = WIDTH_OF_NORMAL * median_filter(np.abs(off), size=window, mode="mirror")
    spread = np.sqrt(uniform_filter1d(np.square(off), size=window, mode="mirror").clip(0.0))
    width = np.where(width > EQUAL * spread, width, spread)
    scores: Float64 = np.zeros_like(off)
    scores[order] = np.divide(off, width, out=np.zeros_like(off), where=width > 0.0)
    return scores
