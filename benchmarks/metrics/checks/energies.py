"""Response, resolution, linearity and squared error, beside sums written out shower by shower."""

from __future__ import annotations

import itertools
import math
from functools import partial

import numpy as np
from scipy.optimize import curve_fit, minimize
from scipy.stats import norm, truncnorm

from benchmarks.metrics.checks.agreement import Agreement, Truth, error_ratio, halves, largest, span
from calokit.arrays import Float64
from calokit.evaluation.metrics.binned import (
    BinnedMoments,
    energy_edges,
    largest_deviation,
    mean_deviation,
    ratio_of,
)
from calokit.evaluation.metrics.core_resolution import GAUSSIAN_RMS90, gaussian_core, rms90
from calokit.evaluation.metrics.distances import Distance
from calokit.evaluation.metrics.linearity import EnergyResponse, equal_width_edges, linearity_difference
from calokit.evaluation.metrics.resolution_law import fit_resolution_law
from calokit.evaluation.samples.pairing import squared_errors
from calokit.showers import Showers

BINS = 6


def check_energies(truth: Truth) -> list[Agreement]:
    """Return the comparisons of this file."""
    return [
        *_moments(truth.zdc),
        _core(truth.par04),
        _rms90(truth.par04),
        _law(),
        _sampling(truth.par04),
        _linearity(truth.par04),
        _squares(truth.zdc),
    ]


def _fractions(showers: Showers) -> tuple[Float64, Float64]:
    incident = showers.incident_energies.astype(np.float64)
    return incident, showers.visible_energies / incident


def _by_bin(showers: Showers, edges: Float64) -> list[Float64]:
    incident, fraction = _fractions(showers)
    inside = [(low <= incident) & (incident < high) for low, high in itertools.pairwise(edges)]
    return [fraction[chosen] for chosen in inside]


def _moments(zdc: Showers) -> list[Agreement]:
    incident, _ = _fractions(zdc)
    edges = energy_edges(float(incident.min()) * 0.99, float(incident.max()) * 1.01, BINS)

    def moments(showers: Showers) -> BinnedMoments:
        sums = BinnedMoments(edges)
        sums.add(*_fractions(showers))
        return sums

    bins = _by_bin(zdc, edges)
    means, spreads = moments(zdc).mean(), moments(zdc).relative_spread()
    mean_of = [float(np.mean(values)) for values in bins]
    error_of = [float(np.std(values)) / math.sqrt(len(values)) for values in bins]
    one, other = (moments(half) for half in halves(zdc))

    def draw(generator: np.random.Generator, spread: bool) -> Distance:
        sums = BinnedMoments(np.array([1.0, 10.0]))
        sums.add(np.full(500, 5.0), generator.gamma(4.0, 0.5, 500))
        found = sums.relative_spread() if spread else sums.mean()
        return Distance(float(found.values[0]), float(found.errors[0]))

    count = f"{len(zdc) // 2} zdc"
    return [
        Agreement(
            "response",
            "means and standard errors of the showers of each energy bin, by numpy",
            max(largest(means.values, mean_of), largest(means.errors, error_of)),
            error_over_spread=span(error_ratio(lambda g: draw(g, False), 300)),
            floor=Distance(*largest_deviation(ratio_of(one.mean(), other.mean()))),
            floor_showers=count,
        ),
        Agreement(
            "resolution, RMS",
            "standard deviation over mean of the showers of each energy bin, by numpy",
            largest(spreads.values, [float(np.std(values) / np.mean(values)) for values in bins]),
            error_over_spread=span(error_ratio(lambda g: draw(g, True), 300)),
            floor=Distance(*mean_deviation(ratio_of(one.relative_spread(), other.relative_spread()))),
            floor_showers=count,
        ),
    ]


def _core(par04: Showers) -> Agreement:
    """Maximise the likelihood of a Gaussian cut at the window that was found, by a general minimiser."""
    incident, fraction = _fractions(par04)
    values = fraction[incident > np.median(incident)]
    found = gaussian_core(values, resamples=0)
    low, high = found.mean - 2.0 * found.width, found.mean + 2.0 * found.width
    inside = values[(values > low) & (values < high)]

    def loss(law: Float64) -> float:
        mean, width = found.mean + found.width * law[0], found.width * math.exp(law[1])
        bounds = (low - mean) / width, (high - mean) / width
        return -float(truncnorm.logpdf(inside, *bounds, mean, width).sum())

    best = minimize(loss, [0.1, 0.1], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12}).x
    exact = gaussian_core(norm.ppf((np.arange(200_000) + 0.5) / 200_000, 5.0, 2.0), resamples=0)

    def draw(generator: np.random.Generator, number: int) -> Distance:
        width = gaussian_core(generator.normal(10.0, 1.0, number), resamples=60)
        return Distance(width.width, width.width_error)

    return Agreement(
        "resolution, Gaussian core",
        "maximum of the truncated likelihood by Nelder-Mead (width, mean; Geant4); the width of "
        "an exact Gaussian",
        max(abs(float(best[0])), abs(float(best[1])), abs(exact.width / 2.0 - 1.0)),
        error_over_spread=span(*(error_ratio(partial(draw, number=number), 120) for number in (200, 1000))),
    )


