"""Matched showers from the side: depth along the beam against one coordinate across it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from calokit.detector import Detector
from calokit.detector.cell_volumes import CellVolumes, cell_volumes, place_layers
from calokit.errors import CalokitError
from calokit.evaluation.scorecard import ShowerHits
from calokit.report.compared import ComparedCards
from calokit.report.figures.energy_scale import draw_energy_bar, energy_colours, energy_scale
from calokit.report.figures.style import (
    REFERENCE_LINE,
    figure_style,
    fix_layout,
    new_image_grid,
    plain_label,
    short_label,
)

Floats = NDArray[np.float64]

_WIDTH = 10.2
_ROW_HEIGHT = 1.55


def has_depth(compared: ComparedCards) -> bool:
    """Tell whether side views show anything: hits in a detector of more than one readout layer."""
    detector = None if compared.leading is None else compared.leading.detector_description
    return detector is not None and detector.number_of_layers > 1


def draw_side_views(compared: ComparedCards) -> Figure:
    """Draw the hits of matched showers from the side, a row for each incident, reference and generated.

    Args:
        compared: The scorecards, at least one with hits (`has_depth`).

    Returns:
        A figure; each row has one logarithmic colour scale (MeV, summed over y, or over the angle where cells
        are sectors). Only the range across the beam that has hits is shown; lines part the sections.

    Raises:
        CalokitError: No scorecard has hits.
    """
    cards, leading = compared.cards, compared.leading
    if leading is None or leading.detector_description is None:
        raise CalokitError("no scorecard has hits; evaluate with at least one event to show.")
    detector = leading.detector_description
    volumes = cell_volumes(detector)
    pairs = zip(leading.hits, compared.incidents, strict=True)
    ordered = sorted(pairs, key=lambda pair: pair[0].incident_energy_gev)
    events = [event for event, _ in ordered]
    showers = [[e.reference, *(None if o is None else o.generated for o in others)] for e, others in ordered]
    projections = [[None if s is None else project_sideways(s, volumes) for s in row] for row in showers]
    with figure_style():
        figure = new_image_grid(_WIDTH, _ROW_HEIGHT * len(events) + 0.7)
        panels = figure.subplots(len(events), 1 + len(cards), squeeze=False, sharex=True, sharey=True)
        for row, event, sides in zip(panels, events, projections, strict=True):
            known = [side for side in sides if side is not None]
            scale = energy_scale([energies for _, energies in known])
            for axes, side in zip(row, sides, strict=True):
                _draw_side(axes, side, scale)
            lowest = min((float(energies.min(initial=np.inf)) for _, energies in known), default=np.inf)
            draw_energy_bar(list(row), scale, lowest, "E (MeV)")
            row[0].set_ylabel(f"{event.incident_energy_gev:.3g} GeV\n{_across_label(volumes)}", loc="center")
        drawn = [side for row in projections for side in row if side is not None]
        _finish(panels.tolist(), detector, volumes, drawn)
        for axes, label in zip(
            panels[0],
            [plain_label(leading.reference.label), *(plain_label(card.generated.label) for card in cards)],
            strict=True,
        ):
            axes.set_title(short_label(label, 90 // (1 + len(cards))))
        fix_layout(figure)
    return figure


def project_sideways(shower: ShowerHits, volumes: CellVolumes) -> tuple[Floats, Floats]:
    """Return the hits of a shower summed over y, or over the angle where its cells are sectors.

    Args:
        shower: Its hits.
        volumes: Of the detector's cells.

    Returns:
        Rectangles (bin, 4), front and back in z and lower and upper edge in x (or r), in mm, and their
        energies (bin,) in MeV.
    """
    cells = np.asarray(shower.cells, dtype=np.int64)
    across = np.where(volumes.is_sector[cells], 1, 0)
    places = np.column_stack(
        [
            volumes.low[cells, 2],
            volumes.high[cells, 2],
            volumes.low[cells, across],
            volumes.high[cells, across],
        ]
    )
    bins, which = np.unique(places, axis=0, return_inverse=True)
    energies = np.zeros(len(bins))
    np.add.at(energies, which.ravel(), np.asarray(shower.energies_mev, dtype=np.float64))
    return bins, energies


def _draw_side(axes: Axes, side: tuple[Floats, Floats] | None, scale: LogNorm) -> None:
    if side is None:
        axes.text(0.5, 0.5, "not among its events", ha="center", va="center", transform=axes.transAxes)
        return
    (front, back, low, high), energies = side[0].T, side[1]
    corners = np.stack(
        [
            np.column_stack(pair)
            for pair in ((front, low), (back, low), (back, high), (front, high))
        ],
        axis=1,
    )  # fmt: skip
    drawn = PolyCollection(
        list(corners), norm=scale, cmap=energy_colours(), antialiased=False, rasterized=True
    )
    drawn.set_array(energies)
    axes.add_collection(drawn)


def _across_label(volumes: CellVolumes) -> str:
    return "r (mm)" if volumes.is_sector.all() else "x (mm)"


def _finish(
    panels: Sequence[Sequence[Axes]],
    detector: Detector,
    volumes: CellVolumes,
    sides: Sequence[tuple[Floats, Floats]],
) -> None:
    """Set the ranges, part the sections and name the depth."""
    depths, to_scale = place_layers(detector)
    filled = np.concatenate([bins for bins, _ in sides])
    low, high = (filled[:, 2].min(), filled[:, 3].max()) if len(filled) else (0.0, 1.0)
    if volumes.is_sector.all():
        low = 0.0
    ends = np.cumsum([section.number_of_layers for section in detector.sections])[:-1]
    for axes in (axes for row in panels for axes in row):
        axes.set_xlim(depths[0, 0], depths[-1, 1])
        axes.set_ylim(low, high)
        for end in ends:
            axes.axvline(depths[end, 0], color=REFERENCE_LINE, linewidth=0.6, linestyle=":")
    for axes in panels[-1]:
        axes.set_xlabel("z (mm)" if to_scale else "depth, layers of equal thickness (not to scale)")
