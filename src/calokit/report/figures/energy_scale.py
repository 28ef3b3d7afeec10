"""The logarithmic colour scale of cell energies, the same in every image of showers, and its bar."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LogNorm
from numpy.typing import NDArray

from calokit.report.figures.style import label_decades

Floats = NDArray[np.float64]

DECADES_SHOWN = 5.0
"""An energy scale reaches at most so many powers of ten below its largest value."""


def energy_scale(images: Sequence[Floats]) -> LogNorm:
    """Return a scale over all positive energies, but at most `DECADES_SHOWN` below the largest.

    Example:
        >>> scale = energy_scale([np.array([0.0, 2.0]), np.array([[8e6]])])
        >>> float(scale.vmin), float(scale.vmax)
        (80.0, 8000000.0)
    """
    positive = np.concatenate([image[image > 0.0].ravel() for image in images])
    if positive.size == 0:
        return LogNorm(0.1, 1.0)
    highest = float(positive.max())
    lowest = max(float(positive.min()), highest * 10.0**-DECADES_SHOWN)
    return LogNorm(min(lowest, 0.5 * highest), highest)


def energy_colours() -> Colormap:
    """Return the colours of energies; what has no energy stays white."""
    return colormaps["viridis"].with_extremes(bad="white")


def draw_energy_bar(panels: Sequence[Axes], scale: LogNorm, lowest: float, label: str) -> None:
    """Draw the bar of a scale on the right of panels.

    Args:
        panels: The axes that share the scale.
        scale: Of `energy_scale`.
        lowest: The least positive energy drawn; the bar is pointed where it lies below the scale.
        label: Quantity and unit.
    """
    extend = "min" if scale.vmin is not None and lowest < 0.999 * scale.vmin else "neither"
    figure = panels[0].get_figure()
    bar = figure.colorbar(  # type: ignore[union-attr]
        energy_mappable(scale), ax=list(panels), label=label, pad=0.02, extend=extend
    )
    label_energies(bar.ax.yaxis, scale)


def energy_mappable(scale: LogNorm) -> ScalarMappable:
    """Return what a colour bar is drawn from."""
    return ScalarMappable(norm=scale, cmap=energy_colours())


def label_energies(axis: Axis, scale: LogNorm) -> None:
    """Put few enough numbers along a bar."""
    if scale.vmin is not None and scale.vmax is not None:
        label_decades(axis, scale.vmin, scale.vmax)
