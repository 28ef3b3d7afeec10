"""Drawings of a detector: the readout cells seen along the beam, the materials seen from the side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PatchCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Circle, Patch, Rectangle

from calokit.detector import Detector, RingReadout, Section, Slab, describe_shape
from calokit.detector.grids import CartesianGrid, PolarGrid
from calokit.files import write_whole

ZOOMED_REPEATS = 3
"""Number of repeats of a long stack that are shown enlarged."""

_STYLE: dict[Any, Any] = {
    "font.size": 10.0,
    "axes.titlesize": 10.5,
    "axes.linewidth": 0.8,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
}
_SENSITIVE_COLOURS = ("#3f90da", "#ffa90e", "#bd1f01", "#832db6")
_PASSIVE_COLOURS = ("#717581", "#b9ac70", "#94a4a2", "#a96b59", "#c9a0c9", "#92dadd")
_AIR_COLOUR = "#f4f7fa"
_AIR_DENSITY_G_CM3 = 0.01
_CELL_COLOUR = "#dcebf8"
_FIRST_CELL_COLOUR = "#e76300"
_TILE_COLOUR = "#bd1f01"

Colours = dict[tuple[str, bool], str]


@dataclass(frozen=True)
class _Panel:
    """One set of axes of the drawing: its relative width and the function that fills it."""

    width: float
    draw: Callable[[Axes], None]


def draw_detector(detector: Detector, path: Path) -> None:
    """Save a drawing of a detector as a PNG: cells of every section, the stack and its first repeats.

    Lengths are in mm and in true proportion. A section of rings shows the layer with most cells, and the
    radii of every layer.

    Args:
        detector: The detector to draw.
        path: Where to write the file; its folder must exist.
    """
    colours = _choose_colours(detector)
    panels = _plan_panels(detector, colours)
    columns = len(panels) if len(panels) <= 3 else (len(panels) + 1) // 2
    rows = [panels[start : start + columns] for start in range(0, len(panels), columns)]
    width = max(sum(panel.width for panel in row) + 0.35 * len(row) for row in rows)
    with rc_context(_STYLE):
        layout = ConstrainedLayoutEngine(h_pad=0.12, w_pad=0.12)
        figure = Figure(figsize=(4.2 * width, 1.6 + 4.8 * len(rows)), dpi=130, layout=layout)
        FigureCanvasAgg(figure)
        strips = figure.add_gridspec(len(rows), 1)
        for number, row in enumerate(rows):
            places = strips[number].subgridspec(1, len(row), width_ratios=[panel.width for panel in row])
            for place, panel in enumerate(row):
                panel.draw(figure.add_subplot(places[place]))
        figure.suptitle(f"{detector.title}\n{detector.name}: {describe_shape(detector)}", fontsize=12)
        _add_legend(figure, colours, any(section.shape for section in detector.sections))
        with write_whole(path) as partial_path:
            figure.savefig(partial_path, format="png")


def _plan_panels(detector: Detector, colours: Colours) -> list[_Panel]:
    """Choose what is drawn, in reading order."""
    panels = [
        _Panel(_choose_width(*section.readout.extent_mm), partial(_draw_front, section=section))
        for section in detector.sections
    ]
    solid = [(s, z) for s, z in zip(detector.sections, detector.section_fronts, strict=True) if s.slabs]
    if solid and np.isfinite([front for _, front in solid]).all():
        deepest = max(float(front) + section.depth_mm for section, front in solid)
        widest = max(section.size_mm[0] for section, _ in solid)
        panels.append(
            _Panel(_choose_width(deepest, widest), partial(_draw_side, detector=detector, colours=colours))
        )
    for section, front in zip(detector.sections, detector.section_fronts, strict=True):
        if section.repeats > ZOOMED_REPEATS:
            zoom = partial(_draw_zoom, section=section, front_mm=float(front), colours=colours)
            panels.append(_Panel(1.0, zoom))
        if isinstance(section.readout, RingReadout):
            panels.append(_Panel(1.3, partial(_draw_radii, readout=section.readout)))
    return panels


def _choose_width(across_mm: float, upward_mm: float) -> float:
    """Return the relative width of axes for something so wide and so high, within what a page can hold."""
    return float(np.clip(1.15 * across_mm / upward_mm, 0.5, 1.8))


def _choose_colours(detector: Detector) -> Colours:
    """Give every material a colour, strong where it is sensitive and muted where it is not."""
    colours: Colours = {}
    for section in detector.sections:
        for slab in (*section.slabs, *section.back_plates):
            key = (slab.material, slab.sensitive)
            palette = _SENSITIVE_COLOURS if slab.sensitive else _PASSIVE_COLOURS
            taken = [colour for colour in colours.values() if colour in palette]
            dense = detector.material(slab.material).density_g_cm3 > _AIR_DENSITY_G_CM3
            colours.setdefault(key, palette[len(taken) % len(palette)] if dense else _AIR_COLOUR)
    return colours


def _add_legend(figure: Figure, colours: Colours, first_cell: bool) -> None:
    """Name the colours below the drawing."""
    handles = [
        Patch(
            facecolor=colour,
            edgecolor="black",
            linewidth=0.5,
            label=f"{name}{' (sensitive)' if active else ''}",
        )
        for (name, active), colour in colours.items()
    ]
    if first_cell:
        handles.append(Patch(facecolor=_FIRST_CELL_COLOUR, label="first cell of a layer in file order"))
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 4), frameon=False)


def _draw_front(axes: Axes, section: Section) -> None:
    """Draw the cells of one layer as a particle sees them."""
    grids = section.readout.grids(section.number_of_layers)
    layer = max(range(len(grids)), key=lambda k: int(np.prod(grids[k].shape)))
    grid = grids[layer]
    if isinstance(grid, CartesianGrid):
        _draw_cartesian(axes, grid)
    else:
        _draw_polar(axes, grid)
    width, height = section.readout.extent_mm
    title = f"{section.name}, front: {' x '.join(map(str, grid.shape))} cells"
    if isinstance(section.readout, RingReadout):
        ring = section.readout.layers[layer]
        width = height = 2 * ring.r_edges_mm[-1]
        title += f" of layer {ring.id}"
    if section.tiles is not None:
        _draw_tiles(axes, section)
        title += "\nred: hexagonal tiles of layer 0"
    axes.set(title=title, xlabel="x [mm]", ylabel="y [mm]", aspect="equal")
    margin = 0.04 * max(width, height)
    axes.set_xlim(-width / 2 - margin, width / 2 + margin)
    axes.set_ylim(-height / 2 - margin, height / 2 + margin)


def _draw_cartesian(axes: Axes, grid: CartesianGrid) -> None:
    """Draw rows and columns, the first cell filled."""
    x, y = grid.row_edges, grid.column_edges
    axes.add_patch(Rectangle((x[0], y[0]), x[-1] - x[0], y[-1] - y[0], color=_CELL_COLOUR, linewidth=0))
    axes.add_patch(Rectangle((x[0], y[0]), x[1] - x[0], y[1] - y[0], color=_FIRST_CELL_COLOUR, linewidth=0))
    lines = [[(edge, y[0]), (edge, y[-1])] for edge in x] + [[(x[0], edge), (x[-1], edge)] for edge in y]
    axes.add_collection(LineCollection(lines, colors="black", linewidths=0.35))


def _draw_polar(axes: Axes, grid: PolarGrid) -> None:
    """Draw angles and radii, the first cell filled."""
    angles, radii = grid.angle_edges, grid.radius_edges
    axes.add_patch(Circle((0, 0), radii[-1], color=_CELL_COLOUR, linewidth=0))
    arc = np.linspace(angles[0], angles[1], 50)
    outer = radii[1] * np.column_stack([np.cos(arc), np.sin(arc)])
    inner = radii[0] * np.column_stack([np.cos(arc), np.sin(arc)])[::-1]
    axes.add_collection(
        PolyCollection([np.vstack([outer, inner])], facecolors=_FIRST_CELL_COLOUR, linewidths=0)
    )
    for radius in radii[radii > 0]:
        axes.add_patch(Circle((0, 0), radius, fill=False, edgecolor="black", linewidth=0.35))
    if len(angles) > 2:
        spokes = [np.outer(radii[[0, -1]], [np.cos(angle), np.sin(angle)]) for angle in angles[:-1]]
        axes.add_collection(LineCollection(spokes, colors="black", linewidths=0.35))


def _draw_tiles(axes: Axes, section: Section) -> None:
    """Draw the outlines of the hexagonal tiles of the first layer over the cells."""
    if section.tiles is None:
        return
    width, height = section.size_mm
    corners = np.arange(6) * np.pi / 3
    hexagon = section.tiles.side_mm * np.column_stack([np.cos(corners), np.sin(corners)])
    outlines = [hexagon + centre for centre in section.tiles.centres(0, width, height)]
    tiles = PolyCollection(outlines, facecolors="none", edgecolors=_TILE_COLOUR, linewidths=0.9)
    axes.add_collection(tiles)
    tiles.set_clip_path(Rectangle((-width / 2, -height / 2), width, height, transform=axes.transData))


def _place_slabs(section: Section, front_mm: float, repeats: int) -> list[tuple[Slab, float]]:
    """Return the slabs of the first repeats, and the back plates behind the last, with where each begins."""
    placed, z = [], front_mm
    slabs = list(section.slabs) * repeats
    if repeats == section.repeats:
        slabs += section.back_plates
    for slab in slabs:
        placed.append((slab, z))
        z += slab.thickness_mm
    return placed


def _draw_slabs(axes: Axes, section: Section, placed: list[tuple[Slab, float]], colours: Colours) -> None:
    """Draw slabs in true proportion, z to the right and x upwards; cells with air between stand apart."""
    width = section.size_mm[0]
    patches = [_choose_backing(section, placed, colours)]
    for slab, z in placed:
        colour = colours[slab.material, slab.sensitive]
        if slab.sensitive and section.cell_gap_mm:
            edges = section.readout.grids(1)[0]
            rows = edges.row_edges if isinstance(edges, CartesianGrid) else np.array([-width / 2, width / 2])
            for low, high in pairwise(rows):
                size = high - low - section.cell_gap_mm
                middle = (low + high - size) / 2
                patches.append(Rectangle((z, middle), slab.thickness_mm, size, facecolor=colour, linewidth=0))
        else:
            patches.append(
                Rectangle((z, -width / 2), slab.thickness_mm, width, facecolor=colour, linewidth=0)
            )
    axes.add_collection(PatchCollection(patches, match_original=True, snap=False))


def _choose_backing(section: Section, placed: list[tuple[Slab, float]], colours: Colours) -> Rectangle:
    """Return a plate behind all slabs, so that seams between thin ones do not show the paper."""
    width, first, end = section.size_mm[0], placed[0][1], placed[-1][1] + placed[-1][0].thickness_mm
    thickest = max((slab for slab, _ in placed), key=lambda slab: slab.thickness_mm)
    colour = _AIR_COLOUR if section.cell_gap_mm else colours[thickest.material, thickest.sensitive]
    return Rectangle((first, -width / 2), end - first, width, facecolor=colour, linewidth=0)


def _draw_side(axes: Axes, detector: Detector, colours: Colours) -> None:
    """Draw the whole depth of every section that has slabs."""
    half, end = 0.0, 0.0
    for section, front in zip(detector.sections, detector.section_fronts, strict=True):
        if not section.slabs:
            continue
        _draw_slabs(axes, section, _place_slabs(section, front, section.repeats), colours)
        size = section.size_mm[0]
        outline = Rectangle(
            (front, -size / 2), section.depth_mm, size, fill=False, edgecolor="black", linewidth=0.8
        )
        axes.add_patch(outline)
        extent = section.readout.extent_mm[0]
        if extent < size:
            axes.hlines(
                [-extent / 2, extent / 2], front, front + section.depth_mm, colors="black", linestyles="--"
            )
        half, end = max(half, size / 2), float(front + section.depth_mm)
    arrow = 0.12 * max(end, half)
    axes.annotate(
        "", xy=(0, 0), xytext=(-arrow, 0), arrowprops={"arrowstyle": "->", "color": _FIRST_CELL_COLOUR}
    )
    axes.set(title="side view, beam from the left", xlabel="z [mm]", ylabel="x [mm]", aspect="equal")
    axes.set_xlim(-1.1 * arrow, end + 0.04 * max(end, half))
    axes.set_ylim(-1.04 * half, 1.04 * half)


def _draw_zoom(axes: Axes, section: Section, front_mm: float, colours: Colours) -> None:
    """Draw the first repeats about the axis, with the borders of the cells in the sensitive slabs."""
    placed = _place_slabs(section, front_mm, ZOOMED_REPEATS)
    depth = ZOOMED_REPEATS * section.repeat_mm
    _draw_slabs(axes, section, placed, colours)
    grid = section.readout.grids(1)[0]
    edges = (
        grid.row_edges
        if isinstance(grid, CartesianGrid)
        else np.hstack([-grid.radius_edges, grid.radius_edges])
    )
    for slab, z in placed:
        if slab.sensitive:
            axes.hlines(edges, z, z + slab.thickness_mm, colors="black", linewidths=0.8)
    title = f"{section.name}, side: first {ZOOMED_REPEATS} of {section.repeats} repeats"
    if section.layers_per_readout > 1:
        title += f"\n{section.layers_per_readout} repeats are one readout layer"
    axes.set(title=title, xlabel="z [mm]", ylabel="x [mm]", aspect="equal")
    axes.set_xlim(front_mm, front_mm + depth)
    axes.set_ylim(-depth / 2, depth / 2)


def _draw_radii(axes: Axes, readout: RingReadout) -> None:
    """Draw the radial bins of every layer of rings, one bar a layer."""
    smallest = min(edge for layer in readout.layers for edge in layer.r_edges_mm if edge > 0)
    for row, layer in enumerate(readout.layers):
        edges = layer.r_edges_mm
        for k, (low, high) in enumerate(pairwise(edges)):
            colour = _CELL_COLOUR if k % 2 else "#8fbfe8"
            axes.barh(row, high - low, left=low, height=0.7, color=colour, edgecolor="black", linewidth=0.4)
    labels = [
        f"layer {ring.id}\n{ring.alpha_bins} alpha x {len(ring.r_edges_mm) - 1} r" for ring in readout.layers
    ]
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.set_xscale("symlog", linthresh=smallest)
    axes.set_xlim(0, readout.extent_mm[0] / 2)
    axes.set(title=f"radial bins (linear up to {smallest:g} mm, then logarithmic)", xlabel="r [mm]")