def _rms90(par04: Showers) -> Agreement:
    """Try every interval with 90 % of the values."""
    values = np.sort(_fractions(par04)[1])
    held = math.ceil(0.9 * len(values))
    intervals = [values[first : first + held] for first in range(len(values) - held + 1)]
    smallest = min(intervals, key=lambda inside: float(inside[-1] - inside[0]))
    found = rms90(values, resamples=0)
    gaussian = truncnorm.std(norm.ppf(0.05), norm.ppf(0.95))

    def draw(generator: np.random.Generator, number: int) -> Distance:
        width = rms90(generator.normal(10.0, 1.0, number), resamples=60)
        return Distance(width.width, width.width_error)

    return Agreement(
        "resolution, RMS90",
        "every interval with 90 % of the values (Geant4); scipy's truncated Gaussian for the factor 0.789",
        max(abs(found.width / smallest.std() - 1.0), abs(GAUSSIAN_RMS90 / gaussian - 1.0)),
        error_over_spread=span(*(error_ratio(partial(draw, number=number), 120) for number in (200, 1000))),
    )


def _law() -> Agreement:
    """Fit a, b and c themselves, not their squares."""
    energies = np.array([2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0])

    def law(energy: Float64, a: float, b: float, c: float) -> Float64:
        resolution: Float64 = np.sqrt(a**2 / energy + b**2 / energy**2 + c**2)
        return resolution

    truth = law(energies, 0.1, 0.3, 0.02)
    generator = np.random.default_rng(2)
    differences, pulls = [], []
    for _ in range(300):
        values = truth * (1.0 + 0.02 * generator.normal(size=7))
        found = fit_resolution_law(energies, values, 0.02 * truth)
        best, _ = curve_fit(law, energies, values, (0.1, 0.3, 0.02), 0.02 * truth, absolute_sigma=True)
        terms = np.array([found.stochastic, found.noise, found.constant])
        differences.append(largest(terms, np.abs(best)))
        errors = np.array([found.stochastic_error, found.noise_error, found.constant_error])
        pulls.append((terms - [0.1, 0.3, 0.02]) / errors)
    spread = 1.0 / np.std(pulls, axis=0)
    return Agreement(
        "resolution law",
        "scipy's curve_fit in a, b and c (300 toys of 7 energies); errors by their pulls",
        float(np.max(differences)),
        error_over_spread=span(*spread.tolist()),
    )


def _sampling(par04: Showers) -> Agreement:
    edges = equal_width_edges(float(par04.incident_energies.min()), float(par04.incident_energies.max()))

    def response(showers: Showers) -> EnergyResponse:
        sums = EnergyResponse(edges)
        sums.add(showers.incident_energies.astype(np.float64), showers.visible_energies)
        return sums

    expected = [float(np.mean(values)) if len(values) > 1 else math.nan for values in _by_bin(par04, edges)]
    one, other = (response(half).sampling_fraction() for half in halves(par04))
    return Agreement(
        "sampling fraction",
        "mean of visible / incident energy of the showers of each bin of 10 GeV, by numpy",
        largest(response(par04).sampling_fraction().values, expected),
        floor=Distance(*mean_deviation(ratio_of(one, other))),
        floor_showers=f"{len(par04) // 2} par04",
    )


def _linearity(par04: Showers) -> Agreement:
    edges = equal_width_edges(1e4, 1e5)

    def straight(generator: np.random.Generator) -> EnergyResponse:
        incident = generator.uniform(1e4, 1e5, 2000)
        response = EnergyResponse(edges)
        response.add(incident, (10.0 + 0.02 * incident) * generator.normal(1.0, 0.1, 2000))
        return response

    response = straight(np.random.default_rng(3))
    fraction, energy = response.fraction.mean(), response.incident.mean().values
    slope, offset = np.polyfit(energy, fraction.values * energy, 1, w=1.0 / (fraction.errors * energy))
    line = response.linearity()

    def draw(generator: np.random.Generator) -> Distance:
        found = straight(generator).linearity()
        return Distance(found.slope, found.slope_error)

    whole = equal_width_edges(float(par04.incident_energies.min()), float(par04.incident_energies.max()))
    lines = []
    for half in halves(par04):
        sums = EnergyResponse(whole)
        sums.add(half.incident_energies.astype(np.float64), half.visible_energies)
        lines.append(sums.linearity())
    return Agreement(
        "linearity",
        "slope and offset of numpy's polyfit through the same points",
        max(abs(line.slope / slope - 1.0), abs(line.offset / offset - 1.0)),
        error_over_spread=span(error_ratio(draw, 200)),
        floor=linearity_difference(lines[0], lines[1]),
        floor_showers=f"{len(par04) // 2} par04",
    )


def _squares(zdc: Showers) -> Agreement:
    one, other = (half[:50] for half in halves(zdc))
    found = squared_errors(one, other, 0.1)
    expected = []
    for first, second, energy in zip(one.energies, other.energies, one.incident_energies, strict=True):
        total = 0.0
        for a, b in zip(first.tolist(), second.tolist(), strict=True):
            total += ((a if a > np.float32(0.1) else 0.0) - (b if b > np.float32(0.1) else 0.0)) ** 2
        expected.append(total / len(first) / float(energy) ** 2)
    return Agreement(
        "squared error", "sums over cells in Python's own numbers (Geant4)", largest(found, expected)
    )
