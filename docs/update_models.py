"""Write the table and picture of docs/models.md from the shipped bundles: `python docs/update_models.py`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox
from numpy.typing import NDArray
from page_tables import READ_OUT, TREES, beside_floor, fill, markdown, processor_time

from calokit.bundles.bundle import Bundle, read_bundle
from calokit.bundles.legs import cpu_minutes_in_all
from calokit.models.protocols import Surrogate

HOME = Path(__file__).resolve().parent.parent
PAGE = HOME / "docs" / "models.md"
PICTURE = HOME / "docs" / "images" / "models.png"


def judged() -> list[tuple[str, Bundle, dict[str, Any]]]:
    """Return every shipped surrogate with a scorecard: its name, itself, and the scorecard."""
    found = []
    for path in sorted((HOME / "zoo").glob("*.calokit")):
        bundle = read_bundle(path)
        if isinstance(bundle.model, Surrogate) and bundle.scorecard is not None:
            found.append((path.stem, bundle, bundle.scorecard))
    return found


def table() -> str:
    """Return every shipped surrogate: what it is, what training it took, and what judges and clocks say."""
    rows = [
        ["bundle", "detector", "family", "CPU min", "weights", "showers a class", "trees", "read out", "ms"]
    ]
    for name, bundle, card in judged():
        measured = card["measurements"]
        areas = [beside_floor(*measured[key]) if key in measured else "" for key in (TREES, READ_OUT)]
        rows.append(
            [
                f"`{name}`",
                bundle.detector.name,
                str(bundle.recipe.model.kind),
                f"{cpu_minutes_in_all(bundle.legs):.0f}",
                f"{sum(parameter.numel() for parameter in bundle.model.parameters()):,}",
                f"{card['test_showers']:,}",
                *areas,
                processor_time(name)[0],
            ]
        )
    return markdown(rows)


def draw_picture() -> None:
    """Draw time a shower against the largest area of all classifiers, one colour a detector."""
    from calokit.report.figures.style import colour_of, figure_style, fix_layout, new_plot, save_figure

    shown = [
        (name, bundle.detector.name, card)
        for name, bundle, card in judged()
        if TREES in card["measurements"] and processor_time(name)[0]
    ]
    detectors = list(dict.fromkeys(detector for _, detector, _ in shown))
    with figure_style():
        figure = new_plot(6.4, 4.6)
        axes = figure.subplots()
        areas, times = [], [float(processor_time(name)[0]) for name, _, _ in shown]
        for _, _, card in shown:
            own = {key: one for key, one in card["measurements"].items() if key.startswith("classifier.auc")}
            areas.append(max(own.values(), key=lambda one: float(one[0])))
        colours = {name: colour_of(detectors.index(detector)) for name, detector, _ in shown}
        for colour, area, time in zip(colours.values(), areas, times, strict=True):
            value, error, floor, floor_error = area
            axes.errorbar(time, value, yerr=error, color=colour, marker="o", linestyle="none")
            axes.errorbar(
                time, floor, yerr=floor_error, color=colour, marker="_", alpha=0.5, linestyle="none"
            )
        axes.axhline(0.5, color="0.5", linewidth=0.8)
        axes.set_xscale("log")
        axes.set_xlabel("processor time of a shower (ms, batch 10,000, one core)")
        axes.set_ylabel("largest AUC of all classifiers (bars: truth against truth)")
        axes.margins(x=0.3, y=0.15)
        fix_layout(figure)
        points = [np.column_stack([times, [float(area[of]) for area in areas]]) for of in (0, 2)]
        name_points(axes, colours, np.concatenate(points))
    save_figure(figure, PICTURE)


def name_points(axes: Axes, colours: dict[str, str], points: NDArray[np.float64]) -> None:
    """Write coloured names beside the first points (point, 2), if it can be where nothing is."""
    places = [(x, y, side) for y in (5, -12, 16, -23, 27, 38, 49) for x, side in ((6, "left"), (-6, "right"))]
    taken = [Bbox.from_bounds(x - 6, y - 6, 12, 12) for x, y in axes.transData.transform(points)]
    for (name, colour), point in zip(colours.items(), points, strict=False):
        for x, y, side in places:
            text = axes.annotate(name, point, textcoords="offset points", xytext=(x, y), ha=side, fontsize=9)
            text.set_color(colour)
            box = text.get_window_extent()
            free = box.x1 < axes.bbox.x1 and not any(box.overlaps(other) for other in taken)
            if free or (x, y, side) == places[-1]:
                taken.append(box)
                break
            text.remove()


TABLES: dict[str, Callable[[], str]] = {"table": table}


if __name__ == "__main__":
    PAGE.write_text(fill(PAGE.read_text(), TABLES))
    draw_picture()
