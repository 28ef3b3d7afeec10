"""Figures of paired showers: a map of cells that differ, displaced centres, mask values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmarks.diagnostics.cell_map import CellMap
from benchmarks.diagnostics.centres import CentreDistances
from calokit.arrays import Float32
from calokit.detector import Detector
from calokit.detector.images import cell_images
from calokit.errors import CalokitError
from calokit.report.figures.style import (
    FLOOR_LINE,
    REFERENCE_FILL,
    colour_of,
    figure_style,
    fix_layout,
    line_of,
    new_image_grid,
    new_plot,
)

MASK_BINS = 40
CENTRE_BINS = 60


def draw_cell_map(found: CellMap, detector: Detector) -> Figure:
    """Draw the separation power of every cell beside that of truth from truth, on one logarithmic scale.

    Args:
        found: The map.
        detector: Its first section is drawn, its layers averaged.

    Raises:
        CalokitError: The section has no picture plane.
    """
    cells = cell_images(detector)[0]
    if not cells.is_regular:
        raise CalokitError(f"the cells of {detector.name!r} differ from layer to layer; no map is drawn.")
    panels = {"generated from truth": found.separations, "truth from truth (floor)": found.floor}
    images = [cells.sum_layers(values) / cells.shape[0] for values in panels.values()]
    known = np.concatenate([image[np.isfinite(image) & (image > 0)] for image in images])
    if not len(known):
        raise CalokitError("no cell is hit often enough for a map; give more showers.")
    scale = LogNorm(float(np.quantile(known, 0.02)), float(known.max()))
    with figure_style():
        figure = new_image_grid(8.6, 3.9)
        axes = figure.subplots(1, 2)
        for panel, title, image in zip(axes, panels, images, strict=True):
            shown = np.ma.masked_invalid(image)
            mesh = panel.pcolormesh(cells.slow.edges, cells.fast.edges, shown.T, norm=scale, rasterized=True)
            panel.set_title(title)
            panel.set_xlabel(cells.slow.label)
            panel.set_ylabel(cells.fast.label)
            panel.set_aspect("equal")
        figure.colorbar(mesh, ax=list(axes), label="separation power of a cell", pad=0.02)
        fix_layout(figure)
    return figure


def draw_centre_distances(samples: Mapping[str, CentreDistances], floor: CentreDistances | None) -> Figure:
    """Draw how far generated centres lie from the true ones, for several samples and the floor.

    Args:
        samples: By label.
        floor: Truth against truth.

    Returns:
        A figure with the part of showers displaced by more than a distance.
    """
    largest = max(one.quantile(0.999) for one in samples.values())
    places = np.linspace(0.0, largest, CENTRE_BINS * 4)
    with figure_style():
        figure = new_plot(8.4, 3.8)
        axes = figure.subplots()
        for index, (label, one) in enumerate(samples.items()):
            title = f"{label}: mean {one.mean().value:.3g} mm"
            axes.plot(places, _beyond(one, places), color=colour_of(index), ls=line_of(index), label=title)
        if floor is not None:
            title = f"truth and truth: mean {floor.mean().value:.3g} mm"
            axes.plot(places, _beyond(floor, places), color=FLOOR_LINE, linestyle=":", label=title)
        axes.set_yscale("log")
        axes.set_xlabel("distance of the centres of energy (mm)")
        axes.set_ylabel("part of the showers beyond")
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def draw_mask_values(hits: Float32, probabilities: Mapping[str, Float32]) -> Figure:
    """Draw the mask values of all cells: the true 0 and 1, and each network's probabilities laid over them.

    Args:
        hits: (event, cell) 1 where the true shower has a hit.
        probabilities: (event, cell) of being hit, by label.
    """
    edges = np.linspace(0.0, 1.0, MASK_BINS + 1)
    with figure_style():
        figure = new_plot(5.6, 3.8)
        axes = figure.subplots()
        truth, _ = np.histogram(hits, edges)
        axes.stairs(truth / len(hits), edges, fill=True, color=REFERENCE_FILL, label="truth")
        for index, (label, values) in enumerate(probabilities.items()):
            counts, _ = np.histogram(values, edges)
            look: dict[str, Any] = {"color": colour_of(index), "ls": line_of(index)}
            axes.stairs(counts / len(values), edges, label=label, **look)
        axes.set_yscale("log")
        axes.set_xlabel("mask value")
        axes.set_ylabel("cells a shower")
        axes.legend(frameon=False)
    return figure


def _beyond(found: CentreDistances, places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the part of the pairs that lie further apart than each place."""
    ordered = np.sort(found.distances)
    part: NDArray[np.float64] = 1.0 - np.searchsorted(ordered, places, side="right") / len(ordered)
    return np.where(part > 0, part, np.nan)
