"""Figures of a reconstruction: resolution and bias by energy, predicted against true, residuals of places."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from calokit.arrays import Float64
from calokit.evaluation.estimates.energy_groups import group_by_energy
from calokit.evaluation.estimates.single import EnergyErrors
from calokit.report.figures.style import GENERATED_COLOURS, GENERATED_LINES, REFERENCE_LINE, new_plot
from calokit.units import MEV_PER_GEV

MARKERS = ("o", "s", "^", "D", "v", "P")
BESIDE = 0.04
"""Part of a panel's width that stays free beside its first and last energy: markers are drawn whole."""
DRAWN = 4000
"""Showers of a cloud of points, at most."""


def draw_resolution(methods: Mapping[str, EnergyErrors], baseline: str) -> Figure:
    """Draw width / E of each method over the energy with its law, and the ratio to one method.

    Args:
        methods: Errors by method.
        baseline: The method that the others are compared with.
    """
    figure = new_plot(6.4, 5.4)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2.2, 1))
    base = methods[baseline]
    for number, (name, found) in enumerate(methods.items()):
        colour = REFERENCE_LINE if number == 0 else GENERATED_COLOURS[(number - 1) % len(GENERATED_COLOURS)]
        style = {"color": colour, "marker": MARKERS[number % len(MARKERS)], "linestyle": "none"}
        relative = 100 * found.width / found.energies[:, None]
        upper.errorbar(found.energies, relative[:, 0], relative[:, 1], **style)
        law = found.law()
        fine = np.geomspace(found.energies[0], found.energies[-1], 100)
        fitted = np.full(len(fine), np.nan) if law is None else 100 * law.at(fine)
        line = GENERATED_LINES[number % len(GENERATED_LINES)]
        words = name if law is None else f"{name}: {law}"
        upper.plot(fine, fitted, color=colour, linestyle=line, label=words)
        ratio = found.rms[:, 0] / base.rms[:, 0]
        error = ratio * found.rms[:, 1] / found.rms[:, 0]
        lower.errorbar(found.energies, ratio, error, **style)
    upper.set_ylabel("$\\sigma$(E) / E (%)")
    upper.legend(fontsize=7.5)
    lower.set_ylabel(f"RMS / {baseline}", fontsize=8)
    lower.set_xlabel("true energy (GeV)")
    lower.axhline(1.0, color=REFERENCE_LINE, linewidth=0.8)
    for axes in (upper, lower):
        axes.margins(x=BESIDE)
    return figure


def draw_bias(methods: Mapping[str, EnergyErrors], band: float = 0.005) -> Figure:
    """Draw the mean error / E of each method over the energy, with a band that it should stay in."""
    figure = new_plot(6.4, 3.4)
    axes = figure.subplots()
    for number, (name, found) in enumerate(methods.items()):
        colour = REFERENCE_LINE if number == 0 else GENERATED_COLOURS[(number - 1) % len(GENERATED_COLOURS)]
        bias = 100 * found.relative_bias()
        axes.errorbar(
            found.energies,
            bias[:, 0],
            bias[:, 1],
            color=colour,
            marker=MARKERS[number % len(MARKERS)],
            linestyle=GENERATED_LINES[number % len(GENERATED_LINES)],
            label=name,
        )
    axes.axhspan(-100 * band, 100 * band, color="#D9D9D9", zorder=0)
    axes.set_xlabel("true energy (GeV)")
    axes.set_ylabel("mean error / E (%)")
    axes.margins(x=BESIDE)
    axes.legend()
    return figure


def draw_estimate_against_truth(estimated_mev: Float64, true_mev: Float64) -> Figure:
    """Draw the distribution of the estimate at each true energy: median, central 68 % and 95 %.

    In bins of true energies the distribution is that of the error, about the mean energy of the bin.
    """
    figure = new_plot(4.8, 4.4)
    axes = figure.subplots()
    groups = group_by_energy(true_mev)
    error = estimated_mev - true_mev
    found = [np.quantile(error[one], [0.025, 0.16, 0.5, 0.84, 0.975]) for one in groups.members]
    grid = groups.energies / MEV_PER_GEV
    quantiles = grid[:, None] + np.array(found) / MEV_PER_GEV
    colour = GENERATED_COLOURS[0]
    axes.fill_between(grid, quantiles[:, 0], quantiles[:, 4], color=colour, alpha=0.15, label="95 %")
    axes.fill_between(grid, quantiles[:, 1], quantiles[:, 3], color=colour, alpha=0.35, label="68 %")
    axes.plot(grid, quantiles[:, 2], color=colour, marker="o", label="median")
    axes.plot(grid, grid, color=REFERENCE_LINE, linestyle="--", label="estimate = truth")
    axes.set_xlabel("true energy (GeV)")
    axes.set_ylabel("estimate (GeV)")
    axes.margins(x=BESIDE)
    axes.legend()
    return figure


def draw_residuals(residuals: Mapping[str, Mapping[str, Float64]]) -> Figure:
    """Draw the distributions of residuals, one panel a quantity, one line a method.

    Args:
        residuals: By quantity with its unit (such as `x (mm)`), by method: (event,) estimate - truth.
    """
    figure = new_plot(3.0 * len(residuals), 3.0)
    panels = figure.subplots(1, len(residuals), squeeze=False)[0]
    for axes, (quantity, methods) in zip(panels, residuals.items(), strict=True):
        reach = max(float(np.quantile(np.abs(one), 0.98)) for one in methods.values())
        for number, (name, values) in enumerate(methods.items()):
            colour = REFERENCE_LINE if number == 0 else GENERATED_COLOURS[number - 1]
            axes.hist(
                values,
                bins=60,
                range=(-reach, reach),
                density=True,
                histtype="step",
                color=colour,
                linestyle=GENERATED_LINES[number],
                label=f"{name}: {values.std():.3g}",
            )
        axes.set_xlabel(f"residual in {quantity}")
        axes.set_ylim(top=1.3 * axes.get_ylim()[1])
        axes.legend(fontsize=7, loc="upper left")
    panels[0].set_ylabel("density")
    return figure
